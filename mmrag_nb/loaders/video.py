"""Films to frames and utterances, each with its time."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import LoadError
from mmrag_nb.isolation.calling import Limits, stream
from mmrag_nb.types import LoadedItem

from .content import open_binary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mmrag_nb.types import Content, LoadedChunk, Modality

    from .subtitles import Subtitles

SUFFIXES = frozenset(".mp4 .m4v .mov .qt .3gp .webm .mkv .ogv .wmv .avi".split())
MEDIA_TYPES = frozenset(
    "video/mp4 video/x-m4v video/quicktime video/3gpp video/webm video/x-matroska video/matroska video/ogg "
    "video/x-ms-wmv video/x-msvideo video/avi video/vnd.avi".split()
)
MAX_SECONDS = 4 * 3600.0
"""Longest film."""
MAX_PIXELS = 36_000_000
"""Largest frame: 8K has 33 million."""
MAX_BYTES = 8 << 30
"""Largest file."""

_LIMITS = Limits(seconds=30, memory=2_000_000_000)
_READ = Limits(seconds=120)  # a film may be gigabytes, and subtitles stand all over it
_WATCH = "mmrag_nb.loaders.video_frames:watch"


class VideoLoader:
    """One ``image`` chunk a scene, one ``audio`` chunk an utterance, each with its seconds and a few of the film.

    Which scenes there are, :mod:`~mmrag_nb.loaders.video_scenes` tells. The sound is cut as recordings are.

    Parameters
    ----------
    max_tokens
        Longest text that is joined from subtitles, in tokens.
    count_tokens
        The encoder's count of a text's tokens.
    subtitles
        What becomes of subtitles beside the file (``talk.srt``, ``talk.en.vtt``) or in it. ``instead``: they are the
        text of the utterances, and nothing is transcribed. ``beside``: they are ``text`` chunks, and the sound is
        transcribed as well. ``ignore``: they are not looked at.
    max_seconds, max_pixels, max_bytes
        Longest film, largest frame, largest file.
    """

    modality: Modality = "video"

    def __init__(
        self,
        max_tokens: int,
        count_tokens: Callable[[str], int],
        *,
        subtitles: str = "instead",
        max_seconds: float = MAX_SECONDS,
        max_pixels: int = MAX_PIXELS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.version = f"video-1/{subtitles}"
        self._subtitles = subtitles
        self._fits: Callable[[str], bool] = lambda text: count_tokens(text) <= max_tokens
        self._max_seconds, self._max_pixels, self._max_bytes = max_seconds, max_pixels, max_bytes

    def load(self, content: Content, name: str) -> LoadedItem:
        """Read a file or a downloaded body as a whole; see :meth:`sections`.

        Raises
        ------
        LoadError
            As :meth:`sections`.
        """
        chunks: list[LoadedChunk] = []
        whole = LoadedItem(())
        for part in self.sections(content, name):
            chunks += part.chunks
            notes, facts = (*whole.notes, *part.notes), {**whole.facts, **part.facts}
            whole = replace(part, notes=notes, facts=facts, previews={**whole.previews, **part.previews})
        return replace(whole, chunks=tuple(chunks))

    def sections(self, content: Content, name: str) -> Iterator[LoadedItem]:  # noqa: ARG002  # told by the content
        """Read a file or a downloaded body, some minutes at a time; subtitles beside it, where it is a file.

        Facts: ``seconds``, ``width``, ``height`` (pixels, as shown), ``fps``, ``frames`` (those kept), ``subtitles``
        (where from; ``transcript`` as well, where nothing is transcribed). Previews: ``thumbnail`` of a telling frame,
        ``peaks``; of each chunk ``film`` (H.264 and MP3 in MP4, a few seconds), ``thumbnail``, of frames ``proxy``, of
        utterances ``clip``.

        Raises
        ------
        LoadError
            The content is missing, damaged, too large or too long, or has neither pictures nor sound.
        """
        if not isinstance(content, (Path, bytes)):
            raise LoadError(f"not a video but an object of type {type(content).__name__}")
        from .subtitles import utterances
        from .video_pictures import Pictures
        from .video_sections import Whole

        with open_binary(content, max_bytes=self._max_bytes):
            pass
        options = {"max_seconds": self._max_seconds, "max_pixels": self._max_pixels}
        with closing(stream(_WATCH, content, _LIMITS, **options)) as pieces:  # type: ignore[type-var]
            pictures = Pictures(pieces)
            pictures.begin()
            if not pictures.head["pictures"] and not pictures.head["sound"]:
                raise LoadError("neither pictures nor sound in it")
            found = None if self._subtitles == "ignore" else self._found(content, pictures.head["subtitles"])
            if found is not None:
                found = replace(found, cues=tuple(utterances(found.cues, self._fits)))
            whole = Whole(pictures, content, found, self._subtitles, self._max_seconds, self._max_bytes)
            yield from whole.sections()

    def _found(self, content: Path | bytes, streams: Sequence[dict[str, Any]]) -> Subtitles | None:
        from .subtitles import Subtitles, beside, inside

        found = beside(content) if isinstance(content, Path) else None
        if (found is not None and found.cues) or not streams:
            return found
        within = inside(content, streams, _READ)
        if found is None or within is None:
            return within or found
        return Subtitles(within.cues, within.source, (*found.notes, *within.notes))
