"""The similarity panel: sorted, filtered and paged scores, and the heat map."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from mmrag_nb.errors import MMRagError
from mmrag_nb.notebook.panels.similarity import PAGE, SimilarityPanel
from mmrag_nb.notebook.render.media import ROOM
from mmrag_nb.results import Answer, Hit, Hits
from mmrag_nb.types import Chunk, Item


def hit(rank, modality="text", item="t", **scores):
    given = {"cosine": 0.9 / rank, "lexical": float(rank), "score": 9.0 / rank, "calibrated": 5.0 / rank, **scores}
    return Hit(
        rank=rank,
        chunk=Chunk(f"{item}{rank}", 0, modality, "Bears."),
        item=Item(f"{item}{rank}", f"notes-{item}{rank}.md", modality),
        seen_as=modality,
        raw_rank=rank,
        **given,
    )


HITS = Hits((hit(1), hit(2, "image"), hit(3, cosine=None), hit(4)), "what do bears eat?")


def do(panel, act, target="", **values):
    panel._handle_custom_msg({"act": act, "target": target, "values": values, "n": "1"}, [])


def page(panel, region="table"):
    return BeautifulSoup(panel.regions[region], "html.parser")


def ranks(panel):
    return [int(one.get_text()) for one in page(panel).select("td.mm-rank")]


def test_all_scores_of_all_hits():
    panel = SimilarityPanel(Answer("what do bears eat?", "Grass.", HITS))
    rows = [[cell.get_text() for cell in row(["td", "th"])] for row in page(panel).tbody("tr")]
    assert rows[0] == ["1", "text", "notes-t1.md passage 1", "0.900", "1", "+5.0 σ", "1.00", "9.00"]
    assert rows[2][3:] == ["—", "3", "—", "3.00", "3.00"]
    assert [th["scope"] for th in page(panel)("th")][:8] == ["col"] * 8
    assert not panel.regions["heat"]
    assert not panel.regions["pages"]


def test_a_click_on_a_heading_sorts_another_turns_it_round():
    panel = SimilarityPanel(HITS)
    do(panel, "sort", "lexical")
    assert ranks(panel) == [4, 3, 2, 1]
    do(panel, "sort", "cosine")
    assert ranks(panel) == [1, 2, 4, 3]
    do(panel, "sort", "cosine")
    assert ranks(panel) == [4, 2, 1, 3]  # what has no cosine stays last
    headings = page(panel).select("th[aria-sort]")
    assert [(one["aria-sort"], one.get_text()) for one in headings] == [("ascending", "raw cosine\u00a0▴")]
    do(panel, "sort", "modality")
    assert ranks(panel) == [2, 1, 3, 4]
    do(panel, "sort", "__class__")
    assert panel.sort == "modality"


def test_a_modality_can_be_looked_at_alone():
    panel = SimilarityPanel(HITS)
    do(panel, "set", modality="image")
    assert ranks(panel) == [2]
    do(panel, "set", modality="smell")
    assert panel.modality == "image"
    panel.show(Hits((hit(1),)))
    assert panel.modality == "all"
    assert ranks(panel) == [1]


def test_a_hit_is_selected_and_shown_as_such():
    panel = SimilarityPanel(HITS)
    table = panel.regions["table"]
    target = page(panel).select("tbody button")[1]["data-mm-target"]
    do(panel, "select", target)
    assert panel.selected is HITS[1]
    assert panel.chosen == {"select": target}
    assert panel.regions["table"] is table
    panel.selected = HITS[0]
    assert panel.chosen == {"select": "0-1"}
    do(panel, "select", "7-7")
    assert panel.selected is None


def test_several_questions_make_a_heat_map_with_numbers():
    other = Hits((hit(1, item="u", score=1.0), hit(2, "image", score=5.0)), "and <wolves>?")
    panel = SimilarityPanel([HITS, other])
    heat = page(panel, "heat")
    assert [th.get_text() for th in heat.thead("th")] == ["chunk", "1. what do bears eat?", "2. and <wolves>?"]
    rows = {row.th.get_text(): [cell.get_text() for cell in row("td")] for row in heat.tbody("tr")}
    assert rows["notes-t2.md"] == ["4.50", "5.00"]
    assert rows["notes-u1.md passage 1"] == ["·", "1.00"]
    assert next(iter(rows)) == "notes-t1.md passage 1"  # the highest first
    deepest = heat.select_one("td[style]")
    assert deepest["style"] == "--mm-depth:42%"
    do(panel, "set", measure="cosine")
    assert "0.900" in page(panel, "heat").get_text()
    assert [th.get_text() for th in page(panel).thead("th")][:2] == ["question", "rank\u00a0▴"]
    do(panel, "select", heat.tbody.button["data-mm-target"])
    assert panel.selected is HITS[0]


def test_thousands_of_rows_are_paged():
    panel = SimilarityPanel(Hits(tuple(hit(rank) for rank in range(1, 3211))))
    assert ranks(panel) == list(range(1, PAGE + 1))
    assert page(panel, "pages").span.get_text() == "1–50 of 3,210 rows"
    back, on = page(panel, "pages")("button")
    assert back.has_attr("disabled")
    do(panel, "page", on["data-mm-target"])
    assert ranks(panel)[0] == PAGE + 1
    do(panel, "page", "9999999")
    assert ranks(panel) == list(range(3201, 3211))
    do(panel, "page", "-1")
    assert panel.page == 64
    do(panel, "sort", "score")
    assert ranks(panel)[0] == 1  # sorted otherwise, from the first page
    assert len(panel.picture().encode()) < ROOM / 4


def test_the_picture_has_no_controls_and_the_text_all_questions():
    other = Hits((hit(1, item="u"),), "wolves?")
    panel = SimilarityPanel([HITS, other])
    still = BeautifulSoup(panel.still(), "html.parser")
    assert not still.select("button, input, select, [data-mm-act]")
    assert len(still("table")) == 2
    assert "what do bears eat?" in panel.text()
    assert "wolves?" in panel.text()


def test_nothing_to_compare():
    for nothing in ((), Hits(()), [Hits(()), Hits(())]):
        panel = SimilarityPanel(nothing)
        assert "There are no hits" in panel.regions["table"]
        assert "There are no hits" in panel.still()


def test_something_else_is_refused():
    with pytest.raises(MMRagError, match="str has no scores"):
        SimilarityPanel("harp")


def test_names_of_any_length_fit():
    long = Hit(1, 1.0, 0.5, 0.0, Chunk("x", 0, "text", ""), Item("x", "a" * 10_000 + "<b>.txt", "text"))
    panel = SimilarityPanel([Hits((long,), "q" * 10_000), Hits((long,), "<script>")])
    assert len(panel.still()) < 60_000
    assert not page(panel, "heat")("script")
