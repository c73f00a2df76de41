"""What of an item is embedded, as what, and under which key."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from .presets import NONE, PRESETS
from .types import LoadedChunk, LoadedItem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .retrieval.ways import Way
    from .settings import Settings
    from .types import Chunk, Item, Modality

    View = tuple[str, str]
    """(view, key)"""

_NO_NAMES = frozenset(
    "img image picture pic photo drawing screenshot scan dsc dscn pxl untitled copy file dict table row".split()
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


def text_view(view: str, chunk: Chunk, item: Item, described: Mapping[str, str]) -> str:
    """What of a chunk is embedded as text; empty where there is nothing to embed.

    Parameters
    ----------
    view
        ``text``: its text alone, of a picture with what is written in it. ``titled``: of a picture, its name, too.
        ``grounded``: of what has no words of its own, all that is known: what models see and read in it, its name, what
        the user said of it.
    described
        ``caption`` and ``ocr`` of a picture, as models told them, as far as they count.
    """
    if chunk.modality == "image":
        # A film's name, or a document's, says nothing of one frame or page.
        name = "" if chunk.start is not None or chunk.page is not None else _telling(item)
        if view == "grounded":
            told = [chunk.text, *(described[kind] for kind in sorted(described)), *_said(item), name]
        else:
            told = [chunk.text, name if view == "titled" else "", described.get("ocr", "")]
        return ". ".join(part for part in told if part)
    if view == "text" or chunk.modality in {"text", "video"}:
        return chunk.text
    if view == "grounded" and not chunk.text:  # a sound without words
        return ". ".join(part for part in (*_said(item), _telling(item)) if part)
    return chunk.text


def _telling(item: Item) -> str:
    return " ".join(word for word in item.words.split() if word.lower() not in _NO_NAMES and not word.isdigit())


def _said(item: Item) -> list[str]:
    """The metadata, as text; the caption is one already."""
    said = ((name, value) for name, value in item.metadata.items() if name != "caption")
    return [f"{name}: {value}" for name, value in said if value is not None and value != ""]


def views(chunk: Chunk, item: Item, version: str, described: Mapping[str, str], ways: Sequence[Way]) -> Iterable[View]:
    """What a chunk is embedded as, each with its key; ``version`` is the loader's, which decides what pixels are."""
    for view in dict.fromkeys(way.view for way in ways if chunk.modality in way.kinds):
        if view in {"image", "audio"}:
            yield view, _key(view, item.id, media_place(chunk, chunk.ordinal, version), version)
        elif text := text_view(view, chunk, item, described):
            yield view, _key("text", text)


def media_place(chunk: Chunk | LoadedChunk, ordinal: int, version: str) -> str:
    """Which of an item's pictures or sounds a chunk is, by a loader of that ``version``.

    Ordinals of pages and frames count passages, too, of which another encoder makes more or fewer.
    """
    if version.startswith("pdf-"):
        return f"page {chunk.page}"
    if version.startswith("video-"):
        return f"{chunk.start}-{chunk.end} s"
    return str(ordinal)


def _key(*content: str) -> str:
    return hashlib.sha256("\0".join(content).encode("utf-8", "surrogatepass")).hexdigest()


def recipe(modality: Modality, version: str, settings: Settings) -> str:
    """What makes an item's chunks: the loader; what texts are cut for; who listens. Whatever the strategy."""
    if modality == "text":
        reader = settings.text or PRESETS[settings.preset]["text"]
        made = version.split("/", 1)[0]  # how long passages are depends on who reads, by whichever strategy
        return f"{made} by {settings.chosen('clip') if reader == NONE else reader}"
    if modality in {"audio", "video"}:
        language = f" in {settings.language}" if settings.language else ""
        return f"{version} by {settings.chosen('speech')}{language}"
    return version


def version_of(made_by: str) -> str:
    """The loader's version in a :func:`recipe`."""
    return made_by.split(" by ", 1)[0]
