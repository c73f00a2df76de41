"""Ranking: exact against a slow version, fair between channels, honest about the naive rank."""

import numpy as np
import pytest

from mmrag_nb.retrieval.calibration import Calibration
from mmrag_nb.retrieval.search import Channel, Probe, rank
from mmrag_nb.stores.memory import MemoryStore


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def channel(ids, vectors, modality="text", space="s", calibration=None):
    store = MemoryStore()
    ids = np.asarray(ids, np.int64)
    store.fit(ids, vectors)
    return Channel(space, modality, ids, vectors, store, calibration or Calibration(0.0, 1.0))


@pytest.fixture
def mixed():
    rng = np.random.default_rng(5)
    texts = channel(range(0, 200, 2), unit(rng.normal(1, 1, (100, 12))), "text", calibration=Calibration(0.5, 0.1))
    images = channel(range(1, 61, 2), unit(rng.normal(-0.2, 1, (30, 12))), "image", calibration=Calibration(-0.1, 0.2))
    return [texts, images], unit(rng.normal(1, 1, 12))


def put(channels, queries):
    return [Probe(one, queries[one.space]) for one in channels]


def slow(channels, query, lexical, weight):
    scores = {}
    for one in channels:
        for chunk, vector in zip(one.ids.tolist(), one.vectors, strict=True):
            z = (float(vector @ query) - one.calibration.mean) / one.calibration.deviation
            scores[chunk] = max(z, scores.get(chunk, -np.inf))
    scores = {chunk: z + weight * lexical.get(chunk, 0) for chunk, z in scores.items()}
    return sorted(scores, key=lambda chunk: -scores[chunk]), scores


@pytest.mark.parametrize("lexical", [{}, {199: 0.3, 3: 1.0, 8: 0.5}])
def test_the_ranking_is_that_of_a_slow_scan(mixed, lexical):
    channels, query = mixed
    order, scores = slow(channels, query, lexical, 3.0)
    found, _ = rank(put(channels, {"s": query}), k=10, bm25=lexical, lexical=lexical, lexical_weight=3.0)
    assert [one.chunk for one in found] == order[:10]
    assert [one.score for one in found] == pytest.approx([scores[c] for c in order[:10]], abs=1e-4)


def test_raw_ranks_are_those_of_the_naive_ranking(mixed):
    channels, query = mixed
    cosines = {c: float(v @ query) for one in channels for c, v in zip(one.ids.tolist(), one.vectors, strict=True)}
    naive = sorted(cosines, key=lambda c: -cosines[c])
    for one in rank(put(channels, {"s": query}), k=15, bm25={}, lexical={}, lexical_weight=1.0)[0]:
        assert one.raw_rank == naive.index(one.chunk) + 1
    raw, _ = rank(put(channels, {"s": query}), k=15, bm25={}, lexical={}, lexical_weight=1.0, raw=True)
    assert [one.chunk for one in raw] == naive[:15]
    assert [one.raw_rank for one in raw] == list(range(1, 16))


def test_a_chunk_of_two_views_is_found_once_by_its_better_view():
    pixels = channel([1, 2], unit(np.array([[1.0, 0], [0, 1]])), "image", calibration=Calibration(0.2, 0.1))
    captions = channel([1], unit(np.array([[1.0, 1]])), "text", calibration=Calibration(0.6, 0.1))
    (first, second), _ = rank(
        put([pixels, captions], {"s": unit(np.array([1.0, 0]))}), k=5, bm25={}, lexical={}, lexical_weight=1.0
    )
    assert (first.chunk, first.seen_as) == (1, "image")
    assert second.chunk == 2
    assert first.cosine == pytest.approx(1.0, abs=1e-6)


def test_words_alone_bring_up_a_chunk_without_vectors(mixed):
    channels, query = mixed
    found, _ = rank(put(channels, {"s": query}), k=5, bm25={7777: 9.0}, lexical={7777: 1.0}, lexical_weight=50.0)
    assert found[0].chunk == 7777
    assert found[0].cosine is None
    assert found[0].lexical == 9.0


def test_two_spaces_are_asked_in_their_own_vectors():
    a = channel([1], unit(np.array([[1.0, 0, 0]])), "text", "a")
    b = channel([2], unit(np.array([[0.0, 1]])), "image", "b")
    found, _ = rank(
        put([a, b], {"a": unit(np.array([1.0, 1, 0])), "b": unit(np.array([0.0, 1]))}),
        k=2,
        bm25={},
        lexical={},
        lexical_weight=1.0,
    )
    assert [(one.chunk, one.space) for one in found] == [(2, "b"), (1, "a")]


def test_more_wanted_than_there_is(mixed):
    channels, query = mixed
    assert len(rank(put(channels, {"s": query}), k=100, bm25={}, lexical={}, lexical_weight=1.0)[0]) == 100
    assert rank([], k=5, bm25={}, lexical={}, lexical_weight=1.0) == ([], None)


def test_only_what_is_allowed_is_found_and_as_much_of_it_as_there_is(mixed):
    channels, query = mixed
    order, _ = slow(channels, query, {}, 1.0)
    allowed = np.array(sorted(order[-7:]))  # the worst: none of them is among the nearest of the whole
    found, _ = rank(
        put(channels, {"s": query}), k=5, bm25={}, lexical={}, lexical_weight=1.0, allowed=allowed, without={order[-7]}
    )
    assert [one.chunk for one in found] == order[-6:-1]
