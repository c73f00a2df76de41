"""What is in the index: items, chunks, vectors, previews and words, in one SQLite database."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import numpy as np

from mmrag_nb.errors import IndexFileError, IndexMismatch
from mmrag_nb.types import Chunk, Item, Preview

from .entries import Record
from .removal import give_back, remove_items
from .schema import connect, read_only
from .words import match_expression, searchable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from mmrag_nb.types import Metadata, Modality, Vectors

    from .entries import Entry

_LITTLE = np.dtype("<f4")


class Catalog:
    """One index. Safe to use from several threads of one process.

    Parameters
    ----------
    path
        The file to keep it in, created where absent; ``None`` keeps it in memory until :meth:`save`.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._db = connect(path)
        self._changes = 0
        self.read_only = read_only(path)

    @property
    def generation(self) -> tuple[int, int]:
        """Differs after every change, here or by another connection, so that what is derived knows when it is stale."""
        with self._lock:
            return self._changes, int(self._db.execute("PRAGMA data_version").fetchone()[0])

    # -- writing ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        if self.read_only:
            raise IndexFileError(
                f"{self.path} may only be read: copy it to a folder of your own, or save under a new name"
            )
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                raise IndexFileError(f"{self.path} is being written elsewhere ({error}): try again") from error
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
            self._changes += 1

    def register(self, space: str, dimension: int, fingerprint: Mapping[str, str], versions: Mapping[str, str]) -> None:
        """Note that ``space`` is used, by the model of ``fingerprint``.

        Raises
        ------
        IndexMismatch
            The index has vectors of this space made by another model.
        """
        known = self.fingerprint(space)
        if known is None and self.read_only:
            return
        if known is None:
            row = (space, dimension, json.dumps(dict(fingerprint)), json.dumps(dict(versions)))
            with self._write() as db:
                db.execute("INSERT INTO spaces (name, dimension, fingerprint, versions) VALUES (?, ?, ?, ?)", row)
        elif known != dict(fingerprint):
            raise IndexMismatch(space, known, fingerprint)

    def add(
        self,
        entries: Iterable[Entry],
        vectors: Mapping[str, Mapping[str, NDArray[np.float32]]],
        meta: Mapping[str, str] | None = None,
    ) -> None:
        """Keep ``entries``, ``vectors`` (by space, then key) and ``meta`` (what made them) in one transaction.

        An item known by its hash is replaced.
        """
        with self._write() as db:
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", (meta or {}).items())
            for space, by_key in vectors.items():
                rows = ((space, key, vector.astype(_LITTLE).tobytes()) for key, vector in by_key.items())
                db.executemany("INSERT OR IGNORE INTO vectors (space, key, vector) VALUES (?, ?, ?)", rows)
            for entry in entries:
                self._add_entry(db, entry)

    def _add_entry(self, db: sqlite3.Connection, entry: Entry) -> None:
        item = entry.item
        db.execute("DELETE FROM items WHERE hash = ?", (item.id,))
        number = db.execute(
            "INSERT INTO items (hash, uri, modality, metadata, facts, recipe) VALUES (?, ?, ?, ?, ?, ?)",
            (item.id, item.uri, item.modality, _json(item.metadata), _json(entry.facts), entry.recipe),
        ).lastrowid
        named = _named(item)
        for chunk, views in zip(entry.chunks, entry.views, strict=True):
            row = (number, chunk.ordinal, chunk.modality, chunk.text, chunk.start, chunk.end, chunk.page)
            chunk_id = db.execute(
                'INSERT INTO chunks (item, ordinal, modality, text, start, "end", page) VALUES (?, ?, ?, ?, ?, ?, ?)',
                row,
            ).lastrowid
            db.executemany("INSERT OR IGNORE INTO views VALUES (?, ?, ?)", ((chunk_id, *view) for view in views))
            db.execute(
                "INSERT INTO words (rowid, text, name) VALUES (?, ?, ?)", (chunk_id, searchable(chunk.text), named)
            )
        previews = ((number, *place, p.mime, p.data) for place, p in entry.previews.items())
        db.executemany("INSERT INTO previews (item, ordinal, kind, mime, data) VALUES (?, ?, ?, ?, ?)", previews)

    def update(self, item: Item) -> None:
        """Take over where the item is found now and what is said of it; its chunks stay."""
        with self._write() as db:
            row = (item.uri, _json(item.metadata), item.id)
            db.execute("UPDATE items SET uri = ?, metadata = ? WHERE hash = ?", row)
            chunks = "SELECT chunks.id FROM chunks JOIN items ON items.id = chunks.item WHERE hash = ?"
            db.execute(f"UPDATE words SET name = ? WHERE rowid IN ({chunks})", (_named(item), item.id))  # noqa: S608

    def remove(self, hashes: Sequence[str]) -> None:
        """Delete items by content hash, with what only they refer to; nothing of it stays in the file.

        Raises
        ------
        IndexFileError
            The file may only be read, or is being written elsewhere.
        """
        with self._lock:
            self._db.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten, not left in free pages
            try:
                with self._write() as db:
                    remove_items(db, hashes)
                give_back(self._db)
            finally:
                self._db.execute("PRAGMA secure_delete = OFF")

    def set_background(self, space: str, modality: Modality, digest: str, vectors: Vectors) -> None:
        """Keep the vectors (b, d) in ``space`` of the background queries of ``modality`` that ``digest`` stands for."""
        if self.read_only:
            return
        with self._write() as db:
            row = (space, modality, digest, vectors.astype(_LITTLE).tobytes())
            db.execute("INSERT OR REPLACE INTO backgrounds VALUES (?, ?, ?, ?)", row)

    # -- reading ---------------------------------------------------------------------------------------------------

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
        return int(str(self._rows("SELECT count(*) FROM chunks")[0][0]))

    def spaces(self) -> dict[str, int]:
        """Number of vectors by space."""
        rows = self._rows("SELECT name, (SELECT count(*) FROM vectors WHERE space = name) FROM spaces ORDER BY name")
        return {str(name): int(str(n)) for name, n in rows}

    def vector_bytes(self) -> dict[str, int]:
        """Bytes of the vectors themselves, by space."""
        rows = self._rows("SELECT space, sum(length(vector)) FROM vectors GROUP BY space")
        return {str(space): int(str(n)) for space, n in rows}

    def fingerprint(self, space: str) -> dict[str, str] | None:
        """The fingerprint under which ``space`` was made; ``None`` where it is unknown."""
        rows = self._rows("SELECT fingerprint FROM spaces WHERE name = ?", (space,))
        return json.loads(str(rows[0][0])) if rows else None

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
        rows = self._rows("SELECT hash, uri, modality, metadata, recipe FROM items WHERE hash = ?", (item_hash,))
        return (_item(rows[0][:4]), str(rows[0][4])) if rows else None

    def lacks(self, item_hash: str, space: str, modality: Modality) -> bool:
        """Whether a view as ``modality`` of one of the item's chunks has no vector in ``space``."""
        query = """
            SELECT 1 FROM items JOIN chunks ON chunks.item = items.id JOIN views ON views.chunk = chunks.id
            WHERE items.hash = ? AND views.modality = ?
              AND NOT EXISTS (SELECT 1 FROM vectors WHERE vectors.space = ? AND vectors.key = views.key) LIMIT 1"""
        return bool(self._rows(query, (item_hash, modality, space)))

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
        return [_item(row) for row in self._rows("SELECT hash, uri, modality, metadata FROM items ORDER BY id")]

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
        return np.fromiter((int(str(row[0])) for row in rows), np.int64, len(rows))

    def embeddable(self, modality: Modality | None = None) -> int:
        """Number of chunks of which something (or something of ``modality``) can be embedded.

        Those in which nothing was heard, say, are not among them.
        """
        query = "SELECT count(DISTINCT chunk) FROM views WHERE modality = coalesce(?, modality)"
        return int(str(self._rows(query, (modality,))[0][0]))

    def matrix(self, space: str, modality: Modality) -> tuple[NDArray[np.int64], Vectors]:
        """Chunk ids (n,) and vectors (n, d) of all views as ``modality`` in ``space``."""
        query = """
            SELECT views.chunk, vectors.vector FROM vectors JOIN views ON views.key = vectors.key
            WHERE vectors.space = ? AND views.modality = ? ORDER BY views.chunk"""
        rows = self._rows(query, (space, modality))
        if not rows:
            return np.empty(0, np.int64), np.empty((0, 0), np.float32)
        ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        return ids, _floats(b"".join(row[1] for row in rows)).reshape(len(rows), -1)  # type: ignore[misc]

    def records(self, chunk_ids: Sequence[int]) -> dict[int, Record]:
        """Chunks by id, with their items."""
        query = """
            SELECT chunks.id, ordinal, chunks.modality, text, start, "end", page,
                   hash, uri, items.modality, metadata, facts
            FROM chunks JOIN items ON items.id = chunks.item WHERE chunks.id IN (SELECT value FROM json_each(?))"""
        found = {}
        for row in self._rows(query, (json.dumps([int(i) for i in chunk_ids]),)):
            item = _item(row[7:11])
            chunk = Chunk(item.id, *row[1:7])  # type: ignore[arg-type]
            found[int(str(row[0]))] = Record(chunk, item, json.loads(str(row[11])))
        return found

    def previews(self, item_hash: str, ordinal: int, kinds: Sequence[str]) -> dict[str, Preview]:
        """Those previews of a chunk and of its item that are of ``kinds``."""
        query = """
            SELECT kind, mime, data FROM previews JOIN items ON items.id = previews.item
            WHERE hash = ? AND ordinal IN (-1, ?) AND kind IN (SELECT value FROM json_each(?))"""
        rows = self._rows(query, (item_hash, ordinal, json.dumps(list(kinds))))
        return {str(kind): Preview(str(mime), data) for kind, mime, data in rows}  # type: ignore[arg-type]

    # -- words -----------------------------------------------------------------------------------------------------

    def document_frequency(self, term: str) -> int:
        """Number of chunks that hold ``term``."""
        query = "SELECT count(*) FROM words WHERE words MATCH ?"
        return int(str(self._rows(query, (match_expression(term),))[0][0]))

    def bm25(self, terms: Sequence[str], k: int, allowed: NDArray[np.int64] | None = None) -> dict[int, float]:
        """The ``k`` chunks, of the ids ``allowed``, that match any of ``terms`` best: id to BM25, higher is better."""
        if not terms:
            return {}
        # FTS5's bm25() is negative, better is lower; a word in the name weighs half a word in the text.
        among = "" if allowed is None else "AND rowid IN (SELECT value FROM json_each(?))"
        query = f"""
            SELECT rowid, -bm25(words, 1.0, 0.5) FROM words WHERE words MATCH ? {among} ORDER BY 2 DESC LIMIT ?"""  # noqa: S608
        expression = " OR ".join(match_expression(term) for term in terms)
        chosen = [] if allowed is None else [json.dumps(allowed.tolist())]
        return {int(str(i)): float(str(s)) for i, s in self._rows(query, (expression, *chosen, k))}

    # -- the file --------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write the whole index to ``path`` and go on there.

        The copy is made beside ``path`` and moved over it, so that a failure leaves what was there.

        Raises
        ------
        IndexFileError
            The folder is missing or cannot be written; ``path`` is no index, or one that is open elsewhere.
        """
        path = path.resolve()  # a link stays a link
        if not path.parent.is_dir():
            raise IndexFileError(f"there is no folder {path.parent} to keep {path.name} in: make it, or name another")
        with self._lock:
            if self.path is not None and self.path.exists() and path.exists() and path.samefile(self.path):
                return
            temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            try:
                with closing(sqlite3.connect(temporary)) as target:
                    self._db.backup(target)
                if path.exists():
                    _settle(path)
                temporary.replace(path)
            except (OSError, sqlite3.Error) as error:
                raise IndexFileError(f"cannot save to {path}: {error}") from error
            finally:
                temporary.unlink(missing_ok=True)
            self._db.close()
            self._db = connect(path)
            self.path, self.read_only = path, False

    def reset(self) -> None:
        """Go on with an empty index in memory; a file is closed and stays as it is."""
        with self._lock:
            fresh = connect(None)
            self._db.close()
            self._db = fresh
            self.path, self.read_only = None, False
            self._changes += 1

    def close(self) -> None:
        """Close the database; the catalog is of no use afterwards."""
        with self._lock:
            self._db.close()


def _settle(path: Path) -> None:
    """Make sure that the index at ``path`` can be replaced.

    What its last writer left in the write-ahead log would be played over any file that takes its place.

    Raises
    ------
    IndexFileError
        It is no index, or is open elsewhere.
    """
    with closing(connect(path)) as old:
        try:
            old.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:
            raise IndexFileError(f"{path} is open elsewhere: close it there, or save under another name") from error


def _floats(blob: object) -> Vectors:
    return np.frombuffer(blob, _LITTLE).astype(np.float32)  # type: ignore[call-overload,no-any-return]


def _json(value: Metadata) -> str:
    return json.dumps(dict(value), ensure_ascii=False, default=str)


def _item(row: Sequence[object]) -> Item:
    content_hash, uri, modality, metadata = map(str, row)
    return Item(content_hash, uri, modality, json.loads(metadata))  # type: ignore[arg-type]


def _named(item: Item) -> str:
    """What the full-text index holds of an item besides its chunks' texts, of which a caption is one already."""
    said = (str(value) for key, value in item.metadata.items() if key != "caption")
    return searchable(" ".join([item.words, *said]))
