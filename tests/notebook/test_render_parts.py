"""The small pure parts of the renderers: escaping, marking, waveforms, colours, quantities."""

from __future__ import annotations

import re
import time

import pytest
from bs4 import BeautifulSoup

from mmrag_nb.notebook.render import style, waveform
from mmrag_nb.notebook.render.escape import escape, one_line, visible
from mmrag_nb.notebook.render.highlight import excerpt, marked_html, marked_text
from mmrag_nb.notebook.render.plain import columns, shortened
from mmrag_nb.notebook.render.prose import prose
from mmrag_nb.notebook.render.quantities import count, duration
from mmrag_nb.results import Hit
from mmrag_nb.types import Chunk, Item, Preview


def heard(peaks, start, end, seconds):
    facts = {} if seconds is None else {"seconds": seconds}
    previews = {"peaks": Preview("", bytes(peaks))}
    return Hit(
        1,
        1.0,
        0.5,
        0.0,
        Chunk("a", 0, "audio", "", start, end),
        Item("a", "a", "audio"),
        facts=facts,
        previews=previews,
    )


def test_escape():
    assert escape("<a href=\"x\" b='y'>&") == "&lt;a href=&quot;x&quot; b=&#x27;y&#x27;&gt;&amp;"
    assert visible("a\r\nb\rc\td\n") == "a\nb\nc\td\n"
    assert visible("\x00\x1b\x7f\x85\u202e\ud800") == "␀␛␡���"
    assert one_line(" a\n\tb  c ") == "a b c"


def test_ranges_outside_or_overlapping_are_mended():
    part = excerpt("my favorite harpist", ((3, 11), (5, 8), (-4, 2), (12, 99), (40, 50), (9, 9)), 100)
    assert [m.get_text() for m in BeautifulSoup(marked_html(part), "html.parser")("mark")] == [
        "my",
        "favorite",
        "harpist",
    ]
    assert BeautifulSoup(marked_html(part), "html.parser").get_text() == "my favorite harpist"
    assert marked_text(part) == "«my» «favorite» «harpist»"


def test_ranges_count_characters_of_the_original():
    text = "a & <b>\r\n🎻 harp"
    part = excerpt(text, ((2, 3), (text.index("harp"), len(text))), 100)
    assert marked_html(part) == "a <mark>&amp;</mark> &lt;b&gt;\n🎻 <mark>harp</mark>"


@pytest.mark.parametrize("at", [0, 5, 700, 4_990, 9_995])
def test_a_long_text_is_cut_around_its_match(at):
    text = " ".join(map(str, range(2_300)))
    part = excerpt(text, ((at, at + 5),), 600)
    start, end = part.ranges[0]
    assert part.text[start:end] == text[at : at + 5]
    assert len(part.text) <= 600
    assert part.cut_before == (not text.startswith(part.text))
    assert part.cut_before or part.cut_after


def test_the_marked_part_of_a_waveform_is_where_the_seconds_are():
    drawn = BeautifulSoup(waveform.svg(heard([100] * 100, 25.0, 50.0, 100.0)), "html.parser").svg
    assert drawn.select_one(".mm-here")["d"].count("M") == 25
    assert drawn.select_one(".mm-rest")["d"].count("M") == 75
    assert drawn.select_one(".mm-here")["d"].startswith("M100 ")  # bar 25, 4 pixels each
    assert waveform.sparkline(heard([255, 0, 255, 0], 1.0, 3.0, 4.0), 80) == "█[▁█]▁"


def test_a_short_part_of_a_long_recording_is_still_marked():
    drawn = BeautifulSoup(waveform.svg(heard([9] * 600, 3599.5, 3600.0, 3600.0)), "html.parser").svg
    assert drawn.select_one(".mm-here")["d"].count("M") == 1


@pytest.mark.parametrize(
    ("start", "end", "seconds"), [(None, None, 9.0), (1.0, 2.0, None), (2.0, 1.0, 9.0), (1.0, 2.0, 0)]
)
def test_nothing_is_marked_where_the_seconds_are_unknown(start, end, seconds):
    drawn = BeautifulSoup(waveform.svg(heard([9] * 60, start, end, seconds)), "html.parser").svg
    assert drawn["aria-label"] == "waveform"
    assert drawn.rect is None
    assert "[" not in waveform.sparkline(heard([9] * 60, start, end, seconds), 80)


def test_a_quiet_recording_is_seen_and_no_recording_is_not():
    assert "█" in waveform.sparkline(heard([1, 2], None, None, None), 80)
    assert waveform.sparkline(heard([0, 0], None, None, None), 80) == "▁▁"
    assert waveform.svg(heard([], 0.0, 1.0, 2.0)) == ""


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("palette", "grounds"), [(style.LIGHT, ["#ffffff"]), (style.DARK, ["#15181d", "#111111", "#212121"])]
)
def test_text_has_the_contrast_that_wcag_asks(palette, grounds):
    for ink in ("ink", "soft", "audio", "image", "text", "video"):
        for ground in [palette["bg"], palette["wash"], *grounds]:
            assert contrast(palette[ink], ground) >= 4.5, (ink, ground)
    assert contrast(palette["ink"], palette["mark"]) >= 4.5
    assert contrast(palette["warn"], palette["warn-bg"]) >= 4.5
    assert contrast(palette["ink"], palette["warn-bg"]) >= 4.5
    assert contrast(palette["audio"], palette["band"]) >= 3


def test_the_style_touches_nothing_but_its_own():
    css = re.sub(r"@(media|container)[^{]*\{", "", style.STYLE)
    selectors = [part.strip() for rule in re.findall(r"([^{}]+)\{", css) for part in rule.split(",")]
    assert len(selectors) > 50
    for selector in selectors:
        assert re.search(r"\.mmrag(?![\w-])", selector), selector
    assert css.count("{") + len(re.findall(r"@(media|container)", style.STYLE)) == style.STYLE.count("}")
    assert "<" not in style.STYLE


def test_hostile_prose_takes_no_time():
    began = time.perf_counter()
    for text in (
        "**" * 20_000,
        "`" * 20_001,
        "[1," * 10_000,
        "[" * 20_000,
        "- " * 10_000,
        "\n \n" * 10_000,
        "**a " * 9_000,
    ):
        prose(text, {}, "x")
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "<1 ms"), (0.031, "31 ms"), (0.9994, "999 ms"), (0.9996, "1.0 s"), (1.42, "1.4 s"), (59.96, "1 min 0 s")],
)
def test_duration(seconds, said):
    assert duration(seconds) == said


def test_counts():
    assert [count(n, "item") for n in (0, 1, 2, 1234)] == ["0 items", "1 item", "2 items", "1,234 items"]


def test_names_keep_their_ends():
    assert shortened("a very long name.jpg", 12) == "a very….jpg"[:6] + "…e.jpg"
    assert columns(shortened("竖琴" * 30, 20)) <= 20
