"""Jupyter notebooks to passages and pictures, in the order of their cells."""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_right
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import LoadError
from mmrag_nb.types import LoadedChunk, LoadedItem

from .content import open_binary
from .image import ImageLoader
from .passages import passages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mmrag_nb.types import Content, Modality

SUFFIXES = frozenset({".ipynb"})
MEDIA_TYPES = frozenset({"application/x-ipynb+json"})
MAX_BYTES = 100_000_000
"""Largest notebook that is read."""
MAX_PICTURES = 300
_SECONDS = 5.0
"""Of processor time that reading a notebook may take, and one more for each..."""
_RATE = 2_000_000
"""...bytes, most of which are pictures."""


class NotebookLoader:
    """A notebook's text as passages, that of its outputs among it, and its pictures, each with its cell's number.

    Parameters
    ----------
    max_tokens
        Longest passage, in tokens, special tokens included.
    count_tokens
        The encoder's count of a text's tokens, special tokens included.
    max_bytes
        Largest notebook that is read.
    """

    modality: Modality = "text"

    def __init__(self, max_tokens: int, count_tokens: Callable[[str], int], *, max_bytes: int = MAX_BYTES) -> None:
        self.version = f"notebook-1+{ImageLoader.version}/{max_tokens}"
        self._max_tokens = max_tokens
        self._count_tokens = count_tokens
        self._max_bytes = max_bytes

    def load(self, content: Content, name: str) -> LoadedItem:  # noqa: ARG002  # a notebook tells its version itself
        """Read a file or a downloaded body: passages and pictures; ``page`` is the number of a cell, from 1.

        Facts: ``cells``, ``passages``, ``pictures``.

        Raises
        ------
        LoadError
            The content is missing, no notebook, damaged, too large, or holds neither text nor a picture.
        """
        if not isinstance(content, (Path, bytes)):
            raise LoadError(f"not a notebook but an object of type {type(content).__name__}")
        from mmrag_nb.isolation.calling import Limits, stream

        with open_binary(content, max_bytes=self._max_bytes) as handle:
            worked = _SECONDS + handle.seek(0, os.SEEK_END) / _RATE
        limits = Limits(seconds=10 * worked, processor=worked)

        notes: list[str] = []
        cells, texts = 0, list[tuple[int, str]]()
        pictures: dict[bytes, tuple[int, bytes]] = {}
        for said, found in stream("mmrag_nb.loaders.cells:read_cells", content, limits):
            number = said.get("cell", 0)
            cells = said.get("cells", cells)
            notes += [f"cell {number}: {note}" if number else note for note in said["notes"]]
            if said.get("text"):
                texts.append((number, said["text"]))
            for picture in found:
                pictures.setdefault(hashlib.sha256(picture).digest(), (number, picture))
        seen, said_of_them = _pictures(list(pictures.values()))
        # Pictures first: their places stay the same whatever passages another encoder's budget makes.
        chunks = [*seen, *self._passages(texts)]
        if not chunks:
            raise LoadError("; ".join(["empty: no text or picture in it", *said_of_them]))
        return LoadedItem(
            chunks=tuple(chunks),
            notes=(*notes, *said_of_them),
            facts={"cells": cells, "passages": len(chunks) - len(seen), "pictures": len(seen)},
        )

    def _passages(self, texts: Sequence[tuple[int, str]]) -> list[LoadedChunk]:
        """Passages that may run on from cell to cell: a heading and the code below it belong together."""
        starts, whole = [], ""
        for _, text in texts:
            starts.append(len(whole))
            whole += _clean(text) + "\n\n"
        spans = passages(whole, self._max_tokens, self._count_tokens) if whole.strip() else []
        return [
            LoadedChunk("text", text=whole[start:end], page=texts[bisect_right(starts, start) - 1][0])
            for start, end in spans
        ]


def _pictures(found: Sequence[tuple[int, bytes]]) -> tuple[list[LoadedChunk], list[str]]:
    """The chunks of pictures, and what is to be said of them."""
    loader, chunks, notes = ImageLoader(), list[LoadedChunk](), list[str]()
    for number, picture in found[:MAX_PICTURES]:
        try:
            loaded: Any = loader.load(picture, "")
        except LoadError as error:  # noqa: PERF203 - one picture is not to cost the others
            notes.append(f"cell {number}: a picture left out: {error}")
        else:
            chunks.append(LoadedChunk("image", page=number, pixels=loaded.chunks[0].pixels, previews=loaded.previews))
            notes += [f"cell {number}: {note}" for note in loaded.notes]
    if len(found) > MAX_PICTURES:
        notes.append(f"first {MAX_PICTURES:,} of {len(found):,} pictures")
    return chunks, notes


def _clean(text: str) -> str:
    """``text`` as it can be stored: no NULs, no halves of surrogate pairs."""
    return text.replace("\0", "").replace("\r\n", "\n").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
