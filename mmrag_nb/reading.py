"""Scanned pages to text while indexing; what was read before is not read again."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from .catalog.entries import BEGUN
from .errors import MMRagError, NotInstalled
from .loaders.layout import laid, shares_of
from .loaders.lines import Box
from .loaders.passages import passages
from .loaders.pdf_letters import Letter
from .loaders.pdf_letters import words as words_of
from .loaders.pdf_words import PLACED, noted
from .parts import MOST_TOKENS
from .presets import NONE
from .types import LoadedChunk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from PIL.Image import Image

    from .catalog.catalog import Catalog
    from .loaders.pdf_words import Placed
    from .parts import Parts
    from .protocols import Describer, Encoder, Progress
    from .settings import Settings
    from .workload import Tally, Work

_BY = "; read by "
"""In the recipe of an item with scanned pages, before who read them."""
_NOBODY = "nobody"
_NARROW, _WIDE = frozenset(" fijlrtI.,;:'!|()[]-"), frozenset("mwMW")
_SHORT = 3
"""Letters of a line that may be higher than wide though it is level."""


class Reading:
    """Reads scanned pages for one run of indexing, by the OCR in force.

    Parameters
    ----------
    parts, catalog, settings
        Those of the run.
    tally
        Told what cannot be read, and why.
    progress
        Told of each page.
    """

    def __init__(self, parts: Parts, catalog: Catalog, settings: Settings, tally: Tally, progress: Progress) -> None:
        self._parts, self._catalog, self._settings = parts, catalog, settings
        self._tally, self._progress = tally, progress

    def read(self, works: Iterable[Work], encoder: Encoder) -> None:
        """Put the passages of scanned pages, cut for ``encoder``, behind their pictures, and say who read them.

        Where no OCR can be had, they stay pictures alone.
        """
        scanned = [work for work in works if work.loaded.facts.get("scanned")]
        ocr = self._reader(scanned) if scanned else None
        for work in scanned:
            reader = _NOBODY if ocr is None else self._parts.described_by(("ocr",))["ocr"]
            begun = BEGUN * work.recipe.endswith(BEGUN)
            work.recipe = f"{work.recipe.removesuffix(BEGUN)}{_BY}{reader}{begun}"
            if ocr is not None and any(chunk.scan for chunk in work.loaded.chunks):
                known = self._known(work)
                with self._tally.clock("ocr"):
                    self._fill(work, known, ocr, encoder)

    def _reader(self, works: Iterable[Work]) -> Describer | None:
        why = f'ocr is set to {NONE}: set it to "rapidocr" to have them read'
        try:
            with self._tally.clock("models"):
                ocr = self._parts.describers(self._progress, ("ocr",)).get("ocr")
        except MMRagError as error:
            ocr, why = None, str(error)
        else:
            if self._settings.chosen("ocr") != NONE:  # the preset's, where its library is absent, is left out
                why = str(NotInstalled("rapidocr", extra="ocr"))
        if ocr is None:
            for work in works:
                self._tally.note(work.item.name, f"scanned pages are indexed as pictures alone: {why}")
        else:
            self._tally.models[ocr.description] = None
        return ocr

    def _known(self, work: Work) -> dict[int, list[LoadedChunk]]:
        """The passages of each scanned page by an earlier run, where the same OCR read it."""
        kept = self._catalog.find(work.item.id)
        if kept is None or kept[1].removesuffix(BEGUN) != work.recipe.removesuffix(BEGUN):
            return {}
        found: dict[int, list[LoadedChunk]] = {}
        stored = self._catalog.records(self._catalog.chunk_ids(work.item.id))
        pages = {chunk.page for chunk in work.loaded.chunks if chunk.scan}
        for one in sorted((one.chunk for one in stored.values()), key=lambda chunk: chunk.ordinal):
            if one.modality == "text" and one.page is not None and one.page in pages:
                words = self._catalog.previews(work.item.id, one.ordinal, (PLACED,))
                found.setdefault(one.page, []).append(LoadedChunk("text", one.text, page=one.page, previews=words))
        return found

    def _fill(self, work: Work, known: Mapping[int, list[LoadedChunk]], ocr: Describer, encoder: Encoder) -> None:
        chunks = work.loaded.chunks
        own = {(chunk.page, chunk.text) for chunk in chunks}
        total = sum(chunk.scan for chunk in chunks)
        filled: list[LoadedChunk] = []
        done = wordless = 0
        for chunk in chunks:
            filled.append(chunk)
            if not chunk.scan or chunk.pixels is None or chunk.page is None:
                continue
            self._progress(f"reading {work.item.name}", done, total)
            if chunk.page in known:
                found = [one for one in known[chunk.page] if (one.page, one.text) not in own]
            else:
                found = _passages(ocr.describe([chunk.pixels])[0], chunk.pixels, chunk.page, encoder)
            filled += found
            done += 1
            wordless += not found
        work.loaded = replace(work.loaded, chunks=tuple(filled))
        if wordless:
            self._tally.note(work.item.name, f"no words read on {wordless} of {total} scanned pages")


def reader_of(recipe: str) -> str:
    """Who read the scanned pages of an item with that recipe; empty where none were read."""
    return recipe.removesuffix(BEGUN).partition(_BY)[2]


def as_read_now(made_by: str, parts: Parts) -> str:
    """A recipe without who read the item's scanned pages, unless somebody else would read them now."""
    made, _, by = made_by.partition(_BY)
    if not by or by.endswith(BEGUN):
        return made_by
    now = parts.described_by(("ocr",)).get("ocr")
    return made if now in {None, by} else made_by


