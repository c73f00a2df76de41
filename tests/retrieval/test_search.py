"""Ranking: exact against a slow version, fair between channels, honest about the naive rank."""

import numpy as np
import pytest

from mmrag_nb.retrieval.calibration import Scale
from mmrag_nb.retrieval.channels import Channel, Probe
from mmrag_nb.retrieval.search import How, Words, candidates, rank
from mmrag_nb.retrieval.telling import tell
from mmrag_nb.stores.memory import MemoryStore


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


SCALES = {"text": Scale(0.5, 0.1), "image": Scale(-0.1, 0.2)}


def channel(ids, vectors, modality="text", space="s"):
    store = MemoryStore()
    ids = np.asarray(ids, np.int64)
    store.fit(ids, vectors)
    return Channel(space, modality, ids, vectors, store)


def found(probes, k, *, lexical=None, weight=1.0, raw=False, allowed=None, without=(), how=None, records=None):
    words = Words(lexical or {}, {} if raw else lexical or {})
    how = how or How(weight, raw=raw)
    chunks = candidates(probes, max(5 * k, 50), words, allowed)
    order = rank(probes, chunks, words, how, records=records, without=without)
    return tell(order, probes, words, order.rows[:k].tolist(), how)


@pytest.fixture
def mixed():
    rng = np.random.default_rng(5)
    texts = channel(range(0, 200, 2), unit(rng.normal(1, 1, (100, 12))), "text")
    images = channel(range(1, 61, 2), unit(rng.normal(-0.2, 1, (30, 12))), "image")
    return [texts, images], unit(rng.normal(1, 1, 12))


def put(channels, queries, scales=SCALES):
    return [Probe(one, queries[one.space], scales[one.modality]) for one in channels]


def slow(channels, query, lexical, weight):
    scores = {}
    for one in channels:
        for chunk, vector in zip(one.ids.tolist(), one.vectors, strict=True):
            z = SCALES[one.modality].score(float(vector @ query))
            scores[chunk] = max(z, scores.get(chunk, -np.inf))
    scores = {chunk: z + weight * lexical.get(chunk, 0) for chunk, z in scores.items()}
    return sorted(scores, key=lambda chunk: -scores[chunk]), scores


@pytest.mark.parametrize("lexical", [{}, {199: 0.3, 3: 1.0, 8: 0.5}])
def test_the_ranking_is_that_of_a_slow_scan(mixed, lexical):
    channels, query = mixed
    order, scores = slow(channels, query, lexical, 3.0)
    hits = found(put(channels, {"s": query}), 10, lexical=lexical, weight=3.0)
    assert [one.chunk for one in hits] == order[:10]
    assert [one.score for one in hits] == pytest.approx([scores[c] for c in order[:10]], abs=1e-4)


def test_raw_ranks_are_those_of_the_naive_ranking(mixed):
    channels, query = mixed
    cosines = {c: float(v @ query) for one in channels for c, v in zip(one.ids.tolist(), one.vectors, strict=True)}
    naive = sorted(cosines, key=lambda c: -cosines[c])
    for one in found(put(channels, {"s": query}), 15):
        assert one.raw_rank == naive.index(one.chunk) + 1
    raw = found(put(channels, {"s": query}), 15, raw=True)
    assert [one.chunk for one in raw] == naive[:15]
    assert [one.raw_rank for one in raw] == list(range(1, 16))
    many = found(put(channels, {"s": query}), 100, raw=True)  # more than are counted one by one
    places = np.array([one.raw_rank for one in many])
    assert np.abs(places - np.arange(1, 101)).max() <= 1  # two may be nearer than float32 can tell


def test_a_chunk_of_two_views_is_found_once_by_its_better_view():
    pixels = channel([1, 2], unit(np.array([[1.0, 0], [0, 1]])), "image")
    captions = channel([1], unit(np.array([[1.0, 1]])), "text")
    scales = {"image": Scale(0.2, 0.1), "text": Scale(0.6, 0.1)}
    first, second = found(put([pixels, captions], {"s": unit(np.array([1.0, 0]))}, scales), 5)
    assert (first.chunk, first.seen_as) == (1, "image")
    assert second.chunk == 2
    assert first.cosine == pytest.approx(1.0, abs=1e-6)


def test_words_alone_bring_up_a_chunk_without_vectors(mixed):
    channels, query = mixed
    probes = put(channels, {"s": query})
    first = found(probes, 5, lexical={7777: 1.0}, weight=50.0)[0]
    assert (first.chunk, first.cosine, first.lexical, first.words) == (7777, None, 1.0, 50.0)
    average = np.mean([probe.scale.unknown for probe in probes])  # nothing is known of its cosine
    assert first.score == pytest.approx(50 + average)


