"""Hits without an answer, and one hit by itself."""

from __future__ import annotations

from bs4 import BeautifulSoup

from mmrag_nb.results import Hit, Hits
from mmrag_nb.types import Chunk, Item


def passage(rank, name="notes.md", **facts):
    return Hit(
        rank=rank,
        score=3.0 / rank,
        cosine=0.9 / rank,
        lexical=0.5 * rank,
        chunk=Chunk("t", rank, "text", "Bears eat grass & roots."),
        item=Item("t", f"https://example.org/a/{name}?x=<1>", "text"),
        calibrated=2.0 / rank,
        raw_rank=rank,
        matches=((0, 5),),
        facts=facts,
    )


def soup(result):
    return BeautifulSoup(result._repr_html_(), "html.parser")


def test_hits_show_question_evidence_table_gap_and_facts():
    hits = Hits((passage(1), passage(2)), "what do bears eat?", ("shared",), {"embed": 0.01, "search": 2.0}, "A gap.")
    page = soup(hits)
    assert page.select_one(".mm-question").get_text() == "what do bears eat?"
    assert len(page.select("ul:not(.mm-quiet) > li.mm-item")) == 2
    assert len(page.table.tbody("tr")) == 2
    assert page.select_one(".mm-gap").get_text() == "Gap. A gap."
    assert page.select_one(".mm-facts").get_text() == "shared · embed 10 ms · search 2.0 s"
    assert not page.select(".mm-answer, .mm-error, .mm-also")
    for part in ("what do bears eat?", "[1] notes.md", "[2] notes.md", "0.900", "0.450", "Gap. A gap.", "search 2.0 s"):
        assert part in repr(hits)


def test_one_hit_is_shown_with_its_numbers():
    page = soup(passage(2))
    assert page.section["aria-label"] == "hit"
    assert [mark.get_text() for mark in page("mark")] == ["Bears"]
    assert "0.450" in page.table.get_text()
    assert repr(passage(2)).startswith("[2] notes.md · text · passage 3\n    «Bears» eat grass & roots.\n")


def test_no_hits():
    assert "Nothing was found." in soup(Hits(())).get_text()
    assert repr(Hits((), "who?")) == "who?\n\nNothing was found."


def test_a_page_of_a_document_is_named():
    hit = Hit(1, 1.0, 0.5, 0.0, Chunk("d", 0, "image", "", page=3), Item("d", "report.pdf", "image"))
    assert "page 3" in soup(hit).select_one(".mm-place").get_text()
    assert "report.pdf, page 3" in repr(hit)
