"""The words of a page in the order in which they are read: columns, rows, paragraphs.

Columns are found by recursive cuts as in Nagy and Seth, "Hierarchical representation of optically scanned documents"
(1984), with two differences that pages of text and tables ask for. A cut need not run through the whole region: lines
that span it, a title over two columns, divide the region into bands. And no cut is made through a table, which is read
row by row.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MOST_WORDS = 20_000
"""Of a page; one with more is left in the order of its file."""
_MOST_DEEP = 40
"""Cuts within cuts."""
_SAME_ROW = 0.5
"""Share of the lower one's height by which two words on a row overlap."""
_WORD_GAP = 1.1
"""Line heights of blank from which on two words of a row belong to different columns or cells."""
_STREAM_GAP = 0.55
"""The same of words that do not follow one another in the file: a gutter can be as narrow."""
_GUTTER = 0.4
"""Line heights of blank between columns, at least."""
_ROWS = 3
"""Rows that two columns share, at least."""
_CELL = 3.5
"""Words of a line, on average, up to which aligned rows are a table's."""
_PARAGRAPH = 0.75
"""Line heights of blank between paragraphs, at least."""
_BULLETS = frozenset("•◦▪‣●○■□–—*-·")
_HYPHENS = frozenset("-\u2010\u00ad")


class Box(NamedTuple):
    """Where something is on the upright page, in points from its upper left corner."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Word:
    """Letters without blanks between them."""

    text: str
    box: Box
    place: int
    """In the file: words of one line that follow each other there differ by 1."""
    level: bool = True
    """It runs from left to right, or from right to left."""
    glued: bool = False
    """Nothing stands between it and the word before it in the file: it is a character of a script without blanks."""


@dataclass(frozen=True)
class Laid:
    """A page's text as it is read."""

    text: str
    spans: tuple[tuple[int, int, Box], ...]
    """Characters [start, end) of ``text`` and where they are, by place in the text."""


@dataclass
class _Line:
    """Words of a row without a gap between them."""

    words: list[Word]
    box: Box

    @property
    def height(self) -> float:
        return self.box.bottom - self.box.top


def laid(words: Sequence[Word]) -> Laid:
    """Put ``words`` in reading order: columns one after the other, tables row by row.

    Lines of a paragraph are joined by a blank, a word that is divided at their border is made whole; other lines are
    joined by a newline, paragraphs by two.
    """
    if not words:
        return Laid("", ())
    if len(words) > MOST_WORDS:
        lines = [_Line(list(some), _around(some)) for some in _runs(words)]
        return _joined([lines])
    level = [word for word in words if word.level]
    lines = _lines(level)
    for some in _runs([word for word in words if not word.level]):  # the label of a chart's axis
        lines.append(_Line(list(some), _around(some)))
    blocks: list[list[_Line]] = []
    _cut(sorted(lines, key=lambda line: (line.box.top, line.box.left)), blocks, 0)
    return _joined(blocks)


def shares_of(box: Box, size: tuple[float, float]) -> tuple[float, float, float, float]:
    """A box (left, top, right, bottom) in shares of a page of ``size`` (width, height), within it."""
    width, height = size

    def share(part: float, whole: float) -> float:
        return round(min(1.0, max(0.0, part / whole)), 4)

    return share(box.left, width), share(box.top, height), share(box.right, width), share(box.bottom, height)


# -- lines ---------------------------------------------------------------------------------------------------------


def _lines(words: Sequence[Word]) -> list[_Line]:
    found: list[_Line] = []
    for row in _rows([_Line([word], word.box) for word in words]):
        line: list[Word] = []
        right = 0.0
        for word in (one.words[0] for one in sorted(row, key=_left)):
            if line:
                height = max(word.box.bottom - word.box.top, 1e-6)
                near = abs(word.place - line[-1].place) == 1
                if word.box.left - right > (_WORD_GAP if near else _STREAM_GAP) * height:
                    found.append(_Line(line, _around(line)))
                    line = []
            right = max(right, word.box.right) if line else word.box.right
            line.append(word)
        found.append(_Line(_as_written(line), _around(line)))
    return found


def _as_written(line: list[Word]) -> list[Word]:
    """Words in the file's order where they are one run in it: those of a script that runs to the left are."""
    places = [word.place for word in line]
    return sorted(line, key=lambda word: word.place) if max(places) - min(places) == len(line) - 1 else line


def _rows(lines: Sequence[_Line]) -> list[list[_Line]]:
    """Groups of what stands beside each other, from the top; each as high as its first."""
    rows: list[tuple[float, float, list[_Line]]] = []
    for line in sorted(lines, key=lambda one: one.box.top + one.box.bottom):
        box = line.box
        for at in range(len(rows) - 1, max(-1, len(rows) - 4), -1):
            top, bottom, row = rows[at]
            shared = min(bottom, box.bottom) - max(top, box.top)
            if shared >= _SAME_ROW * min(bottom - top, box.bottom - box.top):
                row.append(line)
                break
        else:
            rows.append((box.top, box.bottom, [line]))
    return [row for *_, row in rows]


def _runs(words: Iterable[Word]) -> Iterator[list[Word]]:
    """Words that follow one another in the file."""
    run: list[Word] = []
    for word in words:
        if run and word.place != run[-1].place + 1:
            yield run
            run = []
        run.append(word)
    if run:
        yield run


