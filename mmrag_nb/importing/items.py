"""What a row's vector is of, as an item with one chunk."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mmrag_nb.catalog.entries import Entry
from mmrag_nb.errors import LoadError
from mmrag_nb.loaders.image import MAX_BYTES, ImageLoader
from mmrag_nb.loaders.text import TextLoader
from mmrag_nb.parts import MOST_TOKENS
from mmrag_nb.retrieval.ways import Way
from mmrag_nb.types import Chunk, Item
from mmrag_nb.views import recipe, version_of, views

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from mmrag_nb.protocols import Encoder
    from mmrag_nb.settings import Settings
    from mmrag_nb.types import Vectors

    from .table import Row

_BY = " by import"
"""Ends the recipe of what was not read: indexing reads it, and takes the vector over."""
_ALONE = "imported-1"
"""The recipe of that of which nothing but a vector is there."""


class Items:
    """Makes items of rows, as indexing would make them of the same files and texts.

    Parameters
    ----------
    settings
        Those in force.
    encoder
        Whose vectors they are; ``None`` where it is not at hand.
    thumbnails
        Read the pictures, for what is shown of them.
    """

    def __init__(self, settings: Settings, encoder: Encoder | None, *, thumbnails: bool) -> None:
        self._settings, self._encoder, self._thumbnails = settings, encoder, thumbnails
        self._pictures = ImageLoader()
        self._ways: dict[str, Any] = {
            "image": [Way(encoder, "image", "image", ("image",))],  # type: ignore[arg-type]  # only views are asked of it
            "text": [Way(encoder, "text", "text", ("text",))],  # type: ignore[arg-type]
        }
        reads = TextLoader(MOST_TOKENS, len, clean=settings.clean).version
        self._text_recipe = recipe("text", reads, settings) if settings.clean == "off" else _ALONE

    def item(self, row: Row, vector: Vectors) -> Item:
        """The item of a row; where its content is not at hand, its vector (d,) stands for that."""
        if row.modality == "text":
            content = hashlib.sha256(row.text.encode()).hexdigest()
        else:
            content = (row.file and _hash(row.file)) or _stand_in(row.uri, vector)
        return Item(content, row.uri, row.modality, row.metadata)

    def entry(self, row: Row, item: Item, vector: Vectors) -> tuple[Entry, str, str]:
        """What is kept of a row, the key of its vector (d,), and a remark where its picture cannot be read."""
        loaded, remark = None, ""
        if row.modality == "text":
            made = self._text_recipe if self._fits(row.text) else _ALONE
        elif row.file is None or item.id == _stand_in(row.uri, vector):
            made = _ALONE
        else:
            made = ImageLoader.version + _BY
            if self._thumbnails:
                try:
                    loaded = self._pictures.load(row.file, item.name)
                    made = recipe("image", ImageLoader.version, self._settings)
                except LoadError as error:
                    remark = f"without a thumbnail: {error}"
        chunk = Chunk(item.id, 0, row.modality, row.text.strip() if row.modality == "text" else row.text)
        ((view, key),) = views(chunk, item, version_of(made), {}, self._ways[row.modality])
        facts = dict(loaded.facts) if loaded else {}
        previews = {(-1, kind): shown for kind, shown in loaded.previews.items()} if loaded else {}
        return Entry(item, [chunk], [[(view, key)]], made, facts, previews), key, remark

    def _fits(self, text: str) -> bool:
        """Whether indexing would make one passage of a text, so that this vector is of all of it."""
        if len(text.encode()) <= MOST_TOKENS - 2:  # a token is a byte at least
            return True
        encoder = self._encoder
        return encoder is not None and encoder.count_tokens(text) <= min(encoder.max_tokens, MOST_TOKENS)


def picture_of(file: Path) -> Any:
    """The RGB pixels of a picture's file; ``None`` where they cannot be read."""
    try:
        return ImageLoader().decoded(file).pixels
    except LoadError:
        return None


def _stand_in(uri: str, vector: Vectors) -> str:
    return hashlib.sha256(f"imported\n{uri}\0".encode() + vector.astype("<f4").tobytes()).hexdigest()


def _hash(file: Path) -> str:
    """The hash of a file's content, as sources have it; empty where it cannot be read."""
    digest = hashlib.sha256()
    try:
        if not 0 < file.stat().st_size <= MAX_BYTES:
            return ""
        with file.open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()
