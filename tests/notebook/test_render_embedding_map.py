"""A map, read back: every point drawn, told without colour, within its size, whatever the names."""

from dataclasses import replace

import numpy as np
import pytest
from bs4 import BeautifulSoup
from hostile import HOSTILE

from mmrag_nb.insight.embedding_map import EmbeddingMap, measured_gap
from mmrag_nb.notebook.render.map_drawing import WIDTH
from mmrag_nb.notebook.render.media import ROOM
from mmrag_nb.types import MODALITIES, Chunk, Item, Preview


def drawn(n=40, *, question="a harp?", names=None, seed=0, **changes):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, 2)).astype(np.float32)
    kinds = [MODALITIES[i % 3] for i in range(n)]
    called = names or [f"item {i}" for i in range(n)]
    vectors = np.hstack([points, np.ones((n, 1), np.float32)])
    result = EmbeddingMap(
        points,
        tuple(Chunk(f"id{i}", 0, kind, f"the text of {i}") for i, kind in enumerate(kinds)),
        tuple(Item(f"id{i}", called[i], kind) for i, kind in enumerate(kinds)),
        "clip:a",
        "pca",
        "PCA: 40% of the variance",
        measured_gap(vectors, np.array([kind == "image" for kind in kinds]), points),
        question,
        np.zeros(2, np.float32) if question else None,
        rng.normal(size=n).astype(np.float32) if question else None,
        {1: 3, 2: n - 1} if question and n > 3 else {},
        notes=("500 of 900 texts embedded for this map only",),
        timings={"project": 0.01},
    )
    return replace(result, **changes)


def soup(result):
    return BeautifulSoup(result._repr_html_(), "html.parser")


def subpaths(page):
    return sum(path["d"].count("M") for path in page.select(".mm-dots path"))


def test_every_point_is_drawn_within_the_drawing_and_has_its_name():
    page = soup(drawn())
    assert subpaths(page) == 40
    titles = [path.title.get_text() for path in page.select(".mm-dots path")]
    assert min(titles) == "item 0, passage 1: the text of 0"
    height = float(page.svg["viewbox"].split()[3])
    for path in page.select(".mm-dots path"):
        x, y = path["d"][1:].split("m")[0].split()
        assert 0 < float(x) < WIDTH
        assert 0 < float(y) < height


def test_modalities_are_told_by_shape_and_colour():
    groups = {group["class"][1]: group for group in soup(drawn()).select(".mm-dots")}
    shapes = {kind: group.path["d"].split("m", 1)[1] for kind, group in groups.items()}
    assert set(groups) == {"mm-text", "mm-image", "mm-audio"}
    assert len(set(shapes.values())) == 3
    assert len({group["fill"] for group in groups.values()}) == 3


def test_a_screen_reader_hears_counts_gap_and_what_is_near():
    result = drawn()
    label = soup(result).svg["aria-label"]
    for part in (
        "Map of 40 chunks: 14 texts, 13 pictures, 13 recordings.",
        "apart",
        result.names[result.nearest(1)[0]],
    ):
        assert part in label
    assert soup(result).svg["role"] == "img"


def test_the_table_has_the_nearest_and_every_hit():
    result = drawn()
    rows = [[cell.get_text(strip=True) for cell in row.find_all(["td", "th"])] for row in soup(result).tbody("tr")]
    order = sorted(range(40), key=lambda i: -result.cosines[i])
    assert [row[2].split(",")[0] for row in rows[:10]] == [result.names[i] for i in order[:10]]
    assert {row[4] for row in rows} - {""} == {"1", "2"}
    ranks = {row[4]: row[0] for row in rows}
    assert ranks["1"] == str(order.index(3) + 1)


def test_without_a_question_there_is_no_mark_of_one():
    page = soup(drawn(question=""))
    assert not page.select(".mm-asked, .mm-ray")
    assert "question" not in page.svg["aria-label"]
    assert len(page.details("li")) == 20


def test_rays_lead_to_the_hits():
    page = soup(drawn())
    assert page.select_one(".mm-ray")["d"].count("L") == 2
    assert [text.get_text() for text in page.select("text.mm-narrow")] == ["1", "2"]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_points_in_one_place(n):
    flat = drawn(n, points=np.zeros((n, 2), np.float32))
    assert subpaths(soup(flat)) == n
    assert "nan" not in flat._repr_html_()


def test_thousands_of_points_stay_within_the_cap_and_some_have_their_names():
    picture = Preview("image/webp", bytes(9_000))
    result = drawn(
        3000, thumbnails=dict.fromkeys(range(1, 3000, 3), picture), names=[f"{'name' * 30} {i}" for i in range(3000)]
    )
    html = result._repr_html_()
    assert len(html.encode()) <= ROOM
    page = BeautifulSoup(html, "html.parser")
    assert subpaths(page) == 3000
    assert len(page.select(".mm-dots title")) > 300
    hit = result.names[3]
    assert any(title.get_text().startswith(hit[:20]) for title in page.select(".mm-dots title"))
    assert 1 <= len(page.select("image")) <= 9


def test_no_picture_covers_another_and_only_pictures_are_embedded():
    good, svg = Preview("image/webp", b"webp"), Preview("image/svg+xml", b"<svg onload=alert(1)>")
    page = soup(drawn(300, thumbnails={1: good, 4: svg, 7: good, 10: good, 13: good}))
    boxes = [(float(one["x"]), float(one["y"])) for one in page.select("image")]
    assert boxes
    assert all(max(abs(a[0] - b[0]), abs(a[1] - b[1])) >= 38 for a in boxes for b in boxes if a is not b)
    assert all(one["href"].startswith("data:image/webp;base64,") for one in page.select("image"))


def test_plain_text_has_counts_gap_and_the_nearest_within_96_columns():
    text = repr(drawn())
    assert max(map(len, text.splitlines())) <= 96
    for part in ("a harp?", "map of 40 chunks", "Mind the Gap", "(hit 1)", "PCA: 40%", "500 of 900 texts"):
        assert part in text


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(text):
    result = drawn(12, question=text, names=[f"{text}{i}" for i in range(12)], notes=(text,), space=text)
    result = replace(result, chunks=tuple(replace(chunk, text=text) for chunk in result.chunks))
    harmless = {tag.name for tag in soup(drawn(12)).select("*")}
    page = soup(result)
    assert {tag.name for tag in page.select("*")} <= harmless
    assert not [name for tag in page.select("*") for name in tag.attrs if name.startswith("on")]
    assert len(result._repr_html_().encode()) <= ROOM
    repr(result).encode()
