"""The words of a page in the order in which they are read: columns, rows, paragraphs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import median
from typing import TYPE_CHECKING

from .columns import blocks_of
from .lines import SAME_ROW, Box, Line, Word, around, lines_of, runs

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_WORDS = 20_000
"""Of a page; one with more is left in the order of its file."""
_PARAGRAPH = 0.75
"""Line heights of blank between paragraphs, at least."""
_SCALE = 3
"""Numbers below each other, at least, that are a chart's scale."""
_FIGURE = re.compile(r"[-+\u2212(]?[$\u20ac\u00a3]?\d{1,3}(?:[\d.,]{0,9}\d)?[%)]?")
_SPACED = 5
"""Single letters, at least, that are a heading written with blanks between its letters."""
_APART = 1.6
"""Of the usual blank between such letters: more is a blank between words."""
_BULLETS = frozenset("•◦▪‣●○■□–—*-·")
_HYPHENS = frozenset("-\u2010\u00ad")


@dataclass(frozen=True)
class Laid:
    """A page's text as it is read."""

    text: str
    spans: tuple[tuple[int, int, Box], ...]
    """Characters [start, end) of ``text`` and where they are, by place in the text."""


def laid(words: Sequence[Word]) -> Laid:
    """Put ``words`` in reading order: columns one after the other, tables row by row.

    Lines of a paragraph are joined by a blank, a word that is divided at their border is made whole; other lines are
    joined by a newline, paragraphs by two.
    """
    if not words:
        return Laid("", ())
    if len(words) > MOST_WORDS:
        lines = [Line(list(some), around(some)) for some in runs(words)]
        return _joined([lines])
    level = [word for word in words if word.level]
    lines = lines_of(level)
    for some in runs([word for word in words if not word.level]):  # the label of a chart's axis
        lines.append(Line(list(some), around(some)))
    return _joined(blocks_of([_closed_up(line) for line in lines]))


def shares_of(box: Box, size: tuple[float, float]) -> tuple[float, float, float, float]:
    """A box (left, top, right, bottom) in shares of a page of ``size`` (width, height), within it."""
    width, height = size

    def share(part: float, whole: float) -> float:
        return round(min(1.0, max(0.0, part / whole)), 4)

    return share(box.left, width), share(box.top, height), share(box.right, width), share(box.bottom, height)


def _joined(blocks: Sequence[Sequence[Line]]) -> Laid:
    text: list[str] = []
    spans: list[tuple[int, int, Box]] = []
    at = 0

    def add(part: str) -> None:
        nonlocal at
        text.append(part)
        at += len(part)

    for block in blocks:
        if at:
            add("\n\n")
        right = _margin(block)
        scales = _scales(block)
        for number, line in enumerate(block):
            if number:
                before = block[number - 1]
                between = " " if number in scales else _between(before, line, right)
                if between == "" and line.words[0].text[0].islower() and text[-1][-1] in _HYPHENS:
                    start, end, box = spans[-1]
                    text[-1] = text[-1][:-1]
                    spans[-1] = (start, end - 1, box)
                    at -= 1
                add(between)
            for place, word in enumerate(line.words):
                if place and not word.glued:
                    add(" ")
                spans.append((at, at + len(word.text), word.box))
                add(word.text)
    return Laid("".join(text), tuple(span for span in spans if span[0] < span[1]))


def _scales(block: Sequence[Line]) -> set[int]:
    """Places of the lines that go on with a chart's scale: numbers of which each stands alone below the one before."""
    found: set[int] = set()
    run: list[int] = []
    for number, line in enumerate([*block, None]):
        if line is not None and _is_figure(line) and (not run or line.box.top >= block[run[-1]].box.bottom):
            run.append(number)
            continue
        if line is not None and run and line.box.top < block[run[-1]].box.bottom:
            run.pop()  # beside another one: a row of a table, which begins with a number
        if len(run) >= _SCALE:
            found.update(run[1:])
        run = []
    return found


def _is_figure(line: Line) -> bool:
    return len(line.words) == 1 and _FIGURE.fullmatch(line.words[0].text) is not None


def _closed_up(line: Line) -> Line:
    """A line whose letters have a blank between each, ``A R G U S``, as words."""
    words: list[Word] = []
    for single, some in groupby(line.words, _is_letter):
        run = list(some)
        words += _spelt(run) if single and len(run) >= _SPACED else run
    return Line(words, line.box)


def _is_letter(word: Word) -> bool:
    return len(word.text) == 1 and word.text.isupper() and not word.glued


def _spelt(letters: Sequence[Word]) -> list[Word]:
    """The words that ``letters`` make: between two of them the blank is wider."""
    gaps = [after.box.left - before.box.right for before, after in pairwise(letters)]
    words = [[letters[0]]]
    for gap, letter in zip(gaps, letters[1:], strict=True):
        if gap > _APART * median(gaps):
            words.append([])
        words[-1].append(letter)
    return [Word("".join(one.text for one in some), around(some), some[0].place, some[0].level) for some in words]


def _margin(block: Sequence[Line]) -> float:
    """How far to the right lines reach that are full."""
    rights = sorted(line.box.right for line in block)
    return rights[-1 - len(rights) // 10]


def _between(before: Line, line: Line, right: float) -> str:
    """What stands between two lines: nothing behind a hyphen, a blank within a paragraph, newlines."""
    height = min(before.height, line.height)
    blank = line.box.top - before.box.bottom
    if line.box.top < before.box.bottom - SAME_ROW * height:
        return "\n\n" if line.box.bottom < before.box.top else " "  # another cell of the row, or back at the top
    if blank > _PARAGRAPH * height or max(before.height, line.height) > 1.25 * height:
        return "\n\n"
    last, first = before.words[-1].text, line.words[0].text
    if len(last) > 1 and last[-1] in _HYPHENS:  # of a divided word, or of a range: "1990-", "1995"
        return ""
    room = right - before.box.right
    width = line.words[0].box.right - line.words[0].box.left
    if first[0] in _BULLETS or len(before.words) < 2 or room > width + 0.5 * height:
        return "\n"
    return "" if _is_run_on(before) and _is_run_on(line) else " "


def _is_run_on(line: Line) -> bool:
    """Whether it is of a script without blanks."""
    return sum(word.glued for word in line.words) > len(line.words) / 2
