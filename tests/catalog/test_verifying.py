"""``verify`` tells what is wrong with an index and what to do; ``compact`` makes it as small as what is in it."""

import os
from contextlib import closing

import numpy as np
import pytest

from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.catalog.entries import Entry
from mmrag_nb.catalog.verifying import verify_file
from mmrag_nb.cli import main
from mmrag_nb.errors import IndexFileError
from mmrag_nb.types import Chunk, Item, Preview


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lesson.mmrag"


@pytest.fixture
def catalog(path):
    catalog = Catalog(path)
    catalog.register("s", 8, {"model": "m"}, {})
    rng = np.random.default_rng(0)
    for n in range(6):
        item = Item(f"hash {n}", f"folder/{n}.txt", "text")
        chunks = [Chunk(item.id, place, "text", f"passage {n} {place}") for place in range(3)]
        keys = [f"key {n} {place}" for place in range(3)]
        made = rng.standard_normal((3, 8)).astype(np.float32)
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        previews = {(-1, "thumbnail"): Preview("image/webp", rng.bytes(20_000))}
        entry = Entry(item, chunks, [[("text", key)] for key in keys], "recipe", {}, previews)
        catalog.add([entry], {"s": dict(zip(keys, made, strict=True))}, {"preset": "offline"})
    yield catalog
    catalog.close()


def test_a_whole_index_is_said_to_be_so(catalog, path):
    found = catalog.verify()
    assert found.ok
    assert found.counts == {"items": 6, "chunks": 18, "views": 18, "vectors": 18, "previews": 6}
    assert "lesson.mmrag is whole" in repr(found)
    assert "is whole" in found._repr_html_()
    with closing(Catalog()) as empty:
        assert empty.verify().ok
    before = catalog.counts()
    assert verify_file(path).ok
    assert catalog.counts() == before


WRONGS = {
    "DELETE FROM vectors WHERE key = 'key 1 1'": ("vectors", "1 missing"),
    "INSERT INTO vectors SELECT space, 'nobody', vector FROM vectors LIMIT 1": ("vectors", "1 that no chunk"),
    "UPDATE vectors SET vector = zeroblob(32) WHERE key = 'key 2 0'": ("vectors", "1 not of length 1"),
    "UPDATE vectors SET vector = CAST(x'0000c07f' || substr(vector, 5) AS BLOB) WHERE key = 'key 2 0'": (
        "vectors",
        "1 not of",
    ),
    "UPDATE vectors SET vector = substr(vector, 1, 28) WHERE key = 'key 2 0'": ("vectors", "another dimension"),
    "UPDATE vectors SET vector = substr(vector, 1, 27) WHERE key = 'key 2 0'": ("vectors", "another dimension"),
    "DELETE FROM spaces": ("models", "no fingerprint"),
    "UPDATE spaces SET fingerprint = '{'": ("models", "cannot be read"),
    "INSERT INTO previews SELECT item, 9, kind, mime, data FROM previews LIMIT 1": ("previews", "belong to no chunk"),
    "DELETE FROM words WHERE rowid = 4": ("words", "1 chunks are missing"),
    "INSERT INTO words (rowid, text) VALUES (99, 'ghost')": ("words", "not there"),
    "UPDATE chunks SET ordinal = 7 WHERE ordinal = 1 AND item = 2": ("chunks", "gaps"),
    "UPDATE items SET metadata = 'no JSON' WHERE id = 1": ("chunks", "cannot be read"),
    "UPDATE meta SET value = x'ff'": ("settings", "cannot be read"),
    "PRAGMA foreign_keys = OFF; UPDATE chunks SET item = 77 WHERE id = 1": ("tables", "belong to nothing"),
    "DELETE FROM words_data WHERE id > 10": ("tables", "words"),
}


@pytest.mark.parametrize("wrong", WRONGS)
def test_what_does_not_fit_together_is_told_with_the_way_on(catalog, wrong):
    catalog._db.execute(wrong)
    found = catalog.verify()
    part, said = WRONGS[wrong]
    assert any(one.part == part and said in one.what and one.remedy for one in found.problems), found
    assert part in repr(found)
    assert said in found._repr_html_()


def test_damaged_and_foreign_files_are_findings_and_stay_as_they_are(catalog, path, capsys):
    catalog.close()
    data = path.read_bytes()
    damaged = bytearray(data)
    damaged[5 * 16384 + 100] ^= 16
    for content, said in [(damaged, "page 6"), (data[:-9000], "do not match"), (b"notes " * 99, "not a database")]:
        path.write_bytes(content)
        assert main(["verify", str(path)]) == 1
        assert said in capsys.readouterr().out
        assert path.read_bytes() == content
    path.write_bytes(data)
    assert main(["verify", str(path)]) == 0
    assert main(["verify", str(path.with_name("other.mmrag"))]) == 1
    assert "there is no index at" in capsys.readouterr().err


def test_a_log_that_a_killed_writer_left_is_read_and_stays(catalog, path, tmp_path):
    catalog._db.execute("PRAGMA wal_autocheckpoint = 0")
    catalog.note("later", "than the file")
    copy = tmp_path / "copy.mmrag"
    for end in ("", "-wal"):
        copy.with_name(f"copy.mmrag{end}").write_bytes(path.with_name(f"lesson.mmrag{end}").read_bytes())
    log = copy.with_name("copy.mmrag-wal").read_bytes()
    found = verify_file(copy)
    assert found.ok
    assert found.counts["chunks"] == 18
    assert copy.with_name("copy.mmrag-wal").read_bytes() == log


def test_compacting_gives_back_what_nothing_refers_to(catalog, path, capsys):
    catalog._db.execute("INSERT INTO vectors SELECT space, 'orphan ' || key, vector FROM vectors")
    catalog._db.execute("DELETE FROM items WHERE id > 2")
    ids, vectors = catalog.matrix("s", "text")
    made = catalog.compact()
    assert made.orphans == 18 + 12
    assert made.after < made.before
    assert made.after == path.stat().st_size
    assert "30 vectors that nothing referred to are gone" in repr(made)
    assert catalog.verify().ok
    again, same = catalog.matrix("s", "text")
    np.testing.assert_array_equal(again, ids)
    np.testing.assert_array_equal(same, vectors)
    catalog.close()
    assert main(["compact", str(path)]) == 0
    assert "before" in capsys.readouterr().out


def test_what_is_in_memory_is_made_compact_too():
    with closing(Catalog()) as catalog:
        assert catalog.compact().after > 0


def test_what_may_only_be_read_is_not_made_compact(catalog, path, monkeypatch):
    catalog.close()
    monkeypatch.setattr(os, "access", lambda place, mode: mode != os.W_OK)
    with closing(Catalog(path)) as shared, pytest.raises(IndexFileError, match="may only be read"):
        shared.compact()
    assert verify_file(path).ok
