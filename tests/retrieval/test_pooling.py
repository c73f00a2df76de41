"""Pooling: against a loop over records."""

import numpy as np
import pytest

from mmrag_nb.retrieval.pooling import pool


def slow(scores, records, method, weights):
    parts = {}
    for row, record in enumerate(records):
        parts.setdefault(("alone", row) if record < 0 else record, []).append(row)
    found = []
    for rows in parts.values():
        best = max(rows, key=lambda row: (scores[row], -row))
        if method == "max":
            pooled = scores[best]
        else:
            count = [1.0 if method == "mean" or weights is None else weights[row] for row in rows]
            count = count if sum(count) else [1.0] * len(rows)
            pooled = sum(w * scores[row] for w, row in zip(count, rows, strict=True)) / sum(count)
        found.append((best, pooled))
    return sorted(found, key=lambda one: (-one[1], one[0]))


@pytest.mark.parametrize("method", ["max", "mean", "weighted"])
@pytest.mark.parametrize("n", [0, 1, 7, 300])
@pytest.mark.parametrize("weighted", [True, False])
def test_records_score_and_stand_as_in_a_loop(method, n, weighted):
    rng = np.random.default_rng(n)
    scores = rng.integers(-8, 8, n) / 2  # exact in binary, and tied
    records = rng.integers(-1, max(n // 4, 1), n) * 10**15
    records[records < 0] = -1
    weights = rng.integers(0, 3, n).astype(float) if weighted else None
    chosen, pooled = pool(scores, records, method, weights)
    expected = slow(scores.tolist(), records.tolist(), method, weights)
    np.testing.assert_allclose(pooled, [score for _, score in expected], atol=1e-12)
    # Means that differ in their last bits only may change places; what stands for a record may not.
    assert sorted(chosen.tolist()) == sorted(row for row, _ in expected)
    if method == "max":
        assert chosen.tolist() == [row for row, _ in expected]
    assert (chosen.dtype, pooled.dtype) == (np.int64, np.float64)


def test_one_good_part_finds_a_record_by_max_and_all_parts_by_mean():
    scores, records = np.array([5.0, -1, 3, 3, 4]), np.array([7, 7, 2, 2, -1])
    assert pool(scores, records, "max")[0].tolist() == [0, 4, 2]
    chosen, pooled = pool(scores, records, "mean")
    assert chosen.tolist() == [4, 2, 0]  # of two equal parts the first
    assert pooled.tolist() == [4, 3, 2]


def test_weights_tell_which_part_counts_and_the_best_part_is_still_shown():
    chosen, pooled = pool(np.array([4.0, 0]), np.array([1, 1]), "weighted", np.array([1.0, 3]))
    assert (chosen.tolist(), pooled.tolist()) == ([0], [1.0])


def test_parts_of_no_record_are_not_one_record():
    chosen, pooled = pool(np.array([1.0, 2, 2]), np.full(3, -1), "mean")
    assert (chosen.tolist(), pooled.tolist()) == ([1, 2, 0], [2, 2, 1])
