"""What goes into the catalog and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmrag_nb.types import Chunk, Item, Metadata, Preview


BEGUN = ", begun"
"""Ends the recipe of an item whose last section is not there yet."""


@dataclass(frozen=True)
class Entry:
    """An item with its chunks, ready to be kept."""

    item: Item
    chunks: Sequence[Chunk]
    views: Sequence[Sequence[tuple[str, str]]]
    """For each chunk: what it is embedded as (``image``, ``text``, ``audio``, ``grounded``), with the key of that."""
    recipe: str
    facts: Metadata = field(default_factory=dict)
    previews: Mapping[tuple[int, str], Preview] = field(default_factory=dict)
    """By (ordinal of the chunk or -1 for the item, kind)."""
    described: Mapping[int, Mapping[str, Described]] = field(default_factory=dict)
    """What models say of its pictures, by ordinal of the chunk, then ``caption`` or ``ocr``."""
    section: tuple[int, bool] | None = None
    """Of a part of an item that comes in several: ordinal of its first chunk, and whether it is the last part. ``None``
    for an item as a whole."""
    run: str = ""
    """Stands for whoever reads these sections: those of two would not fit together. Empty where that is not told."""


@dataclass(frozen=True)
class Described:
    """What a model says of a picture."""

    model: str
    """Stands for the model that said it: another would say something else."""
    text: str


@dataclass(frozen=True)
class Stored:
    """A chunk as the catalog keeps it, with its item."""

    chunk: Chunk
    item: Item
    facts: Metadata
    described: Mapping[str, Described] = field(default_factory=dict)
    """``caption`` and ``ocr`` of a picture."""
