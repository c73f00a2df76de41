"""The evidence card, read back: what was asked, answered and found stands there, as text, and nothing else does."""

from __future__ import annotations

import subprocess
import sys
from base64 import b64decode
from collections import Counter
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup

from mmrag_nb.notebook.render import card
from mmrag_nb.notebook.render.media import ROOM
from mmrag_nb.results import Answer, Hit, Hits
from mmrag_nb.types import Chunk, Item, Preview

CLIP = b"\xff\xfb" + bytes(range(256)) * 40
THUMBNAIL = b"RIFF0000WEBP" + bytes(range(256)) * 60
PEAKS = bytes((i * 37) % 256 for i in range(400))
FOREIGN = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "</style></section><b onclick=alert(1)>x</b>",
    "' onmouseover='alert(1)",
    "&lt;script&gt; &#60;b&#62; &amp;",
    "\u202egpj.exe\u2066\x00\x1b[31m\x85",
    "تقرير القيثارة 🎻 竖琴",
    "x" * 10_000,
    "\udc80\ud800",
    "javascript:alert(1)",
    "[x](javascript:alert(1)) ![x](http://tracker.example/?q=1)",
]


def sound(rank=1, name="audio.mp3", text="my favorite harpist is trulo o'curlon", said=None, **changes):
    hit = Hit(
        rank=rank,
        score=5.31,
        cosine=0.7889,
        lexical=2.314,
        chunk=Chunk("a", 2, "audio", text, 11.9, 16.0),
        item=Item("a", f"lessons/{name}", "audio", said or {}),
        calibrated=4.2,
        seen_as="text",
        space="clip:openai/clip-vit-base-patch32",
        raw_rank=1,
        matches=((0, 2), (3, 11), (12, 19)),
        facts={"seconds": 25.8, "rate": 44100},
        previews={
            "clip": Preview("audio/mpeg", CLIP),
            "peaks": Preview("application/octet-stream", PEAKS),
        },
    )
    return replace(hit, **changes)


def picture(rank=2, name="Lorenz.png", text="", **changes):
    hit = Hit(
        rank=rank,
        score=0.31,
        cosine=0.1996,
        lexical=0.0,
        chunk=Chunk("p", 0, "image", text),
        item=Item("p", f"lessons/{name}", "image"),
        calibrated=0.3,
        seen_as="image",
        raw_rank=3,
        facts={"width": 640, "height": 480},
        previews={"thumbnail": Preview("image/webp", THUMBNAIL), "proxy": Preview("image/jpeg", b"never shown")},
    )
    return replace(hit, **changes)


def passage(rank=3, name="Wiki.txt", text="All Quiet on the Western Front is a novel.", **changes):
    hit = Hit(
        rank=rank,
        score=-0.12,
        cosine=0.4728,
        lexical=0.42,
        chunk=Chunk("t", 1, "text", text),
        item=Item("t", f"lessons/{name}", "text"),
        calibrated=-0.5,
        raw_rank=2,
        matches=((4, 9),),
        facts={"passages": 7},
    )
    return replace(hit, **changes)


def test_what_is_said_in_a_film_has_its_seconds_and_no_number():
    read = passage(1, "talk.mp4", chunk=Chunk("t", 7, "text", "And now the news.", 12.0, 16.0), facts={"seconds": 16.0})
    assert "text · 12.0-16.0 s of 16.0 s" in repr(answer((read,)))
    assert "passage" not in repr(answer((read,)))
    assert "passage" not in soup(answer((read,))).get_text()


def answer(hits=None, text="Turlough O'Carolan [1]. A **harpist**.", cited=(1,), **changes):
    hits = hits or (sound(), picture(), passage())
    result = Answer(
        question="who is my favorite harpist?",
        text=text,
        hits=Hits(hits, "who?", ("shared", "clip (bf16, cpu)"), {"embed": 0.031}, "The best picture is 3rd."),
        citations={n: hits[n - 1] for n in cited},
        generator="gemini-flash-latest",
        usage={"input_tokens": 412, "output_tokens": 1},
        timings={"search": 0.001, "generate": 1.42},
    )
    return replace(result, **changes)


def parsed(html):
    return BeautifulSoup(html, "html.parser")


def soup(result):
    return parsed(result._repr_html_())


