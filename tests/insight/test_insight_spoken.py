"""Seconds of words are kept as they were heard, and estimated where nobody noted them."""

import json

import pytest

from mmrag_nb.insight.spoken import WORDS, estimated, heard, noted
from mmrag_nb.insight.why import WordShare
from mmrag_nb.insight.word_shares import timed
from mmrag_nb.types import Preview, Transcript


def test_what_is_noted_is_heard_again_in_the_recordings_seconds():
    said = Transcript("tea and cake", [(0.1, 0.4), (0.4, 0.6), (0.62, 1.2)])
    kept = noted(said)[WORDS]
    assert kept.mime == "application/json"
    found = heard(kept, "tea and cake", 10.0, 11.5)
    assert [time for pair in found for time in pair] == pytest.approx([10.1, 10.4, 10.4, 10.6, 10.62, 11.2])


def test_a_transcript_is_text_like_any_other():
    said = Transcript("tea and cake", [(0.1, 0.4), (0.4, 0.6), (0.62, 1.2)])
    assert said == "tea and cake"
    assert isinstance(said, str)
    assert type(str(said)) is str


@pytest.mark.parametrize("text", ["tea and cake", Transcript("tea and cake"), Transcript("tea and cake", [(0, 1)])])
def test_nothing_is_noted_where_the_seconds_are_not_known(text):
    assert noted(text) == {}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[1, 2]",
        b'[["tea"]]',
        b'[["tea", "a", "b"], ["and", 0, 1]]',
        b'[["tea", 0, 1], ["or", 1, 2]]',
        b'[["tea", NaN, 1], ["and", 1, 2]]',
        b'[["tea", 2, 1], ["and", 1, 2]]',
        b'[["tea", 0, 1], ["and", 1, 1e9]]',
        b"[" * 100_000,
    ],
)
def test_nonsense_in_an_index_is_no_time(data):
    assert heard(Preview("application/json", data), "tea and", 0.0, 2.0) is None
    assert heard(None, "tea and", 0.0, 2.0) is None


def test_estimates_fill_the_utterance_in_order_by_letters():
    times = estimated("a harpist plays", 4.0, 8.0)
    assert times[0][0] == 4.0
    assert times[-1][1] == pytest.approx(8.0)
    assert [b for _, b in times[:-1]] == [a for a, _ in times[1:]]
    lengths = [b - a for a, b in times]
    assert lengths[1] > lengths[2] > lengths[0]
    assert estimated("", 0.0, 1.0) == []


def test_words_get_the_seconds_of_what_they_stand_in():
    text = "it's tea, and cake"
    words = [WordShare("it's", 0, 4, 0, 0), WordShare("tea, and", 5, 13, 0, 0), WordShare("cake", 14, 18, 0, 0)]
    found = timed(words, text, [(0, 1), (1, 2), (2, 3), (3, 4)])
    assert [(word.said_from, word.said_to) for word in found] == [(0, 1), (1, 3), (3, 4)]


def test_kept_words_are_small_and_plain():
    said = Transcript("thé <b>", [(0.123456, 0.2), (0.2, 0.3)])
    assert json.loads(noted(said)[WORDS].data) == [["thé", 0.12, 0.2], ["<b>", 0.2, 0.3]]
