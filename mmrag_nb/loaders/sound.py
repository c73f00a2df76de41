"""Sound files to 16 kHz mono, block by block, with FFmpeg's libraries as PyAV brings them.

Foreign files are decoded in a process of their own, see :mod:`.track`; what runs there is :func:`blocks`.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    import numpy as np
    from numpy.typing import NDArray
    from pydub import AudioSegment

    Block = tuple[dict[str, Any], tuple[bytes, ...]]

RATE = 16_000
"""Hz, of everything that leaves this module."""
BLOCK = 10 * RATE
"""Samples that leave it at once, but for the last ones: a whole number of frames of loudness."""

# Playlists and the like make FFmpeg open other files and addresses, so containers are named one by one.
_CONTAINERS = "wav,w64,mp3,flac,ogg,mov,mp4,m4a,aac,aiff,au,caf,asf,matroska,webm,amr,avi"
_BATCH = 65_536
"""Samples that are resampled at once; one codec frame at a time takes half as long again."""
_GAP = 0.1
"""Seconds by which a film's sound may be out of step; what is missing beyond that is silence."""
_CANCELLED = 0.1
"""Of the power that two channels have together, what is left of them in the mix where one is the other upside down."""
_THIN = 8
"""Of so many samples one is enough to tell how much power there is."""


@dataclass(frozen=True)
class Sound:
    """A decoded recording."""

    pcm: NDArray[np.int16]
    """(n,) mono at 16 kHz."""
    rate: int
    """Of the original, Hz."""
    channels: int
    """Of the original."""
    damaged: int = 0
    """Packets that could not be decoded and are left out."""
    claimed: float = 0.0
    """Seconds by the file's header, 0 where it does not say."""


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


def blocks(
    handle: BinaryIO, *, film: bool = False, channel: int | None = None, until: float | None = None
) -> Iterator[Block]:
    """Decode the first audio stream of a file; pictures and films beside it are left alone.

    Yields ``rate`` (Hz), ``channels`` and ``claimed`` (seconds by the header); then blocks of int16 samples, 16 kHz
    mono; last ``damaged`` (packets left out) and ``channel`` (to be decoded alone: the mix cancels), else ``None``.

    Parameters
    ----------
    handle
        The file.
    film
        Whether times are those of a film, so that its sound begins, and goes on after gaps, where the pictures do.
        Where there is no sound in it, ``channels`` is 0 and nothing follows.
    channel
        Of two, the one to take; both are mixed where it is ``None``.
    until
        Seconds after which to stop.

    Raises
    ------
    LoadError
        It is no sound file, holds no sound or is damaged throughout.
    """
    with _opened(handle) as container:
        if film and not container.streams.audio:
            yield {"rate": 0, "channels": 0, "claimed": 0.0}, ()
            return
        stream = _stream(container)
        damage = _Damage()
        power = Power()
        frames = _frames(container, stream, damage)
        first = next(frames, None)
        if first is None:
            raise LoadError("damaged: none of it can be decoded" if damage.packets else "no sound in it: zero samples")
        codec = stream.codec_context
        claimed = (container.duration or 0) / _units()
        yield {"rate": codec.sample_rate, "channels": codec.channels, "claimed": claimed}, ()
        begins = (container.start_time or 0) / _units() if film else None
        mono = _resampled(_again(first, frames), channel, power, begins, claimed)
        some = 0
        for block in _regular(mono, None if until is None else round(until * RATE)):
            some += len(block)
            yield {}, (block,)
        if not some:
            raise LoadError("no sound in it: zero samples")
        yield {"damaged": damage.packets, "channel": None if channel is not None else power.chosen}, ()


def length(handle: BinaryIO) -> Iterator[Block]:
    """Yield ``seconds`` of a sound, as its header tells, or ``None`` where it does not say.

    Raises
    ------
    LoadError
        It is no sound file, or damaged from its beginning.
    """
    with _opened(handle) as container:
        stream = _stream(container)
        seconds: float | None = None
        if container.duration:
            seconds = container.duration / _units()
        elif stream.duration and stream.time_base:
            seconds = float(stream.duration * stream.time_base)
        yield {"seconds": seconds}, ()


