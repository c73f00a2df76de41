"""Bad files among good ones change nothing about the good ones: not their ranking, vectors or metadata."""

import random

import hostile_cases
import pytest
import shuffling


@pytest.mark.cases
def test_good_files_rank_as_if_the_bad_were_absent(cases):
    """Three orders; ``python tests/bench/hostile.py --shuffles 100`` tries as many as wished."""
    known = hostile_cases.cases()
    good = [case.path for case in known if case.indexed]
    every = [case.path for case in known]
    assert 10 < len(good) < len(every) == 49
    with shuffling.indexed(good) as rag:
        before, vectors = shuffling.rankings(rag, ["shared"]), shuffling.vectors(rag)
        assert len({hit[3] for hit in before}) > 10, "many files are among the hits"
        assert shuffling.misaligned(rag, good) == []
    for number in range(3):
        with shuffling.indexed(random.Random(number).sample(every, len(every))) as rag:
            told, difference = shuffling.differences(before, shuffling.rankings(rag, ["shared"]))
            assert told == []
            assert difference < 1e-4
            assert shuffling.displaced(vectors, shuffling.vectors(rag)) == []
