"""Samples in memory to a pydub ``AudioSegment``."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import SourceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydub import AudioSegment

MAX_CHANNELS = 64
RATES = range(1_000, 768_001)
"""Sample rates taken, Hz."""
_LOUDEST = 2.0
"""Resampling and lossy coding overshoot 1 a little; samples beyond this were never scaled."""


def is_sound(value: Any) -> bool:
    """Whether ``value`` is ``(samples, rate)``, or ``(rate, samples)`` as SciPy returns them."""
    return isinstance(value, tuple) and len(value) == 2 and _ordered(value) is not None


def to_segment(value: tuple[Any, Any]) -> tuple[AudioSegment, tuple[str, ...]]:
    """Convert ``(samples, rate)`` to 16-bit sound, and tell what was assumed.

    Parameters
    ----------
    value
        Samples of shape (n,), (n, channels) or (channels, n) and their rate in Hz. Floats are in [-1, 1]; integers
        fill their type's range, unsigned ones around its middle (64-bit ones: the range of the smallest type that
        holds them).

    Raises
    ------
    SourceError
        No samples, too many channels, not finite, or floats far beyond [-1, 1].
    """
    import numpy as np

    ordered = _ordered(value)
    assert ordered is not None
    samples, rate = _frames(ordered[0]), _rate(ordered[1])
    scaled, notes = _scaled(samples)
    pcm = np.clip(np.rint(scaled * 32768), -32768, 32767).astype("<i2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it misses an ffmpeg that is not needed here
        from pydub import AudioSegment
    return AudioSegment(pcm.tobytes(), sample_width=2, frame_rate=rate, channels=pcm.shape[1]), notes


def _ordered(value: tuple[Any, Any]) -> tuple[Any, Any] | None:
    for samples, rate in (value, value[::-1]):
        is_number = isinstance(rate, Real) and not isinstance(rate, bool)
        if is_number and hasattr(samples, "dtype") and getattr(samples, "ndim", 0) > 0:
            return samples, rate
    return None


def _rate(rate: Any) -> int:
    if not float(rate).is_integer() or int(rate) not in RATES:
        raise SourceError(f"a sample rate of {rate} Hz: give (samples, rate) with a rate such as 16000 or 44100")
    return int(rate)


def _frames(samples: Any) -> NDArray[Any]:
    """(n, channels)."""
    import numpy as np

    try:
        array = np.asarray(samples)
    except (TypeError, RuntimeError) as error:  # tensors on a GPU, or with gradients
        raise SourceError(f"the samples cannot be read: pass a NumPy array ({type(error).__name__})") from None
    if array.size == 0:
        raise SourceError("a sound without samples")
    if array.ndim == 1:
        return array[:, None]
    if array.ndim != 2 or min(array.shape) > MAX_CHANNELS:
        raise SourceError(f"samples of shape {array.shape}: give (n,), (n, channels) or (channels, n)")
    return array if array.shape[0] >= array.shape[1] else array.T


def _scaled(frames: NDArray[Any]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """The samples in [-1, 1], and what was assumed."""
    import numpy as np

    kind, bits = frames.dtype.kind, 8 * frames.dtype.itemsize
    if kind == "f":
        return _checked_floats(frames.astype(np.float64))
    if kind not in "iu":
        raise SourceError(f"samples of type {frames.dtype}: give floats in [-1, 1] or integers")
    notes: tuple[str, ...] = ()
    if bits == 64:  # NumPy's default for a list of numbers: nobody records in it
        bits = _fitting_bits(frames)
        notes = (f"64-bit integers, taken as {bits}-bit samples",)
    half = 2.0 ** (bits - 1)
    return (frames.astype(np.float64) - (half if kind == "u" else 0.0)) / half, notes


def _fitting_bits(frames: NDArray[Any]) -> int:
    low, high = int(frames.min()), int(frames.max())
    if frames.dtype.kind == "u":
        return next(bits for bits in (16, 32, 64) if high < 2**bits)
    return next(bits for bits in (16, 32, 64) if -(2 ** (bits - 1)) <= low and high < 2 ** (bits - 1))


def _checked_floats(frames: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    import numpy as np

    peak = float(np.abs(frames).max())
    if not np.isfinite(peak):
        raise SourceError("the samples hold NaN or infinity: clean them, numpy.nan_to_num(samples)")
    if peak > _LOUDEST:
        full = next((2**bits for bits in (15, 23, 31) if peak <= 2**bits), None)
        remedy = f"samples / {full}" if full else "samples / abs(samples).max()"
        raise SourceError(f"float samples reach {peak:.6g}, far beyond [-1, 1]: pass ({remedy}, rate)")
    return frames, ("samples beyond [-1, 1] are clipped",) if peak > 1 else ()
