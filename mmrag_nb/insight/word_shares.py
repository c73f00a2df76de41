"""What each word brings to a cosine, found by leaving it out.

Li, Monroe and Jurafsky 2016, "Understanding Neural Networks through Representation Erasure". Words that only work
together each show the whole loss, and of two that say the same neither shows any: shares tell what would be missed,
not what is understood.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from .why import WordShare

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 64
"""Versions of a text that are embedded; of a longer one, neighbouring words are left out together."""

# Scripts whose words are not divided by blanks: each character stands for a word.
_UNDIVIDED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNDIVIDED}]|[^\W{_UNDIVIDED}]+(?:['\u2019][^\W{_UNDIVIDED}]+)*")


def spans(text: str, most: int = MOST) -> list[tuple[int, int]]:
    """Character ranges of the words of ``text``; of more than ``most``, of so many neighbours as it takes."""
    words = [word.span() for word in _WORD.finditer(text)]
    step = -(-len(words) // most) if words else 1
    return [(words[i][0], words[min(i + step, len(words)) - 1][1]) for i in range(0, len(words), step)]


def versions(text: str, ranges: Sequence[tuple[int, int]]) -> list[str]:
    """The text without each of ``ranges``."""
    return [(text[:start] + text[end:]).strip() for start, end in ranges]


def shares(text: str, ranges: Sequence[tuple[int, int]], whole: float, without: Sequence[float]) -> list[WordShare]:
    """What each range brings: ``whole`` is the text's cosine, ``without`` are those of :func:`versions`."""
    falls = [whole - left for left in without]
    total = sum(fall for fall in falls if fall > 0)
    return [
        WordShare(text[start:end], start, end, fall, fall / total if total > 0 else 0.0)
        for (start, end), fall in zip(ranges, falls, strict=True)
    ]


def timed(words: Sequence[WordShare], text: str, times: Sequence[tuple[float, float]]) -> list[WordShare]:
    """The words with the seconds in which they are spoken: ``times`` has those of each blank-separated one."""
    said = list(zip((token.span() for token in re.finditer(r"\S+", text)), times, strict=True))
    found = []
    for word in words:
        spoken = [at for (start, end), at in said if start < word.end and end > word.start]
        found.append(replace(word, said_from=spoken[0][0], said_to=spoken[-1][1]) if spoken else word)
    return found