def decode(handle: BinaryIO, *, max_seconds: float) -> Sound:
    """Decode all of a file that we made ourselves, in this process.

    Raises
    ------
    LoadError
        As for :func:`blocks`; it is longer than ``max_seconds``.
    """
    import numpy as np

    said: dict[str, Any] = {}
    pcm = bytearray()
    for facts, samples in blocks(handle):
        said |= facts
        for block in samples:
            pcm += block
        if len(pcm) > 2 * RATE * max_seconds:
            raise too_long(max_seconds)
    return Sound(np.frombuffer(pcm, np.int16), said["rate"], said["channels"], said["damaged"], said["claimed"])


def segment_blocks(segment: AudioSegment, *, channel: int | None = None) -> Iterator[Block]:
    """As :func:`blocks`, of a sound in memory.

    Raises
    ------
    LoadError
        It has no samples.
    """
    import av
    import numpy as np

    whole = np.frombuffer(segment.raw_data, np.dtype(f"i{segment.sample_width}")).reshape(-1, segment.channels)
    if not len(whole):
        raise LoadError("no sound in it: zero samples")
    power = Power()

    def frames() -> Iterator[Any]:
        scale = np.float32(2.0 ** (8 * segment.sample_width - 1))
        for start in range(0, len(whole), _BATCH):
            part = whole[start : start + _BATCH]
            if segment.channels == 2:
                power.add(part.T)
            mono = (part.mean(axis=1, dtype=np.float32) if channel is None else part[:, channel]) / scale
            frame = av.AudioFrame.from_ndarray(mono[None].astype(np.float32), format="flt", layout="mono")
            frame.sample_rate = segment.frame_rate
            yield frame

    with _damage_told():
        yield {"rate": segment.frame_rate, "channels": segment.channels, "claimed": 0.0}, ()
        for block in _regular(_resampled(frames()), None):
            yield {}, (block,)
        yield {"damaged": 0, "channel": None if channel is not None or segment.channels != 2 else power.chosen}, ()


def too_long(max_seconds: float) -> LoadError:
    """The error of a recording that is longer."""
    return LoadError(f"too long: at most {max_seconds / 3600:g} hours: cut it into parts")


class _Damage:
    """Counts packets that cannot be decoded."""

    packets = 0


def _units() -> int:
    import av

    return int(av.time_base)


def _stream(container: Any) -> Any:
    if not container.streams.audio:
        raise LoadError("no sound in it")
    stream = container.streams.audio[0]
    if stream.codec_context is None:  # older PyAVs end the process when asked to decode it
        raise LoadError("damaged, or of an unknown codec: convert it to WAV or MP3")
    return stream


def _frames(container: Any, stream: Any, damage: _Damage) -> Iterator[Any]:
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:  # nothing can be found behind this place
            packet = None
            damage.packets += 1
        if packet is None:
            return
        try:
            decoded = packet.decode()
        except av.FFmpegError:
            damage.packets += 1
        else:
            yield from (frame for frame in decoded if frame.samples)


def _again(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _resampled(
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
        if fifo.samples >= _BATCH:
            yield from _played(resampler, fifo.read(), channel, power)
    yield from _drained(fifo, resampler, channel, power)


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


def _regular(parts: Iterable[NDArray[np.int16]], most: int | None) -> Iterator[bytes]:
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


@contextmanager
def _opened(handle: BinaryIO) -> Iterator[Any]:
    import av

    # Without a name, so that FFmpeg goes by the content and not by the suffix.
    unnamed = SimpleNamespace(read=handle.read, seek=handle.seek, tell=handle.tell)
    # Up to PyAV 18, tags that are no UTF-8 stop the opening unless they are ignored; 19 has no such option.
    tags = {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}
    with (
        _damage_told(),
        av.open(unnamed, mode="r", options={"format_whitelist": _CONTAINERS}, **tags) as container,
    ):
        yield container


@contextmanager
def _damage_told() -> Iterator[None]:
    """Damaged files raise errors of PyAV's own, ``ValueError``, ``OSError`` and more; each becomes a `LoadError`."""
    try:
        yield
    except LoadError:
        raise
    except MemoryError as error:
        raise LoadError("damaged, or too large for the memory") from error
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LoadError(f"damaged, or no sound of a supported format: {' '.join(reason.split())[:120]}") from error
