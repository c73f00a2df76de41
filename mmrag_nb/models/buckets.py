"""Texts of about the same length go through a network together, so that little of the work is padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def buckets(lengths: Sequence[int], *, texts: int, tokens: int) -> list[list[int]]:
    """Numbers of ``lengths`` in groups, the longest first, so that the last to end are short.

    A group holds up to ``texts`` texts and, each padded to its longest, up to ``tokens`` tokens, or one text.
    """
    groups: list[list[int]] = []
    for number in sorted(range(len(lengths)), key=lambda n: -lengths[n]):
        room = min(texts, tokens // max(1, lengths[groups[-1][0]])) if groups else 0
        if room and len(groups[-1]) < room:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups
