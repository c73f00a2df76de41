"""The catalog keeps what it is given, finds it by words, and survives being saved and opened."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.catalog.database import PAGE, Database
from mmrag_nb.catalog.entries import Entry
from mmrag_nb.catalog.schema import VERSION
from mmrag_nb.errors import IndexFileError, IndexMismatch
from mmrag_nb.types import Chunk, Item, Preview


def entry(name, *texts, metadata=None, views=True):
    item = Item(f"hash of {name}", f"folder/{name}", "text", metadata or {})
    chunks = [Chunk(item.id, n, "text", text, start=None) for n, text in enumerate(texts)]
    return Entry(item, chunks, [[("text", f"key of {text}")] if views else [] for text in texts], "recipe")


def unit(*rows):
    rows = np.array(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def catalog():
    catalog = Catalog()
    yield catalog
    catalog.close()


def fill(catalog):
    catalog.register("s", 2, {"model": "m"}, {"torch": "2"})
    vectors = dict(
        zip(["key of red apple", "key of green pear", "key of grey stone"], unit([1, 0], [1, 1], [0, 1]), strict=True)
    )
    entries = [entry("fruit.txt", "red apple", "green pear"), entry("stone.txt", "grey stone")]
    catalog.add(entries, {"s": vectors})
    return vectors


def test_vectors_come_back_as_they_went_in(catalog):
    vectors = fill(catalog)
    ids, matrix = catalog.matrix("s", "text")
    texts = [catalog.records([i])[i].chunk.text for i in ids.tolist()]
    assert texts == ["red apple", "green pear", "grey stone"]
    np.testing.assert_array_equal(matrix, np.stack([vectors[f"key of {text}"] for text in texts]))
    assert matrix.dtype == np.float32


def test_a_known_item_is_replaced_not_doubled(catalog):
    fill(catalog)
    catalog.add([entry("stone.txt", "grey stone", "white stone", metadata={"caption": "two stones"})], {})
    assert catalog.counts() == {"text": 2}
    assert catalog.chunk_count() == 3 + 1
    assert catalog.find("hash of stone.txt")[0].metadata == {"caption": "two stones"}
    assert catalog.document_frequency("grey") == 1


def test_missing_and_unembedded_tell_what_is_still_to_embed(catalog):
    fill(catalog)
    assert catalog.missing("s", ["b", "key of red apple", "a", "b"]) == ["b", "a"]
    assert catalog.missing("other", ["key of red apple"]) == ["key of red apple"]
    of_fruit = catalog.chunk_ids("hash of fruit.txt")
    assert not catalog.unembedded("s", "text", ["text"], "hash of fruit.txt")
    assert catalog.unembedded("other", "text", ["text"], "hash of fruit.txt") == of_fruit
    assert catalog.unembedded("s", "grounded", ["text"], "hash of fruit.txt") == of_fruit
    assert not catalog.unembedded("s", "image", ["image"], "hash of fruit.txt")
    assert catalog.unembedded("other", "text", ["text"]) == [*of_fruit, *catalog.chunk_ids("hash of stone.txt")]


def test_another_model_for_a_space_is_refused_with_both_fingerprints(catalog):
    catalog.register("s", 2, {"model": "m", "revision": "1"}, {})
    catalog.add([entry("fruit.txt", "red apple")], {"s": {"key of red apple": unit([1, 0])[0]}})
    catalog.register("s", 2, {"model": "m", "revision": "1"}, {})
    for ask in (catalog.holds, lambda space, model: catalog.register(space, 2, model, {})):
        with pytest.raises(IndexMismatch, match=r"index has revision=1; settings ask for revision=2"):
            ask("s", {"model": "m", "revision": "2"})


def test_a_space_that_nothing_came_into_is_no_space_yet_and_open_to_any_model(catalog):
    """As an interrupted run leaves it."""
    catalog.register("s", 3, {"model": "first"}, {})
    catalog.set_background("s", "text", "d", unit([1, 0, 0]))
    assert catalog.spaces() == {}
    assert not catalog.holds("s", {"model": "another"})
    fill(catalog)
    assert catalog.spaces() == {"s": 3}
    assert catalog.background("s", "text", "d") is None, "of the first model"
    catalog.set_background("s", "text", "d", unit([3, 4]))
    np.testing.assert_allclose(catalog.background("s", "text", "d"), [[0.6, 0.8]])


def test_what_is_noted_beside_the_index_leaves_what_was_derived_from_it(catalog):
    fill(catalog)
    before = catalog.generation
    catalog.set_background("s", "text", "d", unit([3, 4]))
    assert catalog.generation == before
    catalog.add([entry("more.txt", "more")], {})
    assert catalog.generation != before


def test_words_are_found_by_their_stems_and_by_the_name(catalog):
    fill(catalog)
    catalog.add(
        [entry("harp_tuning.md", "Concert harps have forty-seven strings.", metadata={"author": "M. Lindqvist"})], {}
    )
    (harp,) = catalog.bm25(["harp"], 5)
    assert catalog.records([harp])[harp].item.name == "harp_tuning.md"
    assert list(catalog.bm25(["tuning"], 5)) == list(catalog.bm25(["lindqvist"], 5)) == [harp]
    assert catalog.bm25(["zebra"], 5) == {}
    assert catalog.bm25([], 5) == {}


@pytest.mark.parametrize("term", ['"', "AND", "a OR b", "NEAR(", "*", "col:x", "'; DROP TABLE words; --", "^", "(("])
def test_no_word_is_an_operator(catalog, term):
    fill(catalog)
    from mmrag_nb.catalog.words import terms

    catalog.bm25(terms(term), 5)
    assert catalog.chunk_count() == 3


def test_chinese_japanese_and_korean_are_found_by_pairs_and_single_characters(catalog):
    from mmrag_nb.catalog.words import terms

    texts = ["我最喜欢的竖琴演奏家是卡罗兰", "日本の桜は四月に咲きます", "한국어 문장입니다", "白马"]
    catalog.add([entry(f"{n}.txt", text) for n, text in enumerate(texts)], {})
    for question, wanted in [("竖琴", 0), ("桜は", 1), ("문장", 2), ("马", 3), ("卡罗兰是谁", 0)]:
        found = catalog.bm25(terms(question), 5)
        assert catalog.records(list(found))[next(iter(found))].chunk.text == texts[wanted], question


def test_previews_of_a_chunk_include_those_of_its_item(catalog):
    item = Item("h", "a.mp3", "audio")
    chunks = [Chunk("h", 0, "audio", start=0.0, end=1.5), Chunk("h", 1, "audio", start=1.5, end=2.0)]
    shown = {(-1, "peaks"): Preview("x", b"p"), (0, "clip"): Preview("x", b"0"), (1, "clip"): Preview("x", b"1")}
    catalog.add([Entry(item, chunks, [[], []], "r", {"seconds": 2.0}, shown)], {})
    assert {k: p.data for k, p in catalog.previews("h", 1, ("peaks", "clip")).items()} == {"peaks": b"p", "clip": b"1"}
    assert list(catalog.previews("h", 1, ("clip",))) == ["clip"]
    (record,) = catalog.records([1]).values()
    assert (record.chunk.start, record.chunk.end, record.facts) == (0.0, 1.5, {"seconds": 2.0})


def test_a_failed_batch_leaves_nothing_behind(catalog):
    fill(catalog)
    broken = entry("x.txt", "one", "two")
    with pytest.raises(ValueError):
        catalog.add([entry("good.txt", "good"), Entry(broken.item, broken.chunks, [[]], "r")], {})
    assert catalog.counts() == {"text": 2}
    assert catalog.bm25(["good"], 5) == {}


def test_save_goes_on_in_the_file_and_open_finds_everything(catalog, tmp_path):
    fill(catalog)
    catalog.set_background("s", "text", "d", unit([3, 4]))
    path = tmp_path / "lesson.mmrag"
    catalog.save(path)
    catalog.add([entry("later.txt", "added after saving")], {})
    again = Catalog(path)
    assert again.counts() == {"text": 3}
    np.testing.assert_array_equal(again.matrix("s", "text")[1], catalog.matrix("s", "text")[1])
    np.testing.assert_allclose(again.background("s", "text", "d"), [[0.6, 0.8]], rtol=1e-6)
    assert list(again.bm25(["saving"], 5))
    assert again.background("s", "text", "other") is None
    again.close()


def test_saving_where_nothing_can_be_written_keeps_the_index(catalog, tmp_path):
    fill(catalog)
    with pytest.raises(IndexFileError, match="there is no folder"):
        catalog.save(tmp_path / "no such folder" / "lesson.mmrag")
    assert catalog.counts() == {"text": 2}


def test_what_is_no_index_is_refused(tmp_path):
    text = tmp_path / "notes.mmrag"
    text.write_text("just some notes, nothing else, " * 50)
    with pytest.raises(IndexFileError, match="cannot be read as an index"):
        Catalog(text)
    other = tmp_path / "other.db"
    with closing(Database(other)) as db:
        db.execute("CREATE TABLE t (x)")
    with pytest.raises(IndexFileError, match="not an index made by mmrag_nb"):
        Catalog(other)


def test_a_later_format_is_refused_with_the_way_on(tmp_path):
    path = tmp_path / "lesson.mmrag"
    Catalog(path).close()
    with closing(Database(path)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(IndexFileError, match="pip install --upgrade"):
        Catalog(path)


def test_saving_over_an_index_whose_writer_was_killed_keeps_the_new_one(tmp_path):
    import subprocess
    import sys

    path = tmp_path / "lesson.mmrag"
    killed = f"""
