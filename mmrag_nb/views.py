"""What of an item is embedded, as what, and under which key."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from .types import LoadedChunk, LoadedItem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .retrieval.shared import Way
    from .settings import Settings
    from .types import Chunk, Item, Modality

_NO_NAMES = frozenset(
    "img image picture pic photo drawing screenshot scan dsc dscn pxl untitled copy file dict".split()
)
"""Words in a picture's name that say nothing of what it shows."""


def captioned(loaded: LoadedItem, item: Item) -> LoadedItem:
    """A caption is a picture's text; to anything else it is one more passage."""
    caption = str(item.metadata.get("caption") or "")
    if not caption:
        return loaded
    if item.modality == "image":
        return replace(loaded, chunks=tuple(replace(chunk, text=caption) for chunk in loaded.chunks))
    return replace(loaded, chunks=(*loaded.chunks, LoadedChunk("text", caption)))


def by_name(ways: Sequence[Way]) -> bool:
    """Whether a picture's file name stands for it.

    It does where texts have an encoder of their own, one that matches words: to CLIP, ``IMG 2034`` would be noise.
    """
    return len({way.encoder.space for way in ways}) > 1 or all(way.modality == "text" for way in ways)


def text_view(chunk: Chunk, item: Item, *, names: bool) -> str:
    """What of a chunk is embedded as text; empty where there is nothing to embed."""
    if chunk.modality == "image" and names:
        telling = " ".join(word for word in item.words.split() if word.lower() not in _NO_NAMES and not word.isdigit())
        return ". ".join(part for part in (chunk.text, telling) if part)
    return chunk.text


def views(
    chunk: Chunk, loaded: LoadedChunk, item: Item, version: str, ways: Sequence[Way]
) -> Iterable[tuple[Modality, str]]:
    """What a chunk is embedded as, each with its key; ``version`` is the loader's, which decides what pixels are."""
    for way in ways:
        if way.modality == "image" and loaded.pixels is not None:
            yield "image", _key("image", item.id, str(chunk.ordinal), version)
        text = text_view(chunk, item, names=by_name(ways))
        if way.modality == "text" and text:
            yield "text", _key("text", text)


def _key(*content: str) -> str:
    return hashlib.sha256("\0".join(content).encode("utf-8", "surrogatepass")).hexdigest()


def recipe(modality: Modality, version: str, ways: Sequence[Way], settings: Settings) -> str:
    """What makes an item's chunks (loader, transcriber), and what of them is embedded."""
    by = ways[-1].encoder.space if modality == "text" else settings.chosen("speech")
    made = f"{version} by {by}" if modality in {"text", "audio"} else version
    seen = [way.modality for way in ways if way.modality == "text" or modality == "image"]
    return f"{made}; {', '.join(seen)}{' and names' * (by_name(ways) and modality == 'image')}"
