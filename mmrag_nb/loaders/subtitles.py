"""Subtitles, in a file beside a film or in the film itself, as utterances."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from mmrag_nb.errors import LoadError
from mmrag_nb.isolation.calling import Limits, stream

from .content import open_binary
from .decoding import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import BinaryIO

LONGEST = 15.0
"""Seconds of an utterance that is joined from several cues."""
SHORTEST = 3.0
"""Seconds; a sentence that is shorter is joined with the next."""
BRIDGE = 2.0
"""Seconds; cues further apart are not joined."""
MAX_BYTES = 20_000_000
"""Largest file of subtitles."""
MAX_CUES = 100_000
ENDINGS = frozenset({".srt", ".vtt"})
"""Of files of subtitles. Folders and globs leave them to the film that they lie beside."""

_TEXTS = frozenset({"subrip", "srt", "webvtt", "mov_text", "ass", "ssa", "text"})
_ENDS = re.compile(r"[.!?\u2026\u3002\uff01\uff1f\u061f\u0964][\"'\u201d\u2019\u00bb)\]\u300d\u300f]*$")
_DRAWING = re.compile(r"\{[^{}]*\\p[1-9]")
_TAGS = re.compile(r"\{[\\][^{}]*\}|<[^<>\n]{0,200}>")
_ASIAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_BATCH = 1000
_NO_TIME = 5.0
"""Seconds of a cue that does not say when it ends."""
_MEMORY = 400_000_000


class Cue(NamedTuple):
    """What stands in the picture from one second to another."""

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Subtitles:
    """The cues that were found, and where."""

    cues: tuple[Cue, ...]
    source: str
    """As it is told: ``talk.en.srt``, ``in the file (en)``."""
    notes: tuple[str, ...] = ()


def beside(film: Path) -> Subtitles | None:
    """The subtitles in a file of the film's name, next to it; ``None`` where there is none that can be read.

    Of several (``talk.srt``, ``talk.en.vtt``), that without a language in its name goes first, then English ones, then
    the first by name.
    """
    try:
        there = [PurePath(one.name) for one in film.parent.iterdir() if one.suffix.lower() in ENDINGS]
    except OSError:
        return None
    own = [one for one in there if film.stem in {one.stem, PurePath(one.stem).stem}]
    own.sort(key=lambda one: _rank(one.stem[len(film.stem) + 1 :], one.name))
    names = [one.name for one in own]
    notes: list[str] = []
    for place, name in enumerate(names):
        try:
            cues, note = _read(film.parent / name)
        except LoadError as error:
            notes.append(f"subtitles {name} left out: {error}")
            continue
        if note:
            notes.append(f"{name} {note}")
        left = names[place + 1 :]
        if left:
            notes.append(f"subtitles {', '.join(left)} left aside: {name} is used")
        return Subtitles(cues, name, tuple(notes))
    return Subtitles((), "", tuple(notes)) if notes else None


def inside(content: Path | bytes, streams: Sequence[dict[str, Any]], limits: Limits) -> Subtitles | None:
    """The subtitles in the film itself; ``streams`` as :func:`~mmrag_nb.loaders.video_frames.watch` tells them.

    Forced ones, which are few, go last; of the others English ones go first, then the first there is.
    """
    texts = [one for one in streams if one["codec"] in _TEXTS]
    notes: list[str] = []
    if len(texts) < len(streams):
        notes.append("subtitles that are pictures are not read")
    texts.sort(key=lambda one: (one["forced"], *_rank(_tag(one["language"]), f"{one['stream']:03}")))
    for place, one in enumerate(texts):
        try:
            cues = _gathered(stream(f"{__name__}:cues", content, limits, track=one["stream"]))
        except LoadError as error:
            notes.append(f"subtitles in the file left out: {error}")
            continue
        if cues:
            left = [_tag(other["language"]) or "?" for other in texts[place + 1 :]]
            source = f"in the file ({_tag(one['language'])})" if _tag(one["language"]) else "in the file"
            if left:
                notes.append(f"subtitles in the file left aside: {', '.join(left)}")
            return Subtitles(cues, source, tuple(notes))
    return Subtitles((), "", tuple(notes)) if notes else None


def _tag(language: str) -> str:
    return "" if language in {"", "und"} else language[:12]


def _rank(language: str, name: str) -> tuple[int, str]:
    return (0 if not language else 1 if re.match("en", language) else 2), name


def _read(path: Path) -> tuple[tuple[Cue, ...], str]:
    with open_binary(path, max_bytes=MAX_BYTES) as handle:
        text, note = decode(handle.read())
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").lstrip("\n")
    kind = "webvtt" if text.startswith("WEBVTT") else "srt"
    body = text.encode("utf-8", "replace")
    found = _gathered(stream(f"{__name__}:cues", body, Limits(memory=_MEMORY), kind=kind))
    if not found:
        raise LoadError("no subtitles in it")
    return found, note


def _gathered(pieces: Iterable[tuple[dict[str, Any], object]]) -> tuple[Cue, ...]:
    found: list[Cue] = []
    letters = 0
    for said, _ in pieces:
        found += [Cue(float(start), float(end), str(text)) for start, end, text in said["cues"]]
        if len(found) > MAX_CUES:
            raise LoadError(f"more than {MAX_CUES:,} subtitles")
        letters += sum(len(text) for *_, text in said["cues"])
        if letters > MAX_BYTES:  # those within a film are of no file whose size would tell
            raise LoadError(f"subtitles of more than {MAX_BYTES:,} letters")
    return tuple(_plain(found))


def _plain(found: list[Cue]) -> Iterator[Cue]:
    """Cues in order, without tags, each with an end; lines that stay on the screen as others roll in come once."""
    found.sort(key=lambda cue: cue.start)
    lines: list[str] = []
    last = 0.0
    for place, cue in enumerate(found):
        next_start = found[place + 1].start if place + 1 < len(found) else float("inf")
        end = cue.end if cue.end > cue.start else min(next_start, cue.start + _NO_TIME)
        own = [line for line in _lines(cue.text) if cue.start > last + 0.1 or line not in lines]
        if cue.start > last + 0.1:
            lines = []
        lines, last = [*lines[-3:], *own], max(last, end)
        text = " ".join(own)
        if text and end > cue.start >= 0:
            yield Cue(cue.start, end, text)


def _lines(text: str) -> list[str]:
    """The readable lines of a cue: what ASS, SRT and WebVTT put around the words is left out."""
    if _DRAWING.search(text):
        return []
    bare = _TAGS.sub("", text)
    bare = html.unescape(re.sub(r"\\[Nn]", "\n", bare).replace("\\h", " "))
    return [line for one in bare.split("\n") if (line := " ".join(one.replace("\0", "").split()))]


def utterances(cues: Sequence[Cue], fits: Callable[[str], bool] = lambda _: True) -> list[Cue]:
    """Join cues until a sentence ends, `LONGEST` is reached, nothing is said for `BRIDGE`, or no more text ``fits``."""
    out: list[Cue] = []
    for cue in cues:
        last = out[-1] if out else None
        if last is None or _apart(last, cue):
            out.append(cue)
            continue
        space = "" if _ASIAN.match(last.text[-1:]) and _ASIAN.match(cue.text[:1]) else " "
        both = f"{last.text}{space}{cue.text}"
        if fits(both):
            out[-1] = Cue(last.start, max(last.end, cue.end), both)
        else:
            out.append(cue)
    # Where cues overlap, an utterance is over when the next begins.
    cut = [Cue(one.start, min(one.end, max(after.start, one.start + 0.5)), one.text) for one, after in pairwise(out)]
    return [*cut, *out[-1:]]


def _apart(last: Cue, cue: Cue) -> bool:
    whole = bool(_ENDS.search(last.text)) and last.end - last.start >= SHORTEST
    return whole or cue.start - last.end > BRIDGE or cue.end - last.start > LONGEST


# -- in the other process ------------------------------------------------------------------------------------------


def cues(handle: BinaryIO, *, track: int = 0, kind: str = "") -> Iterator[tuple[dict[str, Any], tuple[bytes, ...]]]:
    """Yield ``cues``, lists of start, end (seconds) and text with its tags, of a stream of subtitles.

    Parameters
    ----------
    handle
        A film, or text in UTF-8.
    track
        Which of the streams of subtitles.
    kind
        ``srt`` or ``webvtt`` where it is such a text.

    Raises
    ------
    LoadError
        It cannot be read.
    """
    import av

    from .container import opened, seconds
    from .video_frames import CONTAINERS

    with opened(handle, kind or CONTAINERS, "video") as container:
        chosen = container.streams.subtitles[track]
        begins = 0.0 if kind else seconds(container.start_time)
        batch: list[tuple[float, float, str]] = []
        packets = container.demux(chosen)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:  # what was read so far serves
                packet = None
            if packet is None:
                break
            if not packet.size or packet.pts is None:
                continue
            try:
                text = "\n".join(_said(rect) for rect in packet.decode())
            except (av.FFmpegError, ValueError):
                continue
            start = float(packet.pts * packet.time_base) - begins
            batch.append((start, start + float((packet.duration or 0) * packet.time_base), text))
            if len(batch) >= _BATCH:
                yield {"cues": batch}, ()
                batch = []
        yield {"cues": batch}, ()


def _said(rect: Any) -> str:
    """The words of a cue, which FFmpeg hands on as an event of ASS: eight fields, then the text."""
    event = getattr(rect, "ass", b"") or b""
    text = event.decode("utf-8", "replace") if isinstance(event, bytes) else str(event)
    fields = text.split(",", 8)
    return fields[8] if len(fields) == 9 else ""