import os, signal
from pathlib import Path
from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.catalog.database import PAGE, Database
from mmrag_nb.catalog.entries import Entry
from mmrag_nb.types import Chunk, Item
catalog = Catalog(Path({str(path)!r}))
for n in range(20):
    item = Item(f"old {{n}}", f"old{{n}}.txt", "text")
    catalog.add([Entry(item, [Chunk(item.id, 0, "text", "an old text")], [[]], "r")], {{}})
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", killed], check=False)
    assert path.with_name(path.name + "-wal").exists(), "the killed writer left its log"
    catalog = Catalog()
    fill(catalog)
    catalog.save(path)
    assert catalog.counts() == {"text": 2}
    catalog.close()
    again = Catalog(path)
    assert again.counts() == {"text": 2}
    assert not again.bm25(["old"], 5)
    again.close()


def test_saving_over_an_index_that_is_open_or_over_anything_else_is_refused(catalog, tmp_path):
    fill(catalog)
    other = Catalog(tmp_path / "open.mmrag")
    other.add([entry("kept.txt", "kept")], {})
    with pytest.raises(IndexFileError, match="open elsewhere"):
        catalog.save(tmp_path / "open.mmrag")
    assert other.counts() == {"text": 1}
    other.close()
    notes = tmp_path / "precious.txt"
    notes.write_text("precious " * 500)
    with pytest.raises(IndexFileError, match="cannot be read as an index"):
        catalog.save(notes)
    assert notes.read_text().startswith("precious")
    assert catalog.counts() == {"text": 2}
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_another_connections_commit_is_noticed(catalog, tmp_path):
    fill(catalog)
    catalog.save(tmp_path / "lesson.mmrag")
    before = catalog.generation
    other = Catalog(tmp_path / "lesson.mmrag")
    other.add([entry("more.txt", "more")], {})
    other.close()
    assert catalog.generation != before


