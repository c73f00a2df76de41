"""One suite for every store: exact where it says so, in any size, known by the ids it was given."""

import numpy as np
import pytest

from mmrag_nb import registry
from mmrag_nb.protocols import Store


@pytest.fixture(params=registry.names("store"))
def store(request):
    return registry.find("store", request.param)()


def unit(rng, n, d=32):
    rows = rng.normal(size=(n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


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
    ids = rng.permutation(10 * n)[:n].astype(np.int64)
    store.fit(ids, vectors)
    assert len(store) == n
    found, cosines = store.search(queries, 10)
    k = min(10, n)
    assert found.shape == cosines.shape == (7, k)
    assert found.dtype == np.int64
    assert cosines.dtype == np.float32
    full = queries @ vectors.T
    order = np.argsort(-full, axis=1)[:, :k]
    np.testing.assert_array_equal(found, ids[order])
    np.testing.assert_allclose(cosines, np.take_along_axis(full, order, 1), atol=1e-5)


def test_fitting_again_replaces(store):
    rng = np.random.default_rng(1)
    store.fit(np.arange(20), unit(rng, 20))
    vectors = unit(rng, 4)
    store.fit(np.array([7, 8, 9, 10]), vectors)
    found, cosines = store.search(vectors[2:3], 20)
    assert found.shape == (1, 4)
    assert found[0, 0] == 9
    assert cosines[0, 0] == pytest.approx(1, abs=1e-5)


def test_equal_vectors_are_all_found(store):
    vector = unit(np.random.default_rng(2), 1)
    store.fit(np.arange(5), np.repeat(vector, 5, 0))
    assert sorted(store.search(vector, 5)[0][0].tolist()) == [0, 1, 2, 3, 4]