def _passages(text: str, picture: Image, page: int, encoder: Encoder) -> list[LoadedChunk]:
    """What OCR read on a page; where it tells where its lines are (``boxes``), in reading order with their places."""
    words: list[Placed] = []
    boxes = getattr(text, "boxes", ())
    if boxes and len(boxes) == len(text.splitlines()):
        text, words = _laid(text.splitlines(), boxes, picture.size)
    if not text.strip():
        return []
    spans = passages(text, min(encoder.max_tokens, MOST_TOKENS), encoder.count_tokens)
    return [LoadedChunk("text", text[a:b], page=page, previews=noted(words, a, b)) for a, b in spans]


def _laid(
    lines: Sequence[str], boxes: Sequence[tuple[float, float, float, float]], size: tuple[int, int]
) -> tuple[str, list[Placed]]:
    """Lines with their boxes (left, top, right, bottom, in shares of the page), in reading order."""
    width, height = size
    letters: list[Letter] = []
    for line, (left, top, right, bottom) in zip(lines, boxes, strict=True):
        letters += _letters(line, Box(left * width, top * height, right * width, bottom * height))
    ordered = laid(words_of(letters))
    shares = [(start, end, *shares_of(box, size)) for start, end, box in ordered.spans]
    return ordered.text, shares


def _letters(line: str, box: Box) -> list[Letter]:
    """Where in ``box`` the letters of a line are, about; an end of line comes last.

    A line that stands upright is not divided: whether it runs up or down is not known.
    """
    level = box.right - box.left >= box.bottom - box.top or len(line) < _SHORT
    widths = [_width(character) for character in line]
    ends = list(accumulate(widths, initial=0.0))
    per = (box.right - box.left) / (ends[-1] or 1)
    found = [
        Letter(ord(character), box._replace(left=box.left + per * a, right=box.left + per * b) if level else box, level)
        for character, (a, b) in zip(line, pairwise(ends), strict=True)
    ]
    return [*found, Letter(ord("\n"), box, level)]


def _width(character: str) -> float:
    """Of a letter as print has it, 1 being that of most: halves the error of letters that are all as wide."""
    if character in _NARROW:
        return 0.55
    if east_asian_width(character) in "WF":
        return 1.8
    return 1.5 if character in _WIDE else 1.2 if character.isupper() else 1.0
