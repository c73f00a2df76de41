"""What a recording sounds like before anybody listens: how loud, clipped, or nothing but noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SILENT = -45.0
"""dB below full scale; a recording that is never louder is next to silent. People who speak softly, or far from the
microphone, reach -35."""
CLIPPED = 0.002
"""Share of samples in flat tops from which a recording is clipped."""
STEADY = 6.0
"""dB between quiet and loud within which a recording is steady. Speech has pauses: 20 and more."""
FLAT = 0.2
"""Spectral flatness from which a steady sound is noise; 0.56 is white noise in frames of this length, a tone has 0."""

_FRAME = 0.02  # seconds
_LEAST = 1.0  # seconds of sound in which noise can be told from speech
_TOP = 3  # equal samples at the very top that are no chance


@dataclass(frozen=True)
class Sounding:
    """What can be measured of a recording."""

    loudest: float
    """RMS of its loudest 20 ms, dB below full scale."""
    clipped: float
    """Share of its samples that stand in flat tops."""
    noise: bool
    """Whether it is steady and of all frequencies alike: wind, hiss, an engine; nobody speaks."""


def sounding(samples: NDArray[np.float32], rate: int) -> Sounding:
    """Measure mono samples in [-1, 1]."""
    import numpy as np

    size = max(1, int(_FRAME * rate))
    if len(samples) < size:
        samples = np.pad(samples, (0, size - len(samples)))
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    level = 10 * np.log10(np.maximum(np.square(frames).mean(axis=1), 1e-12))
    return Sounding(float(level.max()), _flat_tops(samples), len(samples) >= _LEAST * rate and _is_noise(frames, level))


def _flat_tops(samples: NDArray[np.float32]) -> float:
    import numpy as np

    top = float(np.abs(samples).max())
    if top < 0.1:  # what is so quiet was not cut off
        return 0.0
    inside = np.abs(samples) >= top * 0.999
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
    lengths = edges[1::2] - edges[::2]
    return float(lengths[lengths >= _TOP].sum() / len(samples))


def _is_noise(frames: NDArray[np.float32], level: NDArray[np.float32]) -> bool:
    """Steady, and flat by the ratio of the geometric to the arithmetic mean of its power spectrum (Johnston 1988)."""
    import numpy as np

    quiet, loud = np.percentile(level, (10, 95))
    if loud - quiet > STEADY:
        return False
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(frames.shape[1]), axis=1)))[:, 2:] + 1e-12
    return float(np.median(np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1))) > FLAT
