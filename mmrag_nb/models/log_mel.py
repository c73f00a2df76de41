"""Log-mel features of Speech2Text, all frames of a clip at once.

Kaldi's filter banks as transformers' ``Speech2TextFeatureExtractor`` computes them in numpy, where it takes frame after
frame in a Python loop: windows of 25 ms every 10 ms, mean off, pre-emphasis, Povey's window, power spectrum, mel
filters, logarithm; then each band of each clip to mean 0 and deviation 1. In float64 up to the logarithm, as there: a
quiet band beside a loud one would drown in float32's rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mmrag_nb.types import Samples

_FRAME, _HOP, _POINTS = 400, 160, 512
_EMPHASIS = 0.97
_FLOOR = 1.192092955078125e-07
_AT_ONCE = 256
"""Frames: what they take stays in a core's cache."""
_FILTERS = 10
"""Mel filters that are applied at once: neighbours share most of their frequencies, and have none elsewhere."""


class LogMel:
    """Computes what a ``Speech2TextFeatureExtractor`` of the usual configuration would, see :meth:`of`.

    Parameters
    ----------
    filters
        (257, bands) weights of the mel filters.
    window
        (400,) weights of a frame's samples; the first is 0.
    """

    def __init__(self, filters: NDArray[np.float64], window: NDArray[np.float64]) -> None:
        self._bands = filters.shape[1]
        self._window = window
        self._groups: list[tuple[slice, slice, NDArray[np.float64]]] = []
        for first in range(0, self._bands, _FILTERS):
            bands = slice(first, min(first + _FILTERS, self._bands))
            used = np.flatnonzero(filters[:, bands].any(axis=1))
            bins = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 1)
            self._groups.append((bands, bins, np.ascontiguousarray(filters[bins, bands].T)))

    @classmethod
    def of(cls, extractor: Any) -> LogMel | None:
        """The same as ``extractor`` does, but faster; ``None`` where it is of another kind, or does anything else."""
        if type(extractor).__name__ != "Speech2TextFeatureExtractor":
            return None
        wanted = {
            "sampling_rate": 16_000,
            "dither": 0.0,
            "do_ceptral_normalize": True,
            "normalize_means": True,
            "normalize_vars": True,
            "padding_value": 0.0,
            "padding_side": "right",
        }
        filters, window = getattr(extractor, "mel_filters", None), getattr(extractor, "window", None)
        if any(getattr(extractor, name, None) != value for name, value in wanted.items()):
            return None
        if filters is None or window is None:  # with torchaudio, it leaves the work to that
            return None
        filters, window = np.asarray(filters, np.float64), np.asarray(window, np.float64)
        if filters.ndim != 2 or len(filters) != _POINTS // 2 + 1 or window.shape != (_FRAME,) or window[0] != 0:
            return None
        return cls(filters, window)

    def __call__(self, clips: Sequence[Samples]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Features of a batch, padded to its longest clip.

        Parameters
        ----------
        clips
            (n,) float32 samples in [-1, 1] at 16 kHz each, of at least 25 ms.

        Returns
        -------
        features
            (clips, frames, bands) float32; a band that never changes is not finite, for its deviation is 0.
        mask
            (clips, frames) int32, 1 where there is sound.
        """
        lengths = [1 + (len(clip) - _FRAME) // _HOP for clip in clips]
        features = np.zeros((len(clips), max(lengths), self._bands), np.float32)
        mask = np.zeros(features.shape[:2], np.int32)
        for place, (clip, length) in enumerate(zip(clips, lengths, strict=True)):
            # Frame after frame, so that sums add up in the extractor's order: of what hardly changes, rounding is all.
            levels = np.ascontiguousarray(self.levels(clip).T)
            levels = np.subtract(levels, levels.mean(axis=0))
            with np.errstate(divide="ignore", invalid="ignore"):
                features[place, :length] = np.divide(levels, levels.std(axis=0))
            mask[place, :length] = 1
        return features, mask

    def levels(self, clip: Samples) -> NDArray[np.float32]:
        """(bands, frames) natural logarithms of a clip's power."""
        sound = clip.astype(np.float64) * 32768
        frames = np.lib.stride_tricks.sliding_window_view(sound, _FRAME)[::_HOP]
        levels = np.empty((self._bands, len(frames)), np.float32)
        padded = np.zeros((_AT_ONCE, _POINTS))
        for first in range(0, len(frames), _AT_ONCE):
            some = frames[first : first + _AT_ONCE]
            inside = padded[: len(some), :_FRAME]
            centred = some - some.mean(axis=1, keepdims=True)
            np.multiply(centred[:, :-1], -_EMPHASIS, out=inside[:, 1:])  # the first sample is weighted with 0
            inside[:, 1:] += centred[:, 1:]
            inside *= self._window
            waves = np.fft.rfft(padded[: len(some)]).astype(np.complex64)
            power = np.square(waves.real, dtype=np.float64) + np.square(waves.imag, dtype=np.float64)
            part = np.empty((self._bands, len(some)))
            for bands, bins, weights in self._groups:
                np.matmul(weights, power[:, bins].T, out=part[bands])
            np.maximum(part, _FLOOR, out=part)
            levels[:, first : first + len(some)] = np.log(part, out=part)
        return levels
