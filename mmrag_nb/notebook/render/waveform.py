"""A recording's loudness over time, with the seconds of a hit marked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .escape import escape
from .quantities import number

if TYPE_CHECKING:
    from mmrag_nb.results import Hit

BARS = 150
"""Bars drawn, at most."""
_STEP, _BAR, _HEIGHT = 4, 2.6, 60
"""Pixels from bar to bar, of a bar's width and of the drawing's height, before it is stretched to the card."""
_BLOCKS = "▁▂▃▄▅▆▇█"


def svg(hit: Hit, limit: int = BARS) -> str:
    """Return the waveform as an inline drawing of at most ``limit`` bars; empty where the hit has no ``peaks``.

    Its colours come from the card's style, and stand in attributes too, for pages that drop styles.
    """
    heights = _heights(hit, limit)
    if not heights:
        return ""
    first, last = _marked(hit, len(heights))
    width = len(heights) * _STEP
    band = ""
    label = "waveform"
    if last > first:
        label = f"waveform, {hit.chunk.start:.1f} to {hit.chunk.end:.1f} seconds marked"
        left, size = first * _STEP - (_STEP - _BAR) / 2, (last - first) * _STEP
        band = f'<rect class="mm-band" x="{left:.1f}" y="0" width="{size}" height="{_HEIGHT}" rx="3" fill="#f4e3d9"/>'
    inside = _path(heights, range(first, last))
    outside = _path(heights, [*range(first), *range(last, len(heights))])
    return (
        f'<svg class="mm-wave" viewBox="0 0 {width} {_HEIGHT}" width="{width}" height="48" preserveAspectRatio="none" '
        f'role="img" aria-label="{escape(label)}">{band}'
        f'<path class="mm-rest" fill="#aab1bb" d="{outside}"/><path class="mm-here" fill="#b34e14" d="{inside}"/></svg>'
    )


def sparkline(hit: Hit, width: int) -> str:
    """Return the waveform as one line of at most ``width`` blocks, the hit's part in brackets; empty without peaks."""
    heights = _heights(hit, width - 2)
    if not heights:
        return ""
    first, last = _marked(hit, len(heights))
    blocks = "".join(_BLOCKS[min(7, int(h * 8))] for h in heights)
    if last <= first:
        return blocks
    return f"{blocks[:first]}[{blocks[first:last]}]{blocks[last:]}"


def _heights(hit: Hit, limit: int) -> list[float]:
    """At most ``limit`` heights in [0, 1], the loudest 1: what is quiet all through is still seen."""
    preview = hit.previews.get("peaks")
    peaks = preview.data if preview is not None else b""
    if not peaks:
        return []
    n = min(limit, len(peaks))
    pooled = [max(peaks[i * len(peaks) // n : (i + 1) * len(peaks) // n]) for i in range(n)]
    loudest = max(pooled) or 1
    return [value / loudest for value in pooled]


def _marked(hit: Hit, n: int) -> tuple[int, int]:
    """Which of ``n`` bars [first, last) the hit covers: at least one, however short it is; none where unknown."""
    whole, start, end = number(hit.facts.get("seconds")), number(hit.chunk.start), number(hit.chunk.end)
    if not whole or whole < 0 or start is None or end is None or end <= start:
        return 0, 0
    first = min(n - 1, max(0, int(start / whole * n)))
    return first, min(n, max(first + 1, math.ceil(end / whole * n)))


def _path(heights: list[float], which: range | list[int]) -> str:
    bars = []
    for i in which:
        tall = max(2.0, heights[i] * (_HEIGHT - 4))
        bars.append(f"M{i * _STEP} {(_HEIGHT - tall) / 2:.1f}h{_BAR}v{tall:.1f}h-{_BAR}z")
    return "".join(bars)
