"""Files of an earlier format open as if they were of this one; files of a later one are refused."""

import os
from contextlib import closing

import apsw
import pytest

pytest.importorskip("torch")

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.catalog.database import Database
from mmrag_nb.catalog.schema import APPLICATION_ID, VERSION
from mmrag_nb.errors import IndexFileError
from mmrag_nb.models.emoji import EmojiEncoder
from mmrag_nb.models.words import WordsEncoder
from mmrag_nb.presets import NONE

EMOJI = demo_folder() / "emoji"
HARP = "A concert harp has forty-seven strings and seven pedals."
CHINESE = "红色的苹果在桌子上"

FORMAT_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE spaces (
    name TEXT PRIMARY KEY, dimension INTEGER NOT NULL, fingerprint TEXT NOT NULL, versions TEXT NOT NULL
);
CREATE TABLE backgrounds (
    space TEXT NOT NULL, modality TEXT NOT NULL, digest TEXT NOT NULL, vectors BLOB NOT NULL, UNIQUE (space, modality)
);
CREATE TABLE items (
    id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, uri TEXT NOT NULL, modality TEXT NOT NULL,
    metadata TEXT NOT NULL, facts TEXT NOT NULL, recipe TEXT NOT NULL
);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY, item INTEGER NOT NULL REFERENCES items ON DELETE CASCADE, ordinal INTEGER NOT NULL,
    modality TEXT NOT NULL, text TEXT NOT NULL, start REAL, "end" REAL, page INTEGER, UNIQUE (item, ordinal)
);
CREATE TABLE views (
    chunk INTEGER NOT NULL REFERENCES chunks ON DELETE CASCADE, modality TEXT NOT NULL, key TEXT NOT NULL,
    PRIMARY KEY (chunk, modality, key)
) WITHOUT ROWID;
CREATE INDEX views_by_key ON views (key);
CREATE TABLE vectors (space TEXT NOT NULL, key TEXT NOT NULL, vector BLOB NOT NULL, UNIQUE (space, key));
CREATE TABLE previews (
    item INTEGER NOT NULL REFERENCES items ON DELETE CASCADE, ordinal INTEGER NOT NULL, kind TEXT NOT NULL,
    mime TEXT NOT NULL, data BLOB NOT NULL, UNIQUE (item, ordinal, kind)
);
CREATE VIRTUAL TABLE words USING fts5(text, name, tokenize = 'porter unicode61 remove_diacritics 2');
CREATE TRIGGER chunk_words_go AFTER DELETE ON chunks BEGIN DELETE FROM words WHERE rowid = old.id; END;
"""
ROWS = """
INSERT INTO meta SELECT key, value FROM now.meta WHERE key IN ('preset', 'clip', 'text', 'speech', 'generator');
INSERT INTO spaces SELECT * FROM now.spaces;
INSERT INTO items SELECT id, hash, uri, modality, metadata, facts,
    CASE modality WHEN 'text' THEN 'text-1/64 by words:hashed-1024; text'
    ELSE recipe || '; image, text and names' END FROM now.items;
