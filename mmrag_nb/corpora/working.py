"""What of a large index is at hand: rows of Milvus in tables like a file's, so that whatever reads these reads them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.catalog.spaces import LITTLE
from mmrag_nb.types import Chunk, Item, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from mmrag_nb.catalog.entries import Described
    from mmrag_nb.types import Metadata


@dataclass(frozen=True)
class KeptItem:
    """An item, as Milvus holds it."""

    item: Item
    facts: Metadata
    recipe: str
    chunks: int
    """How many it has."""


@dataclass(frozen=True)
class KeptChunk:
    """A chunk, as Milvus holds it."""

    id: int
    chunk: Chunk
    views: Sequence[tuple[str, str]]
    """(view, key)"""
    described: Mapping[str, Described] = field(default_factory=dict)


class WorkingSet(Catalog):
    """An index in memory that takes rows as they are, ids and all; their words are looked for elsewhere."""

    def __init__(self) -> None:
        super().__init__(None)

    def put(self, items: Iterable[KeptItem], chunks: Iterable[KeptChunk]) -> None:
        """Take over items, and chunks of those or of others that are here already; what is here already stays."""
        with self._write(contents=False) as db:
            for kept in items:
                item = kept.item
                row = (item.id, item.uri, item.modality, json.dumps(dict(item.metadata)), json.dumps(dict(kept.facts)))
                record = (item.record.id, item.record.name) if item.record else (None, None)
                db.execute(
                    "INSERT OR IGNORE INTO items (hash, uri, modality, metadata, facts, recipe, record, record_name) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (*row, kept.recipe, *record),
                )
            for one in chunks:
                self._put_chunk(db, one)

    def _put_chunk(self, db: Any, one: KeptChunk) -> None:
        chunk = one.chunk
        if db.execute("SELECT 1 FROM chunks WHERE id = ?", (one.id,)).fetchone():
            return
        (number,) = db.execute("SELECT id FROM items WHERE hash = ?", (chunk.item_id,)).fetchone()
        row = (one.id, number, chunk.ordinal, chunk.modality, chunk.text, chunk.start, chunk.end, chunk.page)
        columns = 'id, item, ordinal, modality, text, start, "end", page'
        db.execute(f"INSERT INTO chunks ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608
        db.executemany("INSERT OR IGNORE INTO views VALUES (?, ?, ?)", [(one.id, *view) for view in one.views])
        said = [(one.id, kind, told.model, told.text) for kind, told in one.described.items()]
        db.executemany("INSERT OR REPLACE INTO descriptions VALUES (?, ?, ?, ?)", said)

    def at_hand(self, ids: Iterable[int]) -> set[int]:
        """Those of these chunks that are here."""
        query = "SELECT id FROM chunks WHERE id IN (SELECT value FROM json_each(?))"
        return {int(str(row[0])) for row in self._rows(query, (json.dumps([int(one) for one in ids]),))}

    def let_go(self, most: int) -> None:
        """Forget all but the ``most`` chunks that came last."""
        (n,) = self._rows("SELECT count(*) FROM chunks")[0]
        if int(str(n)) > most:
            with self._write(contents=False) as db:
                # Items count up, whatever the ids of their chunks.
                db.execute(
                    "DELETE FROM items WHERE id <= (SELECT item FROM chunks ORDER BY item DESC LIMIT 1 OFFSET ?)",
                    (most,),
                )

    def forget(self, hashes: Sequence[str] | None = None) -> None:
        """Forget these items, or all."""
        with self._write(contents=False) as db:
            if hashes is None:
                db.execute("DELETE FROM items")
            else:
                db.execute(
                    "DELETE FROM items WHERE hash IN (SELECT value FROM json_each(?))", (json.dumps(list(hashes)),)
                )

    # -- what is written from here ---------------------------------------------------------------------------------

    def kept_items(self) -> list[KeptItem]:
        """All items here."""
        query = """
            SELECT hash, uri, items.modality, metadata, record, record_name, facts, recipe, 1 + max(ordinal)
            FROM items LEFT JOIN chunks ON chunks.item = items.id GROUP BY items.id"""
        found = []
        for item_id, uri, modality, metadata, record, name, facts, recipe, n in self._rows(query):
            part_of = None if record is None else Record(str(record), str(name))
            item = Item(str(item_id), str(uri), modality, json.loads(str(metadata)), part_of)  # type: ignore[arg-type]
            found.append(KeptItem(item, json.loads(str(facts)), str(recipe), int(str(n or 0))))
        return found

    def kept_chunks(self) -> list[KeptChunk]:
        """All chunks here."""
        ids = [int(str(row[0])) for row in self._rows("SELECT id FROM chunks ORDER BY item, ordinal")]
        stored, views = self.records(ids), self.views(ids)
        return [KeptChunk(one, stored[one].chunk, views.get(one, []), stored[one].described) for one in ids]

    def kept_vectors(self) -> dict[str, dict[str, NDArray[np.float32]]]:
        """All vectors here, by space and key."""
        import numpy as np

        found: dict[str, dict[str, NDArray[np.float32]]] = {}
        for space, key, blob in self._rows("SELECT space, key, vector FROM vectors"):
            found.setdefault(str(space), {})[str(key)] = np.frombuffer(blob, LITTLE).astype(np.float32)  # type: ignore[call-overload]
        return found

    def kept_previews(self) -> list[tuple[str, int, str, str, bytes]]:
        """All previews here: item, ordinal, kind, MIME type and content."""
        query = "SELECT hash, ordinal, kind, mime, data FROM previews JOIN items ON items.id = previews.item"
        return self._rows(query)  # type: ignore[return-value]
