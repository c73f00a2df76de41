"""An utterance over time: its loudness, its words where they are said, and what each brings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .escape import escape, one_line
from .quantities import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmrag_nb.insight.why import WordShare
    from mmrag_nb.results import Hit

STYLE = """
.mmrag .mm-said {display:block}
.mmrag .mm-said text {font:12px/1 var(--jp-content-font-family,system-ui,sans-serif);fill:var(--mm-ink)}
.mmrag .mm-said .mm-tick {fill:var(--mm-soft);font-size:11px}
.mmrag .mm-said .mm-strong {font-weight:700}
.mmrag .mm-said line {stroke:var(--mm-line)}
.mmrag .mm-said .mm-leader {stroke:var(--mm-faint)}
"""
_PER_SECOND = 96
"""Pixels to a second, so that most words have room above each other's."""
_LONGEST = 60.0
"""Seconds that are drawn."""
_WAVE, _BARS, _ROW, _FOOT = 44, 36, 16, 16
"""Pixels of height: loudness, shares, a row of words, the seconds."""
_LETTER = 7.0
"""Pixels that a letter takes, about."""
_WORD = 40
"""Letters of a word that are shown."""


def svg(hit: Hit, words: Sequence[WordShare]) -> str:
    """Return the drawing; empty where it is not known when anything is said."""
    start, end = number(hit.chunk.start), number(hit.chunk.end)
    said = [word for word in words if word.said_from is not None and word.said_to is not None]
    if start is None or end is None or end <= start or not said:
        return ""
    end = min(end, start + _LONGEST)
    width = max(240, round((end - start) * _PER_SECOND))
    most = max(0.0, *(word.share for word in said)) or 1.0
    parts, labels = [_loudness(hit, start, end, width)], list[str]()
    base = _WAVE + _BARS
    free: list[float] = []
    for word in said:
        assert word.said_from is not None
        assert word.said_to is not None
        left, right = ((at - start) / (end - start) * width for at in (word.said_from, word.said_to))
        if left >= width:
            break
        label = one_line(word.text)[:_WORD]
        row = next((i for i, at in enumerate(free) if at <= left), len(free))
        free[row : row + 1] = [left + _LETTER * (len(label) + 1)]
        tall = max(1.5, max(word.share, 0.0) / most * (_BARS - 4))
        y = base + _ROW * (row + 1)
        parts.append(
            f'<rect class="mm-here" x="{left:.1f}" y="{base - tall:.1f}" width="{max(2.0, right - left - 1):.1f}" '
            f'height="{tall:.1f}" fill="#b34e14"/>'
        )
        if row:
            parts.append(f'<line class="mm-leader" x1="{left:.1f}" x2="{left:.1f}" y1="{base}" y2="{y - 11}"/>')
        strong = ' class="mm-strong"' if word.share > most / 2 else ""
        labels.append(f'<text{strong} x="{left:.1f}" y="{y - 3}">{escape(label)}</text>')
    foot = base + _ROW * len(free) + _FOOT
    ticks = "".join(
        f'<text class="mm-tick" x="{(at - start) / (end - start) * width:.1f}" y="{foot - 3}">{at} s</text>'
        for at in range(math.ceil(start), math.ceil(end))
        if (at - start) / (end - start) * width < width - 4 * _LETTER
    )
    best = sorted(said, key=lambda word: -word.share)[:3]
    told = ", ".join(f"{one_line(word.text)[:_WORD]} at {word.said_from:.1f} s" for word in best)
    label = f"words from {start:.1f} to {end:.1f} seconds; most is brought by {told}"
    drawing = (
        f'<svg class="mm-said" width="{width}" height="{foot}" viewBox="0 0 {width} {foot}" role="img" '
        f'aria-label="{escape(label)}"><line x1="0" x2="{width}" y1="{base}" y2="{base}"/>'
        f"{''.join(parts)}{''.join(labels)}{ticks}</svg>"
    )
    return f'<div class="mm-scroll" role="region" aria-label="words in time" tabindex="0">{drawing}</div>'


def _loudness(hit: Hit, start: float, end: float, width: int) -> str:
    """The part of the recording's peaks that is this utterance's, as one area."""
    whole, preview = number(hit.facts.get("seconds")), hit.previews.get("peaks")
    peaks = preview.data if preview is not None else b""
    if not peaks or not whole or whole <= 0:
        return ""
    first = max(0, int(start / whole * len(peaks)))
    cut = peaks[first : max(first + 1, math.ceil(end / whole * len(peaks)))]
    loudest = max(cut, default=0) or 1
    step = width / max(1, len(cut))
    middle = _WAVE / 2
    bars = []
    for i, peak in enumerate(cut):
        half = max(1.0, peak / loudest * (middle - 2))
        bars.append(f"M{i * step:.1f} {middle - half:.1f}h{step * 0.7:.1f}v{2 * half:.1f}h-{step * 0.7:.1f}z")
    return f'<path class="mm-rest" fill="#aab1bb" d="{"".join(bars)}"/>'
