"""Milvus: long filters, and a scan that becomes a graph while it is asked."""

import threading
from importlib.util import find_spec

import numpy as np
import pytest
from store_engines import recall, unit

from mmrag_nb.stores import milvus as milvus_stores

if find_spec("pymilvus") is None or find_spec("milvus_lite") is None:
    pytest.skip("the store milvus needs pymilvus and milvus_lite, which are not installed", allow_module_level=True)

N = 400


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("MMRAG_CACHE", str(tmp_path))
    store = milvus_stores.MilvusStore(channel="mmrag_here")
    yield store
    store.close()


@pytest.fixture(scope="module")
def corpus():
    rng = np.random.default_rng(0)
    return np.arange(1, N + 1), unit(rng, N, 16), unit(rng, 4, 16)


def best(ids, vectors, queries, k=10):
    return ids[np.argsort(-(queries @ vectors.T), axis=1)[:, :k]]


def test_a_filter_longer_than_one_question_takes_is_asked_in_several(store, corpus, monkeypatch):
    ids, vectors, queries = corpus
    store.fit(ids, vectors)
    monkeypatch.setattr(milvus_stores, "_LISTED", 50)
    asked = []
    search = store._client.search
    monkeypatch.setattr(
        store._client, "search", lambda *all, **more: asked.append(more["filter"]) or search(*all, **more)
    )
    for some, questions in ((ids[::3], 3), (ids[10:], 1), (ids[:300], 6), (ids[:7], 1)):
        asked.clear()
        found, cosines = store.search(queries, 10, some)
        rows = some - 1
        np.testing.assert_array_equal(found, best(some, vectors[rows], queries, min(10, len(some))))
        assert np.all(np.diff(cosines) <= 0)
        assert len(asked) == questions


def test_a_scan_becomes_a_graph_where_vectors_become_many(store, corpus, monkeypatch):
    ids, vectors, queries = corpus
    monkeypatch.setattr(milvus_stores, "HNSW_FROM", 300)
    store.fit(ids[:200], vectors[:200])
    assert store._index == "FLAT"
    failed, over = [], threading.Event()

    def ask():
        try:
            while not over.is_set():
                store.search(queries, 5)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test is to show it
            failed.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    store.fit(ids, vectors)
    over.set()
    thread.join(30)
    assert not failed
    assert store._index == "HNSW"
    assert recall(store.search(queries, 10)[0], best(ids, vectors, queries)) >= 0.95
    store.fit(ids[:250], vectors[:250])
    assert sorted(store.search(queries[:1], 300)[0][0].tolist()) == ids[:250].tolist()


def test_other_vectors_under_the_same_name_begin_anew(store):
    store.fit(np.arange(1, 4), np.eye(3, dtype=np.float32))
    store.fit(np.arange(1, 4), np.eye(5, dtype=np.float32)[:3])
    assert store.search(np.eye(5, dtype=np.float32)[1:2], 1)[0].tolist() == [[2]]


def test_its_own_file_is_in_the_user_s_cache(store, tmp_path):
    assert (tmp_path / "stores" / "mmrag_here.db").exists()
