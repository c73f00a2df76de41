"""What goes into the catalog and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmrag_nb.types import Chunk, Item, Metadata, Modality, Preview


@dataclass(frozen=True)
class Entry:
    """An item with its chunks, ready to be kept."""

    item: Item
    chunks: Sequence[Chunk]
    views: Sequence[Sequence[tuple[Modality, str]]]
    """For each chunk: the modalities it is embedded as, with the key of what is embedded."""
    recipe: str
    facts: Metadata = field(default_factory=dict)
    previews: Mapping[tuple[int, str], Preview] = field(default_factory=dict)
    """By (ordinal of the chunk or -1 for the item, kind)."""


@dataclass(frozen=True)
class Record:
    """A chunk as the catalog keeps it, with its item."""

    chunk: Chunk
    item: Item
    facts: Metadata
