"""Text with the words of the question marked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .escape import escape, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    cut_before: bool = False
    cut_after: bool = False


def excerpt(text: str, ranges: Sequence[tuple[int, int]], limit: int) -> Excerpt:
    """Return at most about ``limit`` characters of ``text``, those around the first marked range."""
    merged = _merged(ranges, len(text))
    text = flowing(text)
    if len(text) <= limit:
        return Excerpt(text, merged)
    start = max(0, min(merged[0][0] - limit // 4, len(text) - limit)) if merged else 0
    end = min(len(text), start + limit)
    if start and (space := text.find(" ", start, start + _WORD)) >= 0 and not (merged and merged[0][0] <= space):
        start = space + 1
    if end < len(text) and (space := text.rfind(" ", end - _WORD, end)) > start:
        end = space
    inside = tuple((max(a, start) - start, min(b, end) - start) for a, b in merged if a < end and b > start)
    return Excerpt(text[start:end], inside, cut_before=start > 0, cut_after=end < len(text))


def flowing(text: str) -> str:
    """Return ``text`` with blanks for the line breaks of an editor: as long as before, so that ranges hold."""
    return _WRAPPED.sub(" ", text)


def marked_html(part: Excerpt) -> str:
    """Return the excerpt for a page, the ranges as ``<mark>``."""
    body = "".join(f"<mark>{escape(s)}</mark>" if hit else escape(s) for s, hit in _segments(part))
    return ("… " if part.cut_before else "") + body + (" …" if part.cut_after else "")


def marked_text(part: Excerpt) -> str:
    """Return the excerpt for a terminal, the ranges between guillemets."""
    body = "".join(f"«{visible(s)}»" if hit else visible(s) for s, hit in _segments(part))
    return ("… " if part.cut_before else "") + body + (" …" if part.cut_after else "")


def _segments(part: Excerpt) -> Iterator[tuple[str, bool]]:
    at = 0
    for start, end in part.ranges:
        if at < start:
            yield part.text[at:start], False
        yield part.text[start:end], True
        at = end
    if at < len(part.text):
        yield part.text[at:], False


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
