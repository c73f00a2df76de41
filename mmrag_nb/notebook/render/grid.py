"""Tables in an answer's text, as GitHub's Markdown has them: where their cells stand."""

from __future__ import annotations

import re

_RULE = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?")
_BAR = re.compile(r"`[^`]*`|\\.|(?P<bar>\|)")
"""Code and what is escaped come first: a bar in them ends no cell."""


def columns(head: str, rule: str) -> list[str]:
    """Return how the columns are set, ``end`` or ``center`` or empty, where the two lines begin a table; else none."""
    if "|" not in head or "|" not in rule or not _RULE.fullmatch(rule):
        return []
    told = [_side(rule[slice(*place)]) for place in cells(rule)]
    return told if len(cells(head)) == len(told) else []


def is_row(line: str) -> bool:
    """Whether ``line``, below a table's begin, belongs to it."""
    return "|" in line


def cells(line: str, most: int = 0) -> list[tuple[int, int]]:
    """Return where each cell's text begins and ends; of ``most`` columns, the last has all that is left."""
    begin, end = len(line) - len(line.lstrip()), len(line.rstrip())
    bars = [bar.start() for bar in _BAR.finditer(line) if bar["bar"]]
    if bars and bars[0] == begin:
        begin = bars.pop(0) + 1
    if bars and bars[-1] == end - 1:
        end = bars.pop()
    bars = bars[: most - 1] if most else bars
    places = zip([begin, *(bar + 1 for bar in bars)], [*bars, end], strict=True)
    return [_bare(line, *place) for place in places]


def _bare(line: str, start: int, end: int) -> tuple[int, int]:
    said = line[start:end]
    left = start + len(said) - len(said.lstrip())
    return left, max(left, start + len(said.rstrip()))


def _side(rule: str) -> str:
    if not rule.endswith(":"):
        return ""
    return "center" if rule.startswith(":") else "end"
