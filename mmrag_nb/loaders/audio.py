"""Recordings to utterances."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydub import AudioSegment

    from mmrag_nb.types import Content, LoadedItem, Modality, Samples

SUFFIXES = frozenset(
    ".wav .w64 .mp3 .flac .ogg .oga .opus .spx .m4a .m4b .aac .aif .aiff .aifc .au .snd .caf .wma .mka .amr".split()
)
MEDIA_TYPES = frozenset(
    "audio/wav audio/x-wav audio/wave audio/vnd.wave audio/mpeg audio/mp3 audio/flac audio/x-flac audio/ogg "
    "audio/opus audio/mp4 audio/x-m4a audio/aac audio/aiff audio/x-aiff audio/basic audio/x-caf audio/x-ms-wma "
    "audio/x-matroska audio/webm audio/amr application/ogg".split()
)
MAX_SECONDS = 12 * 3600.0
"""Longest recording."""
MIN_SECONDS = 0.1
"""Shortest recording."""
MAX_BYTES = 10_000_000_000
"""Largest file: twelve hours of uncompressed stereo at 48 kHz."""


class AudioLoader:
    """One chunk an utterance, as a 16 kHz mono ``pydub.AudioSegment``; its text is the transcriber's to add.

    Parameters
    ----------
    max_seconds
        Longest recording that is decoded.
    min_seconds
        Shortest recording that is taken for sound.
    max_bytes
        Largest file that is read.
    """

    modality: Modality = "audio"
    version = "audio-1"

    def __init__(
        self, *, max_seconds: float = MAX_SECONDS, min_seconds: float = MIN_SECONDS, max_bytes: int = MAX_BYTES
    ) -> None:
        self._limits = {"max_seconds": max_seconds, "min_seconds": min_seconds, "max_bytes": max_bytes}

    def load(self, content: Content, name: str) -> LoadedItem:
        """Read a file, a downloaded body or an ``AudioSegment`` into one chunk per utterance.

        Facts: ``seconds``; ``rate`` (Hz) and ``channels`` of the original. Previews: ``peaks``; of each chunk ``clip``.

        Raises
        ------
        LoadError
            The content is missing, damaged, silent, too long or too short, or holds no sound.
        """
        parts = list(self.sections(content, name))
        chunks = tuple(chunk for part in parts for chunk in part.chunks)
        return replace(parts[0], chunks=chunks, reached=parts[-1].reached)

    def sections(self, content: Content, name: str) -> Iterator[LoadedItem]:  # noqa: ARG002  # told by the content
        """Read ``content`` as :meth:`load` does, a minute at a time: :func:`mmrag_nb.loaders.track.sections`."""
        from .track import sections

        return sections(content, **self._limits)  # type: ignore[arg-type]


def samples(segment: AudioSegment) -> Samples:
    """(n,) float32 in [-1, 1] of a mono segment, at its own rate."""
    import numpy as np

    if segment.channels != 1:
        raise ValueError(f"mono expected, got {segment.channels} channels")
    scale = np.float32(2.0 ** (8 * segment.sample_width - 1))
    return np.frombuffer(segment.raw_data, np.dtype(f"<i{segment.sample_width}")).astype(np.float32) / scale