def test_two_spaces_are_asked_in_their_own_vectors():
    a = channel([1], unit(np.array([[1.0, 0, 0]])), "text", "a")
    b = channel([2], unit(np.array([[0.0, 1]])), "image", "b")
    plain = {"text": Scale(0.0, 1.0), "image": Scale(0.0, 1.0)}
    hits = found(put([a, b], {"a": unit(np.array([1.0, 1, 0])), "b": unit(np.array([0.0, 1]))}, plain), 2)
    assert [(one.chunk, one.space) for one in hits] == [(2, "b"), (1, "a")]


def test_more_wanted_than_there_is(mixed):
    channels, query = mixed
    assert len(found(put(channels, {"s": query}), 200)) == 130
    assert found([], 5) == []


def test_only_what_is_allowed_is_found_and_as_much_of_it_as_there_is(mixed):
    channels, query = mixed
    order, _ = slow(channels, query, {}, 1.0)
    allowed = np.array(sorted(order[-7:]))  # the worst: none of them is among the nearest of the whole
    hits = found(put(channels, {"s": query}), 5, allowed=allowed, without={order[-7]})
    assert [one.chunk for one in hits] == order[-6:-1]


def test_parts_of_a_question_add_up_by_their_weights(mixed):
    (texts, _), query = mixed
    other = unit(np.random.default_rng(8).normal(1, 1, 12))
    scale = SCALES["text"]
    probes = [Probe(texts, query, scale, 0, 0.8), Probe(texts, other, scale, 1, 0.2)]
    z = [scale.score(texts.vectors @ vector) for vector in (query, other)]
    z = [np.where(part < 0, part / 4, part) for part in z]  # below chance, a part counts little
    expected = (0.8 * z[0] + 0.2 * z[1]) / np.hypot(0.8, 0.2)
    hits = found(probes, 10)
    assert [one.chunk for one in hits] == texts.ids[np.argsort(-expected)][:10].tolist()
    assert [one.score for one in hits] == pytest.approx(np.sort(expected)[::-1][:10].tolist(), abs=1e-4)


def test_what_is_disliked_is_pushed_down():
    ids = [1, 2, 3]
    vectors = unit(np.array([[1.0, 0, 0.2], [0.9, 0.5, 0.2], [0, 1, 0.2]]))
    texts = channel(ids, vectors)
    liked, disliked = unit(np.array([1.0, 0.4, 0])), unit(np.array([0.0, 1, 0]))
    scale = Scale(0.0, 1.0)
    assert found([Probe(texts, liked, scale)], 1)[0].chunk == 2
    hits = found([Probe(texts, liked, scale, 0, 1.0), Probe(texts, disliked, scale, 1, -0.5)], 3)
    assert [one.chunk for one in hits] == [1, 2, 3]


@pytest.mark.parametrize("pool", ["max", "mean", "weighted"])
def test_a_record_is_scored_by_its_parts_and_shown_by_its_best(mixed, pool):
    channels, query = mixed
    records = {chunk: chunk % 10 for chunk in [*range(0, 200, 2), *range(1, 61, 2)] if chunk % 10 < 4}
    probes = put(channels, {"s": query})
    every = {one.chunk: one.score for one in found(probes, 200)}
    weights = {"image": 3.0}
    hits = found(probes, 200, how=How(1.0, pool=pool, weights=weights), records=records)
    grouped = [one for one in hits if one.chunk in records]
    assert sorted(records[one.chunk] for one in grouped) == [0, 1, 2, 3]
    for one in grouped:
        own = {c: every[c] for c, record in records.items() if record == records[one.chunk]}
        assert own[one.chunk] == max(own.values())
        assert dict(one.parts) == pytest.approx(own)
        assert [score for _, score in one.parts] == sorted(own.values(), reverse=True)
        counts = [3.0 if c % 2 and pool == "weighted" else 1.0 for c in own]
        mean = np.average(list(own.values()), weights=counts)
        assert one.score == pytest.approx(max(own.values()) if pool == "max" else mean)
    assert [one.score for one in hits] == sorted((one.score for one in hits), reverse=True)


def test_ranks_can_be_fused_instead_of_scores(mixed):
    channels, query = mixed
    hits = found(put(channels, {"s": query}), 2, how=How(3.0, fusion="rrf"))
    # the first of each channel is worth as much as the other
    assert {one.seen_as for one in hits} == {"text", "image"}
    assert [one.score for one in hits] == [1.0, 1.0]