def cells(table):
    return [[cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])] for row in table.tbody("tr")]


def elements(html):
    return Counter(tag.name for tag in parsed(html).select("*"))


# what stands there


def test_the_answer_comes_first_and_the_facts_last():
    text = soup(answer()).get_text(" ", strip=True)
    order = ["who is my favorite", "Turlough", "audio.mp3", "Lorenz.png", "Wiki.txt", "raw cosine", "Gap.", "shared"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_citations_lead_to_the_evidence_of_their_own_card():
    page = parsed(answer()._repr_html_() + answer()._repr_html_())
    links = page.select("a[href]")
    assert [link.get_text() for link in links] == ["[1]", "[1]"]
    for link, section in zip(links, page.select("section"), strict=True):
        target = page.find(id=link["href"].removeprefix("#"))
        assert "audio.mp3" in target.get_text()
        assert target.find_parent("section") is section


def test_ids_are_unique_where_one_answer_is_shown_twice():
    shown = answer()
    page = parsed(shown._repr_html_() + shown._repr_html_())
    ids = [tag["id"] for tag in page.select("[id]")]
    assert len(ids) == len(set(ids)) == 6


def test_a_number_without_evidence_is_no_link():
    page = soup(answer(text="It is so [1, 3][9].", cited=(1, 3)))
    assert [link.get_text() for link in page.select("a")] == ["[1]", "[3]"]
    assert "[9]." in page.select_one(".mm-answer").get_text()


def test_paragraphs_lists_bold_and_code():
    page = soup(answer(text="One.\nTwo.\n\n- **a** [1]\n- `<b>`\n\n3. three\n4. four")).select_one(".mm-answer")
    assert [p.decode_contents() for p in page("p")] == ["One.<br/>Two."]
    assert [li.get_text() for li in page("li")] == ["a [1]", "<b>", "three", "four"]
    assert page.ol["start"] == "3"
    assert page.strong.get_text() == "a"
    assert page.code.get_text() == "<b>"


def test_each_item_is_shown_as_what_it_is():
    heard, seen, read = soup(answer(cited=(1, 2, 3))).select("li.mm-item")
    assert heard.audio["preload"] == "none"
    assert heard.audio.has_attr("controls")
    assert b64decode(heard.audio["src"].removeprefix("data:audio/mpeg;base64,")) == CLIP
    assert heard.svg["role"] == "img"
    assert heard.svg["aria-label"] == "waveform, 11.9 to 16.0 seconds marked"
    assert "audio · 11.9-16.0 s of 25.8 s" in heard.get_text()
    assert b64decode(seen.img["src"].removeprefix("data:image/webp;base64,")) == THUMBNAIL
    assert seen.img["alt"] == "picture Lorenz.png"
    assert (seen.img["width"], seen.img["height"]) == ("240", "180")
    assert "640 × 480 px" in seen.get_text()
    assert "passage 2 of 7" in read.get_text()
    assert [item.bdi["title"] for item in (heard, seen, read)] == [
        "lessons/audio.mp3",
        "lessons/Lorenz.png",
        "lessons/Wiki.txt",
    ]


def test_marked_words_are_the_ranges_given():
    page = soup(answer())
    assert [mark.get_text() for mark in page("mark")] == ["my", "favorite", "harpist", "Quiet"]


def test_what_the_user_said_of_an_item_is_shown_once():
    said = {"speaker": "D. Warfield", "year": 2021, "caption": "my favorite harpist is trulo o'curlon"}
    page = soup(answer((sound(said=said),)))
    assert page.select_one(".mm-meta").get_text() == "speaker: D. Warfield · year: 2021"
    assert page.get_text().count("trulo") == 1


def test_uncited_evidence_is_kept_apart():
    page = soup(answer())
    assert [li.bdi.get_text() for li in page.select("ul.mm-evidence:not(.mm-quiet) > li")] == ["audio.mp3"]
    assert [li.bdi.get_text() for li in page.select("ul.mm-quiet > li")] == ["Lorenz.png", "Wiki.txt"]


def test_the_table_has_the_hits_numbers():
    page = soup(answer())
    assert cells(page.table) == [
        ["1", "audio as text", "audio.mp3 11.9-16.0 s", "0.789", "1", "+4.2 σ", "+1.1 σ (2.31)", "5.31"],
        ["2", "image", "Lorenz.png", "0.200", "3", "+0.3 σ", "—", "0.31"],
        ["3", "text", "Wiki.txt passage 2", "0.473", "2", "-0.5 σ", "+0.4 σ (0.42)", "-0.12"],
    ]
    assert page.table.caption.get_text()
    assert {th["scope"] for th in page.table.thead("th")} == {"col"}
    assert [th["scope"] for th in page.table.tbody("th")] == ["row"] * 3


def test_the_parts_of_a_score_add_up():
    for rank, modality, name, cosine, raw_rank, calibrated, words, score in cells(soup(answer()).table):
        parts = [float(part.split()[0]) for part in (calibrated, words) if part != "—"]
        assert sum(parts) == pytest.approx(float(score), abs=0.11), (rank, modality, name, cosine, raw_rank)


def test_a_raw_score_is_said_to_be_the_raw_cosine():
    page = soup(answer((sound(score=0.7889, unit=""), picture(score=0.1996, unit="")), cited=()))
    assert "the score is the raw cosine" in page.table.caption.get_text()
    assert [row[-1] for row in cells(page.table)] == ["0.789", "0.200"]
    assert "calibrated plus" in soup(answer()).table.caption.get_text()


def test_what_only_its_words_found_has_no_cosine():
    page = soup(answer((passage(cosine=None, raw_rank=None, calibrated=0.0),), cited=()))
    assert cells(page.table)[0][3:6] == ["—", "—", "—"]


def test_bars_are_as_long_as_the_numbers():
    bars = [bar["style"] for bar in soup(answer()).select(".mm-bar i")]
    assert bars == ["width:79%", "width:84%", "width:20%", "width:6%", "width:47%", "width:0%"]


def test_the_line_of_facts():
    line = soup(answer()).select_one(".mm-facts").get_text()
    assert line == (
        "shared · clip (bf16, cpu) · gemini-flash-latest · embed 31 ms · search 1 ms · generate 1.4 s · "
        "412 tokens in, 1 out"
    )


def test_a_failed_generation_says_why_and_shows_the_hits():
    page = soup(answer(text="", cited=(), error="429: wait a minute"))
    assert page.select_one(".mm-error").get_text() == "No answer. 429: wait a minute"
    assert len(page.select("li.mm-item")) == 3
    assert page.select_one(".mm-error").find_next("li")


def test_nothing_found():
    empty = Answer("who?", "", Hits(()))
    assert "Nothing was found." in soup(empty).get_text()
    assert soup(empty).table is None
    assert repr(empty) == "who?\n\nNothing was found."


# what must not happen


@pytest.mark.parametrize("foreign", FOREIGN, ids=range(len(FOREIGN)))
def test_foreign_text_stays_text_in_every_field(foreign):
    def drawn(words):
        hit = {"matches": ((0, 3), (2, 9))}
        hits = (
            sound(1, words, words, {words: words}, space=words, **hit),
            picture(2, words, words, **hit),
            passage(3, words, words, **hit),
        )
        shown = answer(hits, text=f"{words} [1]", question=words, generator=words, error=words, usage={words: 1})
        return replace(shown, hits=replace(shown.hits, facts=(words,), gap=words, timings={words: 1.0}))

    html = drawn(foreign)._repr_html_()
    html.encode()  # a notebook must be able to save it
    assert elements(html) == elements(drawn("harmless")._repr_html_())
    for tag in parsed(html).select("*"):
        assert not [name for name in tag.attrs if name.startswith("on") or name in {"srcset", "formaction", "action"}]
        assert not tag.get("href", "#").startswith(("javascript", "http"))
    for code in [*range(9), *range(0xB, 0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]:
        assert chr(code) not in html

    text = repr(drawn(foreign))
    text.encode()
    assert "\x1b" not in text


def test_foreign_text_is_all_there():
    for foreign in FOREIGN[:5]:
        page = soup(answer((passage(1, text=foreign, matches=()),), text=foreign, question=foreign))
        assert page.select_one(".mm-question").get_text() == foreign
        assert page.select_one(".mm-answer").get_text() == foreign
        assert page.select_one(".mm-body").get_text() == foreign


def test_nothing_comes_from_elsewhere():
    html = answer()._repr_html_()
    page = parsed(html)
    assert {tag.get("src", "data:")[:5] for tag in page.select("*")} == {"data:"}
    assert not page.find_all(["script", "iframe", "link", "object", "embed", "form"])
    assert "http" not in html
    assert "url(" not in html
    assert "@import" not in html


def test_previews_of_unknown_kinds_stay_out():
    for mime in ("image/svg+xml", "text/html", 'image/webp" onerror="x', "audio/mpeg;x", ""):
        bad = {"thumbnail": Preview(mime, b"x"), "clip": Preview(mime, b"x")}
        page = soup(answer((sound(previews=bad), picture(previews=bad))))
        assert not page.find_all(["img", "audio"])
        assert "no preview of this picture" in page.get_text()


def test_a_usual_card_of_five_is_whole_and_below_the_limit():
    big = {"thumbnail": Preview("image/webp", bytes(25_000))}
    clips = {"clip": Preview("audio/mpeg", bytes(60_000)), "peaks": Preview("", PEAKS)}
    hits = [
        picture(1, previews=big),
        sound(2, previews=clips),
        passage(3),
        sound(4, previews=clips),
        picture(5, previews=big),
    ]
    html = answer(tuple(hits), cited=(1, 2))._repr_html_()
    assert len(html.encode()) < ROOM
    assert len(parsed(html).find_all(["img", "audio"])) == 4
    assert "left out" not in html


def test_too_large_a_card_leaves_out_the_last_and_says_so():
    clips = {"clip": Preview("audio/mpeg", bytes(90_000)), "peaks": Preview("", PEAKS)}
    hits = tuple(sound(rank, f"{rank}.mp3", previews=clips) for rank in range(1, 6))
    html = answer(hits, text="so [5]", cited=(5,))._repr_html_()
    assert len(html.encode()) <= ROOM
    page = parsed(html)
    assert [li.bdi.get_text() for li in page.select("li:has(audio)")] == ["5.mp3", "1.mp3", "2.mp3"]
    assert page.get_text().count("clip left out: the card would exceed 400 kB") == 2


def test_a_card_survives_damaged_facts():
    odd = {"seconds": "<b>", "width": float("nan"), "height": -3, "passages": None}
    for hit in (sound(facts=odd), picture(facts=odd), passage(facts=odd), sound(cosine=float("nan"))):
        assert hit.item.name in soup(answer((hit,))).get_text()
        assert hit.item.name in repr(answer((hit,)))


# without HTML


def test_plain_text_has_the_same_content():
    text = repr(answer())
    for part in (
        "who is my favorite harpist?",
        "Turlough O'Carolan [1].",
        "[1] audio.mp3 · audio · 11.9-16.0 s of 25.8 s",
        "«my» «favorite» «harpist» is trulo o'curlon",
        "[2] Lorenz.png · image · 640 × 480 px · not cited",
        "[3] Wiki.txt · text · passage 2 of 7 · not cited",
        "Gap. The best picture is 3rd.",
        "412 tokens in, 1 out",
        *("0.789", "+4.2 σ", "2.31", "5.31", "0.200", "+0.3 σ", "0.473", "-0.5 σ", "-0.12"),
    ):
        assert part in text
    assert max(map(len, text.splitlines())) <= 96


def test_plain_numbers_are_aligned():
    lines = repr(answer()).splitlines()
    table = next(i for i, line in enumerate(lines) if line.startswith("rank"))
    assert len({len(line) for line in lines[table : table + 4]}) == 1


def test_plain_text_of_long_and_wide_names_fits():
    hits = (passage(1, "竖琴" * 60 + ".txt", "竖琴手 " * 200), passage(2, "x" * 300 + ".txt", "y" * 5_000))
    for line in repr(answer(hits)).splitlines():
        wide = sum(2 if c > "\u2e80" else 1 for c in line)
        assert wide <= 96


def test_rendering_imports_nothing_heavy():
    code = (
        "import sys, mmrag_nb.notebook.render.card, mmrag_nb.notebook.render.report\n"
        "print([m for m in ('IPython', 'ipywidgets', 'numpy', 'PIL', 'torch', 'bs4') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_html_and_text_are_what_results_show():
    shown = answer()
    assert card.text(shown) == repr(shown)
