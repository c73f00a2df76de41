"""What stands beside a hit's content: its record, what models say of it, its near-duplicates, what a reranker did."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bs4 import BeautifulSoup
from hostile import HOSTILE

from mmrag_nb.insight.comparison import Cell, Column, Comparison, Row, Standing
from mmrag_nb.insight.why import Placing, Term, View, Why
from mmrag_nb.notebook.render.media import ROOM
from mmrag_nb.results import Answer, Hit, Hits, Part
from mmrag_nb.types import Chunk, Item, Preview, Record

SHOE = Record("r7", "shoe 7")
DOUBT = (
    "Nothing here seems to answer this: the best hit reaches +1.1 σ, and 1 in 4 unrelated questions reaches as much."
)
SIGN = "STOP\nALL WAY\n" + "No parking from eight to six, on working days. " * 12


def picture(rank=1, name="side.jpg", record=SHOE, **changes):
    hit = Hit(
        rank=rank,
        score=2.5,
        cosine=0.24,
        lexical=0.0,
        chunk=Chunk(name, 0, "image", ""),
        item=Item(name, f"shop/{name}", "image", {}, record),
        calibrated=2.5,
        seen_as="image",
        raw_rank=4,
        facts={"width": 640, "height": 480},
        previews={"thumbnail": Preview("image/webp", b"RIFF")},
        parts=(Part(name, "image", 2.5), Part("front.jpg", "image", 2.1), Part("about.txt", "text", 1.0)),
    )
    return replace(hit, **changes)


def text(rank=2, **changes):
    hit = Hit(
        rank=rank,
        score=1.9,
        cosine=0.44,
        lexical=2.2,
        chunk=Chunk("t", 0, "text", "red running shoe"),
        item=Item("t", "{{shoes 3}} text", "text", {}, Record("r3", "{{shoes 3}}")),
        calibrated=0.8,
        raw_rank=1,
        parts=(Part("{{shoes 3}} text", "text", 1.9), Part("{{shoes 3}} image 2", "image", 0.4)),
    )
    return replace(hit, **changes)


def soup(result):
    return BeautifulSoup(result._repr_html_(), "html.parser")


def cells(page):
    return [[cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])] for row in page.table.tbody("tr")]


def flat(text):
    return " ".join(text.split())


# records


def test_a_record_is_called_by_its_name_and_the_part_that_matched_is_told():
    hits = Hits((picture(), text()))
    heads = [head.get_text() for head in soup(hits).select(".mm-head")]
    assert heads == ["1 shoe 7 image side.jpg matched · 640 × 480 px", "2 {{shoes 3}} text matched · passage 1"]
    assert [row[2] for row in cells(soup(hits))] == ["shoe 7 image side.jpg", "{{shoes 3}} text, passage 1"]
    assert soup(hits).img["alt"] == "picture side.jpg of shoe 7"
    assert "[1] shoe 7 · image side.jpg matched · 640 × 480 px" in repr(hits)
    assert "[2] {{shoes 3}} · text matched · passage 1" in repr(hits)


def test_the_other_parts_have_their_own_scores():
    hits = Hits((picture(), text()))
    told = [parts.get_text() for parts in soup(hits).select(".mm-parts")]
    assert told == ["other parts: image front.jpg +2.1 σ · text about.txt +1.0 σ", "other parts: image 2 +0.4 σ"]
    for line in told:
        assert line in flat(repr(hits))


def test_a_part_that_is_not_the_best_is_asked_about_without_itself_among_the_others():
    page = soup(picture(name="front.jpg", parts=picture().parts, score=2.1, calibrated=2.1))
    assert page.select_one(".mm-parts").get_text() == "other parts: image side.jpg +2.5 σ · text about.txt +1.0 σ"
    assert "image front.jpg matched ·" in page.select_one(".mm-place").get_text()


def test_of_many_parts_the_best_six_are_named():
    many = picture(parts=tuple(Part(f"{n}.jpg", "image", 2.5 - n / 10) for n in range(10)))
    told = soup(Hits((many,))).select_one(".mm-parts").get_text()
    assert told.count("σ") == 6
    assert told.endswith("image 6.jpg +1.9 σ · and 3 more")
    assert "and 3 more" in repr(many)


def test_where_all_parts_made_the_score_it_is_said_and_what_the_words_brought_is_the_parts_own():
    pooled = text(rank=1, score=1.15)
    page = soup(Hits((pooled,)))
    assert "text matched (+1.9 σ)" in page.select_one(".mm-place").get_text()
    assert "made of all its parts'" in page.table.caption.get_text()
    assert cells(page)[0][-2:] == ["+1.1 σ (2.20)", "1.15"]
    assert "made of all its parts'" not in soup(Hits((text(rank=1),))).table.caption.get_text()


def test_a_citation_names_the_record():
    hits = Hits((picture(),))
    page = soup(Answer("a shoe?", "This one [1].", hits, {1: hits[0]}))
    assert page.select_one("a.mm-cite")["title"] == "shoe 7, image side.jpg"


# near-duplicates


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("a.jpg",), "and 1 near-duplicate: a.jpg"),
        (("a.jpg", "b.jpg"), "and 2 near-duplicates: a.jpg, b.jpg"),
        (tuple("abcde"), "and 5 near-duplicates: a, b, c and 2 more"),
        (("a.pdf", "a.pdf", "b.jpg"), "and 3 near-duplicates: a.pdf (2 times), b.jpg"),
    ],
)
def test_near_duplicates_are_counted_and_named(names, told):
    hit = picture(alike=names)
    assert soup(Hits((hit,))).select_one(".mm-alike").get_text() == told
    assert told in repr(hit)


# what models say


def test_what_models_say_of_a_picture_stands_under_it_as_theirs():
    hit = picture(described={"caption": "a shoe on a table", "ocr": "SIZE\n42"})
    said = [one.get_text() for one in soup(Hits((hit,))).select("p.mm-said")]
    assert said == ["caption (model-made): a shoe on a table", "reads: SIZE 42"]
    for line in said:
        assert line in repr(hit)


def test_a_long_reading_can_be_opened():
    hit = picture(described={"ocr": SIGN})
    details = soup(Hits((hit,))).select_one("details.mm-said")
    begin = details.summary.get_text()
    assert begin.startswith("reads: STOP ALL WAY No parking")
    assert begin.endswith(" …")
    assert len(begin) < 180
    assert details.p.get_text().strip() == SIGN.strip()


def test_nothing_said_shows_nothing():
    assert not soup(Hits((picture(described={"caption": " ", "ocr": ""}),))).select(".mm-said")


# doubt


def test_doubt_stands_above_the_hits_which_stay():
    hits = Hits((picture(), text()), "taxes?", doubt=DOUBT)
    page = soup(hits)
    notice = page.select_one("[role=note]")
    assert notice.get_text() == DOUBT
    assert "Nearest, for what they are worth" in notice.find_next("div").get_text()
    assert len(page.select("li.mm-item")) == 2
    lines = repr(hits).splitlines()
    order = [lines.index("taxes?"), *(n for n, line in enumerate(lines) if line.startswith(("Nothing", "Near", "[1]")))]
    assert order == sorted(order)
    assert len(order) == 4


def test_an_answer_that_abstains_is_a_notice_with_its_reason_and_the_nearest_hits():
    hits = Hits((picture(), text()), doubt=DOUBT)
    page = soup(Answer("taxes?", "The index does not answer this.", hits, abstained=True))
    notice = page.select_one("[role=note]")
    assert notice.get_text(" ", strip=True) == f"The index does not answer this. {DOUBT}"
    assert len(page.select(".mm-answer")) == 1
    assert len(page.select("ul.mm-quiet > li")) == 2
    assert page.select_one(".mm-also").get_text() == "Nearest, for what they are worth"


def test_a_reason_is_not_told_twice():
    shown = Answer("taxes?", f"{DOUBT} Ask something else.", Hits((picture(),), doubt=DOUBT), abstained=True)
    assert flat(soup(shown).get_text()).count(DOUBT) == 1
    assert flat(repr(shown)).count(DOUBT) == 1


def test_an_answer_in_spite_of_doubt_is_told_with_it():
    hits = Hits((picture(), text()), doubt=DOUBT)
    page = soup(Answer("taxes?", "Shoes [2].", hits, {2: hits[1]}))
    assert page.select_one("[role=note]").get_text() == DOUBT
    assert page.select_one(".mm-answer").find_previous("div", role="note")
    assert [one.get_text() for one in page.select(".mm-also")] == ["also found, not cited"]


def test_without_doubt_there_is_no_notice():
    assert not soup(Hits((picture(),))).select(".mm-doubt, .mm-also")
    assert not soup(Answer("?", "So [1].", Hits((picture(),)))).select(".mm-doubt, .mm-also")


# reranking


def reranked():
    hits = (
        picture(1, before=3, reranked=0.981),
        text(2, before=1, reranked=0.2204),
        picture(3, "b.jpg", None, parts=(), before=3, reranked=7.0),
        picture(4, "c.jpg", None, parts=(), before=12, reranked=-11.216),
        picture(5, "d.jpg", None, parts=()),
    )
    return Hits(hits, "a shoe", ("grounded",), reranker="ms-marco-MiniLM-L6-v2")


def test_the_order_before_and_after_reranking_is_told():
    page = soup(reranked())
    heads = [th.get_text() for th in page.table.thead("th")]
    assert (heads[1], heads[-1]) == ("before", "reranked")
    assert [(row[0], row[1], row[-1]) for row in cells(page)] == [
        ("1", "3 ▲2", "0.981"),
        ("2", "1 ▼1", "0.220"),
        ("3", "3", "7"),
        ("4", "12 ▲8", "-11.22"),
        ("5", "—", "—"),
    ]
    moves = [one.get("aria-label") for one in page.select(".mm-move")]
    assert moves == ["up 2 places", "down 1 place", None, "up 8 places", None]
    assert "Reranked by ms-marco-MiniLM-L6-v2" in page.table.caption.get_text()
    assert page.select_one(".mm-facts").get_text() == "grounded · reranked by ms-marco-MiniLM-L6-v2"
    assert all(len(row) == len(heads) for row in cells(page))


def test_in_a_terminal_too():
    lines = repr(reranked()).splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("rank  before"))
    assert [line.split()[:3] for line in lines[at + 1 : at + 3]] == [["1", "3", "▲2"], ["2", "1", "▼1"]]
    assert len({len(line) for line in lines[at : at + 6]}) == 1
    assert max(map(len, lines)) <= 96


def test_a_fact_that_names_the_reranker_is_not_repeated():
    hits = replace(reranked(), facts=("grounded", "20 hits reranked by ms-marco-MiniLM-L6-v2"))
    assert soup(hits).select_one(".mm-facts").get_text().count("ms-marco") == 1


def test_without_a_reranker_the_table_is_as_it_was():
    page = soup(Hits((picture(), text())))
    assert "before" not in page.table.get_text()
    assert not page.select(".mm-move")


# units


def test_rank_points_are_not_called_standard_deviations():
    hits = Hits((text(1, unit="rank points", score=1.94), picture(2, unit="rank points", score=0.98)))
    page = soup(hits)
    assert [row[-3:] for row in cells(page)] == [["+0.8 σ", "2.20", "1.94"], ["+2.5 σ", "—", "0.98"]]
    assert page.table.caption.get_text().startswith("Score: rank points")
    assert page.select_one(".mm-parts").get_text() == "other parts (rank points): image 2 0.40"


def test_raw_scores_have_no_unit():
    page = soup(Hits((text(1, unit="", score=0.44), picture(2, unit="", score=0.24))))
    assert [row[-1] for row in cells(page)] == ["0.440", "0.240"]
    assert "the score is the raw cosine" in page.table.caption.get_text()
    assert page.select_one(".mm-parts").get_text() == "other parts: image 2 0.400"


def test_why_tells_the_score_in_its_unit():
    why = Why(
        "a shoe",
        "about.txt",
        "Hit 1.",
        text(1, unit="rank points", score=1.94, described={"caption": "a shoe"}),
        Placing(1, 9, 1, 2, 5),
        (View("text", "text:a", 0.44, 0.8, 0.1, 1, 9, counted=True),),
        (Term("shoe", 0.97, 1.0, 3),),
    )
    page = soup(why)
    assert [row[-1] for row in cells(page)] == ["+0.8 σ", "0.97 rank points", "1.94 rank points"]
    assert "matched, rank points" in page.get_text()
    assert "part of {{shoes 3}}" in page.select_one(".mm-head").get_text()
    assert "caption (model-made): a shoe" in page.get_text()
    assert "1.94 rank points" in repr(why)


# beside others


def test_a_comparison_names_records_tells_what_was_described_and_each_columns_unit():
    columns = (
        Column("shared", k=1, facts=("shared",)),
        Column("grounded", "text=" + "a-long-model-name/" * 9, 1, unit="rank points", facts=("grounded, rrf",)),
    )
    standing = Standing(1, 1.9, 0.2, 1.9, 0.0)
    row = Row(picture(described={"caption": "a shoe", "ocr": SIGN}), (Cell(standing, found=True),) * 2)
    shown = Comparison("a shoe", columns, (row,), 9)
    page = soup(shown)
    assert cells(page)[0][1:] == ["1 +1.9 σ", "1 1.90 rank points"]
    told = [one.get_text() for one in page.select("tbody th small")]
    assert told[:2] == ["image side.jpg", "caption (model-made): a shoe"]
    assert told[2].startswith("reads: STOP ALL WAY")
    assert len(told[2]) < 100
    assert page.tbody.bdi.get_text() == "shoe 7"
    assert page.select_one("thead small")["title"] == columns[1].settings
    assert "shoe 7, image side.jpg" in repr(shown)


def test_words_asked_beside_a_picture_say_so():
    shown = Answer("but in red", "So.", Hits((picture(),), facts=("shared", "where price < 50")), pictured=True)
    assert soup(shown).select_one(".mm-question").get_text() == "but in red · asked with a picture"
    assert repr(shown).startswith("but in red (asked with a picture)\n")
    assert "where price < 50" in soup(shown).select_one(".mm-facts").get_text()
    alone = replace(shown, question="more like this picture", pictured=False)
    assert soup(alone).select_one(".mm-question").get_text() == "more like this picture"


def test_a_long_fact_is_broken_between_its_words():
    long = "grounded lacks 6 pictures to describe, 8 text chunks to embed: done in 8.3 s, and that is kept for later"
    lines = repr(Hits((), facts=("grounded", long, "nothing truncated"))).splitlines()
    assert " ".join(lines[2:]) == f"grounded · {long} · nothing truncated"
    assert max(map(len, lines)) <= 96


# what must not happen


def full(words):
    hit = picture(
        record=Record("r", words),
        name=words,
        parts=(Part(words, "image", 2.0),) * 12,
        alike=(words,) * 9,
        described={"caption": words, "ocr": f"{words}\n{words * 20}"[:3000]},
        before=2,
        reranked=0.5,
        unit=words or "σ",
    )
    return Hits((hit, replace(hit, rank=2, before=1)), "?", (words,), doubt=words, reranker=words)


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(words):
    hits = full(words)
    prose = {"p", "br", "ul", "ol", "li", "strong", "code", "pre"}
    harmless = {tag.name for tag in soup(full("a word " * 9)).select("*")} | prose
    for shown in (hits, hits[0], Answer("?", words, hits, abstained=True)):
        page = soup(shown)
        assert {tag.name for tag in page.select("*")} <= harmless
        assert not [name for tag in page.select("*") for name in tag.attrs if name.startswith("on")]
        shown._repr_html_().encode()
        repr(shown).encode()
        assert "\x1b" not in repr(shown)


def test_a_hundred_hits_with_everything_stay_within_the_cap():
    long = picture(
        parts=tuple(Part(f"{n} " + "n" * 200, "image", 1.0) for n in range(40)),
        alike=tuple("m" * 200 for _ in range(40)),
        described={"caption": "a shoe " * 100, "ocr": SIGN * 9},
        before=3,
        reranked=0.5,
    )
    hits = Hits(tuple(replace(long, rank=rank) for rank in range(1, 101)), "?", doubt=DOUBT, reranker="x")
    assert len(hits._repr_html_().encode()) <= ROOM
    five = hits[:5]._repr_html_()
    assert len(five.encode()) <= ROOM
    assert five.count("<details") == 10
