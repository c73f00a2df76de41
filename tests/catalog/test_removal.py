"""What is removed is gone, with all that belongs to it alone; what others share stays."""

import apsw
import numpy as np
import pytest

from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.catalog.entries import Entry
from mmrag_nb.catalog.patterns import matches
from mmrag_nb.errors import IndexFileError
from mmrag_nb.types import Chunk, Item, Preview

SHARED = "a sentence that both have"


def entry(name, *texts):
    item = Item(f"hash of {name}", f"folder/{name}", "text")
    chunks = [Chunk(item.id, n, "text", text) for n, text in enumerate(texts)]
    previews = {(-1, "thumbnail"): Preview("image/webp", f"thumbnail of {name}".encode())}
    return Entry(item, chunks, [[("text", f"key of {text}")] for text in texts], "recipe", {}, previews)


@pytest.fixture(params=["in memory", "in a file"])
def catalog(request, tmp_path):
    catalog = Catalog(tmp_path / "lesson.mmrag" if request.param == "in a file" else None)
    catalog.register("s", 2, {"model": "m"}, {})
    entries = [entry("harp.txt", "forty-seven strings", SHARED), entry("ferry.txt", "leaves at noon", SHARED)]
    keys = ["key of forty-seven strings", "key of leaves at noon", f"key of {SHARED}"]
    catalog.add(entries, {"s": dict(zip(keys, np.eye(3, 2, dtype=np.float32), strict=True))})
    catalog.set_background("s", "text", "d", np.eye(2, dtype=np.float32))
    yield catalog
    catalog.close()


def test_an_item_goes_with_its_chunks_words_previews_and_vectors(catalog):
    before = catalog.generation
    catalog.remove(["hash of harp.txt"])
    assert catalog.generation != before, "what is derived from the index knows that it is stale"
    assert [item.name for item in catalog.items()] == ["ferry.txt"]
    assert catalog.chunk_count() == 2
    assert catalog.bm25(["strings"], 5) == {}
    assert catalog.document_frequency("harp") == 0
    assert catalog.previews("hash of harp.txt", 0, ("thumbnail",)) == {}
    assert catalog.missing("s", ["key of forty-seven strings", "key of leaves at noon", f"key of {SHARED}"]) == [
        "key of forty-seven strings"
    ], "content that another item shares keeps its vector"
    ids, vectors = catalog.matrix("s", "text")
    assert [catalog.records([i])[i].chunk.text for i in ids.tolist()] == ["leaves at noon", SHARED]
    assert len(vectors) == 2
    assert catalog.bm25(["noon"], 5)


def test_an_emptied_index_is_open_to_any_model(catalog):
    catalog.remove([item.id for item in catalog.items()])
    assert (catalog.counts(), catalog.chunk_count(), catalog.spaces()) == ({}, 0, {})
    assert catalog.background("s", "text", "d") is None
    catalog.register("s", 3, {"model": "another"}, {})
    catalog.add([entry("harp.txt", "again")], {"s": {"key of again": np.ones(3, np.float32)}})
    assert catalog.bm25(["again"], 5)


def test_a_removed_text_is_in_no_corner_of_the_file(tmp_path):
    path = tmp_path / "lesson.mmrag"
    catalog = Catalog(path)
    catalog.add([entry("secret.txt", "the combination is xylophone seventeen"), entry("ferry.txt", "noon")], {})
    catalog.add([entry(f"{n}.txt", f"filler {n} " * 50) for n in range(50)], {})
    catalog.remove(["hash of secret.txt"])
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for word in (b"xylophone", b"xylophon", b"seventeen", b"secret"):
        assert word not in written
    assert b"noon" in written
    catalog.close()


def test_an_emptied_file_gives_its_room_back(tmp_path):
    path = tmp_path / "lesson.mmrag"
    catalog = Catalog(path)
    empty = catalog.size()
    catalog.add([entry(f"{n}.txt", f"passage {n} " * 200) for n in range(200)], {})
    assert catalog.size() > 4 * empty
    catalog.remove([item.id for item in catalog.items()])
    assert path.stat().st_size <= 1.5 * empty
    catalog.close()


def test_removing_while_another_reads_works_and_the_reader_sees_it(tmp_path):
    catalog = Catalog(tmp_path / "lesson.mmrag")
    catalog.add([entry("harp.txt", "strings"), entry("ferry.txt", "noon")], {})
    other = Catalog(tmp_path / "lesson.mmrag")
    reading = other._db.execute("SELECT * FROM chunks")
    reading.fetchone()
    before = other.generation
    catalog.remove([item.id for item in catalog.items()])
    reading.close()
    assert other.counts() == {}
    assert other.generation != before
    other.close()
    catalog.close()


def test_a_failed_removal_leaves_everything(catalog, monkeypatch):
    monkeypatch.setattr("mmrag_nb.catalog.removal.ORPHANS", ("DELETE FROM no_such_table",))
    with pytest.raises(apsw.SQLError):
        catalog.remove(["hash of harp.txt"])
    assert catalog.counts() == {"text": 2}
    assert catalog.bm25(["strings"], 5)


def test_what_may_only_be_read_is_not_removed_from(tmp_path, monkeypatch):
    import os

    with_items = Catalog(tmp_path / "lesson.mmrag")
    with_items.add([entry("harp.txt", "strings")], {})
    with_items.close()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    shared = Catalog(tmp_path / "lesson.mmrag")
    with pytest.raises(IndexFileError, match="may only be read"):
        shared.remove(["hash of harp.txt"])
    assert shared.counts() == {"text": 1}
    shared.close()


def test_reset_starts_over_in_memory_and_leaves_the_file(tmp_path):
    path = tmp_path / "lesson.mmrag"
    catalog = Catalog(path)
    catalog.add([entry("harp.txt", "strings")], {})
    before = catalog.generation
    catalog.become(Catalog())
    assert (catalog.path, catalog.counts()) == (None, {})
    assert catalog.generation != before
    catalog.add([entry("ferry.txt", "noon")], {})
    again = Catalog(path)
    assert [item.name for item in again.items()] == ["harp.txt"]
    again.close()
    catalog.close()


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("photos/*.jpg", ["a.jpg", "b.jpg"]),
        ("*.jpg", ["a.jpg", "b.jpg", "c.jpg"]),
        ("[ab].jpg", ["a.jpg", "b.jpg"]),
        ("?.jpg", ["a.jpg", "b.jpg", "c.jpg"]),
        ("photos/**/*.jpg", ["a.jpg", "b.jpg", "c.jpg"]),
        ("photos/**", ["a.jpg", "b.jpg", "c.jpg"]),
        ("photos", ["b.jpg", "c.jpg"]),
        ("photos/", ["b.jpg", "c.jpg"]),
        ("/home/m/*/a.jpg", ["a.jpg"]),
        ("p*.jpg", []),
        ("hotos/*.jpg", []),
        ("*", ["a.jpg", "b.jpg", "c.jpg", "Wiki.txt", "{{red / 2}}"]),
        ("https://example.org/*", ["Wiki.txt"]),
        ("{{*}}", ["{{red / 2}}"]),
    ],
)
def test_patterns_match_as_they_do_in_sources_from_any_folder_on(pattern, found):
    uris = ["/home/m/photos/a.jpg", "photos/b.jpg", "photos/old/c.jpg", "https://example.org/Wiki.txt", "{{red / 2}}"]
    items = [Item(uri, uri, "image") for uri in uris]
    assert [item.name for item in matches(items, pattern)] == found
