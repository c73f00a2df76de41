"""A passage of a document is shown with its page, the matching words marked on it."""

import json
import re
from dataclasses import replace

import pytest

from mmrag_nb.notebook.render import page
from mmrag_nb.notebook.render.hits import html, text
from mmrag_nb.notebook.render.media import ROOM, embed
from mmrag_nb.results import Hit, Hits
from mmrag_nb.types import Chunk, Item, Preview

TEXT = "The crane operator sleeps by day"
WORDS = [
    [match.start(), match.end(), round(0.1 + 0.1 * n, 2), 0.2, round(0.18 + 0.1 * n, 2), 0.22]
    for n, match in enumerate(re.finditer(r"\w+", TEXT))
]


def hit(rank=1, *, number=3, words=WORDS, item="a", picture=b"page", modality="text", kind="page", **more):
    previews = {kind: Preview("image/webp", picture), "placed": Preview("application/json", json.dumps(words).encode())}
    return Hit(
        rank=rank,
        score=1.0,
        cosine=0.5,
        lexical=1.0,
        chunk=Chunk(item, 7, modality, TEXT, page=number),
        item=Item(item, f"/docs/{item}.pdf", "text"),
        matches=((4, 18),),
        facts={"pages": 12},
        previews=previews,
        **more,
    )


def boxes(shown, css="mm-hit"):
    return re.findall(rf'class="{css}" style="left:([\d.]+)%;top:([\d.]+)%;width:([\d.]+)%;height:([\d.]+)%"', shown)


def test_the_matching_words_are_marked_on_the_page():
    shown = html(hit())
    assert boxes(shown) == [("20.00", "20.00", "8.00", "2.00"), ("30.00", "20.00", "8.00", "2.00")]
    assert 'alt="page 3 of a.pdf; marked: crane operator"' in shown
    assert "page 3 of 12" in shown
    assert "page 3 of 12" in text(hit())


def test_where_the_passage_stands_is_shown_for_each_of_its_columns():
    low = [[a, b, left, 0.8, right, 0.82] for a, b, left, _, right, _ in WORDS[:3]]
    high = [[a, b, left, 0.1, right, 0.12] for a, b, left, _, right, _ in WORDS[3:]]
    assert [top for _, top, _, _ in boxes(html(hit(words=low + high)), "mm-from")] == ["80.00", "10.00"]


def test_a_page_is_shown_once_with_the_marks_of_all_hits_on_it():
    other = replace(hit(2), matches=((19, 25),))
    shown = html(Hits((hit(1), other, hit(3, number=4))))
    assert shown.count("data:image/webp") == 2
    assert len(boxes(shown)) == 2 + 1 + 2
    (prefix,) = set(re.findall(r'id="(mm-[0-9a-f]+-)1"', shown))
    assert f'page 3 is shown at <a href="#{prefix}1">1</a>' in shown


def test_pages_give_way_to_pictures_where_the_card_is_full():
    large = b"x" * 200_000
    picture = hit(3, modality="image", kind="thumbnail", picture=large)
    media = embed((hit(1, picture=large), hit(2, number=4, picture=large), picture), (), 300_000)
    assert set(media.uris) == {(3, "thumbnail")}
    shown = html(Hits((hit(1, picture=large), hit(2, number=4, picture=large), picture)))
    assert len(shown.encode()) <= ROOM
    assert shown.count("page left out: the card would exceed 400 kB") == 2


@pytest.mark.parametrize("words", [[], [[0, 1, 0, 0, 5, 1]], [["<b>", 1, 0, 0, 1, 1]], {"a": 1}, None])
def test_nonsense_from_an_index_marks_nothing(words):
    shown = html(hit(words=words))
    assert not boxes(shown)
    assert "data:image/webp" in shown


def test_a_passage_without_a_page_shows_none():
    assert not page.html(replace(hit(), previews={}), "p-", embed((), (), 1000))
    plain = replace(hit(), chunk=Chunk("a", 7, "text", TEXT))
    assert not page.html(plain, "p-", embed((plain,), (), 100_000))


def test_names_are_escaped():
    foreign = replace(hit(), item=Item("a", '/docs/<img src=x onerror="1">.pdf', "text"))
    assert "<img src=x" not in html(foreign)


def test_only_pictures_stand_in_the_page():
    svg = replace(hit(), previews={"page": Preview("image/svg+xml", b"<svg/>")})
    assert "svg+xml" not in html(svg)
