"""One suite for every store, on the real engine: filtered before the search, fitted by what differs."""

import threading
import uuid
from contextlib import suppress

import numpy as np
import pytest
from store_engines import EXTRAS, KINDS, chroma_server, engines, milvus_server, needs, recall, unit

from mmrag_nb import registry
from mmrag_nb.errors import InvalidSetting, StoreError
from mmrag_nb.protocols import Store

KEEPING = ("faiss:hnsw", "chroma:FOLDER", "chroma:SERVER", "milvus", "milvus:FILE", "milvus:SERVER")


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    with engines(tmp_path_factory.mktemp("stores")) as place:
        yield place


@pytest.fixture
def make(places):
    """Make a store of a kind; ``channel`` as it was opened before, or a new one."""
    made = []

    def one(kind, channel=None):
        needs(kind)
        name, where = kind.split(":")[0], places(kind)
        channel = channel or f"mmrag_{uuid.uuid4().hex[:24]}"
        made.append(registry.find("store", name)(*[where] * bool(where), channel=channel))
        return made[-1]

    yield one
    for store in made:
        with suppress(StoreError):  # closed by the test
            store.close()


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def store(make, kind):
    return make(kind)


def best(vectors, ids, queries, k, allowed=None):
    """A full scan."""
    rows = np.arange(len(ids)) if allowed is None else np.flatnonzero(np.isin(ids, allowed))
    cosines = queries @ vectors[rows].T
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return ids[rows][order], np.take_along_axis(cosines, order, 1)


def test_every_name_is_in_this_suite():
    assert {kind.split(":")[0] for kind in KINDS} == set(registry.names("store"))


def test_it_fits_the_protocol(store):
    assert isinstance(store, Store)


def test_nothing_in_nothing_out(store):
    ids, cosines = store.search(unit(np.random.default_rng(0), 3), 5)
    assert ids.shape == cosines.shape == (3, 0)
    assert len(store) == 0


@pytest.mark.parametrize("n", [1, 2, 50, 3000])
def test_the_nearest_are_those_of_a_full_scan(store, n):
    rng = np.random.default_rng(n)
    vectors, queries = unit(rng, n), unit(rng, 7)
    ids = np.sort(rng.permutation(10 * n)[:n]).astype(np.int64) + 1
    store.fit(ids, vectors)
    assert len(store) == n
    found, cosines = store.search(queries, 10)
    wanted, exact = best(vectors, ids, queries, 10)
    assert found.shape == cosines.shape == wanted.shape
    assert found.dtype == np.int64
    assert cosines.dtype == np.float32
    if store.exact or n <= 50:
        np.testing.assert_array_equal(found, wanted)
        np.testing.assert_allclose(cosines, exact, atol=1e-5)
    held = found >= 0
    assert np.isin(found[held], ids).all()
    assert np.isnan(cosines[~held]).all()
    rows = np.searchsorted(ids, found[held])
    asked = np.repeat(queries, held.sum(1), axis=0)
    np.testing.assert_allclose(cosines[held], (asked * vectors[rows]).sum(1), atol=1e-4)
    assert all(np.all(np.diff(row[~np.isnan(row)]) <= 1e-6) for row in cosines)
    assert recall(found, wanted) >= 0.95