def test_a_second_writer_is_told(catalog, tmp_path, monkeypatch):
    fill(catalog)
    catalog.save(tmp_path / "lesson.mmrag")
    monkeypatch.setattr("mmrag_nb.catalog.turns.PATIENCE", 1.0)
    other = Catalog(tmp_path / "lesson.mmrag")
    other._db.execute("PRAGMA busy_timeout = 50")
    with catalog._write(), pytest.raises(IndexFileError, match="being written elsewhere"):
        other.add([], {}, {"a": "b"})
    other.close()


def test_a_background_that_cannot_be_kept_now_is_gone_without(catalog, tmp_path):
    fill(catalog)
    catalog.save(tmp_path / "lesson.mmrag")
    reader = Catalog(tmp_path / "lesson.mmrag")
    reader._db.execute("PRAGMA busy_timeout = 50")
    with catalog._write():
        reader.set_background("s", "text", "d", unit([3, 4]))
    assert reader.background("s", "text", "d") is None
    reader.close()


def test_a_full_disk_is_told_and_what_was_there_stays(catalog, tmp_path):
    fill(catalog)
    catalog.save(tmp_path / "lesson.mmrag")
    catalog._db.execute(f"PRAGMA max_page_count = {catalog.size() // PAGE + 2}")
    with pytest.raises(IndexFileError, match=r"lesson\.mmrag cannot be written \(database or disk is full\)"):
        catalog.add([entry(f"{n}.txt", f"filler {n} " * 500) for n in range(50)], {})
    assert catalog.counts() == {"text": 2}
    catalog._db.execute("PRAGMA max_page_count = 1000000")
    catalog.add([entry("more.txt", "more")], {})
    assert catalog.counts() == {"text": 3}


