"""PDF documents: each page as a picture and as passages of its text."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import LoadError
from mmrag_nb.isolation.calling import Limits, stream
from mmrag_nb.types import LoadedChunk, LoadedItem, Preview

from .content import open_binary
from .passages import passages
from .pdf_pages import MOST_LETTERS
from .pdf_words import noted
from .pixels import of_bytes
from .previews import picture_previews

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from PIL.Image import Image

    from mmrag_nb.types import Content, Modality

SUFFIXES = frozenset({".pdf"})
MEDIA_TYPES = frozenset({"application/pdf", "application/x-pdf"})
MAX_BYTES = 1_000_000_000
"""Largest file that is read."""
MAX_PAGES = 2_000
"""Pages that are read of a longer document."""
SECTION = 8
"""Pages that are in memory at a time."""
PAGE_SIDE = 800
"""Pixels of the longer side of the preview on which a page's words can be read: five of them fit on a card."""
LIMITS = Limits(seconds=15.0)
"""Of a page."""
_MOST_LOST = 10
"""Pages that PDFium crashes or hangs on; a document with more is given up."""
_NAMED = 12
"""Runs of pages that a note names."""
_PIXELS = 16_000_000
"""Of a page's picture; a larger one did not come from us."""


class PdfLoader:
    """Of each page a picture, then the passages of its text in reading order, each with its page's number, from 1.

    A page that has a picture but no text that can be read, a scan, is marked as such.

    Parameters
    ----------
    max_tokens
        Longest passage, in tokens, special tokens included.
    count_tokens
        The encoder's count of a text's tokens, special tokens included.
    max_bytes
        Largest file that is read.
    max_pages
        Pages that are read of a longer document.
    """

    modality: Modality = "text"

    def __init__(
        self,
        max_tokens: int,
        count_tokens: Callable[[str], int],
        *,
        max_bytes: int = MAX_BYTES,
        max_pages: int = MAX_PAGES,
    ) -> None:
        self.version = f"pdf-2/{max_tokens}"
        self._max_tokens, self._count_tokens = max_tokens, count_tokens
        self._max_bytes, self._max_pages = max_bytes, max_pages

    def load(self, content: Content, name: str) -> LoadedItem:
        """Read all of a document; see :meth:`sections`."""
        parts = list(self.sections(content, name))
        chunks = tuple(chunk for part in parts for chunk in part.chunks)
        notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
        last = parts[-1]
        return LoadedItem(chunks, notes, last.facts, reached=last.reached, of=last.of, unit=last.unit)

    def sections(self, content: Content, name: str) -> Iterator[LoadedItem]:  # noqa: ARG002  # the content tells
        """Read a file or a downloaded body, some pages at a time.

        Facts: ``pages``, ``scanned`` (pages without text of their own), ``characters``. Previews of a page: as of a
        picture, and ``page``, on which words can be read; of a passage: ``placed``, where on the page each of its words
        is.

        Raises
        ------
        LoadError
            The content is missing, damaged, encrypted, too large, or has nothing on its pages.
        """
        if not isinstance(content, (Path, bytes)):
            raise LoadError(f"not a PDF but an object of type {type(content).__name__}")
        open_binary(content, max_bytes=self._max_bytes).close()
        pages = _pages(content, self._max_pages)
        count = next(pages)[0]["pages"]
        last = min(count, self._max_pages)
        reading = _Reading()
        if count > last:
            reading.notes.append(f"first {last:,} of {count:,} pages: split it to have the others")
        for page, pixels in pages:
            self._read(reading, page, pixels)
            number = page["number"]
            if number % SECTION == 0 and number < last and reading.chunks:
                yield reading.section(number, last)
        if not reading.pages:
            raise LoadError(reading.nothing(last))
        reading.tell()
        yield reading.section(last, last)

    def _read(self, reading: _Reading, page: dict[str, Any], pixels: bytes) -> None:
        number = page["number"]
        if "damage" in page:
            reading.lost[number] = page["damage"]
            return
        if page["blank"]:
            reading.blank.append(number)
            return
        picture = of_bytes(page["size"], pixels, "a page's picture", most=_PIXELS)
        text, words = page["text"], page["words"]
        spans = passages(text, self._max_tokens, self._count_tokens) if text.strip() else []
        reading.chunks.append(
            LoadedChunk("image", page=number, pixels=picture, scan=page["scan"], previews=_previews(picture))
        )
        reading.chunks += [
            LoadedChunk("text", text[start:end], page=number, previews=noted(words, start, end)) for start, end in spans
        ]
        reading.pages += 1
        reading.scanned += page["scan"]
        reading.characters += len(text)
        if page["unreadable"]:
            reading.unreadable.append(number)
        if page["cut"]:
            reading.cut.append(number)


