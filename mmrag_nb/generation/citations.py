"""Which evidence an answer cites: ``[1]``, ``[1, 2]``, ``[1][3]``, ``[2-4]``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

# Four digits are a year; a bracket before "(" or ":" at a line's start is Markdown's link or link definition.
_BRACKET = re.compile(r"\[\s*(\d{1,3}(?:\s*[-–,;]\s*\d{1,3})*)\s*\](?!\()(?!:\s*(?:https?|mailto):)")
_RANGE = re.compile(r"(\d+)(?:\s*[-–]\s*(\d+))?")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)


def cited(text: str, available: Collection[int]) -> tuple[int, ...]:
    """Numbers that ``text`` cites and that are among ``available``, each once, in the order of first mention."""
    return tuple(dict.fromkeys(n for n in _numbers(text) if n in available))


def invalid(text: str, available: Collection[int]) -> tuple[int, ...]:
    """Numbers that ``text`` cites although they were never sent, each once, in the order of first mention."""
    return tuple(dict.fromkeys(n for n in _numbers(text) if n not in available))


def without_marks(text: str) -> str:
    """``text`` with nothing left in it that reads as a citation, so that it can be quoted in an answer.

    A source's own footnote marks after a sentence (``of all time.[1]``) go; other bracketed numbers get round
    brackets, and backquotes, which could make code of what follows, become apostrophes.
    """
    unfooted = re.sub(r"(?<=[.,;:!?\"”’')])(?:\[\d{1,3}\])+", "", text)
    return _BRACKET.sub(lambda match: f"({match[1]})", unfooted).replace("`", "'")


def _numbers(text: str) -> Iterator[int]:
    for bracket in _BRACKET.finditer(_CODE.sub(" ", text)):
        ranges = [(int(a), int(b or a)) for a, b in _RANGE.findall(bracket[1])]
        # Evidence is numbered from 1: [0, 1] is an interval and [4-2] a difference, not a citation.
        if all(1 <= first <= last for first, last in ranges):
            for first, last in ranges:
                yield from range(first, last + 1)


ABSENT = "[none]"
"""What a generator writes first where the evidence does not hold the answer."""


def declined(text: str) -> tuple[bool, str]:
    """Whether ``text`` says by its first word that the sources do not hold the answer, and the text without that."""
    begun = text.lstrip()
    if begun.lower().startswith(ABSENT):
        return True, begun[len(ABSENT) :].lstrip()
    return False, "" if begun and ABSENT.startswith(begun.lower()) else text
