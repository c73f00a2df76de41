"""An index that grows is read where it has grown; whatever else happens to it, nothing stale is found."""

import subprocess
import sys
import threading
from contextlib import closing

import numpy as np
import pytest
from store_engines import unit

from mmrag_nb import channelling
from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.catalog.entries import Entry
from mmrag_nb.channelling import Channels
from mmrag_nb.retrieval.ways import Way
from mmrag_nb.settings import Settings
from mmrag_nb.stores import int8, memory, scanning
from mmrag_nb.types import Chunk, Item

SPACE, D = "s", 16
ANOTHER = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from test_growing_indexes import open_index, put
catalog = open_index(Path(sys.argv[1]))
put(catalog, sys.argv[2], 3)
catalog.close()
"""


class Encoder:
    """As much of one as it takes to name a channel."""

    space = SPACE


def ways():
    seen = (("text", "text", None), ("image", "image", None), ("text", "titled", None), ("text", "text", "text"))
    return [Way(Encoder(), modality, view, ("text", "image"), part) for modality, view, part in seen]


def open_index(path):
    catalog = Catalog(path)
    catalog.register(SPACE, D, {"model": "m"}, {})
    return catalog


def vector(key):
    return unit(np.random.default_rng(sum(map(ord, key)) * 7919 + len(key)), 1, D)[0]


def put(catalog, name, n, *, views=("text",), shared=False, embedded=True):
    """Add an item of ``n`` chunks; ``shared`` content has the vectors of others of its kind."""
    item = Item(f"item {name}", f"/{name}.txt", "text")
    keys = [[(view, f"{view} {'all' if shared else name} {i}") for view in views] for i in range(n)]
    vectors = {key: vector(key) for one in keys for _, key in one} if embedded else {}
    chunks = [Chunk(item.id, i, "image" if "image" in views else "text", f"{name} {i}") for i in range(n)]
    catalog.add([Entry(item, chunks, keys, "r")], {SPACE: vectors})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "i.mmrag"


@pytest.fixture
def channels():
    channels = Channels(Settings(), threading.RLock())
    yield channels
    channels.close()


@pytest.fixture
def read(monkeypatch):
    """How many vectors are read, each time."""
    numbers, load = [], Catalog.vectors_after

    def counted(self, *place, **how):
        ids, vectors = load(self, *place, **how)
        if getattr(self, "counted", True):
            numbers.append(len(ids))
        return ids, vectors

    monkeypatch.setattr(Catalog, "vectors_after", counted)
    return numbers


def check(channels, catalog, path):
    """What is found is what a fresh load finds."""
    with closing(Catalog(path)) as fresh:
        fresh.counted = False
        for way in ways():
            ids, vectors = fresh.matrix(SPACE, way.view, way.part)
            channel = channels.channel(catalog, way)
            if channel is None:
                assert not len(ids)
                continue
            np.testing.assert_array_equal(channel.ids, ids)
            np.testing.assert_array_equal(channel.vectors, vectors)
            queries = np.concatenate([vectors[-1:], unit(np.random.default_rng(len(ids)), 2, D)])
            found, cosines = channel.store.search(queries, 5)
            exact = queries @ vectors.T
            np.testing.assert_allclose(cosines, -np.sort(-exact, 1)[:, :5], atol=1e-5)
            for row, told, each in zip(found, cosines, exact, strict=True):
                np.testing.assert_allclose(each[np.searchsorted(ids, row)], told, atol=1e-5)


def test_only_what_is_new_is_read(path, channels, read):
    way = ways()[0]
    with closing(open_index(path)) as catalog:
        put(catalog, "a", 200)
        first = channels.channel(catalog, way)
        store = first.store
        for name in "bcd":
            put(catalog, name, 10)
            channels.channel(catalog, way)
        assert read == [200, 10, 10, 10]
        now = channels.channel(catalog, way)
        assert now.store is store
        assert np.shares_memory(now.vectors, first.vectors), "nothing is copied"
        assert (len(first), len(now), len(store)) == (200, 230, 230)
        check(channels, catalog, path)


def test_what_comes_for_another_channel_is_not_read(path, channels, read):
    with closing(open_index(path)) as catalog:
        put(catalog, "a", 20)
        channel = channels.channel(catalog, ways()[0])
        put(catalog, "b", 5, views=("image",))
        assert channels.channel(catalog, ways()[0]).ids is channel.ids
        assert read == [20, 0]


def test_another_process_writes(path, channels, read):
    way = ways()[0]
    with closing(open_index(path)) as catalog:
        put(catalog, "a", 20)
        channels.channel(catalog, way)
        for name in ("theirs", "more"):
            run = [sys.executable, "-c", ANOTHER, str(path), name, *sys.path]
            subprocess.run(run, check=True, timeout=100)
            channels.channel(catalog, way)
        assert read == [20, 3, 3], "theirs alone are read"
        check(channels, catalog, path)


def test_what_changes_otherwise_is_read_again(path, channels):
    """Each leaves the number of rows, or the highest id, or both, as they were."""
    with closing(open_index(path)) as catalog, closing(open_index(path)) as other:
        put(catalog, "a", 20)
        put(catalog, "b", 20, views=("image", "text", "titled"))
        put(catalog, "later", 6, views=("titled",), embedded=False)
        check(channels, catalog, path)
        ids = catalog.chunk_ids("item b")
        changes = {
            "replaced": lambda one: put(one, "a", 20),
            "removed, and as many added": lambda one: (one.remove(["item a"]), put(one, "c", 20)),
            "a view's vector is another": lambda one: one.add_views(
                {ids[3]: [("text", "text another")]}, {SPACE: {"text another": vector("another")}}, {}
            ),
            "a view goes": lambda one: (
                one.add_views({ids[4]: []}, {SPACE: {}}, {}) or one.update(Item("item b", "/renamed.txt", "text"))
            ),
            "vectors for views that are there": lambda one: one.add_views(
                {}, {SPACE: {f"titled later {i}": vector(f"later {i}") for i in range(6)}}, {}
            ),
            "the last goes": lambda one: one.remove(["item later"]),
            "made smaller": lambda one: (one.remove(["item b"]), one._db.execute("VACUUM"), put(one, "d", 3)),
            "emptied": lambda one: one.remove(["item a", "item b", "item c", "item d"]),
            "filled again by another model": lambda one: (
                one.register(SPACE, D, {"model": "another"}, {}),
                put(one, "a", 4),
            ),
        }
        for writer in (catalog, other):
            for name, change in changes.items():
                change(writer)
                try:
                    check(channels, catalog, path)
                except AssertionError as error:
                    raise AssertionError(f"{name}: {error}") from error
            writer.remove(["item a"])
            writer.register(SPACE, D, {"model": "m"}, {})
            put(writer, "b", 20, views=("image", "text", "titled"))
            ids = catalog.chunk_ids("item b")


@pytest.mark.parametrize("seed", range(6))
def test_after_whatever_is_done_it_is_a_fresh_load(path, channels, monkeypatch, seed):
    monkeypatch.setattr(memory, "CODED", 0)
    monkeypatch.setattr(memory, "_DEEP", 1)  # scanned, however few they are
    monkeypatch.setattr(channelling, "_ROOM", 0.25 * (seed % 2))
    rng = np.random.default_rng(seed)
    with closing(open_index(path)) as catalog, closing(open_index(path)) as other:
        held = []
        for step in range(30):
            writer = catalog if rng.random() < 0.6 else other
            what = rng.choice(["add", "add", "share", "both", "bare", "later", "remove", "replace", "nothing"])
            name = str(rng.choice(held)) if what in {"remove", "replace"} and held else f"n{step}"
            if what in {"add", "share", "both", "bare", "replace"}:
                views = {"both": ("text", "titled"), "bare": ("titled",)}.get(what, ("text",))
                views = ("image",) if rng.random() < 0.2 else views
                n = int(rng.integers(1, 9))
                put(writer, name, n, views=views, shared=what == "share", embedded=what != "bare")
                held = [*held, name] if name not in held else held
            elif what == "later":
                missing = writer.missing(SPACE, [f"titled n{i} {j}" for i in range(step) for j in range(9)])
                there = [key for views in writer.views(range(1, 500)).values() for _, key in views]
                new = {key: vector(key) for key in missing if key in there}
                writer.add_views({}, {SPACE: new}, {})
            elif what == "remove" and held:
                writer.remove([f"item {name}"])
                held.remove(name)
            if rng.random() < 0.7:
                check(channels, catalog, path)
        check(channels, catalog, path)


@pytest.mark.skipif(not int8.available(), reason="int8 codes need numkong, which is not installed")
def test_what_is_searched_by_codes_grows_too(path, channels, monkeypatch, read):
    monkeypatch.setattr(memory, "CODED", 0)
    n = scanning.BLOCK + 10
    with closing(open_index(path)) as catalog:
        for name, some in (("a", n - 20), ("b", 15), ("c", 400)):
            put(catalog, name, some)
            check(channels, catalog, path)
        assert channels.channel(catalog, ways()[0]).store._fitted.codes.n == n + 395
    assert [one for one in read if one] == [n - 20, n - 20, 15, 15, 400, 400], "for two channels"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE spaces SET fingerprint = '{}'",
        "UPDATE views SET key = 'another' WHERE chunk = 3",
        "DELETE FROM vectors WHERE key = 'text a 3'",
        "DELETE FROM views WHERE chunk = 5; INSERT INTO views VALUES (5, 'text', 'text a 0')",
    ],
)
def test_what_was_not_added_is_noticed(path, change):
    with closing(open_index(path)) as catalog, closing(open_index(path)) as other:
        put(catalog, "a", 8)
        with catalog.snapshot():
            before = catalog.mark(SPACE)
        put(other, "b", 3)
        with catalog.snapshot():
            assert catalog.grown(before) is not None
        other._db.execute(change)
        with catalog.snapshot():
            assert catalog.grown(before) is None
