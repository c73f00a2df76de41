"""What would have had to be otherwise, told in the unit of the score."""

from dataclasses import replace

import pytest

from mmrag_nb.insight.changes import margin
from mmrag_nb.insight.why import Placing, View
from mmrag_nb.results import Hit
from mmrag_nb.types import Chunk, Item

HIT = Hit(
    rank=2,
    score=0.5,
    cosine=0.2,
    lexical=0.0,
    chunk=Chunk("a" * 64, 0, "text", "a harp"),
    item=Item("a" * 64, "harp.txt", "text"),
    calibrated=0.5,
)
VIEW = View("text", "words", 0.2, 0.5, 0.1, 2, 9, counted=True)
SECOND = Placing(rank=2, of=9, among_kind=2, kinds=9, k=5)


@pytest.mark.parametrize(
    ("unit", "raw", "told"),
    [
        ("σ", False, "It needs +1.0 σ to be first: a cosine of 0.300 instead of 0.200 as a text."),
        ("rank points", False, "It needs +1.00 rank points to be first."),
        ("", True, "It needs 1.000 to be first, more than any cosine as a text could bring."),
    ],
)
def test_what_is_needed_is_told_in_the_unit_of_the_score(unit, raw, told):
    assert margin(replace(HIT, unit=unit), VIEW, replace(SECOND, raw=raw), [1.5, 0.5]) == [told]


@pytest.mark.parametrize(("unit", "told"), [("σ", "1.0 σ"), ("rank points", "1.00 rank points")])
def test_a_lead_has_no_sign(unit, told):
    first = replace(SECOND, rank=1)
    assert margin(replace(HIT, rank=1, score=1.5, unit=unit), VIEW, first, [1.5, 0.5]) == [f"It leads by {told}."]


def test_nothing_is_said_of_scores_where_a_reranker_made_the_order():
    told = margin(replace(HIT, rank=1, before=20), VIEW, replace(SECOND, rank=1), [1.5, 0.5])
    assert told == ["A reranker made the order of the hits: by its score it was 20th."]
