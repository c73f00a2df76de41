"""Fusion: each method against loops over chunks, and what each promises."""

import math
import time

import numpy as np
import pytest

from mmrag_nb.retrieval.fusion import fuse

NAN = np.nan


def slow_calibrated(scores, lexical, weights, lexical_weight):
    fused = []
    for chunk, share in enumerate(lexical):
        reached = [row[chunk] for row, w in zip(scores, weights, strict=True) if w > 0 and not math.isnan(row[chunk])]
        fused.append(max(reached, default=0.0) + lexical_weight * share)
    return fused


def slow_weighted(scores, lexical, weights, lexical_weight):
    fused = []
    for chunk, share in enumerate(lexical):
        total = squares = 0.0
        for row, w in zip(scores, weights, strict=True):
            if not math.isnan(row[chunk]):
                total += w * row[chunk]
                squares += w * w
        fused.append((total / squares**0.5 if squares else 0.0) + lexical_weight * share)
    return fused


def slow_rrf(scores, lexical, weights, lexical_weight):
    lists = [([None if math.isnan(s) else s for s in row], w) for row, w in zip(scores, weights, strict=True)]
    lists.append(([share or None for share in lexical], lexical_weight / 1.5))
    fused = []
    for chunk in range(len(lexical)):
        total = 0.0
        for column, w in lists:
            if column[chunk] is not None:
                rank = 1 + sum(other is not None and other > column[chunk] for other in column)
                total += w * 61 / (60 + rank)
        fused.append(total)
    return fused


SLOW = {"calibrated": slow_calibrated, "weighted": slow_weighted, "rrf": slow_rrf}


@pytest.mark.parametrize("method", SLOW)
@pytest.mark.parametrize(("c", "n"), [(0, 4), (1, 1), (1, 30), (2, 50), (4, 200), (2, 0)])
def test_each_method_is_what_its_loop_says(method, c, n):
    rng = np.random.default_rng(c * 1000 + n)
    scores = rng.normal(size=(c, n)).round(1)  # rounded, so that there are ties
    scores[rng.random((c, n)) < 0.4] = NAN
    lexical = np.where(rng.random(n) < 0.5, rng.random(n).round(1), 0.0)
    weights = [*rng.random(c).round(2)[:-1], 0.0][:c] if c > 2 else [0.5, 2.0][:c]
    fused = fuse(scores, lexical, weights=weights, lexical_weight=2.0, method=method)
    assert fused.dtype == np.float64
    assert fused.shape == (n,)
    np.testing.assert_allclose(fused, SLOW[method](scores, lexical, weights, 2.0), atol=1e-12)


def test_equal_scores_share_the_better_rank():
    fused = fuse(np.array([[2.0, 5, 2, 1]]), np.zeros(4), weights=[1.0], lexical_weight=3, method="rrf")
    np.testing.assert_allclose(fused, [61 / 62, 1, 61 / 62, 61 / 64])


def test_the_first_place_is_worth_its_lists_weight():
    scores = np.array([[9.0, 1], [NAN, 1]])
    fused = fuse(scores, np.array([0.2, 0]), weights=[1, 2], lexical_weight=1.5, method="rrf")
    np.testing.assert_allclose(fused, [1 + 1, 61 / 62 + 2])


@pytest.mark.parametrize("c", [1, 3, 8])
def test_stouffers_norm_keeps_standard_deviations_however_many_channels_reach_a_chunk(c):
    scores = np.random.default_rng(c).normal(size=(c, 40_000))
    fused = fuse(scores, np.zeros(40_000), weights=np.arange(1, c + 1), lexical_weight=3, method="weighted")
    assert fused.std() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("method", SLOW)
def test_a_channel_of_weight_zero_is_as_if_it_were_not_there(method):
    scores, lexical = np.array([[1.0, 2, NAN], [50, NAN, 60]]), np.array([0, 0.5, 0.1])
    with_it = fuse(scores, lexical, weights=[1, 0], lexical_weight=3, method=method)
    np.testing.assert_array_equal(with_it, fuse(scores[:1], lexical, weights=[1], lexical_weight=3, method=method))


@pytest.mark.parametrize("method", SLOW)
def test_a_million_chunks_take_less_than_a_second(method):
    rng = np.random.default_rng(0)
    scores, lexical = rng.normal(size=(3, 1_000_000)), rng.random(1_000_000) * (rng.random(1_000_000) < 0.01)
    start = time.process_time()  # of this process alone: other work on the machine must not fail it
    fuse(scores, lexical, weights=[1, 1, 1], lexical_weight=3, method=method)
    assert time.process_time() - start < 1.5
