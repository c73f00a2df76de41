"""The report of one call of ``index``: honest totals, each skipped source with its reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup

from mmrag_nb.reports import IndexReport, Skipped

SKIPPED = (Skipped("broken.jpg", "no picture: it is cut off; save it anew"),)
WHOLE = IndexReport(
    items={"text": 10, "image": 30, "audio": 2},
    chunks=57,
    embedded=3,
    reused=39,
    skipped=SKIPPED,
    notes=(("cat.gif", "first of 42 frames"),),
    models=("clip (bf16, cpu)", "s2t"),
    seconds={"load": 1.2, "embed": 3.0},
)


def soup(result):
    return BeautifulSoup(result._repr_html_(), "html.parser")


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (
            WHOLE,
            "indexed 42 items (30 images, 2 audio, 10 text): 3 embedded, 39 reused, 1 skipped (see below), 4.2 s",
        ),
        (
            IndexReport({"image": 1}, 1, 1, 0, seconds={"embed": 0.031}),
            "indexed 1 item (1 image): 1 embedded, 0 reused, 0 skipped, 31 ms",
        ),
        (
            IndexReport({"video": 2, "audio": 1, "text": 0}, 9, 3, 0, seconds={"embed": 125.4}),
            "indexed 3 items (1 audio, 2 videos): 3 embedded, 0 reused, 0 skipped, 2 min 5 s",
        ),
        (
            IndexReport({"text": 12_000}, 9, 0, 12_000, seconds={"embed": 59.97}),
            "indexed 12,000 items (12,000 text): 0 embedded, 12,000 reused, 0 skipped, 1 min 0 s",
        ),
        (
            IndexReport({}, 0, 0, 0, skipped=SKIPPED * 2, seconds={"load": 0.0}),
            "indexed 0 items: 0 embedded, 0 reused, 2 skipped (see below), <1 ms",
        ),
        (IndexReport({}, 0, 0, 0), "nothing to index: no source led to an item"),
    ],
)
def test_totals(report, line):
    assert soup(report).select_one(".mm-totals").get_text() == line
    assert line in repr(report).splitlines()


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (IndexReport({"text": 3}, 3, 3, 0, added=("a", "b", "c")), "3 items (3 text): 3 embedded, 0 reused, 0 skipped"),
        (
            IndexReport({"text": 7}, 7, 5, 2, added=tuple("abcd"), changed=("e",)),
            "7 items (7 text): 5 embedded (4 added, 1 changed), 2 reused, 0 skipped",
        ),
        (
            IndexReport({"image": 3}, 3, 1, 2, moved=(("a", "b"), ("c", "d")), renamed=1),
            "3 items (3 images): 1 embedded (1 moved), 2 reused (1 moved), 0 skipped",
        ),
    ],
)
def test_what_is_added_changed_and_moved_stands_where_it_is_counted(report, line):
    assert soup(report).select_one(".mm-totals").get_text() == f"indexed {line}"
    assert f"indexed {line}" in repr(report).splitlines()


def test_skipped_notes_models_and_seconds_are_listed():
    page = soup(WHOLE)
    assert [[cell.get_text() for cell in row(["th", "td"])] for row in page.table.tbody("tr")] == [
        ["broken.jpg", "no picture: it is cut off; save it anew"]
    ]
    assert not page.details.has_attr("open")
    assert page.summary.get_text() == "1 note"
    assert page.details.li.get_text() == "cat.gif: first of 42 frames"
    facts = "57 chunks · clip (bf16, cpu) · s2t · load 1.2 s · embed 3.0 s"
    assert page.select_one(".mm-facts").get_text() == facts
    for part in ("broken.jpg  no picture: it is cut off", "1 note\n  cat.gif  first of 42 frames", facts):
        assert part in repr(WHOLE)


def test_an_interruption_is_said():
    assert "Interrupted" in soup(replace(WHOLE, interrupted=True)).get_text()
    assert repr(replace(WHOLE, interrupted=True)).startswith("Interrupted")
    assert "Interrupted" not in repr(WHOLE)
    early = IndexReport({}, 0, 0, 0, interrupted=True)
    assert "indexed 0 items: 0 embedded, 0 reused, 0 skipped" in repr(early)


def test_foreign_text_stays_text():
    def drawn(words):
        return replace(
            WHOLE,
            items={words: 1},
            skipped=(Skipped(words, words),),
            notes=((words, words),),
            models=(words,),
            seconds={words: 1.0},
        )

    benign = Counter(tag.name for tag in soup(drawn("harmless")).select("*"))
    for foreign in ("<script>x</script>", "\"'><img src=x onerror=x>", "</style><b>", "\x1b[1m\x00\u202e", "\ud800"):
        page = soup(drawn(foreign))
        assert Counter(tag.name for tag in page.select("*")) == benign
        assert not [tag for tag in page.select("*") if any(name.startswith("on") for name in tag.attrs)]
        (str(page) + repr(drawn(foreign))).encode()
        assert "\x1b" not in repr(drawn(foreign))


def test_long_reasons_are_wrapped_for_terminals():
    report = replace(WHOLE, skipped=(Skipped("a" * 70 + ".jpg", "because " * 40), Skipped("b.jpg", "why " * 60)))
    lines = repr(report).splitlines()
    assert max(len(line) for line in lines if not line.startswith("indexed")) <= 96
    assert repr(report).count("because") == 40
