"""The first part of an item's content: enough to tell how long all of it would take."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import LoadError

from .audio import _segment
from .content import open_binary
from .sound import _CONTAINERS, RATE, _damage_told, _resampled, from_segment

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from pydub import AudioSegment

    from mmrag_nb.types import Content


def size(content: Content) -> int:
    """Bytes of a file, a body or a text; 0 for what lies decoded in memory."""
    if isinstance(content, Path):
        return content.stat().st_size
    if isinstance(content, str):
        return len(content.encode("utf-8", "replace"))
    return len(content) if isinstance(content, bytes) else 0


def first_bytes(content: Content, most: int) -> Content:
    """The beginning of a text, of at most ``most`` bytes (characters of a ``str``)."""
    if isinstance(content, str):
        return content[:most]
    if isinstance(content, Path):
        with content.open("rb") as file:
            head = file.read(most + 1)
    elif isinstance(content, bytes):
        head = content[: most + 1]
    else:
        return content
    if len(head) <= most:
        return content
    if b"\0" not in head:  # else UTF-16, of which an even number of bytes is as good as any
        while most and head[most] & 0xC0 == 0x80:  # within a character of UTF-8
            most -= 1
    return head[:most]


def sound_seconds(content: Content) -> float | None:
    """Length of a sound, as its file's header or what lies in memory tells; ``None`` where the header does not say.

    Raises
    ------
    LoadError
        It is no sound file, or damaged from its beginning.
    """
    import av

    if not _plain(content):
        return float(content.duration_seconds)  # type: ignore[union-attr]
    with _opened(content) as container:
        stream = container.streams.audio[0]
        if container.duration:
            return float(container.duration / av.time_base)
        return float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None


def first_seconds(content: Content, most: float) -> NDArray[np.int16]:
    """(n,) samples, 16 kHz mono, of at most ``most`` seconds from the beginning of a sound.

    Raises
    ------
    LoadError
        None of it can be decoded.
    """
    import numpy as np

    if not _plain(content):
        segment: AudioSegment = content
        return from_segment(segment[: round(1000 * most)], max_seconds=most + 1).pcm
    blocks: list[NDArray[np.int16]] = []
    with _opened(content) as container:
        for block in _resampled(_frames(container)):
            blocks.append(block)
            if sum(map(len, blocks)) >= RATE * most:
                break
    if not blocks:
        raise LoadError("no sound in it: zero samples")
    return np.concatenate(blocks)[: round(RATE * most)]


def _frames(container: Any) -> Iterator[Any]:
    """What can be decoded; as in `decode`, damaged packets are left out."""
    import av

    packets = container.demux(container.streams.audio[0])
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        with suppress(av.FFmpegError):
            yield from packet.decode()


def _plain(content: Content) -> bool:
    return isinstance(content, (Path, bytes, str))


@contextmanager
def _opened(content: Any) -> Iterator[Any]:
    import av

    with open_binary(content, max_bytes=1 << 40) as handle, _damage_told():
        # As in decode: by content rather than by name, named containers only.
        unnamed = SimpleNamespace(read=handle.read, seek=handle.seek, tell=handle.tell)
        tags = {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}
        with av.open(unnamed, mode="r", options={"format_whitelist": _CONTAINERS}, **tags) as container:
            if not container.streams.audio or container.streams.audio[0].codec_context is None:
                raise LoadError("no sound in it")
            yield container


def as_segment(pcm: NDArray[np.int16]) -> AudioSegment:
    """Samples, 16 kHz mono, as the sound in memory that loaders take."""
    return _segment(pcm)
