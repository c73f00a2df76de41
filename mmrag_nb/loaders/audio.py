"""Recordings to utterances."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import LoadError
from mmrag_nb.types import LoadedChunk, LoadedItem

from .content import open_binary

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from pydub import AudioSegment

    from mmrag_nb.types import Content, Modality, Samples

    from .sound import Sound

SUFFIXES = frozenset(
    ".wav .w64 .mp3 .flac .ogg .oga .opus .spx .m4a .m4b .aac .aif .aiff .aifc .au .snd .caf .wma .mka .amr".split()
)
MEDIA_TYPES = frozenset(
    "audio/wav audio/x-wav audio/wave audio/vnd.wave audio/mpeg audio/mp3 audio/flac audio/x-flac audio/ogg "
    "audio/opus audio/mp4 audio/x-m4a audio/aac audio/aiff audio/x-aiff audio/basic audio/x-caf audio/x-ms-wma "
    "audio/x-matroska audio/webm audio/amr application/ogg".split()
)
MAX_SECONDS = 3 * 3600.0
"""Longest recording; as samples it takes 345 MB, twice while it is cut."""
MIN_SECONDS = 0.1
"""Shortest recording."""
MAX_BYTES = 2_200_000_000
"""Largest file: three hours of uncompressed stereo at 48 kHz."""


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
        self._max_seconds = max_seconds
        self._min_seconds = min_seconds
        self._max_bytes = max_bytes

    def load(self, content: Content, name: str) -> LoadedItem:  # noqa: ARG002  # FFmpeg tells the format by the content
        """Read a file, a downloaded body or an ``AudioSegment`` into one chunk per utterance.

        Facts: ``seconds``; ``rate`` (Hz) and ``channels`` of the original. Previews: ``peaks``; of each chunk ``clip``.

        Raises
        ------
        LoadError
            The content is missing, damaged, silent, too long or too short, or holds no sound.
        """
        from .clips import clip, peaks
        from .sound import RATE
        from .utterances import utterances

        sound = self._decoded(content)
        seconds = len(sound.pcm) / RATE
        if seconds < self._min_seconds:
            raise LoadError(f"too short: {seconds:.2f} s of sound, at least {self._min_seconds:g} s")
        spans = utterances(sound.pcm, RATE)
        if not spans:
            raise LoadError("silent: nothing in it is louder than -60 dB")
        chunks = []
        for start, end in spans:
            cut = sound.pcm[round(start * RATE) : round(end * RATE)]
            chunks.append(
                LoadedChunk("audio", start=start, end=end, audio=_segment(cut), previews={"clip": clip(cut, RATE)})
            )
        return LoadedItem(
            chunks=tuple(chunks),
            notes=tuple(_notes(sound, seconds)),
            facts={"seconds": round(seconds, 3), "rate": sound.rate, "channels": sound.channels},
            previews={"peaks": peaks(sound.pcm)},
        )

    def sections(self, content: Content, name: str) -> Iterator[LoadedItem]:
        """Read ``content`` as :meth:`load` does."""
        yield self.load(content, name)

    def _decoded(self, content: Content) -> Sound:
        from .sound import decode, from_segment

        if isinstance(content, (Path, bytes)):
            with open_binary(content, max_bytes=self._max_bytes) as handle:
                return decode(handle, max_seconds=self._max_seconds)
        if isinstance(content, _segment_class()):
            return from_segment(content, max_seconds=self._max_seconds)
        raise LoadError(f"not a sound but an object of type {type(content).__name__}")


def _notes(sound: Sound, seconds: float) -> Iterator[str]:
    if sound.damaged:
        yield f"damaged: {sound.damaged} packets left out"
    if seconds < 0.95 * sound.claimed:  # decoders skip damage in silence, too
        yield f"{seconds:.1f} s decoded of the {sound.claimed:.1f} s that its header claims"


def samples(segment: AudioSegment) -> Samples:
    """(n,) float32 in [-1, 1] of a mono segment, at its own rate."""
    import numpy as np

    if segment.channels != 1:
        raise ValueError(f"mono expected, got {segment.channels} channels")
    scale = np.float32(2.0 ** (8 * segment.sample_width - 1))
    return np.frombuffer(segment.raw_data, np.dtype(f"<i{segment.sample_width}")).astype(np.float32) / scale


def _segment(pcm: NDArray[np.int16]) -> AudioSegment:
    from .sound import RATE

    segment: AudioSegment = _segment_class()(pcm.tobytes(), sample_width=2, frame_rate=RATE, channels=1)
    return segment


@cache
def _segment_class() -> Any:
    with warnings.catch_warnings():  # nothing here runs the program that pydub looks for on import
        warnings.filterwarnings("ignore", "Couldn't find ffmpeg or avconv", RuntimeWarning)
        from pydub import AudioSegment
    return AudioSegment
