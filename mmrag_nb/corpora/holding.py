"""The rows of an index in Milvus, read and written as what they stand for."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.catalog.entries import Described
from mmrag_nb.catalog.writing import named
from mmrag_nb.errors import StoreError
from mmrag_nb.milvus.tables import LONGEST, Tables, among
from mmrag_nb.types import Chunk, Item, Preview, Record

from . import words
from .filtering import names_in
from .keys import chunk_number, number
from .shapes import CHUNKS, ITEMS, NOTES, PIECES, SHAPES, VECTORS, WORDED, table_of
from .working import KeptChunk, KeptItem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

_PIECE = 49_000
"""Bytes of which base64 fills one field."""
_AT_A_TIME = 100
"""Pieces that are written or asked for at a time: 6 MB."""
_OF_ITEM = ("hash", "uri", "modality", "metadata", "facts", "recipe", "record", "record_name", "chunks")
_OF_CHUNK = ("item", "ordinal", "modality", "text", "start", "end", "page", "views", "described")


class Holding:
    """What lies in Milvus at an address, by the names of the catalog."""

    def __init__(self, address: str) -> None:
        self.tables = Tables(address)
        self._names: set[str] = set()
        """Fields that are known to have been noted."""

    # -- notes -----------------------------------------------------------------------------------------------------

    def notes(self) -> dict[str, str]:
        """What is noted of the index as a whole."""
        return {row["key"]: row["value"] for row in self.tables.where(NOTES, "id >= 0", ("key", "value"))}

    def note(self, noted: Mapping[str, str]) -> None:
        """Note these, each over what was noted by its key."""
        self._put(NOTES, [{"id": number(key), "key": key, "value": value} for key, value in noted.items()])

    # -- items -----------------------------------------------------------------------------------------------------

    def items(self, hashes: Iterable[str]) -> dict[str, KeptItem]:
        """Those items that are there, by content hash."""
        rows = self.tables.get(ITEMS, (number("item", one) for one in hashes), _OF_ITEM)
        return {row["hash"]: _item(row) for row in rows}

    def items_where(self, condition: str, limit: int) -> list[KeptItem]:
        """At most ``limit`` of the items that fit."""
        return [_item(row) for row in self.tables.where(ITEMS, condition, _OF_ITEM, limit)]

    def every_item(self) -> Iterator[KeptItem]:
        """All items, in no order that means anything."""
        return map(_item, self.tables.every(ITEMS, _OF_ITEM, "id >= 0"))

    def put_items(self, items: Iterable[KeptItem]) -> None:
        """Write items; what of them is written elsewhere must be there."""
        rows = []
        for kept in items:
            item = kept.item
            record = (item.record.id, item.record.name) if item.record else ("", "")
            told = {"metadata": json.dumps(dict(item.metadata)), "facts": json.dumps(dict(kept.facts))}
            row = {"id": number("item", item.id), "hash": item.id, "uri": item.uri, "name": item.name, **told}
            row |= {"modality": item.modality, "recipe": kept.recipe, "chunks": kept.chunks}
            row |= {"record": record[0], "record_name": record[1]}
            for name, value in row.items():
                if isinstance(value, str) and len(value.encode()) > LONGEST:
                    size = len(value.encode())
                    raise StoreError(f"{item.name}: its {name} has {size:,} bytes, Milvus takes {LONGEST:,}: say less")
            rows.append(row)
        self._put(ITEMS, rows)

    # -- chunks ----------------------------------------------------------------------------------------------------

    def chunks(self, ids: Iterable[int]) -> list[KeptChunk]:
        """Those chunks that are there."""
        rows = self.tables.get(CHUNKS, ids, _OF_CHUNK)
        cut = [row["id"] for row in rows if len(row["text"].encode()) > LONGEST - 4]
        whole = {one: self.pieces(str(one), ("text",)).get("text") for one in cut}
        return [_chunk(row, whole.get(row["id"])) for row in rows]

    def put_chunks(
        self,
        chunks: Sequence[KeptChunk],
        items: Mapping[str, KeptItem],
        spaces: Mapping[int, Sequence[str]],
        fields: Mapping[int, Mapping[str, Any]],
    ) -> None:
        """Write chunks of ``items``; by chunk, the spaces with a view that it is found in, and what filters may ask."""
        rows = []
        for one in chunks:
            chunk, kept = one.chunk, items[one.chunk.item_id]
            self._names_of(fields[one.id])
            text = chunk.text.encode()
            if len(text) > LONGEST - 4:
                self.put_pieces(
                    {(str(chunk_number(chunk.item_id, chunk.ordinal)), "text"): Preview("text/plain", text)}
                )
            said = " ".join(told.text for told in one.described.values())
            rows.append(
                {
                    "id": chunk_number(chunk.item_id, chunk.ordinal),
                    "item": chunk.item_id,
                    "ordinal": chunk.ordinal,
                    "modality": chunk.modality,
                    "item_modality": kept.item.modality,
                    "text": text[: LONGEST - 1].decode("utf-8", "ignore"),
                    "start": chunk.start,
                    "end": chunk.end,
                    "page": chunk.page,
                    "views": json.dumps([list(view) for view in one.views]),
                    "described": json.dumps({kind: [told.model, told.text] for kind, told in one.described.items()}),
                    "places": sorted({view for view, _ in one.views}.union(spaces.get(one.id, ()))),
                    "words": words.fitting(f"{chunk.text} {named(kept.item)}", LONGEST),
                    "told": words.fitting(said, LONGEST),
                    "fields": fields[one.id],
                }
            )
        self._put(CHUNKS, rows)

    def _names_of(self, fields: Mapping[str, Any]) -> None:
        new = names_in(fields) - self._names
        if new:
            self.note({f"field {name}": "" for name in new})
            self._names |= new

    # -- vectors ---------------------------------------------------------------------------------------------------

    def keys_there(self, space: str, keys: Iterable[str]) -> set[str]:
        """Those of ``keys`` that have a vector in ``space``."""
        return {row["key"] for rows in self._by_key(space, keys, ("key",)) for row in rows}

    def vectors_of_keys(self, space: str, keys: Iterable[str]) -> dict[str, NDArray[np.float32]]:
        """The vectors of ``keys``, of those that have one."""
        rows = self._by_key(space, keys, ("key", "vector"))
        return {row["key"]: np.asarray(row["vector"], np.float32) for part in rows for row in part}

    def _by_key(self, space: str, keys: Iterable[str], fields: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
        wanted = list(keys)
        for start in range(0, len(wanted), 100):
            yield self.tables.where(table_of(space), among("key", wanted[start : start + 100]), fields)

    def put_vectors(
        self,
        space: str,
        dimension: int,
        chunks: Sequence[KeptChunk],
        items: Mapping[str, KeptItem],
        *,
        vectors: Mapping[str, NDArray[np.float32]],
        fields: Mapping[int, Mapping[str, Any]],
    ) -> dict[int, list[str]]:
        """Write the vectors (by key) of chunks; tells by chunk id which views have one."""
        table = table_of(space)
        self.tables.make(table, VECTORS, dimension)
        rows, found = [], defaultdict(list)
        for one in chunks:
            chunk, kept = one.chunk, items[one.chunk.item_id]
            own = chunk_number(chunk.item_id, chunk.ordinal)
            for view, key in one.views:
                if key in vectors:
                    found[one.id].append(view)
                    row = {
                        "id": vector_number(own, view),
                        "chunk": own,
                        "item": chunk.item_id,
                        "view": view,
                        "key": key,
                    }
                    row |= {"modality": chunk.modality, "item_modality": kept.item.modality}
                    rows.append({**row, "fields": fields[one.id], "vector": vectors[key].tolist()})
        self.tables.put(table, rows)
        return dict(found)

    # -- pieces ----------------------------------------------------------------------------------------------------

    def pieces(self, owner: str, kinds: Sequence[str]) -> dict[str, Preview]:
        """What is kept of these kinds for ``owner``."""
        fields = ("kind", "mime", "place", "of", "data")
        first = self.tables.get(PIECES, (number(owner, kind, 0) for kind in kinds), fields)
        rest = [number(owner, row["kind"], place) for row in first for place in range(1, row["of"])]
        rows = [*first, *self.tables.get(PIECES, rest, fields, _AT_A_TIME)]
        return {kind: shown for (_, kind), shown in _joined({**row, "owner": owner} for row in rows).items()}

    def pieces_of(self, owners: Sequence[str]) -> dict[tuple[str, str], Preview]:
        """All that is kept for ``owners``, by owner and kind."""
        fields = ("owner", "kind", "mime", "place", "of", "data")
        found: dict[tuple[str, str], Preview] = {}
        for start in range(0, len(owners), 100):
            where = among("owner", owners[start : start + 100])
            found |= _joined(self.tables.every(PIECES, fields, where, _AT_A_TIME))
        return found

    def put_pieces(self, kept: Mapping[tuple[str, str], Preview]) -> None:
        """Keep what is of some size, by owner and kind."""
        rows = []
        for (owner, kind), preview in kept.items():
            parts = [preview.data[at : at + _PIECE] for at in range(0, len(preview.data), _PIECE)] or [b""]
            for place, part in enumerate(parts):
                row = {"id": number(owner, kind, place), "owner": owner, "kind": kind, "mime": preview.mime}
                rows.append({**row, "place": place, "of": len(parts), "data": base64.b64encode(part).decode()})
                if len(rows) == _AT_A_TIME:
                    self._put(PIECES, rows)
                    rows = []
        self._put(PIECES, rows)

    def drop_pieces(self, owners: Sequence[str]) -> None:
        """Delete all that is kept for ``owners``."""
        for start in range(0, len(owners), 100):
            part = owners[start : start + 100]
            rows = self.tables.where(PIECES, among("owner", part), ("id",))
            self.tables.drop(PIECES, [row["id"] for row in rows])

    def _put(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self.tables.make(table, SHAPES[table], worded=WORDED.get(table, ()))
            self.tables.put(table, rows)


def _joined(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], Preview]:
    """What pieces are pieces of, by owner and kind."""
    parts: dict[tuple[str, str], dict[int, Mapping[str, Any]]] = defaultdict(dict)
    for row in rows:
        parts[row["owner"], row["kind"]][row["place"]] = row
    found = {}
    for key, of in parts.items():
        some = next(iter(of.values()))
        if len(of) == some["of"]:  # else it is being written
            found[key] = Preview(some["mime"], b"".join(base64.b64decode(of[at]["data"]) for at in range(len(of))))
    return found


def vector_number(chunk: int, view: str) -> int:
    """The key of a chunk's vector."""
    return number("vector", chunk, view)


def owner_of(item: str, ordinal: int) -> str:
    """Whose a preview is: a chunk's, or with -1 the item's."""
    return f"{item} {ordinal}"


def _item(row: Mapping[str, Any]) -> KeptItem:
    record = Record(row["record"], row["record_name"]) if row["record"] else None
    item = Item(row["hash"], row["uri"], row["modality"], json.loads(row["metadata"]), record)
    return KeptItem(item, json.loads(row["facts"]), row["recipe"], int(row["chunks"]))


def _chunk(row: Mapping[str, Any], text: Preview | None) -> KeptChunk:
    told = text.data.decode() if text is not None else row["text"]
    chunk = Chunk(row["item"], row["ordinal"], row["modality"], told, row["start"], row["end"], row["page"])
    described = {kind: Described(*said) for kind, said in json.loads(row["described"]).items()}
    return KeptChunk(row["id"], chunk, [(view, key) for view, key in json.loads(row["views"])], described)
