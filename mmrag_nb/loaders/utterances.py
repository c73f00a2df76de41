"""Recordings to utterances, cut where nobody speaks.

Energy against a threshold between the recording's own noise floor and its speech level, in the manner of Rabiner and
Sambur (1975), then pauses bridged, shortest first, until utterances are long enough to be understood.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOP = 0.02
"""Seconds of one frame of loudness."""
PAUSE = 0.35
"""Seconds; shorter silences belong to speech."""
CLICK = 0.06
"""Seconds; shorter noises are no speech."""
SHORTEST = 3.0
"""Seconds; shorter utterances join the neighbour that is nearer in time."""
BRIDGE = 2.0
"""Seconds; no longer silence is joined across."""
FRAGMENT = 1.5
"""Seconds; last words that are shorter and set off by a pause may as well begin the next utterance: both have them."""
LONGEST = 15.0
"""Seconds; longer speech is cut where it is quietest."""
PAD = 0.15
"""Seconds kept before and after, so that no consonant is cut off."""
SILENT = -60.0
"""dB below full scale; a recording that is never louder is silent."""

_APART = 10.0
"""dB by which speech stands out from the noise floor where the two can be told apart."""
_STEADY = 6.0
"""dB between the floor and all but the loudest twentieth of mere noise; speech in noise twice as strong has as much."""
_BLOCK = 30_000  # frames whose loudness is computed at once: 10 minutes in 40 MB
_Spans = list[tuple[int, int]]


def utterances(pcm: NDArray[np.int16], rate: int) -> list[tuple[float, float]]:
    """Spans (start, end) of utterances in seconds, in order; none where all is silent.

    Like passages of text they may overlap: a hesitant speaker pauses after "my favourite" as long as between sentences.

    Parameters
    ----------
    pcm
        (n,) mono samples.
    rate
        Samples per second.
    """
    return spans(loudness(pcm, rate), len(pcm) / rate)


def spans(level: NDArray[np.float32], seconds: float) -> list[tuple[float, float]]:
    """As :func:`utterances`, of a recording of that :func:`loudness` and length."""
    if not len(level) or level.max() < SILENT:
        return []
    speech = _runs(level > _threshold(level))
    speech = _bridged(speech, _frames(PAUSE))
    speech = [span for span in speech if span[1] - span[0] >= _frames(CLICK)] or speech
    parts = [part for span in _joined(speech) for part in _cut(level, *span)]
    return _overlapping(_padded(parts, seconds), speech)


def loudness(pcm: NDArray[np.int16], rate: int) -> NDArray[np.float32]:
    """Loudness of each frame of `HOP` seconds, the last one partial: RMS in dB, 0 at full scale, at least -120."""
    size = int(HOP * rate)
    power = []
    for start in range(0, len(pcm), size * _BLOCK):
        block = pcm[start : start + size * _BLOCK].astype(np.float32) / 32768
        whole = len(block) // size * size
        power.append(np.square(block[:whole].reshape(-1, size)).mean(axis=1))
        if whole < len(block):
            power.append(np.square(block[whole:]).mean(keepdims=True))
    level: NDArray[np.float32] = np.concatenate(power or [np.zeros(0, np.float32)])
    return np.log10(np.maximum(level, 1e-12), dtype=np.float32) * 10


def _threshold(level: NDArray[np.float32]) -> float:
    """A third of the way from the noise floor to the speech level; below all where the two cannot be told apart."""
    loud = float(np.percentile(level, 95))
    floor = max(float(np.percentile(level, 10)), loud - 60)
    if loud - floor > _APART:
        return floor + (loud - floor) / 3
    if loud - floor > _STEADY:
        return float("-inf")
    # Hiss for hours: speech may be rarer than one frame in twenty, and all of it is little above the hiss.
    rare = float(np.partition(level, -_frames(1.0))[-_frames(1.0)]) if len(level) >= _frames(1.0) else loud
    floor = max(floor, rare - 60)
    return floor + min((rare - floor) / 3, _APART) if rare - floor > _APART else float("-inf")


def _frames(seconds: float) -> int:
    return round(seconds / HOP)


def _runs(active: NDArray[np.bool_]) -> _Spans:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _bridged(spans: _Spans, gap: int) -> _Spans:
    out: _Spans = []
    for start, end in spans:
        if out and start - out[-1][1] < gap:
            out[-1] = (out[-1][0], end)
        else:
            out.append((start, end))
    return out


def _joined(spans: _Spans) -> _Spans:
    """Join across the shortest pauses first while one side is too short and both together are not too long."""
    head, tail = list(range(len(spans))), list(range(len(spans)))
    # Of joined spans, the last knows the first and the first the last. What grew too long to join never fits again.
    for pause, place in sorted((after[0] - before[1], place) for place, (before, after) in enumerate(pairwise(spans))):
        first, last = head[place], tail[place + 1]
        start, end = spans[first][0], spans[last][1]
        shorter = min(spans[place][1] - start, end - spans[place + 1][0])
        if shorter < _frames(SHORTEST) and pause <= _frames(BRIDGE) and end - start <= _frames(LONGEST):
            head[last], tail[first] = first, last
    firsts = [place for place, last in enumerate(tail) if head[last] == place]
    return [(spans[first][0], spans[tail[first]][1]) for first in firsts]


def _cut(level: NDArray[np.float32], start: int, end: int) -> _Spans:
    """Cut speech of more than `LONGEST` at the quietest 0.1 s of the middle of what may come first."""
    out = []
    width = _frames(0.1)
    while end - start > _frames(LONGEST):
        earliest, latest = start + _frames(LONGEST / 3), min(start + _frames(LONGEST), end - _frames(1.0))
        smooth = np.convolve(level[earliest:latest], np.ones(width), "valid")
        place = earliest + int(smooth.argmin()) + width // 2
        out.append((start, place))
        start = place
    return [*out, (start, end)]


def _padded(spans: _Spans, seconds: float) -> list[tuple[float, float]]:
    """Widen by `PAD`, at most to the middle of a pause."""
    starts = np.array([span[0] for span in spans]) * HOP
    ends = np.array([span[1] for span in spans]) * HOP
    middles = (ends[:-1] + starts[1:]) / 2
    begin = np.maximum(starts - PAD, np.concatenate([[0.0], middles]))
    finish = np.minimum(ends + PAD, np.concatenate([middles, [seconds]]))
    return [(round(float(a), 3), round(float(b), 3)) for a, b in zip(begin, finish, strict=True)]


def _overlapping(padded: list[tuple[float, float]], speech: _Spans) -> list[tuple[float, float]]:
    """Begin an utterance with the fragment that ends the one before, where that is short and near."""
    begins = [round(a * HOP - PAD, 3) for a, b in speech if _frames(PAUSE) <= b - a <= _frames(FRAGMENT)]
    out = padded[:1]
    for before, (start, end) in pairwise(padded):
        place = bisect_left(begins, before[1]) - 1
        last = begins[place] if place >= 0 and begins[place] > before[0] else start
        near = before[1] - last <= FRAGMENT + 2 * PAD and start - before[1] <= BRIDGE and end - last <= LONGEST
        out.append((last if near else start, end))
    return out
