"""The sound of a recording or a film, of any length, as utterances: measured as it streams by, then cut in sections.

Where an utterance begins is told from the loudness of the whole recording. So the sound is gone through once to
measure it, block by block, and once more to cut it; what is short enough is kept in between.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from mmrag_nb.errors import LoadError
from mmrag_nb.types import LoadedChunk, LoadedItem

from .content import open_binary
from .measuring import Source, measure, played
from .resampling import RATE
from .segments import as_segment

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from mmrag_nb.types import Content

    from .measuring import Measured

    Spans = Sequence[tuple[float, float]]

SECTION = 60.0
"""Seconds of a section: what is in memory and committed at a time. Transcribers may take as long as the sound is."""


def sections(
    content: Content, *, max_seconds: float, min_seconds: float = 0.0, max_bytes: int, film: bool = False
) -> Iterator[LoadedItem]:
    """Yield the utterances of the first audio stream of a file, a minute at a time, always cut at the same places.

    Containers are those of sound files, and mp4, mov, mkv, webm, wmv. Foreign bytes are decoded in a process of their
    own. In memory are at most `HELD` bytes of samples (see :mod:`.measuring`), and some 15 bytes a frame of 20 ms:
    30 MB for 12 hours.

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
    from .utterances import spans

    if isinstance(content, Path | bytes):
        with open_binary(content, max_bytes=max_bytes):
            pass
    source = Source(content, film=film)
    measured = measure(source, max_seconds)
    if measured is None:
        return
    if measured.seconds < min_seconds:
        raise measured.broken or LoadError(f"too short: {measured.seconds:.2f} s of sound, at least {min_seconds:g} s")
    found = spans(measured.level(), measured.seconds)
    if not found and not film:
        raise measured.broken or LoadError("silent: nothing in it is louder than -60 dB")
    notes, facts = tuple(measured.notes(film=film)), measured.facts()
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


def _cut(measured: Measured, source: Source, found: Spans) -> Generator[NDArray[np.int16], None, None]:
    """The samples of each utterance, which may overlap; of the sound no more than one and a block is kept."""
    import numpy as np

    with closing(played(measured, source)) as blocks:
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
