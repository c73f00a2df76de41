"""A comparison, read back: a table that tells all, a drawing beside it, whatever the names."""

from dataclasses import replace

import pytest
from bs4 import BeautifulSoup
from hostile import HOSTILE

from mmrag_nb.insight.comparison import Cell, Column, Comparison, Row, Standing
from mmrag_nb.notebook.render import bump_chart
from mmrag_nb.notebook.render.media import ROOM
from mmrag_nb.notebook.render.style import section
from mmrag_nb.results import Hit
from mmrag_nb.types import Chunk, Item, Preview

WORKING = (
    Column("shared", k=2, levels={"image": 0.2, "text": 0.7}, facts=("shared", "clip"), timings={"search": 0.002}),
    Column("raw", "raw=true", 2, raw=True, shared=1, tau=-0.5, timings={"search": 0.001}),
)
BROKEN = Column("other", error="cannot load 'x' & <y>")


def hit(name, modality="text", ordinal=0, **changes):
    chunk = Chunk(name, ordinal, modality, f"text of {name}")
    return replace(Hit(1, 1.0, 0.3, 0.0, chunk, Item(name, f"folder/{name}", modality)), **changes)


def standing(rank, score=1.0, **changes):
    return replace(Standing(rank, score, 0.21, score, 0.0, "text", "clip:a"), **changes)


def rows(columns, names=("harp.md", "apple.png", "talk.mp3")):
    first, second, third = names
    told = [
        (hit(first), (Cell(standing(1), found=True), Cell(standing(41), moved=-40, why="raw cosine 0.21 is 41st"))),
        (
            hit(second, "image"),
            (Cell(standing(2), found=True), Cell(standing(1), found=True, moved=1, why="others fell")),
        ),
        (hit(third, "audio"), (Cell(None), Cell(standing(2), found=True, new=True, why="has a vector in clip:a"))),
    ]
    return tuple(Row(one, cells + (Cell(None),) * (len(columns) - 2)) for one, cells in told)


def comparison(columns=WORKING, question="a harp?", **changes):
    result = Comparison(question, columns, rows(columns), 50, "Against shared, raw has 1 of the 2 hits.")
    return replace(result, **changes)


def soup(result):
    return BeautifulSoup(result._repr_html_(), "html.parser")


def cells(page):
    return [[cell.get_text(" ", strip=True) for cell in row.find_all("td")] for row in page.table.tbody("tr")]


def test_the_table_tells_rank_movement_score_and_reason():
    page = soup(comparison())
    assert [th.get_text(" ", strip=True) for th in page.table.thead("th")] == ["evidence", "shared", "raw raw=true"]
    assert cells(page) == [
        ["1 +1.0 σ", "– (41) ▼40 raw cosine 0.21 is 41st"],
        ["2 +1.0 σ", "1 ▲1 others fell"],
        ["–", "2 new has a vector in clip:a"],
    ]
    assert [one["aria-label"] for one in page.select(".mm-move")] == ["down 40 places", "up 1 place"]
    assert all(th.get("scope") for th in page.table("th"))


def test_the_foot_tells_agreement_levels_and_time():
    foot = {row.th.get_text(): [td.get_text() for td in row("td")] for row in soup(comparison()).tfoot("tr")}
    assert foot == {
        "hits in common with shared": ["", "1 of 2"],
        "Kendall’s τ of the order": ["", "\N{MINUS SIGN}0.50"],
        "mean raw cosine": ["pictures 0.20, texts 0.70", ""],
        "time": ["search 2 ms", "search 1 ms"],
    }


def test_a_column_that_failed_says_so_once_over_all_rows():
    page = soup(comparison((*WORKING, BROKEN)))
    (told,) = page.select(".mm-broken")
    assert told.get_text() == BROKEN.error
    assert told["rowspan"] == "3"
    assert "cannot load" in repr(comparison((*WORKING, BROKEN)))


