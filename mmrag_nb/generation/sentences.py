"""Where sentences end."""

from __future__ import annotations

import re
from itertools import pairwise

_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:[A-HJ-Za-z]|e\.g|i\.e|lit|Mr|Mrs|Ms|Dr|Prof|St|vs|cf|ca|No|Fig|vol|approx|bzw|Nr|(?![ap]\.m)(?:[A-Za-z]\.){1,4}[A-Za-z])\.$"
)
_LONGEST = 14
"""Characters that the longest of these takes with what stands before it."""
_END = re.compile(r"(?<=[.!?…])[\"”’»)\]*'_]*\s+|(?<=[。！？])[」』”’）]*\s*|\n\s*\n")  # noqa: RUF001 - Chinese, Japanese


def spans(text: str) -> list[tuple[int, int]]:
    """Characters [from, to) of each sentence of ``text``, together all of it; unpunctuated speech stays whole.

    After an abbreviation it goes on, and a number's point has no blank behind it; at a blank line it ends in any case.
    """
    ends = [found.end() for found in _END.finditer(text) if _ends(text, found)]
    return [(start, end) for start, end in pairwise([0, *ends, len(text)]) if start < end]


def _ends(text: str, found: re.Match[str]) -> bool:
    before = text[max(0, found.start() - _LONGEST) : found.start()]
    return found[0].count("\n") > 1 or _ABBREVIATION.search(before) is None
