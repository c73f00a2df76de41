"""Where words stand in a text, whatever stands between them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOOTNOTE = re.compile(r"\[\d{1,3}\]")
_WORD = re.compile(r"\w+")
_QUOTE = re.compile(
    r"“([^“”]{1,1000})”|\"([^\"]{1,1000})\"|„([^„“”]{1,1000})[“”]|«([^«»]{1,1000})»|「([^「」]{1,1000})」"
)
_ELLIPSIS = "… "


def locate(words: str, text: str) -> tuple[int, int] | None:
    """Characters of ``text`` that hold ``words`` one after the other; capitals, punctuation and footnotes aside."""
    wanted = _WORD.findall(words.casefold())
    if not wanted:
        return None
    tokens = _words(text)
    said = [word for word, _, _ in tokens]
    # One search in a joined text: its words are apart by a character that none of them holds.
    joined, sought = f"\0{chr(0).join(said)}\0", f"\0{chr(0).join(wanted)}\0"
    at = joined.find(sought)
    if at < 0:
        return None
    first = joined.count(chr(0), 0, at)
    return tokens[first][1], tokens[first + len(wanted) - 1][2]


@lru_cache(maxsize=200)
def _words(text: str) -> list[tuple[str, int, int]]:
    blanked = _FOOTNOTE.sub(lambda mark: " " * len(mark[0]), text)
    return [(found[0].casefold(), found.start(), found.end()) for found in _WORD.finditer(blanked)]


def quotations(text: str) -> Iterator[str]:
    """What stands in quotation marks, without the dots of what was left out."""
    for found in _QUOTE.finditer(text):
        yield next(inside for inside in found.groups() if inside is not None).strip(_ELLIPSIS)


def outside(text: str) -> str:
    """``text`` without what stands in quotation marks."""
    return _QUOTE.sub(" ", text)