def test_the_drawing_has_a_line_for_each_chunk_and_says_so():
    page = soup(comparison())
    assert page.svg["role"] == "img"
    assert "ranks in shared and raw" in page.svg["aria-label"]
    groups = page.svg("g")
    assert [group["class"] for group in groups] == [["mm-text"], ["mm-image"], ["mm-audio"]]
    assert groups[0].title.get_text() == "harp.md, passage 1, text"
    assert [text.get_text() for text in groups[0]("text")] == ["1", "41", "harp.md, passage 1", "harp.md, passage 1"]
    assert all(group["stroke"].startswith("#") for group in groups), "for pages that drop styles"


def test_shapes_tell_modalities_apart_without_colour():
    page = soup(comparison())
    nodes = [group.select_one(".mm-node")["d"] for group in page.svg("g")]
    assert ["h" in nodes[0], "a" in nodes[1], "l" in nodes[2]] == [True, True, True]


def test_one_column_or_no_rows_have_no_drawing():
    assert not bump_chart.svg(comparison(rows=()))
    assert not bump_chart.svg(comparison((WORKING[0], BROKEN)))
    assert "Nothing was found" in soup(comparison(rows=())).get_text()
    assert "Nothing was found" in repr(comparison(rows=()))


def test_many_rows_are_drawn_in_part_and_said():
    many = [Row(hit(f"{i}.md"), (Cell(standing(i), i <= 2), Cell(standing(i), i <= 2, 0))) for i in range(1, 40)]
    page = soup(comparison(rows=tuple(many)))
    assert len(page.svg("g")) == bump_chart.MOST_ROWS
    assert "The first 16 of 39" in page.svg["aria-label"]
    assert len(page.table.tbody("tr")) == 39


def test_plain_text_has_the_same_within_96_columns():
    text = repr(comparison((*WORKING, BROKEN)))
    assert max(map(len, text.splitlines())) <= 96
    for part in ("a harp?", "– (41) ▼40", "2 new", "harp.md, passage 1 in raw: raw cosine 0.21 is 41st", "raw 1 of 2"):
        assert part in text


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(text):
    columns = (replace(WORKING[0], name=text), replace(WORKING[1], settings=text), replace(BROKEN, error=text))
    named = rows(columns, (text, f"a {text}", f"b {text}"))
    named = tuple(
        replace(row, cells=tuple(replace(cell, why=text) for cell in row.cells)) if i else row
        for i, row in enumerate(named)
    )
    result = Comparison(text, columns, named, 50, text)
    harmless = {tag.name for tag in soup(comparison((*WORKING, BROKEN))).select("*")}
    page = soup(result)
    assert {tag.name for tag in page.select("*")} <= harmless
    assert not [name for tag in page.select("*") for name in tag.attrs if name.startswith("on")]
    result._repr_html_().encode()
    repr(result).encode()


def test_pictures_stay_within_the_cap():
    large = {"thumbnail": Preview("image/webp", bytes(60_000)), "clip": Preview("audio/mpeg", bytes(60_000))}
    many = [
        Row(
            hit(f"{i}.png", "image", previews=large),
            (Cell(standing(i), found=True), Cell(standing(i), found=True, moved=0)),
        )
        for i in range(1, 12)
    ]
    html = comparison(rows=tuple(many))._repr_html_()
    assert len(html.encode()) <= ROOM
    page = BeautifulSoup(html, "html.parser")
    assert 1 <= len(page("img")) < 11
    assert not page("audio")


@pytest.mark.browser
def test_what_stands_beside_a_tall_picture_stands_at_its_top_whatever_cards_follow(browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8>{comparison()._repr_html_()}{section('another', '')}")
    with browser.tab(page.as_uri()):
        aligned = browser.driver.execute_script(
            "return [...document.querySelectorAll('.mm-versus tbody td, .mm-versus tbody th')]"
            ".map(cell => getComputedStyle(cell).verticalAlign)"
        )
    assert set(aligned) == {"top"}
