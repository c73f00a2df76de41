"""Words of a page to lines: those that stand beside each other without a gap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SAME_ROW = 0.5
"""Share of the lower one's height by which two words on a row overlap."""
_WORD_GAP = 1.1
"""Line heights of blank from which on two words of a row belong to different columns or cells."""
_STREAM_GAP = 0.55
"""The same of words that do not follow one another in the file: a gutter can be as narrow."""


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


@dataclass
class Line:
    """Words of a row without a gap between them."""

    words: list[Word]
    box: Box

    @property
    def height(self) -> float:
        """In points."""
        return self.box.bottom - self.box.top


def lines_of(words: Sequence[Word]) -> list[Line]:
    """Words that run from left to right, or from right to left, as lines."""
    found: list[Line] = []
    for row in rows_of([Line([word], word.box) for word in words]):
        line: list[Word] = []
        right = 0.0
        for word in (one.words[0] for one in sorted(row, key=by_left)):
            if line:
                height = max(word.box.bottom - word.box.top, 1e-6)
                near = abs(word.place - line[-1].place) == 1
                if word.box.left - right > (_WORD_GAP if near else _STREAM_GAP) * height:
                    found.append(Line(line, around(line)))
                    line = []
            right = max(right, word.box.right) if line else word.box.right
            line.append(word)
        found.append(Line(_as_written(line), around(line)))
    return found


def _as_written(line: list[Word]) -> list[Word]:
    """Words in the file's order where they are one run in it: those of a script that runs to the left are."""
    places = [word.place for word in line]
    return sorted(line, key=lambda word: word.place) if max(places) - min(places) == len(line) - 1 else line


def rows_of(lines: Sequence[Line]) -> list[list[Line]]:
    """Groups of what stands beside each other, from the top; each as high as its first."""
    rows: list[tuple[float, float, list[Line]]] = []
    for line in sorted(lines, key=lambda one: one.box.top + one.box.bottom):
        box = line.box
        for at in range(len(rows) - 1, max(-1, len(rows) - 4), -1):
            top, bottom, row = rows[at]
            shared = min(bottom, box.bottom) - max(top, box.top)
            if shared >= SAME_ROW * min(bottom - top, box.bottom - box.top):
                row.append(line)
                break
        else:
            rows.append((box.top, box.bottom, [line]))
    return [row for *_, row in rows]


def runs(words: Iterable[Word]) -> Iterator[list[Word]]:
    """Words that follow one another in the file."""
    run: list[Word] = []
    for word in words:
        if run and word.place != run[-1].place + 1:
            yield run
            run = []
        run.append(word)
    if run:
        yield run


def around(words: Iterable[Word]) -> Box:
    """The box that holds them all."""
    lefts, tops, rights, bottoms = zip(*(word.box for word in words), strict=True)
    return Box(min(lefts), min(tops), max(rights), max(bottoms))


def by_left(line: Line) -> float:
    """Sort lines that stand beside each other."""
    return line.box.left