def _around(words: Iterable[Word]) -> Box:
    lefts, tops, rights, bottoms = zip(*(word.box for word in words), strict=True)
    return Box(min(lefts), min(tops), max(rights), max(bottoms))


# -- columns -------------------------------------------------------------------------------------------------------


def _cut(lines: list[_Line], blocks: list[list[_Line]], depth: int) -> None:
    """Append to ``blocks`` those of ``lines`` (sorted from the top), in reading order."""
    gutter = _gutter(lines) if len(lines) >= 2 * _ROWS and depth < _MOST_DEEP else None
    if gutter is None:
        blocks.append([line for row in _rows(lines) for line in sorted(row, key=_left)])
        return
    across = [line for line in lines if line.box.left < gutter < line.box.right]
    if not across:
        for side in (True, False):
            _cut([line for line in lines if (line.box.right <= gutter) == side], blocks, depth + 1)
        return
    bands = list(_bands(lines, across))
    if len(bands) == 1:  # what spans the gutter stands beside what does not
        blocks.append([line for row in _rows(lines) for line in sorted(row, key=_left)])
        return
    for band in bands:
        _cut(band, blocks, depth + 1)


def _left(line: _Line) -> float:
    return line.box.left


def _bands(lines: Sequence[_Line], across: Sequence[_Line]) -> Iterator[list[_Line]]:
    """Parts of a region, from the top: lines across a gutter, lines beside it, and so on."""
    spans: list[tuple[float, float]] = []
    for line in sorted(across, key=lambda one: one.box.top):
        if spans and line.box.top <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(spans[-1][1], line.box.bottom)
        else:
            spans.append((line.box.top, line.box.bottom))
    band: list[_Line] = []
    kind = -1
    for line in lines:
        middle = (line.box.top + line.box.bottom) / 2
        passed = sum(bottom <= middle for _, bottom in spans)
        inside = passed < len(spans) and spans[passed][0] <= middle
        now = 2 * passed + inside
        if band and now != kind:
            yield band
            band = []
        kind = now
        band.append(line)
    if band:
        yield band


def _gutter(lines: Sequence[_Line]) -> float | None:
    """Where columns of text lie beside each other, the place between them; ``None`` where none do."""
    gaps = _gaps(lines)
    if len(gaps) < _ROWS:
        return None
    events = sorted([(left, 1) for left, _, _, _ in gaps] + [(right, -1) for _, right, _, _ in gaps])
    best, count, at = 0, 0, None
    for i, (x, step) in enumerate(events[:-1]):
        count += step
        if count > best and events[i + 1][0] > x:
            best, at = count, (x + events[i + 1][0]) / 2
    if at is None or best < _ROWS:
        return None
    beside = [(first, second) for left, right, first, second in gaps if left < at < right]
    height = median(line.height for pair in beside for line in pair)
    narrowest = min(second.box.left for _, second in beside) - max(first.box.right for first, _ in beside)
    if narrowest < _GUTTER * height or _is_table(beside):
        return None
    across = sum(line.box.left < at < line.box.right for line in lines)
    return at if across <= 2 * best else None


def _gaps(lines: Sequence[_Line]) -> list[tuple[float, float, _Line, _Line]]:
    """For each line the nearest one to the right of it: (left, right) of the blank between, both lines."""
    found = []
    tallest = max(line.height for line in lines)
    tops = [line.box.top for line in lines]

    for line in lines:
        box = line.box
        first, last = bisect_left(tops, box.top - tallest), bisect_right(tops, box.bottom)
        nearest: _Line | None = None
        for other in lines[first:last]:
            shared = min(box.bottom, other.box.bottom) - max(box.top, other.box.top)
            if other.box.left < box.right or shared <= 0.2 * min(line.height, other.height):
                continue
            if nearest is None or other.box.left < nearest.box.left:
                nearest = other
        if nearest is not None:
            found.append((box.right, nearest.box.left, line, nearest))
    return found


def _is_table(beside: Sequence[tuple[_Line, _Line]]) -> bool:
    """Whether lines left and right of a gap are cells: short ones, on the same rows."""
    aligned = sum(
        abs(first.box.bottom - second.box.bottom) < 0.2 * min(first.height, second.height) for first, second in beside
    )
    shorter = min(sum(_length(pair[side]) for pair in beside) / len(beside) for side in (0, 1))
    return aligned > len(beside) / 2 and shorter <= _CELL


def _length(line: _Line) -> float:
    """Words; of a script without blanks, as many as its characters make."""
    return sum(0.5 if word.glued else 1.0 for word in line.words)


# -- text ----------------------------------------------------------------------------------------------------------


def _joined(blocks: Sequence[Sequence[_Line]]) -> Laid:
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
        for number, line in enumerate(block):
            if number:
                before = block[number - 1]
                between = _between(before, line, right)
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


def _margin(block: Sequence[_Line]) -> float:
    """How far to the right lines reach that are full."""
    rights = sorted(line.box.right for line in block)
    return rights[-1 - len(rights) // 10]


def _between(before: _Line, line: _Line, right: float) -> str:
    """What stands between two lines: nothing behind a hyphen, a blank within a paragraph, newlines."""
    height = min(before.height, line.height)
    blank = line.box.top - before.box.bottom
    if line.box.top < before.box.bottom - _SAME_ROW * height:
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


def _is_run_on(line: _Line) -> bool:
    """Whether it is of a script without blanks."""
    return sum(word.glued for word in line.words) > len(line.words) / 2
