"""Lines of a page in the order in which they are read: columns one after the other, tables row by row.

Columns are found by recursive cuts as in Nagy and Seth, "Hierarchical representation of optically scanned documents"
(1984), with two differences that pages of text and tables ask for. A cut need not run through the whole region: lines
that span it, a title over two columns, divide the region into bands. And no cut is made through a table, which is read
row by row.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from statistics import median
from typing import TYPE_CHECKING

from .lines import by_left, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .lines import Line

_MOST_DEEP = 40
"""Cuts within cuts."""
_GUTTER = 0.4
"""Line heights of blank between columns, at least."""
_ROWS = 3
"""Rows that two columns share, at least."""
_CELL = 3.5
"""Words of a line, on average, up to which aligned rows are a table's."""


def blocks_of(lines: Sequence[Line]) -> list[list[Line]]:
    """Columns, tables and what spans them."""
    blocks: list[list[Line]] = []
    _cut(sorted(lines, key=lambda line: (line.box.top, line.box.left)), blocks, 0)
    return blocks


def _cut(lines: list[Line], blocks: list[list[Line]], depth: int) -> None:
    """Append to ``blocks`` those of ``lines`` (sorted from the top), in reading order."""
    gutter = _gutter(lines) if len(lines) >= 2 * _ROWS and depth < _MOST_DEEP else None
    if gutter is None:
        blocks.append([line for row in rows_of(lines) for line in sorted(row, key=by_left)])
        return
    across = [line for line in lines if line.box.left < gutter < line.box.right]
    if not across:
        for side in (True, False):
            _cut([line for line in lines if (line.box.right <= gutter) == side], blocks, depth + 1)
        return
    bands = list(_bands(lines, across))
    if len(bands) == 1:  # what spans the gutter stands beside what does not
        blocks.append([line for row in rows_of(lines) for line in sorted(row, key=by_left)])
        return
    for band in bands:
        _cut(band, blocks, depth + 1)


def _bands(lines: Sequence[Line], across: Sequence[Line]) -> Iterator[list[Line]]:
    """Parts of a region, from the top: lines across a gutter, lines beside it, and so on."""
    spans: list[tuple[float, float]] = []
    for line in sorted(across, key=lambda one: one.box.top):
        if spans and line.box.top <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(spans[-1][1], line.box.bottom)
        else:
            spans.append((line.box.top, line.box.bottom))
    band: list[Line] = []
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


def _gutter(lines: Sequence[Line]) -> float | None:
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


def _gaps(lines: Sequence[Line]) -> list[tuple[float, float, Line, Line]]:
    """For each line the nearest one to the right of it: (left, right) of the blank between, both lines."""
    found = []
    tallest = max(line.height for line in lines)
    tops = [line.box.top for line in lines]

    for line in lines:
        box = line.box
        first, last = bisect_left(tops, box.top - tallest), bisect_right(tops, box.bottom)
        nearest: Line | None = None
        for other in lines[first:last]:
            shared = min(box.bottom, other.box.bottom) - max(box.top, other.box.top)
            if other.box.left < box.right or shared <= 0.2 * min(line.height, other.height):
                continue
            if nearest is None or other.box.left < nearest.box.left:
                nearest = other
        if nearest is not None:
            found.append((box.right, nearest.box.left, line, nearest))
    return found


def _is_table(beside: Sequence[tuple[Line, Line]]) -> bool:
    """Whether lines left and right of a gap are cells: short ones, on the same rows."""
    aligned = sum(
        abs(first.box.bottom - second.box.bottom) < 0.2 * min(first.height, second.height) for first, second in beside
    )
    shorter = min(sum(_length(pair[side]) for pair in beside) / len(beside) for side in (0, 1))
    return aligned > len(beside) / 2 and shorter <= _CELL


def _length(line: Line) -> float:
    """Words; of a script without blanks, as many as its characters make."""
    return sum(0.5 if word.glued else 1.0 for word in line.words)
