"""Speech to text while indexing, utterance by utterance; what was heard before is not heard again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .errors import MMRagError
from .insight.spoken import noted
from .reports import Skipped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .parts import Parts
    from .protocols import Progress, Transcriber
    from .types import LoadedChunk, Preview, Samples
    from .workload import Tally, Work

SECONDS = " (seconds)"
"""Ends the name of a stage whose progress is counted in seconds of sound."""
_LISTENED = 8
"""Utterances at most that are transcribed between two reports of progress, of :data:`_SECONDS`."""
_SECONDS = 20.0
"""Of sound, so that a transcriber that takes as long as the sound is can be interrupted, too; one may be longer."""


def transcribe(works: list[Work], parts: Parts, tally: Tally, progress: Progress) -> list[Work]:
    """Fill the texts of utterances; sounds that no transcriber can be had for are skipped, saying why."""
    for work in works:
        _recall(work)
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
                work.unheard = True
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


def _recall(work: Work) -> None:
    """Take over what was heard by an earlier run."""
    chunks = list(work.loaded.chunks)
    for place, chunk in enumerate(chunks):
        before = work.transcripts.get((chunk.start, chunk.end))
        if before is not None and _unheard(place, work, recall=False):
            chunks[place] = _spoken(chunk, *before)
    work.loaded = replace(work.loaded, chunks=tuple(chunks))


def _unheard(place: int, work: Work, *, recall: bool = True) -> bool:
    """Whether the sound of a chunk is still to be transcribed: it has no text yet, and no run before heard it."""
    chunk = work.loaded.chunks[place]
    known = recall and (chunk.start, chunk.end) in work.transcripts
    return chunk.audio is not None and not chunk.text and not known


def _hear(work: Work, transcriber: Transcriber, tally: Tally, progress: Progress) -> None:
    from .loaders.audio import samples

    chunks = list(work.loaded.chunks)
    places = [place for place in range(len(chunks)) if _unheard(place, work)]
    sounds = {place: audio for place in places if (audio := chunks[place].audio) is not None}
    clips = {place: samples(audio.set_frame_rate(transcriber.rate)) for place, audio in sounds.items()}
    told = _language(work, list(clips.values()), transcriber, tally)
    ends = max(chunks[place].end or 0.0 for place in places)
    of = max(1, round(work.loaded.of or ends))
    for some in _together(chunks, places, getattr(transcriber, "at_once", _SECONDS)):
        progress(f"transcribing {work.item.name}{SECONDS}", round(chunks[some[0]].start or 0.0), of)
        texts = transcriber.transcribe([clips[place] for place in some], **told)
        for place, text in zip(some, texts, strict=True):
            chunks[place] = _spoken(chunks[place], text, noted(text))
    progress(f"transcribing {work.item.name}{SECONDS}", round(ends), of)
    work.loaded = replace(work.loaded, chunks=tuple(chunks))
    _tell(work, sum(not chunks[place].text for place in places), len(places), tally)


def _together(chunks: Sequence[LoadedChunk], places: Sequence[int], most: float) -> list[list[int]]:
    """Which of the utterances at ``places`` are handed over at once: ``most`` seconds of sound."""
    listened = round(_LISTENED * most / _SECONDS)
    groups: list[list[int]] = []
    seconds = 0.0
    for place in places:
        length = (chunks[place].end or 0.0) - (chunks[place].start or 0.0)
        if not groups or len(groups[-1]) == listened or seconds + length > most:
            groups.append([])
            seconds = 0.0
        groups[-1].append(place)
        seconds += length
    return groups


def _language(work: Work, clips: Sequence[Samples], transcriber: Transcriber, tally: Tally) -> dict[str, str]:
    """What a transcriber that tells languages apart is to be handed with ``clips``: theirs, told by all together."""
    tells = getattr(transcriber, "language_of", None)
    language = tells(clips) if tells is not None else ""
    if not language:
        return {}
    tally.note(work.item.name, f"heard as language {language}")
    return {"language": language}


def _tell(work: Work, silent: int, listened: int, tally: Tally) -> None:
    """Note in how many utterances no words were heard, in all sections so far."""
    name = work.item.name
    before = tally.listened.get(work.item.id, (0, 0))
    now = tally.listened[work.item.id] = before[0] + silent, before[1] + listened
    if before[0]:
        tally.notes.pop((name, _wordless(*before)), None)
    if now[0]:
        tally.note(name, _wordless(*now))


def _wordless(silent: int, listened: int) -> str:
    return f"no words heard in {silent:,} of {listened:,} utterances"


def _spoken(chunk: LoadedChunk, text: str, words: Mapping[str, Preview]) -> LoadedChunk:
    return replace(chunk, text=str(text), previews={**chunk.previews, **words})
