"""An index that lies in Milvus: as large as that can hold, and asked like any other."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.catalog.entries import BEGUN
from mmrag_nb.errors import StoreError
from mmrag_nb.milvus.tables import among
from mmrag_nb.types import Preview

from .asked import Asked
from .downloading import LARGEST, write_down
from .filtering import fields_of
from .holding import owner_of, vector_number
from .keys import chunk_number, number
from .shapes import CHUNKS, ITEMS, table_of
from .working import KeptItem, WorkingSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from mmrag_nb.catalog.entries import Described, Entry
    from mmrag_nb.protocols import Progress
    from mmrag_nb.types import Item

    from .working import KeptChunk


COPIES = "copies"
"""Key of the note on where files lie besides: what becomes of files is not followed in a corpus."""
_AT_A_TIME = 100
"""Items that are deleted at a time."""


class Corpus(Asked):
    """An index in Milvus: a :class:`~mmrag_nb.catalog.catalog.Catalog` that is no larger here than what is looked at.

    What a question touches is fetched and kept at hand, in tables like a file's; what looks at the whole is asked of
    Milvus. For writers, of which a cluster takes many at once:

    - :meth:`found` and :meth:`missing` tell in a request or a few what of a batch is there already;
    - :meth:`register` notes a space before its first vectors;
    - :meth:`add` writes a batch. Keys are hashes of what they stand for, so that writing twice is writing once, and an
      item's own row comes last: what a killed writer left half is no item, and is written again.

    Parameters
    ----------
    address
        ``FILE.db``, Milvus Lite in this process, or ``http(s)://host:port[/name]``; a token is taken from the
        environment variable ``MILVUS_TOKEN``. :attr:`address` has it with ``milvus:`` before it.

    Raises
    ------
    StoreError
        It cannot be reached, or is none.
    """

    # -- write -----------------------------------------------------------------------------------------------------

    def register(self, space: str, dimension: int, fingerprint: Mapping[str, str], versions: Mapping[str, str]) -> None:
        """Note that ``space`` is about to be filled by the model of ``fingerprint``.

        Raises
        ------
        IndexMismatch
            There are vectors of this space made by another model.
        """
        known = self.spaces_noted().get(space)
        if self.holds(space, fingerprint) and known is not None:
            return
        told = {"dimension": dimension, "fingerprint": dict(fingerprint), "versions": dict(versions)}
        if known != told:
            self.holding.note({f"space {space}": json.dumps(told)})
            self._changed()

    def add(
        self,
        entries: Iterable[Entry],
        vectors: Mapping[str, Mapping[str, NDArray[np.float32]]],
        meta: Mapping[str, str] | None = None,
        relied: Any = None,  # noqa: ARG002
    ) -> dict[str, str]:
        """Write ``entries``, ``vectors`` (by space, then key) and ``meta`` (what made them), each item whole or not.

        Tells where those that were known were known (URIs, by content hash).

        An item known by its hash is replaced; a section replaces the chunks in its place, the last one also what is
        behind it. A key that has no vector here takes the one that is in Milvus.
        """
        entries = [replace(entry, run="") if getattr(entry, "run", "") else entry for entry in entries]
        known = self.holding.items([entry.item.id for entry in entries])
        staging = WorkingSet()
        before: list[KeptChunk] = []
        for entry in entries:
            if (kept := known.get(entry.item.id)) is not None:
                before += self.holding.chunks(_touched(entry, kept))
        staging.put(known.values(), before)
        staging.add(entries, vectors)
        sizes = {entry.item.id: _size(entry, known.get(entry.item.id)) for entry in entries}
        noted = self.meta()
        if new := {key: value for key, value in (meta or {}).items() if noted.get(key) != value}:
            self.holding.note(new)
        self._write_out(staging, known, before, sizes)
        return {one: kept.item.uri for one, kept in known.items()}

    def add_views(
        self,
        views: Mapping[int, Sequence[tuple[str, str]]],
        vectors: Mapping[str, Mapping[str, NDArray[np.float32]]],
        described: Mapping[int, Mapping[str, Described]],
        *_: Any,
    ) -> None:
        """Write further views of chunks that are there, by chunk id."""
        staging, known, before = self._staged({*views, *described})
        there = {one.id for one in before}
        staging.add_views(
            {one: seen for one, seen in views.items() if one in there},
            vectors,
            {one: said for one, said in described.items() if one in there},
        )
        self._write_out(staging, known, before)

    def update(self, *items: Item) -> dict[str, str]:
        """Take over where items are found now and what is said of them; their chunks stay. Tells where they were."""
        staging, known, before = self._staged([one for item in items for one in self.chunk_ids(item.id)])
        staging.update(*items)
        self._write_out(staging, known, before)
        return {one: kept.item.uri for one, kept in known.items()}

    def _staged(self, ids: Iterable[int]) -> tuple[WorkingSet, dict[str, KeptItem], list[KeptChunk]]:
        chunks = self.holding.chunks(ids)
        known = self.holding.items({one.chunk.item_id for one in chunks})
        chunks = [one for one in chunks if one.chunk.item_id in known]
        staging = WorkingSet()
        staging.put(known.values(), chunks)
        return staging, known, chunks

    def _write_out(
        self,
        staging: WorkingSet,
        known: Mapping[str, KeptItem],
        before: Sequence[KeptChunk],
        sizes: Mapping[str, int] | None = None,
    ) -> None:
        """Write what is in ``staging``, items last; take out what was ``before`` and is there no longer."""
        holding = self.holding
        items = {
            kept.item.id: replace(
                kept,
                chunks=(sizes or {}).get(
                    kept.item.id, known[kept.item.id].chunks if kept.item.id in known else kept.chunks
                ),
            )
            for kept in staging.kept_items()
        }
        chunks = staging.kept_chunks()
        # Until all is written, what is replaced is no whole item.
        holding.put_items(replace(one, recipe=one.recipe.removesuffix(BEGUN) + BEGUN) for one in known.values())
        spaces: dict[int, list[str]] = {}
        fields = {
            one.id: fields_of(one.chunk, items[one.chunk.item_id].item, items[one.chunk.item_id].facts)
            for one in chunks
        }
        made, keys = staging.kept_vectors(), {key for one in chunks for _, key in one.views}
        for space, told in self.spaces_noted().items():
            own = made.get(space, {})
            own |= holding.vectors_of_keys(space, keys - own.keys())
            if own:
                for one, views in holding.put_vectors(
                    space, told["dimension"], chunks, items, vectors=own, fields=fields
                ).items():
                    spaces.setdefault(one, []).extend(f"{space} {view}" for view in views)
        holding.put_pieces(
            {
                (owner_of(item, place), kind): Preview(mime, data)
                for item, place, kind, mime, data in staging.kept_previews()
            }
        )
        holding.put_chunks(chunks, items, spaces, fields)
        self._take_out(before, chunks)
        holding.put_items(items.values())
        staging.close()
        self.forget(list(items))
        self._changed()

    def _take_out(self, before: Sequence[KeptChunk], now: Sequence[KeptChunk]) -> None:
        """Delete the chunks that were ``before``, and the vectors of their views, that are not there ``now``."""
        kept = {chunk_number(one.chunk.item_id, one.chunk.ordinal): {view for view, _ in one.views} for one in now}
        gone = [one for one in before if one.id not in kept]
        self.holding.tables.drop(CHUNKS, [one.id for one in gone])
        self.holding.drop_pieces([owner_of(one.chunk.item_id, one.chunk.ordinal) for one in gone])
        lost = [
            vector_number(one.id, view) for one in before for view, _ in one.views if view not in kept.get(one.id, ())
        ]
        for space in self.spaces_noted() if lost else ():
            self.holding.tables.drop(table_of(space), lost)

    def remove(self, hashes: Sequence[str], at: Any = None, instead: Any = None) -> None:  # noqa: ARG002
        """Delete items by content hash, with all that is theirs."""
        tables = self.holding.tables
        for start in range(0, len(hashes), _AT_A_TIME):
            going = self.holding.items(hashes[start : start + _AT_A_TIME])
            places = [(item, ordinal) for item, kept in going.items() for ordinal in range(kept.chunks)]
            tables.drop(ITEMS, [number("item", item) for item in going])  # first: half of it is none
            for space in self.spaces_noted() if going else ():
                rows = tables.every(table_of(space), ("id",), among("item", going))
                tables.drop(table_of(space), [row["id"] for row in rows])
            tables.drop(CHUNKS, [chunk_number(*place) for place in places])
            self.holding.drop_pieces([owner_of(*place) for place in [*places, *((item, -1) for item in going)]])
        self.forget(list(hashes))
        self._changed()

    def amend(self, key: str, change: Callable[[str | None], str], *, patience: float | None = None) -> None:  # noqa: ARG002
        """Note what ``change`` makes of what is noted by ``key``; not where copies of files are, which may be many."""
        if key != COPIES:
            self.note(key, change(self.meta().get(key)))

    # -- elsewhere -------------------------------------------------------------------------------------------------

    def save(self, path: Path, progress: Progress | None = None) -> None:
        """Write the whole to a file, and go on there; what is in Milvus stays.

        Raises
        ------
        StoreError
            It is too large for a file.
        IndexFileError
            The file cannot be written.
        """
        if (n := self.chunk_count()) > LARGEST:
            raise StoreError(
                f"{self.place} has {n:,} chunks, and a file is for {LARGEST:,} at most: index what the lesson needs "
                "into a file"
            )
        write_down(self, path, progress)
        self.become(Catalog(path))

    def become(self, other: Catalog) -> None:
        """Go on as ``other``; the connection is let go."""
        tables = self.holding.tables
        super().become(other)
        tables.close()

    def note(self, key: str, value: str) -> None:
        """Keep ``value`` among what is known of the index as a whole."""
        self.holding.note({key: value})
        self._noted = (None, {})


def _touched(entry: Entry, kept: KeptItem) -> list[int]:
    """Ids of the chunks that an entry may replace."""
    first, until = 0, kept.chunks
    if entry.section is not None and entry.section[0]:
        first, is_last = entry.section
        until = until if is_last else min(until, first + len(entry.chunks))
    return [chunk_number(entry.item.id, ordinal) for ordinal in range(first, until)]


def _size(entry: Entry, kept: KeptItem | None) -> int:
    """How many chunks the item of an entry has with it."""
    if entry.section is None:
        return len(entry.chunks)
    first, is_last = entry.section
    until = first + len(entry.chunks)
    return until if is_last or kept is None else max(until, kept.chunks)
