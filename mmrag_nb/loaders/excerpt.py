"""The first part of an item's content: enough to tell how long all of it would take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mmrag_nb.isolation.calling import stream

from .content import open_binary
from .segments import as_segment, segment_blocks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydub import AudioSegment

    from mmrag_nb.types import Content

__all__ = ["as_segment", "first_bytes", "first_seconds", "size", "sound_seconds"]

_MOST = 1 << 40


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
    if not isinstance(content, Path | bytes):
        return float(content.duration_seconds)  # type: ignore[union-attr]
    with open_binary(content, max_bytes=_MOST):
        pass
    ((said, _),) = stream("mmrag_nb.loaders.sound:length", content)
    seconds: float | None = said["seconds"]
    return seconds


def first_seconds(content: Content, most: float) -> NDArray[np.int16]:
    """(n,) samples, 16 kHz mono, of at most ``most`` seconds from the beginning of a sound.

    Raises
    ------
    LoadError
        None of it can be decoded.
    """
    import numpy as np

    if isinstance(content, Path | bytes):
        with open_binary(content, max_bytes=_MOST):
            pass
        blocks = stream("mmrag_nb.loaders.sound:blocks", content, until=most)
    else:
        segment: AudioSegment = content
        blocks = segment_blocks(segment[: round(1000 * most)])
    return np.concatenate([np.frombuffer(one, np.int16) for _, samples in blocks for one in samples])