def test_states_of_two_files_are_told_apart(catalog, tmp_path):
    fill(catalog)
    catalog.save(tmp_path / "a.mmrag")
    other = Catalog(tmp_path / "a.mmrag")
    other.add([entry("more.txt", "more")], {})
    other.close()
    before = catalog.generation
    catalog.save(tmp_path / "b.mmrag")
    other = Catalog(tmp_path / "b.mmrag")
    other.add([entry("else.txt", "else")], {})
    other.close()
    assert catalog.generation != before


def test_a_file_is_known_by_its_whole_path_wherever_the_notebook_goes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    catalog = Catalog(Path("lesson.mmrag"))
    monkeypatch.chdir("/")
    assert catalog.path == tmp_path.resolve() / "lesson.mmrag"
    catalog.save(tmp_path / "lesson.mmrag")  # where it is already
    catalog.close()


def test_a_folder_is_no_file_to_save_to(catalog, tmp_path):
    with pytest.raises(IndexFileError, match=r"is a folder: name a file in it, such as .*lesson\.mmrag"):
        catalog.save(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(IndexFileError, match="there is no folder"):
        Catalog(tmp_path / "nowhere" / "lesson.mmrag")
    with pytest.raises(IndexFileError):
        Catalog(tmp_path)


def test_a_moved_item_is_found_by_its_new_name(catalog):
    fill(catalog)
    catalog.update(Item("hash of stone.txt", "folder/granite.txt", "text", {"author": "Lindqvist"}))
    (found,) = catalog.bm25(["granite"], 5)
    assert catalog.records([found])[found].item.name == "granite.txt"
    assert catalog.bm25(["lindqvist"], 5).keys() == {found}
    assert catalog.find("hash of stone.txt")[0].metadata == {"author": "Lindqvist"}


def test_an_index_that_may_only_be_read_is_read(catalog, tmp_path, monkeypatch):
    import os

    fill(catalog)
    catalog.save(tmp_path / "lesson.mmrag")
    catalog.close()
    # A superuser may write everything, so the answer of the system is changed rather than the file's mode.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    shared = Catalog(tmp_path / "lesson.mmrag")
    assert shared.read_only
    assert shared.counts() == {"text": 2}
    assert shared.bm25(["apple"], 5)
    shared.register("another", 2, {}, {})
    shared.set_background("s", "text", "d", unit([3, 4]))
    with pytest.raises(IndexFileError, match="read"):
        shared.add([entry("more.txt", "more")], {})
    shared.close()


def test_a_link_stays_a_link_and_a_deleted_file_is_written_again(catalog, tmp_path):
    fill(catalog)
    (tmp_path / "real").mkdir()
    (tmp_path / "lesson.mmrag").symlink_to(tmp_path / "real" / "lesson.mmrag")
    catalog.save(tmp_path / "lesson.mmrag")
    assert (tmp_path / "lesson.mmrag").is_symlink()
    assert Catalog(tmp_path / "real" / "lesson.mmrag").counts() == {"text": 2}
    catalog.save(tmp_path / "a.mmrag")
    (tmp_path / "a.mmrag").unlink()
    catalog.save(tmp_path / "b.mmrag")
    assert Catalog(tmp_path / "b.mmrag").counts() == {"text": 2}
