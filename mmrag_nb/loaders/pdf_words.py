"""Where on its page each word of a passage is, as the index keeps it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mmrag_nb.types import Preview

if TYPE_CHECKING:
    from collections.abc import Iterable

PLACED = "placed"
"""The kind of preview of a passage that holds it."""
_MOST = 4_000
"""Words of a passage; more did not come from us."""
_BYTES = 1_000_000
"""Of all that is kept of one; more is not even parsed."""

Placed = tuple[int, int, float, float, float, float]
"""Characters [start, end) of the passage; left, top, right, bottom in shares of the upright page."""


def noted(words: Iterable[Placed], start: int, end: int) -> dict[str, Preview]:
    """What the index is to keep of a page's ``words`` (their characters those of the page's text) in [start, end)."""
    inside = [[a - start, b - start, *box] for a, b, *box in words if a >= start and b <= end]
    told = json.dumps(inside, separators=(",", ":")).encode()
    return {PLACED: Preview("application/json", told)} if inside else {}


def placed(kept: Preview | None) -> tuple[Placed, ...]:
    """What :func:`noted` kept; nothing where it is nonsense: an index can come from anywhere."""
    if kept is None or len(kept.data) > _BYTES:
        return ()
    try:
        rows: Any = json.loads(kept.data)
        found = [(int(a), int(b), *map(float, box)) for a, b, *box in rows[:_MOST]]
    except (ValueError, TypeError, RecursionError, OverflowError, KeyError):
        return ()
    whole = all(len(row) == 6 and 0 <= row[2] <= row[4] <= 1 and 0 <= row[3] <= row[5] <= 1 for row in found)
    return tuple(found) if whole else ()  # type: ignore[arg-type]
