"""What is seen and what is said in a film, put together section by section."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mmrag_nb.errors import LoadError
from mmrag_nb.types import LoadedChunk, LoadedItem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from mmrag_nb.types import Preview

    from .subtitles import Cue, Subtitles
    from .video_pictures import Pictures

SECTION = 180.0
"""Seconds of a section where no sound says where to cut."""
_OVERLAP = 5.0
"""Seconds by which an utterance may begin before the section it belongs to."""


@dataclass
class Whole:
    """One film on its way, section by section."""

    pictures: Pictures
    content: Path | bytes
    found: Subtitles | None
    how: str
    """What becomes of subtitles."""
    max_seconds: float
    max_bytes: int
    frames: int = 0
    heard: int = 0
    reached: float = 0.0
    """Seconds of sound."""
    telling: float = 0.0
    shown: tuple[float, Preview] | None = None
    """The last frame's thumbnail, and when it began."""
    words: list[Cue] = field(default_factory=list)
    """Subtitles that are still to be told as text."""

    def sections(self) -> Iterator[LoadedItem]:
        """Read it all; see :meth:`mmrag_nb.loaders.video.VideoLoader.sections`."""
        pictures, found = self.pictures, self.found
        cues: Sequence[Cue] = ()
        if found is not None:
            cues = found.cues
            pictures.notes += found.notes
        if cues and found is not None:
            how = " instead of a transcript" if self.how == "instead" else " beside the transcript"
            pictures.notes.append(f"subtitles {found.source} are used{how * pictures.head['sound']}")
            pictures.facts["subtitles"] = found.source
        yield from self._heard(cues)
        heard_until = reached = self.reached
        while True:
            pictures.until(reached + SECTION)
            if pictures.ended:
                break
            reached += SECTION
            yield self._section([], reached)
        end = max(pictures.end, heard_until)
        last = self._section([], float("inf"), end=end)
        if not self.frames and not self.heard:
            raise pictures.broken or LoadError(self._nothing(last.notes))
        yield last

    def _heard(self, cues: Sequence[Cue]) -> Iterator[LoadedItem]:
        """As far as there is sound; cues that are not heard with it stay to be told."""
        pictures = self.pictures
        self.words = list(cues)
        if not pictures.head["sound"]:
            return
        sound: Iterable[LoadedItem]
        if instead := bool(cues) and self.how == "instead":
            from .subtitled import sections as subtitled

            sound, self.words = subtitled(self.content, cues), []
            pictures.facts["transcript"] = pictures.facts["subtitles"]
        else:
            from .track import sections as heard

            sound = heard(self.content, max_seconds=self.max_seconds, max_bytes=self.max_bytes, film=True)
        told = 0
        try:
            for part in sound:
                self.reached = part.reached
                told += len(part.chunks)
                yield self._section(list(part.chunks), self.reached, part)
        except LoadError as error:
            pictures.notes.append(f"sound left out{' from there on' if self.reached else ''}: {error}")
            if instead:
                self.words = list(cues[told:])

    def _nothing(self, notes: Sequence[str]) -> str:
        told = [note for note in notes if note.startswith(("sound left out", "damaged"))]
        if told:
            return "; ".join(told)
        if not self.pictures.head["pictures"]:
            return "silent, and without pictures: nothing in it is louder than -60 dB"
        return "damaged: none of its pictures can be decoded, and nothing is heard"

    def _section(
        self, chunks: list[LoadedChunk], until: float, part: LoadedItem | None = None, end: float | None = None
    ) -> LoadedItem:
        """What is seen and said up to ``until``: frames, utterances, words; last of all, the ``end`` is known."""
        pictures = self.pictures
        pictures.until(until)
        frames = pictures.before(until)
        reel = pictures.reel
        own = [frame.chunk(reel.cut(frame.start) if reel is not None else None) for frame in frames]
        spoken = [cue for cue in self.words if cue.start < until]
        self.words = self.words[len(spoken) :]
        chunks = [*chunks, *(LoadedChunk("text", cue.text, cue.start, cue.end) for cue in spoken)]
        seen = [(frame.start, chunk.previews["thumbnail"]) for frame, chunk in zip(frames, own, strict=True)]
        seen = [self.shown, *seen] if self.shown is not None else seen
        chunks = [self._with_film(chunk, seen) for chunk in chunks]
        self.shown = seen[-1] if seen else None
        previews: dict[str, Preview] = dict(part.previews) if part is not None else {}
        for frame, chunk in zip(frames, own, strict=True):
            telling = frame.detail * min(frame.end - frame.start, 20.0)
            if telling > self.telling:
                self.telling = telling
                previews["thumbnail"] = chunk.previews["thumbnail"]
        if reel is not None and end is None:
            reel.forget(until - _OVERLAP)
        self.frames += len(frames)
        self.heard += sum(chunk.modality == "audio" for chunk in chunks)
        claimed = pictures.head["seconds"]
        if end is not None:
            if pictures.broken is not None:
                upto = f"its pictures end at {pictures.end:.1f} s" if self.frames else "pictures left out"
                pictures.notes.append(f"{upto}: {pictures.broken}")
            elif end < 0.95 * claimed:
                pictures.notes.append(f"{end:.1f} s decoded of the {claimed:.1f} s that its header claims")
        seconds = end if end is not None else claimed or until
        facts = {"seconds": round(seconds, 3), **pictures.facts, "frames": self.frames}
        notes, pictures.notes = (*(part.notes if part is not None else ()), *pictures.notes), []
        together = sorted([*own, *chunks], key=lambda chunk: chunk.start or 0.0)
        return LoadedItem(
            tuple(together), notes, facts, previews, seconds if end is not None else until, seconds, "seconds"
        )

    def _with_film(self, chunk: LoadedChunk, seen: Sequence[tuple[float, Preview]]) -> LoadedChunk:
        """An utterance with the film from its second, and what is seen then."""
        start = chunk.start or 0.0
        reel = self.pictures.reel
        film = reel.cut(start) if reel is not None else None
        shown = [thumbnail for begun, thumbnail in seen if begun <= start + 0.5][-1:] or [
            thumbnail for _, thumbnail in seen[:1]
        ]
        added = {**({"film": film} if film else {}), **({"thumbnail": shown[0]} if shown else {})}
        return replace(chunk, previews={**chunk.previews, **added})
