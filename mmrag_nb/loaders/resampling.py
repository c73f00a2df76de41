"""Decoded sound to 16 kHz mono: frames of any rate and channels in, blocks of equal length out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

RATE = 16_000
"""Hz, of everything that leaves this module."""
BLOCK = 10 * RATE
"""Samples of a block: a whole number of frames of loudness."""
BATCH = 65_536
"""Samples that are resampled at once; one codec frame at a time takes half as long again."""

_GAP = 0.1
"""Seconds by which a film's sound may be out of step; what is missing beyond that is silence."""
_CANCELLED = 0.1
"""Of the power that two channels have together, what is left of them in the mix where one is the other upside down."""
_THIN = 8
"""Of so many samples one is enough to tell how much power there is."""


class Power:
    """What two channels of a recording have, and what is left of it when they are mixed."""

    def __init__(self) -> None:
        self._apart = [0.0, 0.0]
        self._mixed = 0.0

    def add(self, channels: NDArray[Any]) -> None:
        """Count (2, n) samples."""
        import numpy as np

        moving = channels[:, ::_THIN].astype(np.float64)
        moving -= moving.mean(axis=1, keepdims=True)
        self._apart = [a + float(b) for a, b in zip(self._apart, np.square(moving).sum(axis=1), strict=True)]
        self._mixed += float(np.square(moving.sum(axis=0)).sum())

    @property
    def chosen(self) -> int | None:
        """The louder channel, where mixing them would cancel the sound; ``None`` where the mix serves."""
        if self._mixed >= _CANCELLED * sum(self._apart):
            return None
        return int(self._apart[1] > self._apart[0])


def resampled(
    frames: Iterable[Any],
    channel: int | None = None,
    power: Power | None = None,
    begins: float | None = None,
    claimed: float = 0.0,
) -> Iterator[NDArray[np.int16]]:
    """Mono at 16 kHz; a stream may change its rate or channels on the way.

    ``begins`` is when a film does, seconds: where its sound is late by more than `_GAP`, there is silence.
    """
    import av

    fifo: Any = None
    resampler: Any = None
    kind = None
    clock = 0.0
    for frame in frames:
        late = 0.0 if begins is None or frame.time is None else frame.time - begins - clock
        if late <= _GAP or clock + late > claimed:  # what lies behind the end is nonsense
            late = 0.0
        changed = kind != (kind := (frame.format.name, frame.layout.name, frame.sample_rate))
        if changed or late:
            yield from _drained(fifo, resampler, channel, power)
            yield from _silence(late)
            fifo = av.AudioFifo()
            two = "mono" if channel is None else "stereo"
            resampler = av.AudioResampler(format="s16" if channel is None else "s16p", layout=two, rate=RATE)
        clock += late + frame.samples / frame.sample_rate
        frame.pts = None  # places in time are counted in samples
        fifo.write(frame)
        if fifo.samples >= BATCH:
            yield from _played(resampler, fifo.read(), channel, power)
    yield from _drained(fifo, resampler, channel, power)


def regular(parts: Iterable[NDArray[np.int16]], most: int | None) -> Iterator[bytes]:
    """Blocks of `BLOCK` samples, the last one shorter; at most ``most`` samples in all."""
    pending = bytearray()
    left = most
    for part in parts:
        pending += part.tobytes() if left is None else part[:left].tobytes()
        if left is not None:
            left = max(0, left - len(part))
        while len(pending) >= 2 * BLOCK:
            yield bytes(pending[: 2 * BLOCK])
            del pending[: 2 * BLOCK]
        if left == 0:
            break
    if pending:
        yield bytes(pending)


def _played(resampler: Any, frame: Any, channel: int | None, power: Power | None) -> Iterator[NDArray[np.int16]]:
    if power is not None and frame is not None and channel is None and frame.layout.nb_channels == 2:
        samples = frame.to_ndarray()
        power.add(samples if frame.format.is_planar else samples.reshape(-1, 2).T)
    yield from (out.to_ndarray()[channel or 0] for out in resampler.resample(frame))


def _drained(fifo: Any, resampler: Any, channel: int | None, power: Power | None) -> Iterator[NDArray[np.int16]]:
    if fifo is None:
        return
    rest = [fifo.read()] if fifo.samples else []
    for frame in (*rest, None):
        yield from _played(resampler, frame, channel, power)


def _silence(seconds: float) -> Iterator[NDArray[np.int16]]:
    import numpy as np

    left = round(seconds * RATE)
    while left > 0:
        yield np.zeros(min(left, BLOCK), np.int16)
        left -= BLOCK
