"""Speech to text while indexing, utterance by utterance; what was heard before is not heard again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .errors import MMRagError
from .insight.spoken import WORDS, noted
from .reports import Skipped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .catalog.catalog import Catalog
    from .parts import Parts
    from .protocols import Progress, Transcriber
    from .types import LoadedChunk, Preview
    from .workload import Tally, Work

_LISTENED = 8
"""Utterances that are transcribed between two reports of progress."""


def transcribe(works: list[Work], parts: Parts, catalog: Catalog, tally: Tally, progress: Progress) -> list[Work]:
    """Fill the texts of utterances; sounds that no transcriber can be had for are skipped, saying why."""
    for work in works:
        _recall(work, catalog)
    silent = [work for work in works if any(_unheard(place, work) for place in range(len(work.loaded.chunks)))]
    if not silent:
        return works
    try:
        with tally.clock("models"):
            transcriber = parts.transcriber(progress)
    except MMRagError as error:
        for work in silent:
            if work.item.modality == "audio":
                tally.skipped.append(Skipped(work.item.uri, str(error)))
            else:  # there is more to a video than what is said in it
                tally.note(work.item.name, f"not transcribed: {error}")
        return [work for work in works if work not in silent or work.item.modality != "audio"]
    if transcriber is None:
        for work in silent:
            tally.note(work.item.name, "not transcribed: speech is set to none")
        return works
    tally.models[transcriber.description] = None
    for work in silent:
        with tally.clock("transcribe"):
            _hear(work, transcriber, tally, progress)
    return works


def _recall(work: Work, catalog: Catalog) -> None:
    """Take over what was heard by an earlier run."""
    chunks = list(work.loaded.chunks)
    for place, (chunk, text) in enumerate(zip(chunks, work.transcripts[work.first :], strict=False)):
        if _unheard(place, work, recall=False):
            words = catalog.previews(work.item.id, work.first + place, (WORDS,))
            chunks[place] = _spoken(chunk, text, words)
    work.loaded = replace(work.loaded, chunks=tuple(chunks))


def _unheard(place: int, work: Work, *, recall: bool = True) -> bool:
    """Whether the sound of a chunk is still to be transcribed: it has no text yet, and no run before heard it."""
    chunk = work.loaded.chunks[place]
    known = recall and work.first + place < len(work.transcripts)
    return chunk.audio is not None and not chunk.text and not known


def _hear(work: Work, transcriber: Transcriber, tally: Tally, progress: Progress) -> None:
    from .loaders.audio import samples

    chunks = list(work.loaded.chunks)
    places = [place for place in range(len(chunks)) if _unheard(place, work)]
    for start in range(0, len(places), _LISTENED):
        progress(f"transcribing {work.item.name}", start, len(places))
        some = places[start : start + _LISTENED]
        clips = [chunks[place].audio for place in some]
        texts = transcriber.transcribe([samples(clip.set_frame_rate(transcriber.rate)) for clip in clips if clip])
        for place, text in zip(some, texts, strict=True):
            chunks[place] = _spoken(chunks[place], text, noted(text))
    work.loaded = replace(work.loaded, chunks=tuple(chunks))
    silent = sum(not chunks[place].text for place in places)
    if silent:
        tally.note(work.item.name, f"no words heard in {silent} of {len(places)} utterances")


def _spoken(chunk: LoadedChunk, text: str, words: Mapping[str, Preview]) -> LoadedChunk:
    return replace(chunk, text=str(text), previews={**chunk.previews, **words})
