"""The sound of a recording or a film, of any length, as utterances: measured as it streams by, then cut in sections.

Where an utterance begins is told from the loudness of the whole recording. So the sound is gone through once to
measure it, block by block, and once more to cut it; what is short enough is kept in between.
"""

from __future__ import annotations

import warnings
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import LoadError
from mmrag_nb.isolation.calling import stream
from mmrag_nb.types import LoadedChunk, LoadedItem

from .content import open_binary

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from pydub import AudioSegment

    from mmrag_nb.types import Content, Preview

    from .sound import Block

    Spans = Sequence[tuple[float, float]]

SECTION = 180.0
"""Seconds of a section: what is in memory and committed at a time."""
HELD = 40_000_000
"""Bytes of samples in memory at a time (40 MB, 20 minutes); what is longer is decoded a second time to be cut."""
_OFFSET = 0.3
"""Of the sound's deviation; a mean that is further from zero would drown the pauses, and is taken off."""
_BLOCKS = "mmrag_nb.loaders.sound:blocks"


def sections(
    content: Content, *, max_seconds: float, min_seconds: float = 0.0, max_bytes: int, film: bool = False
) -> Iterator[LoadedItem]:
    """Yield the utterances of the first audio stream of a file, some minutes at a time, always cut at the same places.

    Containers are those of sound files, and mp4, mov, mkv, webm, wmv. Foreign bytes are decoded in a process of their
    own. At most `HELD` bytes of samples are in memory, and some 15 bytes a frame of 20 ms (30 MB for 12 hours).

    Parameters
    ----------
    content
        A file, a body, or a sound in memory.
    max_seconds, min_seconds
        Longest and shortest recording that is taken.
    max_bytes
        Largest file that is read.
    film
        Whether it is a film's: times are then those of its pictures (sound that begins late, or has gaps, is filled
        with silence); where it has no sound stream, nothing is yielded, and where it is silent, no chunk. Otherwise
        both are errors.

    Yields
    ------
    LoadedItem
        Chunks of modality ``audio`` with ``start`` and ``end`` in seconds, 16 kHz mono sound and a ``clip`` preview;
        a section may have none. ``reached`` and ``of`` in seconds: each section holds the utterances that end after
        what the one before reached, and not after its own ``reached``. The first one has the notes, the facts
        (``seconds``; ``rate`` in Hz and ``channels`` of the original) and the preview ``peaks``.

    Raises
    ------
    LoadError
        The content is missing, damaged, silent, too long or too short, or holds no sound. Raised after some sections
        where its decoder crashed or hung on the way: they stand.
    """
    from .clips import clip
    from .sound import RATE
    from .utterances import spans

    if isinstance(content, Path | bytes):
        with open_binary(content, max_bytes=max_bytes):
            pass
    source = _Source(content, film=film)
    measured = _measured(source, max_seconds)
    if measured is None:
        return
    if measured.seconds < min_seconds:
        raise measured.broken or LoadError(f"too short: {measured.seconds:.2f} s of sound, at least {min_seconds:g} s")
    found = spans(measured.level(), measured.seconds)
    if not found and not film:
        raise measured.broken or LoadError("silent: nothing in it is louder than -60 dB")
    notes, facts = tuple(_notes(measured, film=film)), measured.facts()
    previews = {"peaks": measured.peaks()}
    with closing(_cut(measured, source, found)) as cuts:
        for part, reached in _sections(found, measured.seconds):
            chunks = []
            for start, end in part:
                pcm = next(cuts)
                audio, played = as_segment(pcm), {"clip": clip(pcm, RATE)}
                chunks.append(LoadedChunk("audio", start=start, end=end, audio=audio, previews=played))
            yield LoadedItem(tuple(chunks), notes, facts, previews, reached, measured.seconds, "seconds")
            notes, facts, previews = (), {}, {}
    if measured.broken is not None:
        raise measured.broken


def as_segment(pcm: NDArray[np.int16]) -> AudioSegment:
    """Samples, 16 kHz mono, as the sound in memory that loaders make and take."""
    from .sound import RATE

    segment: AudioSegment = segment_class()(pcm.tobytes(), sample_width=2, frame_rate=RATE, channels=1)
    return segment


@cache
def segment_class() -> Any:
    """The ``AudioSegment`` of pydub."""
    with warnings.catch_warnings():  # nothing here runs the program that pydub looks for on import
        warnings.filterwarnings("ignore", "Couldn't find ffmpeg or avconv", RuntimeWarning)
        from pydub import AudioSegment
    return AudioSegment


@dataclass(frozen=True)
class _Source:
    """Where samples come from, as often as they are wanted."""

    content: Content
    film: bool

    def blocks(self, channel: int | None, until: float | None = None) -> Generator[Block, None, None]:
        from .sound import segment_blocks

        if isinstance(self.content, Path | bytes):
            yield from stream(_BLOCKS, self.content, film=self.film, channel=channel, until=until)
        elif isinstance(self.content, segment_class()):
            yield from segment_blocks(self.content, channel=channel)
        else:
            raise LoadError(f"not a sound but an object of type {type(self.content).__name__}")


