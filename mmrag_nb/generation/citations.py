"""Which evidence an answer cites: ``[1]``, ``[1, 2]``, ``[1][3]``, ``[2-4]``, and as models write it besides.

Asked for ``[1]``, models also write the brackets of Chinese and Japanese (``【1】``, OpenAI's ``【1†source】``), a
footnote's ``[^1]`` and ``[Evidence 1]`` or ``[Source 2]``, after the prompt's own heading. ``(1)`` is no citation: so
are lists numbered, and so does :func:`without_marks` leave a quoted text's numbers. A number in code, a year, an
interval, a difference and the text of a Markdown link are none either. A mark that an answer quotes along with a
source's words cannot be told from its own, and counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

ABSENT = "[none]"
"""What a generator writes first where the evidence does not hold the answer."""

_WIDEST = 100
"""Numbers that one range may stand for: as many hits can be asked for."""

# Every repetition is bounded, so that no text makes a search take longer than its length. Four digits are a year; a
# bracket before "(" or ":" at a line's start is Markdown's link or link definition.
_NAME = r"(?:(?:evidence|sources?|documents?|docs?|refs?|passages?)[ #:]{1,2})?"
_NUMBERS = rf"{_NAME}\d{{1,3}}(?:\s{{0,3}}(?:[-–,;，、&]|,? and\b)\s{{0,3}}{_NAME}\d{{1,3}}){{0,60}}"  # noqa: RUF001
_BRACKET = re.compile(
    rf"(?:\[\s{{0,3}}\^?(?P<plain>{_NUMBERS})\s{{0,3}}\]"
    rf"|[【［]\s{{0,3}}(?P<wide>{_NUMBERS})(?:[:†][^】\n]{{0,80}})?\s{{0,3}}[】］])"  # noqa: RUF001
    r"(?!\()(?!:\s{0,3}(?:https?|mailto):)",
    re.IGNORECASE,
)
_RANGE = re.compile(r"(\d+)(?:\s*[-–]\s*(\d+))?")
_CODE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|``[^\n]{1,2000}?``|`[^`\n]*`", re.DOTALL)


@dataclass(frozen=True)
class Mark:
    """A citation as it stands in a text."""

    start: int
    """Characters of the text, brackets and all."""
    end: int
    numbers: tuple[int, ...]
    """Each once, whether or not there is evidence of that number."""


def marks(text: str) -> Iterator[Mark]:
    """Find the citations of ``text``, in order."""
    if not any(bracket in text for bracket in "[【［"):  # noqa: RUF001
        return
    for bracket in _BRACKET.finditer(without_code(text)):
        ranges = [(int(a), int(b or a)) for a, b in _RANGE.findall(bracket["plain"] or bracket["wide"])]
        # Evidence is numbered from 1: [0, 1] is an interval and [4-2] a difference, not a citation.
        if all(1 <= first <= last < first + _WIDEST for first, last in ranges):
            numbers = dict.fromkeys(n for first, last in ranges for n in range(first, last + 1))
            yield Mark(bracket.start(), bracket.end(), tuple(numbers))


def cited(text: str, available: Collection[int]) -> tuple[int, ...]:
    """Numbers that ``text`` cites and that are among ``available``, each once, in the order of first mention."""
    return tuple(n for n in _numbers(text) if n in available)


def invalid(text: str, available: Collection[int]) -> tuple[int, ...]:
    """Numbers that ``text`` cites although they were never sent, each once, in the order of first mention."""
    return tuple(n for n in _numbers(text) if n not in available)


def without_marks(text: str) -> str:
    """``text`` with nothing left in it that reads as a citation, so that it can be quoted in an answer.

    A source's own footnote marks after a sentence (``of all time.[1]``) go; other bracketed numbers get round
    brackets, and backquotes, which could make code of what follows, become apostrophes.
    """
    unfooted = re.sub(r"(?<=[.,;:!?\"”’')])(?:\[\d{1,3}\])+", "", text)
    return _BRACKET.sub(lambda match: f"({match['plain'] or match['wide']})", unfooted).replace("`", "'")


def without_code(text: str) -> str:
    """``text`` with blanks in place of its code, of the same length."""
    return _CODE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), text) if "`" in text or "~~~" in text else text


def declined(text: str) -> tuple[bool, str]:
    """Whether ``text`` says by its first word that the sources do not hold the answer, and the text without that."""
    begun = text.lstrip()
    first = begun[: len(ABSENT)].lower()  # of a text that grows, this is asked at each of its pieces
    if first == ABSENT:
        return True, begun[len(ABSENT) :].lstrip(" \t\r\n.:,;")
    return False, "" if first and ABSENT.startswith(first) else text


def _numbers(text: str) -> dict[int, None]:
    return dict.fromkeys(n for mark in marks(text) for n in mark.numbers)
