"""Sound files to 16 kHz mono, block by block, with FFmpeg's libraries as PyAV brings them.

Foreign files are decoded in a process of their own, see :mod:`.track`; what runs there is :func:`blocks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import LoadError

from .container import decoded, opened, seconds
from .resampling import RATE, Power, regular, resampled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    import numpy as np
    from numpy.typing import NDArray

    Block = tuple[dict[str, Any], tuple[bytes, ...]]

_CONTAINERS = "wav,w64,mp3,flac,ogg,mov,mp4,m4a,aac,aiff,au,caf,asf,matroska,webm,amr,avi"


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
    with opened(handle, _CONTAINERS, "sound") as container:
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
        claimed = seconds(container.duration)
        yield {"rate": codec.sample_rate, "channels": codec.channels, "claimed": claimed}, ()
        begins = seconds(container.start_time) if film else None
        mono = resampled(chain([first], frames), channel, power, begins, claimed)
        some = 0
        for block in regular(mono, None if until is None else round(until * RATE)):
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
    with opened(handle, _CONTAINERS, "sound") as container:
        stream = _stream(container)
        told = seconds(container.duration) or None
        if told is None and stream.duration and stream.time_base:
            told = float(stream.duration * stream.time_base)
        yield {"seconds": told}, ()


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


def too_long(max_seconds: float) -> LoadError:
    """The error of a recording that is longer."""
    return LoadError(f"too long: at most {max_seconds / 3600:g} hours: cut it into parts")


class _Damage:
    """Counts packets that cannot be decoded."""

    packets = 0


def _stream(container: Any) -> Any:
    if not container.streams.audio:
        raise LoadError("no sound in it")
    stream = container.streams.audio[0]
    if stream.codec_context is None:  # older PyAVs end the process when asked to decode it
        raise LoadError("damaged, or of an unknown codec: convert it to WAV or MP3")
    return stream


def _frames(container: Any, stream: Any, damage: _Damage) -> Iterator[Any]:
    for _, frames in decoded(container, stream):
        if frames is None:
            damage.packets += 1
        else:
            yield from (frame for frame in frames if frame.samples)
