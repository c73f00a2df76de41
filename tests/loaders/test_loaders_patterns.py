"""Texts that are made to keep a pattern busy, or only happen to, are read at once."""

import time

import pytest

from mmrag_nb.loaders.normalising import normalised
from mmrag_nb.loaders.passages import sentences
from mmrag_nb.loaders.subtitles import _lines
from mmrag_nb.loaders.text import TextLoader

LONG = 30_000
PATIENCE = 5.0
"""Seconds; each of these took longer, some for ever, while a pattern tried all beginnings or divisions of a run."""


@pytest.mark.parametrize("clean", ["off", "flag"])
@pytest.mark.parametrize(
    "text",
    ["." * LONG, "<!---->" * 300, "acgt" * (LONG // 4), f"a\n{' ' * LONG}x", "a-\n" * (LONG // 3), "x" + " " * LONG],
    ids=["leaders", "comments", "genome", "indent", "hyphens", "blanks"],
)
def test_a_text_of_one_long_run_is_read_at_once(text, clean):
    start = time.perf_counter()
    TextLoader(77, lambda part: len(part) // 4 + 2, clean=clean).load(f"{text} and words.".encode(), "notes.txt")
    assert time.perf_counter() - start < PATIENCE


@pytest.mark.parametrize("tags", ["{" * LONG, "{\\" * LONG, "<" * LONG, "{\\p" * LONG])
def test_a_cue_of_tags_that_do_not_close_is_read_at_once(tags):
    start = time.perf_counter()
    _lines(tags)
    assert time.perf_counter() - start < PATIENCE


def test_what_the_patterns_find_is_what_it_was():
    assert sentences("Wait... what?! Yes.") == [(0, 15), (15, 19)]
    assert normalised("a well-known re-\nmark \nis well-\nknown").text == "a well-known remark\nis well-known"
    assert _lines(r"{\an8}up {\i1}there{\i0}\Nand <i>down</i>") == ["up there", "and down"]
    assert _lines(r"{\p1}m 0 0 l 1 1{\p0}") == []
