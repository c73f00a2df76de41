"""Text with the words of the question marked, and those that an answer rests on."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from .escape import escape, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_WORD = 40
"""How far, in characters, an excerpt's border may move to fall between words."""
# A line break after this many characters was put there by an editor that wraps; a poem's or a list's come earlier.
# So was one within a sentence; a passage's first line may lack its begin, and be shorter.
_WRAPPED = re.compile(r"(?<=[^\n]{60})\n(?=[^\s\d*#>-])|(?<=[^\n]{50})\n(?=[a-z])")


@dataclass(frozen=True)
class Excerpt:
    """A part of a text, with the ranges to be marked in it."""

    text: str
    ranges: tuple[tuple[int, int], ...] = ()
    """Character ranges [start, end), sorted, without overlap."""
    cited: tuple[tuple[int, int], ...] = ()
    """Those that bear out a statement of an answer; the same."""
    cut_before: bool = False
    cut_after: bool = False


def excerpt(text: str, ranges: Sequence[tuple[int, int]], limit: int, cited: Sequence[tuple[int, int]] = ()) -> Excerpt:
    """Return at most about ``limit`` characters of ``text``, those around what is cited, else the first range."""
    merged, bearing = _merged(ranges, len(text)), _merged(cited, len(text))
    text = flowing(text)
    if len(text) <= limit:
        return Excerpt(text, merged, bearing)
    first = (bearing or merged)[:1]
    start = max(0, min(first[0][0] - limit // 4, len(text) - limit)) if first else 0
    end = min(len(text), start + limit)
    if start and (space := text.find(" ", start, start + _WORD)) >= 0 and not (first and first[0][0] <= space):
        start = space + 1
    if end < len(text) and (space := text.rfind(" ", end - _WORD, end)) > start:
        end = space

    def inside(all_of: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        return tuple((max(a, start) - start, min(b, end) - start) for a, b in all_of if a < end and b > start)

    return Excerpt(text[start:end], inside(merged), inside(bearing), cut_before=start > 0, cut_after=end < len(text))


def flowing(text: str) -> str:
    """Return ``text`` with blanks for the line breaks of an editor: as long as before, so that ranges hold."""
    return _WRAPPED.sub(" ", text)


def marked_html(part: Excerpt, cited_as: str = "") -> str:
    """Return the excerpt for a page, the ranges as ``<mark>``; over what is cited, the pointer shows ``cited_as``."""
    bearing = f'<span class="mm-bears" title="{escape(cited_as)}">'
    body = _drawn(part, lambda s: f"<mark>{escape(s)}</mark>", escape, (bearing, "</span>"))
    return ("… " if part.cut_before else "") + body + (" …" if part.cut_after else "")


def marked_text(part: Excerpt) -> str:
    """Return the excerpt for a terminal, the ranges between guillemets, what is cited between single ones."""
    single = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}", "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
    body = _drawn(part, lambda s: f"«{visible(s)}»", visible, single)
    return ("… " if part.cut_before else "") + body + (" …" if part.cut_after else "")


def _drawn(part: Excerpt, marked: Callable[[str], str], bare: Callable[[str], str], around: tuple[str, str]) -> str:
    drawn = []
    for is_cited, segments in groupby(_segments(part), key=lambda one: one[2]):
        inner = "".join(marked(said) if match else bare(said) for said, match, _ in segments)
        drawn.append(f"{around[0]}{inner}{around[1]}" if is_cited else inner)
    return "".join(drawn)


def _segments(part: Excerpt) -> Iterator[tuple[str, bool, bool]]:
    """Each stretch of the text: whether it matches, whether it is cited."""
    ranges, cited = deque(part.ranges), deque(part.cited)
    borders = sorted({0, len(part.text), *(place for one in (*ranges, *cited) for place in one)})
    for start, end in pairwise(borders):
        for left in (ranges, cited):
            while left and left[0][1] <= start:
                left.popleft()
        yield part.text[start:end], bool(ranges and ranges[0][0] <= start), bool(cited and cited[0][0] <= start)


def _merged(ranges: Sequence[tuple[int, int]], length: int) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted((max(0, a), min(b, length)) for a, b in ranges):
        if start >= end:
            continue
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)