@dataclass
class _Reading:
    """What has been read of a document, of which chunks and notes go with the next section."""

    chunks: list[LoadedChunk] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pages: int = 0
    scanned: int = 0
    characters: int = 0
    blank: list[int] = field(default_factory=list)
    unreadable: list[int] = field(default_factory=list)
    """Pages whose letters stand for nothing known."""
    cut: list[int] = field(default_factory=list)
    lost: dict[int, str] = field(default_factory=dict)

    def section(self, reached: int, of: int) -> LoadedItem:
        """What came since the one before."""
        facts = {"pages": of, "scanned": self.scanned, "characters": self.characters}
        made = LoadedItem(tuple(self.chunks), tuple(self.notes), facts, reached=reached, of=of, unit="pages")
        self.chunks, self.notes = [], []
        return made

    def tell(self) -> None:
        """Note what was left out, and what is not as one would expect."""
        for about, numbers in (
            ("blank, left out", self.blank),
            ("no text that can be read, only a picture of it: its font does not tell its letters", self.unreadable),
            (f"only its first {MOST_LETTERS:,} letters are indexed", self.cut),
        ):
            if numbers:
                self.notes.append(f"{_named(numbers)}: {about}")
        for reason in dict.fromkeys(self.lost.values()):
            self.notes.append(f"{_named([one for one in self.lost if self.lost[one] == reason])} left out: {reason}")

    def nothing(self, of: int) -> str:
        """Why there is no chunk."""
        if self.lost:
            first = next(iter(self.lost))
            return f"damaged PDF: none of its {of:,} pages can be read; {_named([first])}: {self.lost[first]}"
        return f"empty: nothing on its {of:,} page{'s' * (of != 1)}"


def _pages(content: Path | bytes, most: int) -> Iterator[tuple[dict[str, Any], bytes]]:
    """What :func:`mmrag_nb.loaders.pdf_pages.pages` tells; pages on which it crashes or hangs are told as damaged."""
    told = False
    at = lost = 0
    while True:
        try:
            for said, blobs in stream("mmrag_nb.loaders.pdf_pages:pages", content, LIMITS, first=at, most=most):
                if "pages" not in said:
                    at = said["number"]
                    yield said, blobs[0] if blobs else b""
                elif not told:
                    told = True
                    yield said, b""
        except LoadError as error:  # noqa: PERF203  # a page is much more work
            if not told or lost == _MOST_LOST:
                raise
            lost += 1
            at += 1
            yield {"number": at, "damage": str(error).removeprefix("damaged: ")}, b""
        else:
            return


def _previews(picture: Image) -> dict[str, Preview]:
    page = picture.copy()
    page.thumbnail((PAGE_SIDE, PAGE_SIDE))
    out = io.BytesIO()
    page.save(out, "WEBP", quality=30, method=2)
    return {**picture_previews(picture), "page": Preview("image/webp", out.getvalue())}


def _named(numbers: Sequence[int]) -> str:
    """``page 4``, ``pages 2, 5-7``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    named = [f"{run[0]:,}" if run[0] == run[-1] else f"{run[0]:,}-{run[-1]:,}" for run in runs[:_NAMED]]
    more = " and others" * (len(runs) > _NAMED)
    return f"page{'s' * (len(numbers) > 1)} {', '.join(named)}{more}"
