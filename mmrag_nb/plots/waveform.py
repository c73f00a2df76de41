"""Loudness over time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import InvalidSetting
from mmrag_nb.results import Hit

from .canvas import finish, given_or_new
from .labels import SMALL, VERBATIM, Room, above, plain, settle
from .palette import palette
from .values import finite, is_number, numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

BARS = 150
"""Bars drawn, at most."""
_ROWS = 3
"""Rows of words below the waveform, at most."""
_SHAPE = "peaks (bytes 0..255), samples (n,) as floats in [-1, 1] or as signed integers, or a hit that is a sound"


def waveform(
    sound: Hit | bytes | ArrayLike,
    *,
    seconds: float | None = None,
    marks: Iterable[tuple[float, float, str]] = (),
    words: Iterable[tuple[float, float, str]] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw a recording's loudness over time, what matched in colour, and its words along the time.

    Parameters
    ----------
    sound
        A :class:`~mmrag_nb.results.Hit` of an audio item, whose utterance is marked; or peaks: ``bytes`` or (n,) uint8,
        0..255, each the highest amplitude of a stretch; or mono samples (n,), floats in [-1, 1] or signed integers.
    seconds
        Length of the recording, seconds. A hit knows its own.
    marks
        ``(start, end, label)`` of each stretch to shade, seconds from the start.
    words
        ``(start, end, word)``, seconds from the start. Words that have no room are left out, and their number is said.
    ax
        Where to draw; a new figure otherwise.

    Returns
    -------
    matplotlib.axes.Axes
        Time in seconds to the right; amplitude as a share of the loudest upwards.

    Raises
    ------
    InvalidSetting
        The sound is empty, holds NaN, or has no length; a mark ends before it begins.
    """
    import numpy as np

    marks, words = list(marks), list(words)
    name = ""
    if isinstance(sound, Hit):
        name = f"{plain(sound.item.name, 40)}: "
        sound, seconds, marks = _of_hit(sound, seconds, marks)
    heights = _heights(sound)
    length = _length(seconds)
    spans = [_span("marks", each, length) for each in marks]
    spoken = [_span("words", each, length) for each in words]

    ax = given_or_new(ax, 9, 3.6 if spoken else 3.2)
    colours = palette(ax)
    edges = np.linspace(0, length, len(heights) + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    inside = np.zeros(len(heights), bool)
    for start, end, _ in spans:
        ax.axvspan(start, end, color=colours["band"], linewidth=0, zorder=0)
        inside |= (edges[:-1] < end) & (edges[1:] > start)
    lit = [colours["audio"] if here or not spans else colours["faint"] for here in inside]
    ax.bar(middles, 2 * heights, width=0.72 * length / len(heights), bottom=-heights, color=lit, linewidth=0)
    ax.set(xlim=(0, length), ylim=(-1.05, 1.05), yticks=[0, 1])
    room = Room()
    high = max((_write_mark(ax, room, span) for span in spans), default=0)
    finish(ax, name + _title(spans, length), "time (s)", "loudness (loudest = 1)", pad=high + 10)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    settle(ax)
    _write_words(ax, spoken)
    return ax


def _of_hit(hit: Hit, seconds: float | None, marks: list[Any]) -> tuple[bytes, float | None, list[Any]]:
    peaks = hit.previews.get("peaks")
    if peaks is None or not peaks.data:
        raise InvalidSetting(
            f"{plain(hit.item.name, 60)} has no waveform, it is {hit.item.modality}: give a hit that is audio"
        )
    start, end = hit.chunk.start, hit.chunk.end
    if not marks and start is not None and end is not None and end > start:
        marks = [(start, end, f"hit {hit.rank}")]
    return peaks.data, hit.facts.get("seconds") if seconds is None else seconds, marks


def _heights(sound: Any) -> NDArray[np.float64]:
    """(bars,) in [0, 1], the loudest 1: what is quiet all through is still seen."""
    import numpy as np

    if isinstance(sound, (bytes, bytearray)):
        sound = np.frombuffer(sound, np.uint8)
    # the magnitude is taken of floats: that of the lowest 16-bit integer has no place in 16 bits
    high = np.abs(finite("sound", numbers("sound", sound, shape=_SHAPE, ndim=1)))
    bars = min(BARS, len(high))
    pooled = np.maximum.reduceat(high, np.arange(bars) * len(high) // bars)
    loudest = float(pooled.max())
    return pooled / loudest if loudest else pooled


def _length(seconds: Any) -> float:
    if is_number(seconds) and 0 < seconds < math.inf:
        return float(seconds)
    raise InvalidSetting(f"seconds={plain(repr(seconds))}: the sound's length is unknown; give it in seconds, above 0")


def _span(what: str, given: Any, length: float) -> tuple[float, float, str]:
    try:
        start, end, label = given
        start, end = float(start), float(end)
    except (TypeError, ValueError) as error:
        raise InvalidSetting(f"{what}: {plain(repr(given))} is not (start, end, text), the times in seconds") from error
    if not (0 <= start <= end and start <= length):  # NaN is refused here, too
        raise InvalidSetting(f"{what}: {start:g} to {end:g} s is no stretch of a sound of {length:g} s")
    return start, min(end, length), plain(label)


def _title(spans: Sequence[tuple[float, float, str]], length: float) -> str:
    if not spans:
        return f"{length:.1f} s of sound"
    if len(spans) == 1:
        return f"{spans[0][0]:.1f} to {spans[0][1]:.1f} s of {length:.1f} s match"
    return f"{len(spans)} stretches, {sum(end - start for start, end, _ in spans):.1f} s of {length:.1f} s, match"


def _write_mark(ax: Axes, room: Room, span: tuple[float, float, str]) -> float:
    """The mark's label above its band; return how far up it reaches, in points."""
    start, end, label = span
    middle, frame, colour = (start + end) / 2, ax.get_xaxis_transform(), palette(ax)["audio"]
    return above(ax, room, label, (middle, 1), xycoords=frame, fontweight="bold", color=colour)


def _write_words(ax: Axes, spoken: Sequence[tuple[float, float, str]]) -> None:
    if not spoken:
        return
    colours = palette(ax)
    row = 1.5 * SMALL * ax.figure.dpi / 72 / ax.get_window_extent().height * 2.1  # a row's height, in units of y
    rows = [Room() for _ in range(_ROWS)]
    used = left_out = 0
    for start, end, word in spoken:
        for n, room in enumerate(rows):
            y = -1.05 - (n + 0.7) * row
            text = ax.text((start + end) / 2, y, word, ha="center", va="center", fontsize=SMALL, **VERBATIM)
            text.set_color(colours["ink"])
            if room.take(text):
                ax.plot([start, end], [y + 0.5 * row] * 2, color=colours["audio"], linewidth=1.5)
                used = max(used, n + 1)
                break
            text.remove()
        else:
            left_out += 1
    ax.set_ylim(-1.05 - (used + 0.3) * row, 1.05)
    if left_out:
        ax.set_xlabel(f"time (s); {len(spoken) - left_out} of {len(spoken)} words have room")