INSERT INTO chunks SELECT id, item, ordinal, modality, text, start, "end", page FROM now.chunks;
INSERT INTO views SELECT chunk, replace(view, 'titled', 'text'), key FROM now.views;
INSERT INTO vectors SELECT * FROM now.vectors;
INSERT INTO previews SELECT * FROM now.previews;
INSERT INTO words (rowid, text, name) SELECT rowid, text, name FROM now.words;
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A file of format 1 with two drawings, one of them with a caption, and two texts."""
    place = tmp_path_factory.mktemp("formats")
    with MultimodalRAG(preset="offline", speech=NONE, path=place / "now.mmrag") as rag:
        rag.index([EMOJI / "drawing_09.png", {"path": EMOJI / "drawing_04.png", "caption": "a lute"}])
        rag.index([{"text": HARP, "author": "Ottoline"}, {"text": CHINESE}])
    with closing(apsw.Connection(str(place / "old.mmrag"))) as db:
        db.execute(FORMAT_1)
        db.execute("ATTACH ? AS now", (str(place / "now.mmrag"),))
        db.execute(ROWS)
        db.execute(f"PRAGMA user_version = 1; PRAGMA application_id = {APPLICATION_ID};")
    return place / "old.mmrag"


@pytest.fixture
def old(made, tmp_path):
    path = tmp_path / "old.mmrag"
    path.write_bytes(made.read_bytes())
    return path


@pytest.fixture
def embedded(monkeypatch):
    """What is embedded while a test runs."""
    seen = []
    words, pixels = WordsEncoder.embed_texts, EmojiEncoder.embed_images
    monkeypatch.setattr(WordsEncoder, "embed_texts", lambda self, texts: seen.extend(texts) or words(self, texts))
    monkeypatch.setattr(EmojiEncoder, "embed_images", lambda self, some: seen.extend(some) or pixels(self, some))
    return seen


def vectors(path):
    with closing(Database(path)) as db:
        return set(db.execute("SELECT space, key, vector FROM vectors"))


def version(path):
    with closing(Database(path)) as db:
        return db.execute("PRAGMA user_version").fetchone()[0]


def finds_all(rag):
    assert rag.search("an elephant", modalities="image")[0].item.name == "drawing_09.png"
    lute = rag.search("which picture shows a lute?")[0]
    assert (lute.item.name, lute.seen_as) == ("drawing_04.png", "text")
    assert rag.search("how many pedals has a harp?")[0].chunk.text == HARP
    assert rag.search("who is Ottoline?")[0].lexical > 0
    assert rag.search("苹果")[0].lexical > 0


def test_a_file_of_format_1_is_brought_up_to_date_and_searched_with_its_own_vectors(old, embedded):
    before = vectors(old)
    with MultimodalRAG.open(old) as rag:
        finds_all(rag)
        assert rag.status().items == {"image": 2, "text": 2}
        assert not rag.lacking()
        assert not any("lacks" in fact for fact in rag.search("a harp").facts)
    assert HARP not in embedded
    assert not any(hasattr(one, "size") for one in embedded), "no picture was looked at again"
    assert version(old) == VERSION
    assert vectors(old) == before
    with MultimodalRAG.open(old) as rag:
        finds_all(rag)


def test_it_can_be_searched_by_the_strategies_that_came_later_and_filled_further(old):
    with MultimodalRAG.open(old, ocr=NONE) as rag:
        assert rag.search("an elephant", strategy="separate", modalities="image")[0].item.name == "drawing_09.png"
        assert rag.search("an elephant", strategy="grounded")[0].item.name == "drawing_09.png"
        report = rag.index([{"text": "A red shoe.", "image": EMOJI / "drawing_01.png", "name": "shoe"}])
        assert sum(report.items.values()) == 2
        assert rag.search("red shoe")[0].item.record.name == "shoe"
        rag.remove("drawing_09.png")
        assert rag.status().items == {"image": 2, "text": 3}


def test_what_it_holds_is_not_embedded_again(old, embedded):
    with MultimodalRAG.open(old) as rag:
        report = rag.index([EMOJI / "drawing_09.png", {"text": HARP, "author": "Ottoline"}])
        assert (report.embedded, report.reused) == (0, 2)
    assert not embedded


def test_one_that_may_only_be_read_is_used_without_being_written(old, monkeypatch):
    writable = os.access
    monkeypatch.setattr(os, "access", lambda place, mode: writable(place, mode) and (mode != os.W_OK or place != old))
    before = old.read_bytes()
    with MultimodalRAG.open(old) as rag:
        finds_all(rag)
        with pytest.raises(IndexFileError, match="may only be read"):
            rag.index({"text": "more"})
        rag.save(old.with_name("copy.mmrag"))
        rag.index({"text": "more"})
    assert old.read_bytes() == before
    assert [path.name for path in old.parent.iterdir() if path.name.startswith("old")] == ["old.mmrag"]
    assert version(old.with_name("copy.mmrag")) == VERSION


def test_a_migration_that_fails_leaves_the_file_as_it_was(old):
    with closing(Database(old)) as db:
        db.execute("CREATE TABLE calibrations (other TEXT)")  # in the way of what is to be made
    before = vectors(old)
    with pytest.raises(IndexFileError, match="cannot be read as an index"):
        Catalog(old)
    assert version(old) == 1
    assert vectors(old) == before


def test_a_file_of_a_later_format_is_refused_with_the_way_on(old):
    with closing(Database(old)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = old.read_bytes()
    with pytest.raises(IndexFileError, match=f"has format {VERSION + 1}, .* pip install --upgrade mmrag-nb") as told:
        MultimodalRAG.open(old)
    assert "\n" not in str(told.value)
    assert old.read_bytes() == before
