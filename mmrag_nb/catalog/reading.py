"""What an index can be asked: its items, chunks, records and previews."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mmrag_nb.types import Chunk, Item, Preview, Record, name_of

from .entries import BEGUN, Described, Stored
from .where import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from mmrag_nb.types import Modality

    from .database import Database

OF_ITEM = ("items.hash IN (SELECT value FROM json_each(?))", "? IS NULL")
"""Some items, or all: a condition that an index can serve. :func:`hashes` makes its value."""


class Place(NamedTuple):
    """Where an item was found last."""

    item: str
    """Its content hash."""
    uri: str
    record: str | None
    """Id of what it is a part of."""
    whole: bool
    """Whether all of its sections are there."""


class Reading:
    """What holds the items of a :class:`~mmrag_nb.catalog.catalog.Catalog`, over an open database."""

    completes = True
    """Whether what a strategy lacks is computed when it is first used."""

    def __init__(self, db: Database) -> None:
        self._lock = threading.RLock()
        self._db = db
        self._changes = 0
        self._counted: tuple[object, int] = (None, 0)

    @property
    def generation(self) -> tuple[int, int]:
        """Differs after every change of what is in the index, here or by another connection.

        So what is derived from it knows when it is stale.
        """
        with self._lock:
            return self._changes, int(self._db.execute("PRAGMA data_version").fetchone()[0])

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all that is read within the block be of one state of the index, whatever others write meanwhile.

        What is written within it fails; threads of this process wait.
        """
        with self._lock:
            within = self._db.in_transaction  # of one state already
            try:
                if not within:
                    self._db.execute("BEGIN")
                yield
            finally:
                if not within and self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def _rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        with self._lock:
            return self._db.execute(query, parameters).fetchall()

    def meta(self) -> dict[str, str]:
        """What made the index: the settings in force when something was added last."""
        return {str(k): str(v) for k, v in self._rows("SELECT key, value FROM meta")}

    def counts(self) -> dict[str, int]:
        """Items by modality."""
        rows = self._rows("SELECT modality, count(*) FROM items GROUP BY modality ORDER BY modality")
        return {str(m): int(str(n)) for m, n in rows}

    def kinds(self) -> set[Modality]:
        """The modalities of all chunks: a film's frames are pictures, a document's pages are, too."""
        return {str(row[0]) for row in self._rows("SELECT DISTINCT modality FROM chunks")}  # type: ignore[misc]

    def chunk_count(self) -> int:
        """Number of chunks."""
        with self._lock:
            state = self.generation
            if self._counted[0] != state:  # each question asks, and counting takes longer the more there are
                self._counted = (state, int(str(self._rows("SELECT count(*) FROM chunks")[0][0])))
            return self._counted[1]

    def find(self, item_hash: str) -> tuple[Item, str] | None:
        """The item of that content hash and its recipe; ``None`` where it is not in the index."""
        query = "SELECT hash, uri, modality, metadata, record, record_name, recipe FROM items WHERE hash = ?"
        rows = self._rows(query, (item_hash,))
        return (_item(rows[0][:6]), str(rows[0][6])) if rows else None

    def found(self, item_hashes: Sequence[str]) -> dict[str, tuple[Item, str]]:
        """Those of several items that are in the index, as by :meth:`find`, by their content hashes."""
        query = f"SELECT hash, uri, modality, metadata, record, record_name, recipe FROM items WHERE {OF_ITEM[0]}"  # noqa: S608
        return {str(row[0]): (_item(row[:6]), str(row[6])) for row in self._rows(query, (hashes(item_hashes),))}

    def undescribed(self, kind: str, model: str, items: str | Sequence[str] | None = None) -> list[int]:
        """Ids of the pictures of which ``model`` told no ``kind`` (``caption``, ``ocr``), of some items or of all."""
        query = f"""
            SELECT chunks.id FROM chunks JOIN items ON items.id = chunks.item
            WHERE {OF_ITEM[items is None]} AND chunks.modality = 'image' AND NOT EXISTS (
                SELECT 1 FROM descriptions WHERE chunk = chunks.id AND (kind, model) = (?, ?))
            ORDER BY chunks.id"""  # noqa: S608
        return [int(str(row[0])) for row in self._rows(query, (hashes(items), kind, model))]

    def with_words(self, items: str | Sequence[str] | None = None) -> list[int]:
        """Ids of the pictures in which something was read (``ocr``), of some items or of all."""
        query = f"""
            SELECT chunks.id FROM descriptions JOIN chunks ON chunks.id = chunk JOIN items ON items.id = chunks.item
            WHERE {OF_ITEM[items is None]} AND kind = 'ocr' AND descriptions.text <> '' ORDER BY chunks.id"""  # noqa: S608
        return [int(str(row[0])) for row in self._rows(query, (hashes(items),))]

    def pages_in_words(self, chunk_ids: Sequence[int]) -> set[int]:
        """Those of these pictures that are pages of a PDF whose words are in the index as text."""
        query = """
            SELECT pictured.id FROM chunks AS pictured
            JOIN items ON items.id = pictured.item AND items.recipe LIKE 'pdf-%'
            WHERE pictured.id IN (SELECT value FROM json_each(?)) AND pictured.modality = 'image' AND EXISTS (
                SELECT 1 FROM chunks WHERE item = pictured.item AND page = pictured.page AND modality = 'text')"""
        return {int(str(row[0])) for row in self._rows(query, (json.dumps(list(chunk_ids)),))}

    def views(self, chunk_ids: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
        """The views of chunks: by id, (view, key)."""
        found: dict[int, list[tuple[str, str]]] = {}
        query = "SELECT chunk, view, key FROM views WHERE chunk IN (SELECT value FROM json_each(?))"
        for chunk, view, key in self._rows(query, (json.dumps(list(chunk_ids)),)):
            found.setdefault(int(str(chunk)), []).append((str(view), str(key)))
        return found

    def recipes(self, chunk_ids: Sequence[int]) -> dict[int, str]:
        """The recipes of the items of these chunks, by chunk id."""
        query = """
            SELECT chunks.id, recipe FROM chunks JOIN items ON items.id = chunks.item
            WHERE chunks.id IN (SELECT value FROM json_each(?))"""
        return {int(str(i)): str(recipe) for i, recipe in self._rows(query, (json.dumps(list(chunk_ids)),))}

    def record_parts(self, chunk_ids: Sequence[int]) -> dict[int, int]:
        """Every chunk of the records that these chunks are parts of: chunk id to a number of its record."""
        query = """
            WITH meant AS (
                SELECT DISTINCT record FROM items JOIN chunks ON chunks.item = items.id
                WHERE chunks.id IN (SELECT value FROM json_each(?)) AND record IS NOT NULL)
            SELECT chunks.id, dense_rank() OVER (ORDER BY items.record) FROM chunks JOIN items ON items.id = chunks.item
            WHERE items.record IN (SELECT record FROM meant)"""
        return {int(str(i)): int(str(n)) for i, n in self._rows(query, (json.dumps([int(i) for i in chunk_ids]),))}

    def has_records(self) -> bool:
        """Whether any item is part of a record."""
        return bool(self._rows("SELECT 1 FROM items WHERE record IS NOT NULL LIMIT 1"))

    def heard(
        self, item_hash: str, kind: str
    ) -> dict[tuple[float | None, float | None], tuple[str, dict[str, Preview]]]:
        """The texts of the item's sounds, each with its preview of ``kind``, if any, by start and end in seconds."""
        query = """
            SELECT start, "end", text, mime, data FROM chunks JOIN items ON items.id = chunks.item
            LEFT JOIN previews ON (previews.item, previews.ordinal, kind) = (items.id, chunks.ordinal, ?)
            WHERE hash = ? AND chunks.modality = 'audio' ORDER BY chunks.ordinal"""
        rows = self._rows(query, (kind, item_hash))
        return {
            (start, end): (str(text), {} if data is None else {kind: Preview(str(mime), data)})  # type: ignore[misc, arg-type]
            for start, end, text, mime, data in rows
        }

    def chunks_by_item(self, items: Sequence[str] | None = None) -> dict[str, int]:
        """Number of chunks of some items or of all, by content hash."""
        query = f"""
            SELECT hash, count(chunks.id) FROM items LEFT JOIN chunks ON item = items.id
            WHERE {OF_ITEM[items is None]} GROUP BY hash"""  # noqa: S608
        rows = self._rows(query, (hashes(items),))
        return {str(item_hash): int(str(n)) for item_hash, n in rows}

    def facts(self, name: str) -> list[tuple[str, str, object]]:
        """Content hash, URI and value of all items that have the fact ``name``, in the order of :meth:`items`."""
        query = """
            SELECT hash, uri, json_extract(facts, ?) FROM items WHERE json_type(facts, ?) NOTNULL ORDER BY id"""
        return [(str(found), str(uri), value) for found, uri, value in self._rows(query, [f'$."{name}"'] * 2)]

    def size(self) -> int:
        """Bytes that the index takes."""
        pages, page = (self._rows(f"PRAGMA {what}")[0][0] for what in ("page_count", "page_size"))
        return int(str(pages)) * int(str(page))

    def used(self) -> int:
        """Bytes of :meth:`size` that hold something: a small index is mostly pages with room for more."""
        return int(str(self._rows("SELECT sum(pgsize - unused) FROM dbstat")[0][0]))

    def items(self) -> list[Item]:
        """All items, in the order in which they were first indexed."""
        query = "SELECT hash, uri, modality, metadata, record, record_name FROM items ORDER BY id"
        return [_item(row) for row in self._rows(query)]

    def uris(self) -> list[str]:
        """Where all items came from, in the same order."""
        return [str(row[0]) for row in self._rows("SELECT uri FROM items ORDER BY id")]

    def places(self) -> list[Place]:
        """Where all items were found, in the same order."""
        query = "SELECT hash, uri, record, recipe FROM items ORDER BY id"
        return [
            Place(str(item), str(uri), None if record is None else str(record), not str(recipe).endswith(BEGUN))
            for item, uri, record, recipe in self._rows(query)
        ]

    def chunk_ids(self, item_hash: str) -> list[int]:
        """Ids of the item's chunks, in order."""
        query = "SELECT chunks.id FROM chunks JOIN items ON items.id = chunks.item WHERE hash = ? ORDER BY ordinal"
        return [int(str(row[0])) for row in self._rows(query, (item_hash,))]

    def chunks_among(self, modalities: Sequence[Modality]) -> NDArray[np.int64]:
        """Ids (n,) of the chunks of these modalities, ascending; of ``video``, all that a video is made of."""
        query = "SELECT id FROM chunks WHERE modality IN (SELECT value FROM json_each(?)) ORDER BY id"
        if "video" in modalities:
            query = query.replace(" ORDER", " OR item IN (SELECT id FROM items WHERE modality = 'video') ORDER")
        rows = self._rows(query, (json.dumps(list(modalities)),))
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def chunks_where(self, where: str) -> NDArray[np.int64]:
        """Ids (n,), ascending, of the chunks that fit a filter; :mod:`mmrag_nb.catalog.where` says what one may be.

        Raises
        ------
        InvalidSetting
            It is no filter.
        UnknownName
            It names what no item has.
        """
        wanted = parse(where)
        with self.snapshot():
            self._db.create_scalar_function("name_of", name_of, 1, deterministic=True)  # type: ignore[arg-type]
            condition, values = wanted.sql(wanted.keys(self._rows))
            query = f"SELECT chunks.id FROM chunks JOIN items ON items.id = item WHERE {condition} ORDER BY chunks.id"  # noqa: S608
            rows = self._rows(query, values)
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def limit(self, modalities: Sequence[Modality] | None, where: str | None) -> Any:
        """What may be found: the ids, ascending, of the chunks of these modalities that fit a filter.

        Raises
        ------
        InvalidSetting, UnknownName
            As :meth:`chunks_where`.
        """
        allowed = None if modalities is None else self.chunks_among(modalities)
        if where is None:
            return allowed
        fitting = self.chunks_where(where)
        return fitting if allowed is None else np.intersect1d(allowed, fitting, assume_unique=True)

    def within(self, ids: NDArray[np.int64], limit: Any) -> NDArray[np.int64]:
        """Those of ``ids`` that a :meth:`limit` lets be found."""
        return ids[np.isin(ids, limit)]

    def records(self, chunk_ids: Sequence[int]) -> dict[int, Stored]:
        """Chunks by id, with their items."""
        wanted = json.dumps([int(i) for i in chunk_ids])
        query = """
            SELECT chunks.id, ordinal, chunks.modality, text, start, "end", page,
                   hash, uri, items.modality, metadata, record, record_name, facts
            FROM chunks JOIN items ON items.id = chunks.item WHERE chunks.id IN (SELECT value FROM json_each(?))"""
        said: dict[int, dict[str, Described]] = {}
        spoken = "SELECT chunk, kind, model, text FROM descriptions WHERE chunk IN (SELECT value FROM json_each(?))"
        with self.snapshot():
            told, rows = self._rows(spoken, (wanted,)), self._rows(query, (wanted,))
        for chunk, kind, model, text in told:
            said.setdefault(int(str(chunk)), {})[str(kind)] = Described(str(model), str(text))
        found = {}
        for row in rows:
            item, number = _item(row[7:13]), int(str(row[0]))
            kept = Chunk(item.id, *row[1:7])  # type: ignore[arg-type]
            found[number] = Stored(kept, item, json.loads(str(row[13])), said.get(number, {}))
        return found

    def previews(self, item_hash: str, ordinal: int, kinds: Sequence[str]) -> dict[str, Preview]:
        """Those previews of a chunk and of its item that are of ``kinds``."""
        query = """
            SELECT kind, mime, data FROM previews JOIN items ON items.id = previews.item
            WHERE hash = ? AND ordinal IN (-1, ?) AND kind IN (SELECT value FROM json_each(?)) ORDER BY ordinal"""
        rows = self._rows(query, (item_hash, ordinal, json.dumps(list(kinds))))  # the chunk's own win
        return {str(kind): Preview(str(mime), data) for kind, mime, data in rows}  # type: ignore[arg-type]

    def page_previews(self, item_hash: str, page: int, kinds: Sequence[str]) -> dict[str, Preview]:
        """Those previews of a page's picture that are of ``kinds``."""
        query = """
            SELECT kind, mime, data FROM previews JOIN items ON items.id = previews.item
            JOIN chunks ON chunks.item = items.id AND chunks.ordinal = previews.ordinal
            WHERE hash = ? AND page = ? AND chunks.modality = 'image' AND kind IN (SELECT value FROM json_each(?))"""
        rows = self._rows(query, (item_hash, page, json.dumps(list(kinds))))
        return {str(kind): Preview(str(mime), data) for kind, mime, data in rows}  # type: ignore[arg-type]


def hashes(items: str | Sequence[str] | None) -> str | None:
    """The content hashes of one item or of several, as a query takes them; ``None`` for all."""
    return None if items is None else json.dumps([items] if isinstance(items, str) else list(items))


def _item(row: Sequence[object]) -> Item:
    content_hash, uri, modality, metadata = map(str, row[:4])
    record = None if row[4] is None else Record(str(row[4]), str(row[5]))
    return Item(content_hash, uri, modality, json.loads(metadata), record)  # type: ignore[arg-type]
