"""The whole of an index, a batch at a time, to be written elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mmrag_nb.catalog.entries import BEGUN, Entry

from .asked import Asked
from .holding import owner_of
from .keys import chunk_number
from .working import KeptChunk, KeptItem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from mmrag_nb.catalog.catalog import Catalog
    from mmrag_nb.types import Preview, Vectors

BATCH = 400
"""Chunks that are in memory at a time: what has more comes in sections."""
KINDS = ("thumbnail", "proxy", "peaks", "clip", "film", "page", "words", "placed")
"""Previews, see :attr:`mmrag_nb.types.LoadedChunk.previews`."""


@dataclass(frozen=True)
class Batch:
    """Items, or a section of one, with their vectors by space and key."""

    entries: Sequence[Entry]
    vectors: Mapping[str, Mapping[str, Vectors]]
    chunks: int


class Whole(Protocol):
    """All that an index holds."""

    def spaces(self) -> Mapping[str, Mapping[str, Any]]:
        """Dimension, fingerprint and versions of each space."""
        ...

    def items(self) -> Iterator[tuple[KeptItem, Sequence[int]]]:
        """All items, each with the ids of its chunks, in order."""
        ...

    def chunks(self, ids: Sequence[int]) -> list[KeptChunk]:
        """These chunks."""
        ...

    def previews(self, item: str, ordinals: Sequence[int]) -> dict[tuple[int, str], Preview]:
        """What is kept to show of these chunks, or with -1 of the item, by ordinal and kind."""
        ...

    def vectors(self, space: str, chunks: Sequence[KeptChunk]) -> dict[str, Vectors]:
        """The vectors of chunks in a space, by key."""
        ...


class InFile:
    """An index in memory or in a file."""

    def __init__(self, index: Catalog) -> None:
        self._index = index
        self._views = {(one.space, one.view) for one in index.channels()}

    def spaces(self) -> Mapping[str, Mapping[str, Any]]:
        """Dimension, fingerprint and versions of each space."""
        return self._index.spaces_noted()

    def items(self) -> Iterator[tuple[KeptItem, Sequence[int]]]:
        """All items, each with the ids of its chunks, in order."""
        for item in self._index.items():
            ids = self._index.chunk_ids(item.id)
            found = self._index.find(item.id)
            if found is not None:
                stored = self._index.records(ids[:1])
                facts = next((one.facts for one in stored.values()), {})
                yield KeptItem(found[0], facts, found[1], len(ids)), ids

    def chunks(self, ids: Sequence[int]) -> list[KeptChunk]:
        """These chunks."""
        stored, views = self._index.records(ids), self._index.views(ids)
        return [
            KeptChunk(one, stored[one].chunk, views.get(one, []), stored[one].described) for one in ids if one in stored
        ]

    def previews(self, item: str, ordinals: Sequence[int]) -> dict[tuple[int, str], Preview]:
        """What is kept to show of these chunks, or with -1 of the item, by ordinal and kind."""
        whole = self._index.previews(item, -1, KINDS)
        found = {(-1, kind): shown for kind, shown in whole.items() if -1 in ordinals}
        for place in ordinals:
            if place >= 0:  # one that is its item's, too, is found there
                own = self._index.previews(item, place, KINDS)
                found |= {(place, kind): shown for kind, shown in own.items() if whole.get(kind) != shown}
        return found

    def vectors(self, space: str, chunks: Sequence[KeptChunk]) -> dict[str, Vectors]:
        """The vectors of chunks in a space, by key."""
        keys = {(one.id, view): key for one in chunks for view, key in one.views}
        found: dict[str, Vectors] = {}
        for view in sorted({view for _, view in keys if (space, view) in self._views}):
            ids = [one for one, seen in keys if seen == view]
            found |= {keys[one, view]: row for one, row in self._index.vectors_of(ids, space, view).items()}
        return found


class InMilvus:
    """An index in Milvus."""

    def __init__(self, corpus: Asked) -> None:
        self._corpus, self._holding = corpus, corpus.holding

    def spaces(self) -> Mapping[str, Mapping[str, Any]]:
        """Dimension, fingerprint and versions of each space."""
        return self._corpus.spaces_noted()

    def items(self) -> Iterator[tuple[KeptItem, Sequence[int]]]:
        """All items, each with the ids of its chunks, in order."""
        for kept in self._holding.every_item():
            yield kept, [chunk_number(kept.item.id, ordinal) for ordinal in range(kept.chunks)]

    def chunks(self, ids: Sequence[int]) -> list[KeptChunk]:
        """These chunks."""
        there = {one.id: one for one in self._holding.chunks(ids)}
        return [there[one] for one in ids if one in there]

    def previews(self, item: str, ordinals: Sequence[int]) -> dict[tuple[int, str], Preview]:
        """What is kept to show of these chunks, or with -1 of the item, by ordinal and kind."""
        places = {owner_of(item, ordinal): ordinal for ordinal in ordinals}
        found = self._holding.pieces_of(list(places))
        return {(places[owner], kind): shown for (owner, kind), shown in found.items()}

    def vectors(self, space: str, chunks: Sequence[KeptChunk]) -> dict[str, Vectors]:
        """The vectors of chunks in a space, by key."""
        return self._holding.vectors_of_keys(space, {key for one in chunks for _, key in one.views})


def whole(index: Catalog) -> Whole:
    """All of ``index``, wherever it is."""
    return InMilvus(index) if isinstance(index, Asked) else InFile(index)


def batches(source: Whole) -> Iterator[Batch]:
    """All of an index; what has more than :data:`BATCH` chunks in sections."""
    waiting: list[tuple[KeptItem, int, Sequence[int]]] = []
    n = 0
    for kept, ids in source.items():
        for first in range(0, max(len(ids), 1), BATCH):
            part = ids[first : first + BATCH]
            waiting.append((kept, first, part))
            n += len(part)
            if n >= BATCH or len(waiting) >= BATCH:
                yield _batch(source, waiting)
                waiting, n = [], 0
    if waiting:
        yield _batch(source, waiting)


def _batch(source: Whole, parts: Sequence[tuple[KeptItem, int, Sequence[int]]]) -> Batch:
    chunks = source.chunks([one for *_, ids in parts for one in ids])
    by_item: dict[str, list[KeptChunk]] = {}
    for one in chunks:
        by_item.setdefault(one.chunk.item_id, []).append(one)
    entries = [_entry(source, kept, first, by_item.get(kept.item.id, [])) for kept, first, _ in parts]
    vectors = {space: source.vectors(space, chunks) for space in source.spaces()}
    return Batch(entries, vectors, len(chunks))


def _entry(source: Whole, kept: KeptItem, first: int, chunks: Sequence[KeptChunk]) -> Entry:
    is_last = first + BATCH >= kept.chunks
    ordinals = [one.chunk.ordinal for one in chunks]
    return Entry(
        kept.item,
        [one.chunk for one in chunks],
        [list(one.views) for one in chunks],
        kept.recipe if is_last else kept.recipe.removesuffix(BEGUN) + BEGUN,
        kept.facts,
        source.previews(kept.item.id, ordinals if first else [-1, *ordinals]),
        {one.chunk.ordinal: one.described for one in chunks if one.described},
        None if kept.chunks <= BATCH else (first, is_last),
    )
