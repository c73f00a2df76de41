"""What of a corpus is asked for by name or number: fetched when it is first touched."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mmrag_nb.catalog.patterns import matches
from mmrag_nb.milvus.tables import among, literal

from .holding import Holding, owner_of, vector_number
from .keys import chunk_number
from .shapes import CHUNKS, ITEMS, table_of
from .working import WorkingSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mmrag_nb.catalog.entries import Stored
    from mmrag_nb.catalog.reading import Place
    from mmrag_nb.types import Item, Modality, Preview

    from .working import KeptItem

LISTED = 10_000
"""Items that are listed at most."""
AT_HAND = 20_000
"""Chunks that are kept at hand at most."""
_LOOK = 3.0
"""Seconds after which it is looked again whether others have written."""


class Fetching(WorkingSet):
    """The reading half of a :class:`~mmrag_nb.corpora.corpus.Corpus`, item by item and chunk by chunk."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.holding = Holding(address)
        self.address = f"milvus:{self.holding.tables.address}"
        self._noted: tuple[object, dict[str, str]] = (None, {})
        self._looked: tuple[float, int] = (0.0, 0)

    @property
    def place(self) -> str:
        """Where it is, to be shown."""
        return self.address

    @property
    def generation(self) -> tuple[int, int]:
        """Differs after every change here, and some seconds after one by others that more or fewer items came of."""
        with self._lock:
            when, items = self._looked
            if time.monotonic() - when > _LOOK:
                items_now = self.holding.tables.count(ITEMS)
                if items_now != items:
                    self.forget()
                self._looked = (time.monotonic(), items_now)
            return self._changes, self._looked[1]

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Nothing: Milvus has no states to go back to."""
        yield

    def _changed(self) -> None:
        """Note a change of ours."""
        with self._lock:
            self._changes += 1
            self._looked = (0.0, self._looked[1])

    # -- fetching --------------------------------------------------------------------------------------------------

    def fetch(self, ids: Iterable[int]) -> None:
        """Bring chunks to hand, with their items."""
        with self._lock:
            wanted = {int(one) for one in ids}
            if not wanted - self.at_hand(wanted):
                return
            self.let_go(AT_HAND)
            lacking = wanted - self.at_hand(wanted)
            chunks = self.holding.chunks(sorted(lacking))
            items = self.holding.items({one.chunk.item_id for one in chunks})
            # What has lost its item is what a killed writer left.
            self.put(items.values(), [one for one in chunks if one.chunk.item_id in items])

    def fetch_items(self, items: str | Sequence[str]) -> list[int]:
        """Bring these items to hand, whole; the ids of their chunks."""
        hashes = [items] if isinstance(items, str) else list(items)
        found = self.holding.items(hashes)
        with self._lock:
            self.put(found.values(), ())
        ids = [one for kept in found.values() for one in _ids(kept)]
        self.fetch(ids)
        return ids

    # -- items -----------------------------------------------------------------------------------------------------

    def found(self, item_hashes: Sequence[str]) -> dict[str, tuple[Item, str]]:
        """Those of several items that are there: by content hash, the item and its recipe. Asked in batches."""
        return {one: (kept.item, kept.recipe) for one, kept in self.holding.items(item_hashes).items()}

    def find(self, item_hash: str) -> tuple[Item, str] | None:
        """The item of that content hash and its recipe; ``None`` where it is not there."""
        return self.found([item_hash]).get(item_hash)

    def items(self) -> list[Item]:
        """The first :data:`LISTED` items; :meth:`counts` has all."""
        return [kept.item for kept in self._listed()]

    def uris(self) -> list[str]:
        """Where these came from."""
        return [kept.item.uri for kept in self._listed()]

    def called(self, name: str) -> list[Item]:
        """The items of that name, URI or content hash, or of the record of that name."""
        said = literal(name)
        conditions = [
            f"hash == {said} or uri == {said} or name == {said}",
            f"record == {said} or record_name == {said}",
        ]
        if len(name) >= 8 and all(digit in "0123456789abcdef" for digit in name):
            conditions.append(f"hash like {literal(name + '%')}")
        return [kept.item for one in conditions for kept in self.holding.items_where(one, LISTED)]

    def places(self) -> list[Place]:
        """None: what becomes of files is not followed in a corpus."""
        return []

    def matching(self, pattern: str) -> list[Item]:
        """Those of all items that a pattern means, see :func:`mmrag_nb.catalog.patterns.matches`."""
        return matches((kept.item for kept in self.holding.every_item()), pattern)

    def chunks_by_item(self, items: Sequence[str] | None = None) -> dict[str, int]:
        """Number of chunks of some items, or of the first :data:`LISTED`."""
        listed = self._listed() if items is None else self.holding.items(items).values()
        return {kept.item.id: kept.chunks for kept in listed}

    def facts(self, name: str) -> list[tuple[str, str, object]]:  # noqa: ARG002
        """None: a corpus is not looked through for what is alike."""
        return []

    def _listed(self) -> list[KeptItem]:
        return self.holding.items_where("id >= 0", LISTED)

    def chunk_ids(self, item_hash: str) -> list[int]:
        """Ids of the item's chunks, in order."""
        kept = self.holding.items([item_hash]).get(item_hash)
        return [] if kept is None else _ids(kept)

    # -- chunks ----------------------------------------------------------------------------------------------------

    def records(self, chunk_ids: Sequence[int]) -> dict[int, Stored]:
        """Chunks by id, with their items."""
        self.fetch(chunk_ids)
        return super().records(chunk_ids)

    def views(self, chunk_ids: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
        """The views of chunks: by id, (view, key)."""
        self.fetch(chunk_ids)
        return super().views(chunk_ids)

    def recipes(self, chunk_ids: Sequence[int]) -> dict[int, str]:
        """The recipes of the items of these chunks, by chunk id."""
        self.fetch(chunk_ids)
        return super().recipes(chunk_ids)

    def record_parts(self, chunk_ids: Sequence[int]) -> dict[int, int]:
        """Every chunk of the records that these chunks are parts of: chunk id to a number of its record."""
        stored = self.records(chunk_ids).values()
        records = sorted({one.item.record.id for one in stored if one.item.record is not None})
        for start in range(0, len(records), 100):
            parts = self.holding.items_where(among("record", records[start : start + 100]), LISTED)
            self.fetch_items([kept.item.id for kept in parts])
        return super().record_parts(chunk_ids)

    def has_records(self) -> bool:
        """Whether any item is part of a record."""
        return bool(self.holding.items_where('record != ""', 1))

    def pages_in_words(self, chunk_ids: Sequence[int]) -> set[int]:
        """Those of these pictures that are pages of a PDF whose words are in the index as text."""
        self.fetch_items(sorted({one.item.id for one in self.records(chunk_ids).values()}))
        return super().pages_in_words(chunk_ids)

    def heard(self, item_hash: str, kind: str) -> dict[Any, tuple[str, dict[str, Preview]]]:
        """The texts of the item's sounds, each with its preview of ``kind``, if any, by start and end in seconds."""
        stored = self.records(self.fetch_items(item_hash)).values()
        return {
            (one.chunk.start, one.chunk.end): (one.chunk.text, self.previews(item_hash, one.chunk.ordinal, (kind,)))
            for one in sorted(stored, key=lambda one: one.chunk.ordinal)
            if one.chunk.modality == "audio"
        }

    # -- what is missing of them -----------------------------------------------------------------------------------

    def undescribed(self, kind: str, model: str, items: str | Sequence[str] | None = None) -> list[int]:
        """Ids of the pictures of some items of which ``model`` told no ``kind``; of the whole that is not asked."""
        return [] if items is None or not self.fetch_items(items) else super().undescribed(kind, model, items)

    def with_words(self, items: str | Sequence[str] | None = None) -> list[int]:
        """Ids of the pictures of some items in which something was read; of the whole that is not asked."""
        return [] if items is None or not self.fetch_items(items) else super().with_words(items)

    def unembedded(
        self, space: str, view: str, kinds: Sequence[Modality], items: str | Sequence[str] | None = None
    ) -> list[int]:
        """Ids of the chunks of some items that have no vector for ``view``; of the whole that is not asked."""
        if items is None:
            return []
        stored = self.records(self.fetch_items(items))
        ids = [one for one, kept in stored.items() if kept.chunk.modality in kinds]
        there = {
            row["id"]
            for row in self.holding.tables.get(table_of(space), [vector_number(one, view) for one in ids], ("id",))
        }
        return sorted(one for one in ids if vector_number(one, view) not in there)

    # -- previews --------------------------------------------------------------------------------------------------

    def previews(self, item_hash: str, ordinal: int, kinds: Sequence[str]) -> dict[str, Preview]:
        """Those previews of a chunk and of its item that are of ``kinds``."""
        found = self._pieces(item_hash, -1, kinds)
        return {**found, **(self._pieces(item_hash, ordinal, kinds) if ordinal >= 0 else {})}  # the chunk's own win

    def _pieces(self, item_hash: str, ordinal: int, kinds: Sequence[str]) -> dict[str, Preview]:
        return self.holding.pieces(owner_of(item_hash, ordinal), kinds)

    def page_previews(self, item_hash: str, page: int, kinds: Sequence[str]) -> dict[str, Preview]:
        """Those previews of a page's picture that are of ``kinds``."""
        where = f'item == {literal(item_hash)} and page == {page} and modality == "image"'
        rows = self.holding.tables.where(CHUNKS, where, ("ordinal",))
        return {kind: shown for row in rows for kind, shown in self._pieces(item_hash, row["ordinal"], kinds).items()}

    # -- notes -----------------------------------------------------------------------------------------------------

    def meta(self) -> dict[str, str]:
        """What made the index: the settings in force when something was added last."""
        state = self.generation
        if self._noted[0] != state:
            self._noted = (state, self.holding.notes())
        return {key: value for key, value in self._noted[1].items() if " " not in key}

    def close(self) -> None:
        """Let go of the connection and of what is at hand; what is in Milvus stays."""
        self.holding.tables.close()
        super().close()


def _ids(kept: KeptItem) -> list[int]:
    return [chunk_number(kept.item.id, ordinal) for ordinal in range(kept.chunks)]
