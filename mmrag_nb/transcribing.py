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
    from .protocols import Progress
    from .types import LoadedChunk, Preview
    from .workload import Tally, Work

_LISTENED = 8
"""Utterances that are transcribed between two reports of progress."""


def transcribe(works: list[Work], parts: Parts, catalog: Catalog, tally: Tally, progress: Progress) -> list[Work]:
    """Fill the texts of utterances; items that no transcriber can be had for are skipped, saying why."""
    for work in works:
        if work.transcripts:
            spoken = tuple(
                _spoken(chunk, text, catalog.previews(work.item.id, ordinal, (WORDS,)))
                if chunk.audio is not None
                else chunk
                for ordinal, (chunk, text) in enumerate(zip(work.loaded.chunks, work.transcripts, strict=False))
            )
            work.loaded = replace(work.loaded, chunks=spoken + work.loaded.chunks[len(spoken) :])
    heard = [
        work for work in works if not work.transcripts and any(chunk.audio is not None for chunk in work.loaded.chunks)
    ]
    if not heard:
        return works
    from .loaders.audio import samples

    try:
        with tally.clock("models"):
            transcriber = parts.transcriber(progress)
    except MMRagError as error:
        tally.skipped += [Skipped(work.item.uri, str(error)) for work in heard]
        return [work for work in works if work not in heard]
    if transcriber is None:
        tally.notes += [(work.item.name, "not transcribed: speech is set to none") for work in heard]
        return works
    tally.models[transcriber.description] = None
    for work in heard:
        clips = [chunk.audio for chunk in work.loaded.chunks if chunk.audio is not None]
        heard_so_far: list[str] = []
        with tally.clock("transcribe"):
            for start in range(0, len(clips), _LISTENED):
                progress(f"transcribing {work.item.name}", start, len(clips))
                some = [samples(clip.set_frame_rate(transcriber.rate)) for clip in clips[start : start + _LISTENED]]
                heard_so_far += transcriber.transcribe(some)
        texts = iter(heard_so_far)
        chunks = tuple(
            chunk if chunk.audio is None else _spoken(chunk, text := next(texts), noted(text))
            for chunk in work.loaded.chunks
        )
        silent = sum(1 for chunk in chunks if chunk.audio is not None and not chunk.text)
        if silent:
            tally.notes.append((work.item.name, f"no words heard in {silent} of {len(clips)} utterances"))
        work.loaded = replace(work.loaded, chunks=chunks)
    return works


def _spoken(chunk: LoadedChunk, text: str, words: Mapping[str, Preview]) -> LoadedChunk:
    return replace(chunk, text=str(text), previews={**chunk.previews, **words})
