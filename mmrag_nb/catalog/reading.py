"""What an index can be asked: its items, chunks, vectors, previews and words."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from mmrag_nb.errors import IndexMismatch
from mmrag_nb.types import Chunk, Item, Preview, Record, name_of

from .entries import Described, Stored
from .where import parse
from .words import match_expression

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mmrag_nb.types import Modality, Vectors

_OF_ITEM = ("items.hash = ?", "? IS NULL")
"""One item, or all: a condition that an index can serve."""
_FEW = 20
"""Chunks up to which the full-text index is asked for each."""
_BLOCK = 4096
"""Rows that are read at a time where there may be very many."""
LITTLE = np.dtype("<f4")
"""How vectors lie in the file."""


class Reading:
    """The reading half of a :class:`~mmrag_nb.catalog.catalog.Catalog`, over an open database."""

    def __init__(self, db: sqlite3.Connection) -> None:
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

    def chunk_count(self) -> int:
        """Number of chunks."""
        with self._lock:
            state = self.generation
            if self._counted[0] != state:  # each question asks, and counting takes longer the more there are
                self._counted = (state, int(str(self._rows("SELECT count(*) FROM chunks")[0][0])))
            return self._counted[1]

    def spaces(self) -> dict[str, int]:
        """Number of vectors by space, of those that have some."""
        rows = self._rows("SELECT space, count(*) FROM vectors GROUP BY space ORDER BY space")
        return {str(name): int(str(n)) for name, n in rows}

    def vector_bytes(self) -> dict[str, int]:
        """Bytes of the vectors themselves, by space."""
        rows = self._rows("SELECT space, sum(length(vector)) FROM vectors GROUP BY space")
        return {str(space): int(str(n)) for space, n in rows}

    def fingerprint(self, space: str) -> dict[str, str] | None:
        """The fingerprint of the model that made the vectors of ``space``; ``None`` where there are none."""
        query = "SELECT fingerprint FROM spaces WHERE name = ? AND EXISTS (SELECT 1 FROM vectors WHERE space = name)"
        rows = self._rows(query, (space,))
        return json.loads(str(rows[0][0])) if rows else None

    def holds(self, space: str, fingerprint: Mapping[str, str]) -> bool:
        """Whether there are vectors of ``space``, made by the model of ``fingerprint``.

        Raises
        ------
        IndexMismatch
            There are, made by another model.
        """
        known = self.fingerprint(space)
        if known is not None and known != dict(fingerprint):
            raise IndexMismatch(space, known, fingerprint)
        return known is not None

    def background(self, space: str, modality: Modality, digest: str) -> Vectors | None:
        """The vectors (b, d) kept by :meth:`set_background`."""
        query = """
            SELECT vectors, dimension FROM backgrounds JOIN spaces ON name = space
            WHERE space = ? AND modality = ? AND digest = ?"""
        for blob, dimension in self._rows(query, (space, modality, digest)):
            return _floats(blob).reshape(-1, int(str(dimension)))
        return None

    def find(self, item_hash: str) -> tuple[Item, str] | None:
        """The item of that content hash and its recipe; ``None`` where it is not in the index."""
        query = "SELECT hash, uri, modality, metadata, record, record_name, recipe FROM items WHERE hash = ?"
        rows = self._rows(query, (item_hash,))
        return (_item(rows[0][:6]), str(rows[0][6])) if rows else None

    def unembedded(self, space: str, view: str, kinds: Sequence[Modality], item_hash: str | None = None) -> list[int]:
        """Ids of the chunks of these ``kinds`` that have no vector for ``view`` in ``space``, of one item or of all.

        Whether there is anything to embed is not asked: a text may be empty.
        """
        query = f"""
            SELECT chunks.id FROM chunks JOIN items ON items.id = chunks.item
            WHERE {_OF_ITEM[item_hash is None]} AND chunks.modality IN (SELECT value FROM json_each(?)) AND NOT EXISTS (
                SELECT 1 FROM views JOIN vectors ON vectors.key = views.key AND vectors.space = ?
                WHERE views.chunk = chunks.id AND views.view = ?)
            ORDER BY chunks.id"""  # noqa: S608
        rows = self._rows(query, (item_hash, json.dumps(list(kinds)), space, view))
        return [int(str(row[0])) for row in rows]

    def undescribed(self, kind: str, model: str, item_hash: str | None = None) -> list[int]:
        """Ids of the pictures of which ``model`` has told no ``kind`` (``caption``, ``ocr``), of one item or of all."""
        query = f"""
            SELECT chunks.id FROM chunks JOIN items ON items.id = chunks.item
            WHERE {_OF_ITEM[item_hash is None]} AND chunks.modality = 'image' AND NOT EXISTS (
                SELECT 1 FROM descriptions WHERE chunk = chunks.id AND (kind, model) = (?, ?))
            ORDER BY chunks.id"""  # noqa: S608
        return [int(str(row[0])) for row in self._rows(query, (item_hash, kind, model))]

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

    def statistics(self, channel: tuple[str, str, str, str], digest: str) -> tuple[int, bytes] | None:
        """What :meth:`~mmrag_nb.catalog.catalog.Catalog.set_statistics` kept: the last chunk in it, and the bytes."""
        query = """
            SELECT last, statistics FROM calibrations
            WHERE (space, view, part, asked) = (?, ?, ?, ?) AND digest = ?"""
        for last, blob in self._rows(query, (*channel, digest)):
            return int(str(last)), blob  # type: ignore[return-value]
        return None

    def missing(self, space: str, keys: Sequence[str]) -> list[str]:
        """Those of ``keys`` that have no vector in ``space``, each once, in order."""
        distinct = list(dict.fromkeys(keys))
        query = """
            SELECT value FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM vectors WHERE space = ? AND key = value)"""
        absent = {row[0] for row in self._rows(query, (json.dumps(distinct), space))}
        return [key for key in distinct if key in absent]

    def texts(self, item_hash: str) -> list[str]:
        """The texts of the item's chunks, in order."""
        query = """
            SELECT text FROM chunks JOIN items ON items.id = chunks.item WHERE hash = ? ORDER BY ordinal"""
        return [str(row[0]) for row in self._rows(query, (item_hash,))]

    def chunks_by_item(self) -> dict[str, int]:
        """Number of chunks of each item, by its content hash."""
        rows = self._rows("SELECT hash, count(chunks.id) FROM items LEFT JOIN chunks ON item = items.id GROUP BY hash")
        return {str(item_hash): int(str(n)) for item_hash, n in rows}

    def size(self) -> int:
        """Bytes that the index takes."""
        pages, page = (self._rows(f"PRAGMA {what}")[0][0] for what in ("page_count", "page_size"))
        return int(str(pages)) * int(str(page))

    def items(self) -> list[Item]:
        """All items, in the order in which they were first indexed."""
        query = "SELECT hash, uri, modality, metadata, record, record_name FROM items ORDER BY id"
        return [_item(row) for row in self._rows(query)]

    def uris(self) -> list[str]:
        """Where all items came from, in the same order."""
        return [str(row[0]) for row in self._rows("SELECT uri FROM items ORDER BY id")]

    def chunk_ids(self, item_hash: str) -> list[int]:
        """Ids of the item's chunks, in order."""
        query = "SELECT chunks.id FROM chunks JOIN items ON items.id = chunks.item WHERE hash = ? ORDER BY ordinal"
        return [int(str(row[0])) for row in self._rows(query, (item_hash,))]

    def chunks_among(self, modalities: Sequence[Modality]) -> NDArray[np.int64]:
        """Ids (n,) of the chunks of these modalities, ascending."""
        query = "SELECT id FROM chunks WHERE modality IN (SELECT value FROM json_each(?)) ORDER BY id"
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
        with self._lock:
            self._db.create_function("name_of", 1, name_of, deterministic=True)
            condition, values = wanted.sql(wanted.keys(self._rows))
            query = f"SELECT chunks.id FROM chunks JOIN items ON items.id = item WHERE {condition} ORDER BY chunks.id"  # noqa: S608
            rows = self._rows(query, values)
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def embeddable(self, views: Sequence[str]) -> int:
        """Number of chunks of which something is embedded as one of ``views``.

        Those in which nothing was heard, say, are not among them.
        """
        query = "SELECT count(DISTINCT chunk) FROM views WHERE view IN (SELECT value FROM json_each(?))"
        return int(str(self._rows(query, (json.dumps(list(views)),))[0][0]))

    def matrix(self, space: str, view: str, part: Modality | None = None) -> tuple[NDArray[np.int64], Vectors]:
        """Chunk ids (n,), ascending, and vectors (n, d) of all ``view`` s in ``space``, of one modality or of all."""
        # In the order in which views lie there: SQLite would sort gigabytes of vectors instead.
        query = """
            SELECT views.chunk, vectors.vector FROM views
            CROSS JOIN vectors ON vectors.space = :space AND vectors.key = views.key
            WHERE views.view = :view
            AND (:part IS NULL OR (SELECT modality FROM chunks WHERE chunks.id = views.chunk) = :part)
            ORDER BY views.chunk"""
        ids: list[int] = []
        blocks: list[Vectors] = []
        named = {"space": space, "view": view, "part": part}
        with self._lock, closing(self._db.execute(query, named)) as cursor:
            while rows := cursor.fetchmany(_BLOCK):
                ids += [row[0] for row in rows]
                blocks.append(_floats(b"".join(row[1] for row in rows)).reshape(len(rows), -1))
        vectors = np.empty((len(ids), blocks[0].shape[1] if blocks else 0), np.float32)
        end = len(ids)
        while blocks:  # each is given back as soon as it is copied: a large index is in memory once
            block = blocks.pop()
            vectors[end - len(block) : end] = block
            end -= len(block)
            del block
        return np.asarray(ids, np.int64), vectors

    def records(self, chunk_ids: Sequence[int]) -> dict[int, Stored]:
        """Chunks by id, with their items."""
        wanted = json.dumps([int(i) for i in chunk_ids])
        query = """
            SELECT chunks.id, ordinal, chunks.modality, text, start, "end", page,
                   hash, uri, items.modality, metadata, record, record_name, facts
            FROM chunks JOIN items ON items.id = chunks.item WHERE chunks.id IN (SELECT value FROM json_each(?))"""
        said: dict[int, dict[str, Described]] = {}
        spoken = "SELECT chunk, kind, model, text FROM descriptions WHERE chunk IN (SELECT value FROM json_each(?))"
        for chunk, kind, model, text in self._rows(spoken, (wanted,)):
            said.setdefault(int(str(chunk)), {})[str(kind)] = Described(str(model), str(text))
        found = {}
        for row in self._rows(query, (wanted,)):
            item, number = _item(row[7:13]), int(str(row[0]))
            kept = Chunk(item.id, *row[1:7])  # type: ignore[arg-type]
            found[number] = Stored(kept, item, json.loads(str(row[13])), said.get(number, {}))
        return found

    def previews(self, item_hash: str, ordinal: int, kinds: Sequence[str]) -> dict[str, Preview]:
        """Those previews of a chunk and of its item that are of ``kinds``."""
        query = """
            SELECT kind, mime, data FROM previews JOIN items ON items.id = previews.item
            WHERE hash = ? AND ordinal IN (-1, ?) AND kind IN (SELECT value FROM json_each(?))"""
        rows = self._rows(query, (item_hash, ordinal, json.dumps(list(kinds))))
        return {str(kind): Preview(str(mime), data) for kind, mime, data in rows}  # type: ignore[arg-type]

    # -- words -----------------------------------------------------------------------------------------------------

    def document_frequency(self, term: str, *, described: bool = False) -> int:
        """Number of chunks that hold ``term``, what models say of pictures counted where ``described``."""
        query = "SELECT count(*) FROM words WHERE words MATCH ?"
        return int(str(self._rows(query, (_within(match_expression(term), described=described),))[0][0]))

    def bm25(
        self, terms: Sequence[str], k: int, allowed: NDArray[np.int64] | None = None, *, described: bool = False
    ) -> dict[int, float]:
        """The ``k`` chunks, of the ids ``allowed``, that match any of ``terms`` best: id to BM25, higher is better.

        ``described``: what models say of pictures counts, too.
        """
        if not terms:
            return {}
        # FTS5 looks each of the ids up by itself, so that many are better found among all that match.
        few = allowed is not None and len(allowed) <= _FEW
        # FTS5's bm25() is negative, better is lower; a word in the name weighs half a word in the text.
        query = f"""
            SELECT rowid, -bm25(words, 1.0, 0.5, 1.0) FROM words WHERE words MATCH ?
            {"AND rowid IN (SELECT value FROM json_each(?))" * few} ORDER BY 2 DESC LIMIT ?"""  # noqa: S608
        expression = _within(" OR ".join(match_expression(term) for term in terms), described=described)
        if allowed is None or few:
            chosen = [] if allowed is None else [json.dumps(allowed.tolist())]
            return dict(self._rows(query, (expression, *chosen, k)))  # type: ignore[arg-type]
        found: dict[int, float] = {}
        with self._lock, closing(self._db.execute(query, (expression, -1))) as cursor:
            while len(found) < k and (rows := cursor.fetchmany(_BLOCK)):
                among = np.isin(np.fromiter((row[0] for row in rows), np.int64, len(rows)), allowed)
                found |= dict(rows[place] for place in np.flatnonzero(among)[: k - len(found)].tolist())
        return found


def _within(expression: str, *, described: bool) -> str:
    return f"({expression})" if described else f"{{text name}} : ({expression})"


def _floats(blob: object) -> Vectors:
    return np.frombuffer(blob, LITTLE).astype(np.float32)  # type: ignore[call-overload,no-any-return]


def _item(row: Sequence[object]) -> Item:
    content_hash, uri, modality, metadata = map(str, row[:4])
    record = None if row[4] is None else Record(str(row[4]), str(row[5]))
    return Item(content_hash, uri, modality, json.loads(metadata), record)  # type: ignore[arg-type]
