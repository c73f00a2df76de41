"""Abstention: the share of false answers is the one promised, whatever the scores look like."""

import math

import numpy as np
import pytest

from mmrag_nb.retrieval.abstention import judge

SHAPES = {
    "normal": lambda rng, n: rng.normal(4, 1, n),
    "gumbel": lambda rng, n: rng.gumbel(4, 1, n),
    "heavy": lambda rng, n: 4 + rng.pareto(1.5, n),
    "two kinds": lambda rng, n: rng.normal(4, 0.3, n) + 6 * (rng.random(n) < 0.03),
}


@pytest.mark.parametrize("b", [19, 40, 100])
@pytest.mark.parametrize("shape", SHAPES)
def test_at_most_five_in_a_hundred_arbitrary_questions_are_told_an_answer(shape, b):
    rng = np.random.default_rng(b)
    verdicts = [judge(float(one[0]), one[1:]) for one in (SHAPES[shape](rng, b + 1) for _ in range(4000))]
    assert np.mean([verdict.answerable for verdict in verdicts]) <= 0.05 + 0.01  # 0.01: three deviations of the mean
    assert np.mean([verdict.answerable for verdict in verdicts]) >= 0.02  # and it does answer


def test_the_verdict_is_that_of_the_sorted_list():
    rng = np.random.default_rng(1)
    maxima = rng.normal(5, 1, 100)
    for best in rng.normal(6.5, 1, 200):
        above = sum(one >= best - 1e-3 for one in maxima.tolist())
        verdict = judge(float(best), maxima)
        assert verdict.surprise == pytest.approx((1 + above) / 101)
        assert verdict.answerable == (above <= 4) == (verdict.surprise <= 0.05)


def test_one_background_question_that_the_index_answers_changes_little():
    maxima = np.random.default_rng(2).normal(2.5, 0.4, 100)
    before = judge(4.0, maxima)
    after = judge(4.0, np.append(maxima[:-1], 13.0))
    assert before.answerable
    assert after.answerable
    assert after.surprise - before.surprise <= 1 / 101


def test_with_nothing_known_everything_is_answerable():
    verdict = judge(0.2, np.empty(0))
    assert verdict.answerable
    assert verdict.surprise == 1


@pytest.mark.parametrize("b", [1, 5, 18])
def test_with_few_background_questions_all_have_to_be_exceeded(b):
    maxima = np.linspace(2, 3, b)
    assert judge(3.1, maxima).answerable
    assert not judge(float(maxima.max()), maxima).answerable


def test_rounding_above_a_background_of_equals_is_no_answer():
    maxima = np.full(100, 3.0, np.float32)
    assert judge(3.0, maxima).surprise == 1
    assert not judge(3.0001, maxima).answerable
    assert judge(3.1, maxima).answerable


def test_nothing_found_answers_nothing():
    assert not judge(-math.inf, np.array([2.0, 3])).answerable


def test_another_share_can_be_asked_for():
    maxima = np.arange(2.0, 102)
    assert judge(95.0, maxima, false_answers=0.1).answerable
    assert not judge(95.0, maxima, false_answers=0.05).answerable