def test_a_filter_goes_before_the_search(store):
    rng = np.random.default_rng(4)
    n = 2000
    vectors, queries = unit(rng, n), unit(rng, 5)
    ids = np.arange(1, n + 1) * 3
    store.fit(ids, vectors)
    alike = ids[np.sort(np.argsort(-(vectors @ queries[0]))[n // 4 :])]  # without the very nearest
    for name, allowed in {
        "none": ids[:0],
        "one": ids[100:101],
        "few": np.sort(rng.choice(ids, 20, replace=False)),
        "a tenth": np.sort(rng.choice(ids, n // 10, replace=False)),
        "most": np.sort(rng.choice(ids, n - n // 10, replace=False)),
        "without the nearest": alike,
        "all": ids,
        "others too": np.concatenate([ids[:30], ids[:30] + 1, [*ids[-1:], 1]]),
        "others alone": ids[:30] + 1,
    }.items():
        found, cosines = store.search(queries, 10, np.sort(allowed))
        wanted, exact = best(vectors, ids, queries, 10, allowed)
        assert found.shape == cosines.shape == wanted.shape, name
        assert np.isin(found[found >= 0], allowed).all(), name
        if store.exact:
            np.testing.assert_array_equal(found, wanted, name)
            np.testing.assert_allclose(cosines, exact, atol=1e-5)
        assert not wanted.size or recall(found, wanted) >= 0.95, name


def test_more_than_there_are_can_be_asked_for(store):
    rng = np.random.default_rng(5)
    vectors = unit(rng, 30)
    store.fit(np.arange(1, 31), vectors)
    found, _ = store.search(vectors[:2], 1000)
    assert [sorted(row) for row in found.tolist()] == [list(range(1, 31))] * 2
    found, _ = store.search(vectors[:2], 1000, np.arange(5, 9))
    assert [sorted(row) for row in found.tolist()] == [[5, 6, 7, 8]] * 2


def test_fitting_again_replaces(store):
    rng = np.random.default_rng(1)
    first, vectors = unit(rng, 20), unit(rng, 4)
    store.fit(np.arange(1, 21), first)
    store.fit(np.array([7, 8, 9, 30]), vectors)
    assert len(store) == 4
    found, cosines = store.search(vectors[2:3], 20)
    assert found.shape == (1, 4)
    assert found[0, 0] == 9
    assert sorted(found[0].tolist()) == [7, 8, 9, 30]
    assert cosines[0, 0] == pytest.approx(1, abs=1e-5)
    store.fit(np.arange(1, 21), first)
    assert store.search(first[10:11], 20)[0][0, 0] == 11


def test_equal_vectors_are_all_found(store):
    vector = unit(np.random.default_rng(2), 1)
    store.fit(np.arange(1, 6), np.repeat(vector, 5, 0))
    assert sorted(store.search(vector, 5)[0][0].tolist()) == [1, 2, 3, 4, 5]
    assert sorted(store.search(vector, 5, np.array([2, 4]))[0][0].tolist()) == [2, 4]


def test_two_channels_do_not_mix(make, kind):
    rng = np.random.default_rng(3)
    one, other = make(kind), make(kind)
    one.fit(np.arange(1, 11), unit(rng, 10))
    other.fit(np.arange(101, 121), unit(rng, 20))
    assert sorted(one.search(unit(rng, 1), 50)[0][0].tolist()) == list(range(1, 11))
    assert sorted(other.search(unit(rng, 1), 50)[0][0].tolist()) == list(range(101, 121))


def test_a_search_goes_on_while_another_thread_fits(store):
    rng = np.random.default_rng(6)
    vectors = unit(rng, 600)
    ids = np.arange(1, 601)
    store.fit(ids[:300], vectors[:300])
    failed, over = [], threading.Event()

    def ask():
        try:
            while not over.is_set():
                for allowed in (None, ids[200:260], ids[:20]):
                    found, _ = store.search(vectors[:2], 5, allowed)
                    assert np.isin(found[found >= 0], ids if allowed is None else allowed).all()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test is to show it
            failed.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    for start in (100, 250, 0, 290):
        store.fit(ids[start : start + 300], vectors[start : start + 300])
    over.set()
    thread.join(30)
    assert not failed
    assert len(store) == 300


@pytest.fixture
def sent(monkeypatch):
    """Count the vectors that a store gives its engine."""

    def count(store):
        rows = []
        if hasattr(store, "_collection"):
            put = store._collection.upsert
            monkeypatch.setattr(store._collection, "upsert", lambda **all: rows.append(len(all["ids"])) or put(**all))
        elif hasattr(store, "_client"):
            put = store._client.upsert
            monkeypatch.setattr(store._client, "upsert", lambda name, data: rows.append(len(data)) or put(name, data))
        else:
            before = store.fit

            def fit(ids, vectors):
                held = store._fitted if store._fitted.index is not None else store._kept()
                before(ids, vectors)
                rows.append(len(store._fitted.ids) - len(held.ids))

            monkeypatch.setattr(store, "fit", fit)
        return rows

    return count


@pytest.mark.parametrize("kind", KEEPING)
def test_only_what_differs_is_sent(make, kind, sent):
    rng = np.random.default_rng(7)
    vectors, ids = unit(rng, 500), np.arange(1, 501)
    store = make(kind)
    rows = sent(store)
    for change, (wanted_ids, wanted), new in (
        ("all", (ids[:400], vectors[:400]), 400),
        ("nothing", (ids[:400], vectors[:400]), 0),
        ("more", (ids, vectors), 100),
        ("fewer", (ids[10:], vectors[10:]), 0),
        ("three others", (ids[10:], np.concatenate([vectors[10:497], unit(rng, 3)])), 3),
    ):
        rows.clear()
        store.fit(wanted_ids, wanted)
        assert sum(rows) == new, change
        assert len(store) == len(wanted_ids), change
        queries = np.concatenate([wanted[-2:], unit(rng, 2)])
        assert recall(store.search(queries, 10)[0], best(wanted, wanted_ids, queries, 10)[0]) >= 0.95, change


@pytest.mark.parametrize("kind", KEEPING)
def test_opened_again_it_has_what_was_kept(make, kind, sent, monkeypatch):
    if kind == "faiss:hnsw":
        monkeypatch.setattr("mmrag_nb.stores.faiss._KEPT_FROM", 1)
    rng = np.random.default_rng(8)
    vectors, ids = unit(rng, 300), np.arange(1, 301)
    first = make(kind)
    first.fit(ids, vectors)
    channel = first.channel
    first.close()
    second = make(kind, channel)
    rows = sent(second)
    second.fit(ids[:295], vectors[:295])
    assert sum(rows) == 0
    assert len(second) == 295
    np.testing.assert_array_equal(second.search(vectors[:4], 3)[0], best(vectors[:295], ids[:295], vectors[:4], 3)[0])


@pytest.mark.parametrize("kind", ["chroma:SERVER", "milvus:SERVER"])
def test_a_server_that_is_not_there_is_named(kind, monkeypatch):
    needs(kind)
    monkeypatch.setenv("CHROMA_TOKEN", "s3cret")
    monkeypatch.setenv("MILVUS_TOKEN", "s3cret")
    monkeypatch.setattr("mmrag_nb.milvus.connecting._WITHIN", 1.0)
    with pytest.raises(StoreError) as caught:
        registry.find("store", kind.split(":")[0])("http://127.0.0.1:9", channel="mmrag_x")
    assert "127.0.0.1:9" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("kind", ["chroma:SERVER", "milvus:SERVER"])
def test_a_server_that_goes_away_is_named(make, kind, tmp_path):
    needs(kind)
    serve = chroma_server if kind == "chroma:SERVER" else milvus_server
    with serve(tmp_path) as server:
        store = registry.find("store", kind.split(":")[0])(server.url, channel="mmrag_gone")
        vectors = unit(np.random.default_rng(9), 5)
        store.fit(np.arange(1, 6), vectors)
        store.search(vectors, 2)
    with pytest.raises(StoreError) as caught:
        store.search(vectors, 2)
    assert server.url in str(caught.value)
    assert "\n" not in str(caught.value)


def test_faiss_has_no_other_kinds():
    needs("faiss")
    with pytest.raises(InvalidSetting, match="faiss:hnsw"):
        registry.find("store", "faiss")("ivf")


@pytest.mark.parametrize("name", sorted(EXTRAS))
def test_what_is_absent_is_named_with_its_extra(name):
    assert registry.entry("store", name).extra == name
