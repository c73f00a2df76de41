"""The default store finds the very nearest, whatever scores its scan goes by; what is added costs what it is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_engines import unit

from mmrag_nb.stores import int8, memory, scanning
from mmrag_nb.stores.memory import MemoryStore

D = 24
BLOCK = scanning.BLOCK
coded = pytest.mark.skipif(not int8.available(), reason="int8 codes need numkong, which is not installed")


@pytest.fixture(params=["codes", "products"])
def scanned(request, monkeypatch):
    """Indexes of any size are scanned; by codes, or as where NumKong is not installed."""
    if request.param == "codes" and not int8.available():
        pytest.skip("int8 codes need numkong, which is not installed")
    monkeypatch.setattr(memory, "CODED", 0)
    monkeypatch.setattr(int8, "available", lambda: request.param == "codes")
    return request.param


def store_of(vectors, scanned=None):
    ids = np.arange(len(vectors)) * 3 + 1
    store = MemoryStore()
    store.fit(ids, vectors)
    assert scanned is None or (store._fitted.codes is not None) == (scanned == "codes")
    return store, ids


def slowly(vectors, queries, k, rows=None):
    """Rows (q, k) and cosines by a full scan in float64, rounded; equal ones in the order of their rows."""
    rows = np.arange(len(vectors)) if rows is None else rows
    cosines = (queries.astype(np.float64) @ vectors[rows].astype(np.float64).T).astype(np.float32)
    order = np.lexsort((np.broadcast_to(rows, cosines.shape), -cosines), axis=1)[:, :k]
    return rows[order], np.take_along_axis(cosines, order, 1)


def kinds(rng, n):
    """Vectors that are hard to score by codes."""
    apart, near = unit(rng, n, D), unit(rng, 1, D) + 1e-4 * rng.normal(size=(n, D))
    cone, spiked = unit(rng, 1, D) * 3 + unit(rng, n, D), unit(rng, n, D)
    cone[:, 0] += 4
    spiked[:: n // 7, 3] += 40
    few = unit(rng, 40, D)[rng.integers(40, size=n)]
    return {
        name: (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        for name, rows in {"apart": apart, "near": near, "cone": cone, "spiked": spiked, "copies": few}.items()
    }


@pytest.mark.parametrize("kind", ["apart", "near", "cone", "spiked", "copies"])
@pytest.mark.parametrize("n", [700, BLOCK, 2 * BLOCK + 77])
def test_the_nearest_are_the_very_nearest(scanned, kind, n):
    rng = np.random.default_rng(n)
    vectors = kinds(rng, n)[kind]
    store, ids = store_of(vectors, scanned)
    queries = np.concatenate([vectors[:3], unit(rng, 70, D), np.zeros((1, D), np.float32), 5 * unit(rng, 1, D)])
    found, cosines = store.search(queries, 10)
    wanted, exact = slowly(vectors, queries, 10)
    np.testing.assert_array_equal(cosines, exact)
    np.testing.assert_array_equal(found, ids[wanted])


@pytest.mark.parametrize("share", [0.001, 0.02, 0.06, 0.4, 0.999])
def test_filtered_they_are_the_very_nearest_of_what_is_allowed(scanned, share):
    rng = np.random.default_rng(5)
    vectors = kinds(rng, 2 * BLOCK + 500)["cone"]
    store, ids = store_of(vectors, scanned)
    queries = unit(rng, 3, D)
    best = slowly(vectors, queries[:1], 300)[0][0]
    rows = np.sort(rng.choice(np.setdiff1d(np.arange(len(ids)), best), int(share * (len(ids) - 300)), replace=False))
    found, cosines = store.search(queries, 8, np.append(ids[rows], 10**9))
    wanted, exact = slowly(vectors, queries, 8, rows)
    np.testing.assert_array_equal(found, ids[wanted])
    np.testing.assert_allclose(cosines, exact, atol=1e-6)


def test_more_than_a_scan_is_good_for_are_sorted(scanned):
    rng = np.random.default_rng(6)
    vectors = unit(rng, 3000, D)
    store, ids = store_of(vectors)
    for k in (46, 47, 500, 2999, 3000, 9000):
        found, cosines = store.search(vectors[:2], k)
        np.testing.assert_allclose(cosines, slowly(vectors, vectors[:2], k)[1], atol=1e-6, err_msg=f"{k} nearest")
        for query, row, told in zip(vectors, found, cosines, strict=False):
            assert len(set(row.tolist())) == min(k, len(ids))
            np.testing.assert_allclose(vectors[np.searchsorted(ids, row)] @ query, told, atol=1e-6)
    assert store.search(vectors[:0], 5)[0].shape == (0, 5)


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_find_what_one_does(scanned, monkeypatch, threads):
    monkeypatch.setattr(scanning, "SMALL", 1)
    monkeypatch.setattr(scanning, "cores", lambda: threads)
    rng = np.random.default_rng(7)
    vectors = unit(rng, 3 * BLOCK + 1, D)
    store, ids = store_of(vectors, scanned)
    np.testing.assert_array_equal(store.search(vectors[:9], 20)[0], ids[slowly(vectors, vectors[:9], 20)[0]])


def test_what_is_not_finite_comes_last(scanned):
    vectors = unit(np.random.default_rng(8), 900, D)
    vectors[17] = np.nan
    store, _ = store_of(vectors)
    found, cosines = store.search(vectors[:3], 900)
    assert (found[:, -1] == 17 * 3 + 1).all()
    assert np.isnan(cosines[:, -1]).all()
    assert store.search(vectors[20:21], 5)[0][0, 0] == 20 * 3 + 1
    assert store.search(vectors[17:18], 5)[0].shape == (1, 5)


@coded
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 30), st.floats(0, 5), st.sampled_from([1, 8, 60]))
def test_no_score_is_off_by_more_than_its_bound(seed, spread, shift, d):
    rng = np.random.default_rng(seed)
    vectors = (rng.standard_t(2, size=(300, d)) * rng.gamma(1, spread, size=d) + shift).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = rng.standard_t(2, size=(6, d)).astype(np.float32)
    codes = int8.Codes.of(vectors[:200]) or int8.Codes.of(unit(rng, 200, d))
    codes = codes.grown(vectors) if codes.n == 200 else None  # what comes later may lie elsewhere
    asked = codes.asked(queries)
    scores = asked.block(0, asked.room())[:, :300]
    exact = queries.astype(np.float64) @ vectors.astype(np.float64).T
    off = np.abs(scores * asked.factor[:, None] + asked.offset[:, None] - exact)
    assert (off <= asked.error(0)[:, None]).all()


def test_added_step_by_step_it_is_what_it_would_be_at_once(scanned):
    rng = np.random.default_rng(9)
    vectors = kinds(rng, 3 * BLOCK)["cone"]
    ids = np.arange(1, len(vectors) + 1)
    store = MemoryStore()
    end = 500
    store.fit(ids[:end], vectors[:end])
    while end < len(ids):
        end = min(end + int(rng.choice([1, 90, BLOCK - 1, BLOCK])), len(ids))
        store.add(ids[:end], vectors[:end])
        assert len(store) == end
        queries = np.concatenate([vectors[end - 2 : end], unit(rng, 2, D)])
        np.testing.assert_array_equal(store.search(queries, 5)[0], slowly(vectors[:end], queries, 5)[0] + 1)


@coded
def test_what_is_added_costs_what_it_is(scanned, monkeypatch):
    rng = np.random.default_rng(10)
    vectors = unit(rng, 5 * BLOCK + 20, D)
    store, _ = store_of(vectors[: 4 * BLOCK + 10])
    if scanned == "products":
        assert store._fitted.vectors.base is vectors, "they are kept where they lie"
        return
    before, encoded, encode = store._fitted.codes, [], int8.Codes._encoded
    monkeypatch.setattr(int8.Codes, "_encoded", lambda self, block: encoded.append(len(block)) or encode(self, block))
    store.add(np.arange(len(vectors)), vectors)
    assert sum(encoded) == BLOCK + 20, "of what was there, the last block alone, which was not full"
    assert all(one is other for one, other in zip(store._fitted.codes.packed[:4], before.packed, strict=False))
    assert before.n == 4 * BLOCK + 10, "who searches meanwhile has what was there"


@coded
def test_the_codes_take_a_quarter(monkeypatch):
    monkeypatch.setattr(memory, "CODED", 0)
    vectors = unit(np.random.default_rng(11), 4 * BLOCK, 64)
    store, _ = store_of(vectors, "codes")
    assert store._fitted.codes.nbytes <= 0.27 * vectors.nbytes


def test_its_neighbours_are_scikit_learns(scanned):
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(12)
    vectors, queries = unit(rng, 2000, D), unit(rng, 4, D)
    store, _ = store_of(vectors)
    distances, rows = store.kneighbors(queries, 7)
    theirs = NearestNeighbors(n_neighbors=7, algorithm="brute").fit(vectors).kneighbors(queries)
    np.testing.assert_array_equal(rows, theirs[1])
    np.testing.assert_allclose(distances, theirs[0], atol=1e-5)
    np.testing.assert_array_equal(store.kneighbors(queries, n_neighbors=7, return_distance=False), rows)


class Watched(np.ndarray):
    """Queries that tell how many threads BLAS has when they are multiplied."""

    def __matmul__(self, other):
        self.seen.append(blas_threads())
        return np.asarray(self) @ other


def blas_threads():
    from threadpoolctl import threadpool_info

    return max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")


@pytest.mark.parametrize(("most", "alone"), [(memory.SMALL, True), (0, False)], ids=["small", "large"])
def test_a_small_index_is_searched_by_one_thread_and_a_large_one_by_all(monkeypatch, most, alone):
    monkeypatch.setattr(memory, "SMALL", most)
    monkeypatch.setattr(Watched, "seen", [], raising=False)
    vectors = np.eye(8, dtype=np.float32)
    store, before = store_of(vectors)[0], blas_threads()
    assert store.search(vectors[3:4].view(Watched), 1)[0].tolist() == [[10]]
    assert Watched.seen == [1 if alone else before]
    assert blas_threads() == before, "who comes after has all threads again"
