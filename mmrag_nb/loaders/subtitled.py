"""The sound of a film whose words are known: cut as its subtitles are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmrag_nb.isolation.calling import stream
from mmrag_nb.types import LoadedChunk, LoadedItem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from .subtitles import Cue

SECTION = 180.0
"""Seconds of a section: what is in memory and committed at a time."""
LONGEST = 30.0
"""Seconds of a clip; a subtitle that stands for longer is heard from its beginning."""


def sections(content: Path | bytes, cues: Sequence[Cue]) -> Iterator[LoadedItem]:
    """Yield the utterances that ``cues`` are, in order, some minutes at a time.

    Chunks are of modality ``audio``, with their text, sound and a ``clip``; what begins where the sound has ended is
    ``text``. The last section has the preview ``peaks``.

    Raises
    ------
    LoadError
        The sound cannot be decoded.
    """
    import numpy as np

    from .clips import peaks
    from .resampling import BLOCK, RATE

    pcm, at = np.zeros(0, np.int16), 0
    extremes: list[NDArray[np.int16]] = []
    waiting, part = list(cues), []
    limit = SECTION
    notes: tuple[str, ...] = ()
    for said, samples in stream("mmrag_nb.loaders.sound:blocks", content, film=True):
        if said.get("damaged"):
            notes = (f"damaged: {said['damaged']} packets of its sound left out",)
        for one in samples:
            block = np.frombuffer(one, np.int16)
            pcm = np.concatenate([pcm, block])
            starts = np.arange(0, len(block), RATE // 50)
            extremes += [np.maximum.reduceat(block, starts), np.minimum.reduceat(block, starts)]
        there = at + len(pcm)
        while waiting and _last(waiting[0]) * RATE <= there:
            part.append(_chunk(waiting.pop(0), pcm, at))
        if there >= (limit + LONGEST) * RATE and not (waiting and waiting[0].start < limit):
            yield LoadedItem(tuple(chunk for chunk in part if (chunk.start or 0) < limit), reached=limit)
            part = [chunk for chunk in part if (chunk.start or 0) >= limit]
            limit += SECTION
        needed = min(waiting[0].start * RATE if waiting else there, there - BLOCK)
        gone = min(max(0, int(needed) - at), len(pcm))
        pcm, at = pcm[gone:], at + gone
    part += [_chunk(cue, pcm, at) for cue in waiting]
    shown = {"peaks": peaks(np.concatenate(extremes))} if extremes else {}
    yield LoadedItem(tuple(part), notes, previews=shown, reached=(at + len(pcm)) / RATE)


def _last(cue: Cue) -> float:
    return min(cue.end, cue.start + LONGEST)


def _chunk(cue: Cue, pcm: NDArray[np.int16], at: int) -> LoadedChunk:
    from .clips import clip
    from .resampling import RATE
    from .segments import as_segment

    first, last = (max(0, round(seconds * RATE) - at) for seconds in (cue.start, _last(cue)))
    cut = pcm[first:last]
    if not len(cut):
        return LoadedChunk("text", cue.text, cue.start, cue.end)
    previews: dict[str, Any] = {"clip": clip(cut, RATE)}
    return LoadedChunk("audio", cue.text, cue.start, cue.end, audio=as_segment(cut), previews=previews)
