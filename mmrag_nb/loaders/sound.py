"""Sound files to 16 kHz mono, with FFmpeg's libraries as PyAV brings them."""

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

RATE = 16_000
"""Hz, of everything that leaves this module."""

# Playlists and the like make FFmpeg open other files and addresses, so containers are named one by one.
_CONTAINERS = "wav,w64,mp3,flac,ogg,mov,mp4,m4a,aac,aiff,au,caf,asf,matroska,webm,amr"
_BATCH = 65_536
"""Samples that are resampled at once; one codec frame at a time takes half as long again."""


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


def decode(handle: BinaryIO, *, max_seconds: float) -> Sound:
    """Decode the first audio stream of a file; pictures and films beside it are left alone.

    Raises
    ------
    LoadError
        It is no sound file, holds no sound, is damaged throughout, or longer than ``max_seconds``.
    """
    import av

    # Without a name, so that FFmpeg goes by the content and not by the suffix.
    unnamed = SimpleNamespace(read=handle.read, seek=handle.seek, tell=handle.tell)
    damaged = 0

    def frames() -> Iterator[Any]:
        nonlocal damaged
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:  # nothing can be found behind this place
                packet = None
                damaged += 1
            if packet is None:
                return
            try:
                decoded = packet.decode()
            except av.FFmpegError:
                damaged += 1
            else:
                yield from decoded

    with _damage_told():
        # Up to PyAV 18, tags that are no UTF-8 stop the opening unless they are ignored; 19 has no such option.
        tags = {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}
        container = av.open(unnamed, mode="r", options={"format_whitelist": _CONTAINERS}, **tags)
        with container:
            if not container.streams.audio:
                raise LoadError("no sound in it")
            stream = container.streams.audio[0]
            if stream.codec_context is None:  # older PyAVs end the process when asked to decode it
                raise LoadError("damaged, or of an unknown codec: convert it to WAV or MP3")
            pcm = _mono(frames(), max_seconds)
            rate, channels = stream.codec_context.sample_rate, stream.codec_context.channels
            claimed = (container.duration or 0) / av.time_base
    if not len(pcm):
        raise LoadError("damaged: none of it can be decoded" if damaged else "no sound in it: zero samples")
    return Sound(pcm, rate, channels, damaged, claimed)


def from_segment(segment: AudioSegment, *, max_seconds: float) -> Sound:
    """Resample a sound in memory.

    Raises
    ------
    LoadError
        It has no samples, or is longer than ``max_seconds``.
    """
    import av
    import numpy as np

    whole = np.frombuffer(segment.raw_data, np.dtype(f"i{segment.sample_width}")).reshape(-1, segment.channels)

    def frames() -> Iterator[Any]:
        scale = np.float32(2.0 ** (8 * segment.sample_width - 1))
        for start in range(0, len(whole), _BATCH):
            mono = whole[start : start + _BATCH].mean(axis=1, dtype=np.float32) / scale
            frame = av.AudioFrame.from_ndarray(mono[None], format="flt", layout="mono")
            frame.sample_rate = segment.frame_rate
            yield frame

    if not len(whole):
        raise LoadError("no sound in it: zero samples")
    with _damage_told():
        pcm = _mono(frames(), max_seconds)
    return Sound(pcm, segment.frame_rate, segment.channels)


def _mono(frames: Iterable[Any], max_seconds: float) -> NDArray[np.int16]:
    import numpy as np

    pcm = bytearray()
    for block in _resampled(frames):
        pcm += block.tobytes()
        if len(pcm) > 2 * RATE * max_seconds:
            raise LoadError(f"too long: at most {max_seconds / 3600:g} hours: cut it into parts")
    return np.frombuffer(pcm, np.int16)


def _resampled(frames: Iterable[Any]) -> Iterator[NDArray[np.int16]]:
    """Blocks of 16 kHz mono; a stream may change its rate or channels on the way."""
    import av

    fifo: Any = None
    resampler: Any = None
    kind = None
    for frame in frames:
        if kind != (kind := (frame.format.name, frame.layout.name, frame.sample_rate)):
            yield from _drained(fifo, resampler)
            fifo = av.AudioFifo()
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        frame.pts = None  # places in time are counted in samples
        fifo.write(frame)
        if fifo.samples >= _BATCH:
            yield from (out.to_ndarray()[0] for out in resampler.resample(fifo.read()))
    yield from _drained(fifo, resampler)


def _drained(fifo: Any, resampler: Any) -> Iterator[NDArray[np.int16]]:
    if fifo is None:
        return
    rest = [fifo.read()] if fifo.samples else []
    for frame in (*rest, None):
        yield from (out.to_ndarray()[0] for out in resampler.resample(frame))


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