@dataclass
class _Measured:
    """What is known of a recording once it has gone by."""

    channel: int | None = None
    """The only one that is taken."""
    offset: int = 0
    """Taken off each sample."""
    said: dict[str, Any] = field(default_factory=dict)
    samples: int = 0
    total: int = 0
    """Sum of all samples."""
    levels: list[NDArray[np.float32]] = field(default_factory=list)
    extremes: list[NDArray[np.int16]] = field(default_factory=list)
    held: list[NDArray[np.int16]] | None = field(default_factory=list)
    """All of the sound; ``None`` where it is too long."""
    broken: LoadError | None = None
    """What ended it before its time."""

    @property
    def seconds(self) -> float:
        from .sound import RATE

        return self.samples / RATE

    def mean(self) -> int:
        """What all samples are to be lowered by: their mean where it is far from zero, else 0."""
        import numpy as np

        mean = self.total / self.samples
        power = float(np.mean(10 ** (self.level() / 10))) * 32768**2
        far = abs(mean) > max(32, _OFFSET * max(0.0, power - mean**2) ** 0.5)  # 32: the loudness of silence
        return round(mean) if far else 0

    def level(self) -> NDArray[np.float32]:
        import numpy as np

        return np.concatenate(self.levels)

    def peaks(self) -> Preview:
        import numpy as np

        from .clips import peaks

        return peaks(np.concatenate(self.extremes if self.held is None else self.held))

    def facts(self) -> dict[str, Any]:
        return {"seconds": round(self.seconds, 3), "rate": self.said["rate"], "channels": self.said["channels"]}

    def add(self, block: NDArray[np.int16]) -> None:
        """Take in the next samples."""
        import numpy as np

        from .sound import RATE
        from .utterances import loudness

        self.samples += len(block)
        self.total += int(block.sum(dtype=np.int64))
        block = centred(block, self.offset)
        self.levels.append(loudness(block, RATE))
        starts = np.arange(0, len(block), RATE // 50)
        highest, lowest = np.maximum.reduceat(block, starts), np.minimum.reduceat(block, starts)
        self.extremes.append(np.stack([highest, lowest], axis=1).ravel())
        if self.held is not None:
            self.held.append(block)
            if 2 * self.samples > HELD:
                self.held = None


def centred(pcm: NDArray[np.int16], offset: int) -> NDArray[np.int16]:
    """Samples without a constant ``offset``."""
    import numpy as np

    if not offset:
        return pcm
    return np.clip(pcm.astype(np.int32) - offset, -32768, 32767).astype(np.int16)


def _measured(source: _Source, max_seconds: float) -> _Measured | None:
    """Go through a recording; once more where a channel spoils it, or a mean off zero. ``None``: no sound in a film."""
    channel, offset = None, 0
    while True:
        measured = _through(source, max_seconds, channel, offset)
        if measured is None:
            return None
        only = measured.said.get("channel")
        mean = 0 if offset else measured.mean()
        if only is None and not mean:
            return measured
        channel, offset = (only, 0) if only is not None else (channel, mean)


def _through(source: _Source, max_seconds: float, channel: int | None = None, offset: int = 0) -> _Measured | None:
    import numpy as np

    from .sound import too_long

    measured = _Measured(channel, offset)
    said: dict[str, Any]
    samples: tuple[bytes, ...] | None
    with closing(source.blocks(channel)) as blocks:
        while True:
            try:
                said, samples = next(blocks, ({}, None))
            except LoadError as error:
                if not measured.samples:
                    raise
                measured.broken = error
                return measured
            if samples is None:
                break
            measured.said |= said
            for one in samples:
                measured.add(np.frombuffer(one, np.int16))
            if measured.seconds > max_seconds:
                raise too_long(max_seconds)
    return measured if measured.said["channels"] else None


def _cut(measured: _Measured, source: _Source, found: Spans) -> Generator[NDArray[np.int16], None, None]:
    """The samples of each utterance, which may overlap; of the sound no more than one and a block is kept."""
    import numpy as np

    from .sound import RATE

    with closing(_played(measured, source)) as blocks:
        pcm, at = np.zeros(0, np.int16), 0
        for start, end in found:
            first, last = round(start * RATE), min(round(end * RATE), measured.samples)
            while at + len(pcm) < last:
                block = next(blocks, None)
                if block is None:
                    raise LoadError("it changed while it was read: index it again")
                gone = min(max(0, first - at), len(pcm))
                pcm, at = np.concatenate([pcm[gone:], block]), at + gone
            yield pcm[first - at : last - at].copy()


def _played(measured: _Measured, source: _Source) -> Generator[NDArray[np.int16], None, None]:
    import numpy as np

    if measured.held is not None:
        yield from measured.held
        return
    with closing(source.blocks(measured.channel, measured.seconds)) as blocks:
        for _, samples in blocks:
            for one in samples:
                yield centred(np.frombuffer(one, np.int16), measured.offset)


def _sections(found: Spans, seconds: float) -> Iterator[tuple[Spans, float]]:
    """Utterances of `SECTION` at a time, and where each section ends; long silence makes sections without any."""
    part: list[tuple[float, float]] = []
    limit = SECTION
    for span in found:
        while span[1] > limit:
            reached = part[-1][1] if part else limit
            yield part, reached
            part, limit = [], reached + SECTION
        part.append(span)
    while seconds > limit:
        reached = part[-1][1] if part else limit
        yield part, reached
        part, limit = [], reached + SECTION
    yield part, seconds


def _notes(measured: _Measured, *, film: bool) -> Iterator[str]:
    said = measured.said
    if said.get("damaged"):
        yield f"damaged: {said['damaged']} packets left out"
    short = not film and measured.seconds < 0.95 * said["claimed"]  # a film may go on without a sound
    if measured.broken is None and short:  # decoders skip damage in silence, too
        yield f"{measured.seconds:.1f} s decoded of the {said['claimed']:.1f} s that its header claims"
    if measured.channel is not None:
        yield f"only channel {measured.channel + 1} of 2 is heard: the other is its reverse, and would cancel it"
