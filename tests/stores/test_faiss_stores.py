"""The graph of FAISS: what it finds under a filter, and what is kept of it."""

import os
import time

import numpy as np
import pytest
from store_engines import recall, unit

from mmrag_nb.stores import cache

faiss = pytest.importorskip("faiss", reason="the store faiss needs faiss, which is not installed")
from mmrag_nb.stores import faiss as faiss_stores  # noqa: E402 - only where FAISS is

N, D = 12_000, 24


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    home = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMRAG_CACHE", str(home))
        yield home / "stores"


@pytest.fixture(scope="module")
def corpus():
    rng = np.random.default_rng(0)
    return np.arange(1, N + 1) * 2, unit(rng, N, D), unit(rng, 20, D)


@pytest.fixture(scope="module")
def store(corpus):
    store = faiss_stores.store("hnsw", channel="mmrag_graph")
    store.fit(*corpus[:2])
    return store


def best(corpus, k=10, allowed=None):
    ids, vectors, queries = corpus
    rows = np.arange(len(ids)) if allowed is None else np.flatnonzero(np.isin(ids, allowed))
    return ids[rows][np.argsort(-(queries @ vectors[rows].T), axis=1)[:, :k]]


def test_a_graph_finds_nearly_all_and_scans_when_that_is_quicker(store, corpus, monkeypatch):
    scans = []
    scan = faiss_stores._scan
    monkeypatch.setattr(faiss_stores, "_scan", lambda *all: scans.append(all[-1]) or scan(*all))
    assert recall(store.search(corpus[2], 10)[0], best(corpus)) >= 0.97
    assert not scans
    few = corpus[0][100:600]
    np.testing.assert_array_equal(store.search(corpus[2], 10, few)[0], best(corpus, 10, few))
    assert len(scans) == 1


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.3, 0.6, 0.7, 0.8, 0.9, 0.99])
def test_a_filter_costs_no_recall(store, corpus, share):
    rng = np.random.default_rng(int(1000 * share))
    allowed = np.sort(rng.choice(corpus[0], int(share * N), replace=False))
    found = store.search(corpus[2], 10, allowed)[0]
    assert np.isin(found, allowed).all()
    assert recall(found, best(corpus, 10, allowed)) >= 0.97


def test_a_filter_far_from_the_question_costs_no_recall(store, corpus):
    ids, vectors, queries = corpus
    far = ids[np.sort(np.argsort(vectors @ queries[0])[: int(0.7 * N)])]
    found = store.search(queries[:1], 10, far)[0]
    assert recall(found, best((ids, vectors, queries[:1]), 10, far)) >= 0.9


def test_a_graph_is_opened_rather_than_built(store, corpus, monkeypatch):
    again = faiss_stores.store("hnsw", channel="mmrag_graph")
    built = []
    monkeypatch.setattr(faiss_stores, "_graph", built.append)
    again.fit(*corpus[:2])
    assert not built
    np.testing.assert_array_equal(again.search(corpus[2], 10)[0], store.search(corpus[2], 10)[0])


def test_what_is_wanted_no_more_is_passed_over_until_it_is_much(corpus, monkeypatch):
    ids, vectors, queries = corpus
    store = faiss_stores.store("hnsw", channel="mmrag_graph")
    store.fit(ids, vectors)
    graph = faiss_stores._graph
    built = []
    monkeypatch.setattr(faiss_stores, "_graph", lambda d: built.append(d) or graph(d))
    store.fit(ids[1000:], vectors[1000:])
    assert not built
    found = store.search(queries, 10)[0]
    assert recall(found, best((ids[1000:], vectors[1000:], queries))) >= 0.97
    assert found.min() > ids[999]
    store.fit(ids[4000:], vectors[4000:])
    assert built
    assert len(store) == N - 4000


def kept_file(folder, channel):
    store = faiss_stores.store("hnsw", channel=channel)
    vectors = unit(np.random.default_rng(1), 2_500, 8)
    store.fit(np.arange(1, 2_501), vectors)
    file = folder / f"{channel}.hnsw"
    assert file.is_file()
    return file, vectors


def test_a_damaged_file_is_built_anew(folder, monkeypatch):
    file, vectors = kept_file(folder, "mmrag_damaged")
    whole = file.read_bytes()
    rng = np.random.default_rng(2)
    read = []
    monkeypatch.setattr(faiss_stores.faiss, "deserialize_index", lambda *all: read.append(all))
    flips = [*rng.integers(len(whole), size=40).tolist(), *range(0, 60, 5)]
    damaged = [whole[:place] + bytes([whole[place] ^ 64]) + whole[place + 1 :] for place in flips]
    damaged += [whole[:length] for length in (0, 5, 20, 60, len(whole) // 2, len(whole) - 1)]
    damaged += [whole + b"\0", b"hello", b"\n" * 100]
    for content in damaged:
        file.write_bytes(content)
        assert faiss_stores.store("hnsw", channel="mmrag_damaged")._kept().index is None
    assert not read  # FAISS is given nothing that is not whole
    store = faiss_stores.store("hnsw", channel="mmrag_damaged")
    store.fit(np.arange(1, 2_501), vectors)
    assert store.search(vectors[5:6], 1)[0].tolist() == [[6]]
    assert file.read_bytes() != damaged[-1]


def test_another_version_s_file_is_built_anew(folder, monkeypatch):
    kept_file(folder, "mmrag_version")
    monkeypatch.setattr(faiss_stores.faiss, "__version__", "99.0")
    assert faiss_stores.store("hnsw", channel="mmrag_version")._kept().index is None


def test_one_file_a_channel_and_none_that_nobody_opens(folder):
    file, _ = kept_file(folder, "mmrag_first")
    kept_file(folder, "mmrag_first")
    long_ago = time.time() - 40 * 24 * 3600
    os.utime(file, (long_ago, long_ago))
    kept_file(folder, "mmrag_second")
    assert not file.exists()
    assert [one.name for one in folder.glob("mmrag_second*")] == ["mmrag_second.hnsw"]


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MMRAG_CACHE", str(tmp_path / "file"))
    vectors = unit(np.random.default_rng(3), 2_500, 8)
    store = faiss_stores.store("hnsw", channel="mmrag_nowhere")
    store.fit(np.arange(1, 2_501), vectors)
    assert store.search(vectors[7:8], 1)[0].tolist() == [[8]]


def test_the_cache_is_the_user_s(monkeypatch, tmp_path):
    monkeypatch.delenv("MMRAG_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder() == tmp_path / "mmrag_nb" / "stores"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.folder() == tmp_path / ".cache" / "mmrag_nb" / "stores"
