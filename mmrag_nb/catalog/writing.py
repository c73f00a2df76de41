"""What goes into an index: items with their chunks, vectors, previews and words, each in one transaction."""

from __future__ import annotations

import json
import math
import secrets
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from mmrag_nb.errors import IndexFileError

from .entries import BEGUN
from .lexicon import Lexicon
from .removal import give_back, remove_items
from .replacing import make_room, other_views, said_of
from .spaces import LITTLE
from .words import searchable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from mmrag_nb.types import Item, Metadata, Modality, Vectors

    from .entries import Described, Entry

_OF_THE_DISK = ("disk is full", "disk I/O error", "readonly database")
"""What SQLite says where writing fails through no fault of ours; Python 3.10 has no codes for it."""


class Writing(Lexicon):
    """The writing half of a :class:`~mmrag_nb.catalog.catalog.Catalog`, over an open database."""

    path: Path | None
    read_only: bool

    @contextmanager
    def _write(self, *, contents: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction, of what is in the index or else of what is noted beside it."""
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
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:  # SQLite has done it itself where the disk was full
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError) and any(what in str(error) for what in _OF_THE_DISK):
                    where = self.path or "the index"
                    told = f"{where} cannot be written ({error}): make room, or save elsewhere"
                    raise IndexFileError(told) from error
                raise
            self._changes += contents

    def register(self, space: str, dimension: int, fingerprint: Mapping[str, str], versions: Mapping[str, str]) -> None:
        """Note that ``space`` is about to be filled by the model of ``fingerprint``.

        Raises
        ------
        IndexMismatch
            The index has vectors of this space made by another model.
        """
        if self.holds(space, fingerprint) or self.read_only:
            return
        row = (space, dimension, json.dumps(dict(fingerprint)), json.dumps(dict(versions)))
        if self._rows("SELECT 1 FROM spaces WHERE (name, dimension, fingerprint, versions) = (?, ?, ?, ?)", row):
            return
        with self._write(contents=False) as db:
            db.execute("DELETE FROM backgrounds WHERE space = ?", (space,))
            db.execute("INSERT OR REPLACE INTO spaces VALUES (?, ?, ?, ?)", row)

    def add(
        self,
        entries: Iterable[Entry],
        vectors: Mapping[str, Mapping[str, NDArray[np.float32]]],
        meta: Mapping[str, str] | None = None,
    ) -> None:
        """Keep ``entries``, ``vectors`` (by space, then key) and ``meta`` (what made them) in one transaction.

        An item known by its hash is replaced; a section replaces the chunks in its place, the last one also what
        is behind it.
        """
        with self._write() as db:
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", (meta or {}).items())
            _add_vectors(db, vectors)
            for entry in entries:
                self._add_entry(db, entry)

    def _add_entry(self, db: sqlite3.Connection, entry: Entry) -> None:
        item = entry.item
        kept = other_views(self, entry)
        if entry.section is None:
            db.execute("DELETE FROM items WHERE hash = ?", (item.id,))
        else:
            known = self.find(item.id)
            anew = known is not None and known[1].removesuffix(BEGUN) != entry.recipe.removesuffix(BEGUN)
            make_room(db, entry, anew=anew and not entry.section[0])
        said = (
            item.id,
            item.uri,
            item.modality,
            _json(item.metadata),
            _json(entry.facts),
            entry.recipe,
            *_record(item),
        )
        db.execute(
            "INSERT INTO items (hash, uri, modality, metadata, facts, recipe, record, record_name) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (hash) DO UPDATE SET "
            "uri = ?2, metadata = ?4, facts = ?5, recipe = ?6, record = ?7, record_name = ?8",
            said,
        )
        (number,) = db.execute("SELECT id FROM items WHERE hash = ?", (item.id,)).fetchone()
        named = _named(item)
        for chunk, views in zip(entry.chunks, entry.views, strict=True):
            row = (number, chunk.ordinal, chunk.modality, chunk.text, chunk.start, chunk.end, chunk.page)
            chunk_id = db.execute(
                'INSERT INTO chunks (item, ordinal, modality, text, start, "end", page) VALUES (?, ?, ?, ?, ?, ?, ?)',
                row,
            ).lastrowid
            assert chunk_id is not None
            others, described = kept.get(chunk.ordinal, ([], {}))
            described = {**described, **entry.described.get(chunk.ordinal, {})}
            fresh = {view for view, _ in views}
            seen = [*views, *(other for other in others if other[0] not in fresh)]
            db.executemany("INSERT OR IGNORE INTO views VALUES (?, ?, ?)", ((chunk_id, *view) for view in seen))
            db.execute(
                "INSERT INTO words (rowid, text, name, described) VALUES (?, ?, ?, '')",
                (chunk_id, searchable(chunk.text), named),
            )
            _describe(db, chunk_id, described)
        previews = ((number, *place, p.mime, p.data) for place, p in entry.previews.items())
        db.executemany(
            "INSERT OR REPLACE INTO previews (item, ordinal, kind, mime, data) VALUES (?, ?, ?, ?, ?)", previews
        )

    def add_views(
        self,
        views: Mapping[int, Sequence[tuple[str, str]]],
        vectors: Mapping[str, Mapping[str, NDArray[np.float32]]],
        described: Mapping[int, Mapping[str, Described]],
    ) -> None:
        """Keep further views of chunks that are there, by chunk id, in one transaction; see :meth:`add`."""
        with self._write() as db:
            for chunk, seen in views.items():
                names = json.dumps([view for view, _ in seen])
                db.execute(
                    "DELETE FROM views WHERE chunk = ? AND view IN (SELECT value FROM json_each(?))", (chunk, names)
                )
                db.executemany("INSERT OR IGNORE INTO views VALUES (?, ?, ?)", ((chunk, *view) for view in seen))
            db.execute("DELETE FROM calibrations")  # they count on ids that grow
            _add_vectors(db, vectors)
            for chunk, said in described.items():
                _describe(db, chunk, said)

    def update(self, *items: Item) -> None:
        """Take over where items are found now and what is said of them, in one transaction; their chunks stay.

        What is embedded of a name and of what is said goes, where these have changed.
        """
        known = self.found([item.id for item in items])
        chunks = "SELECT chunks.id FROM chunks JOIN items ON items.id = chunks.item WHERE hash = ?"
        with self._write() as db:
            for item in items:
                row = (item.uri, _json(item.metadata), *_record(item), item.id)
                db.execute("UPDATE items SET uri = ?, metadata = ?, record = ?, record_name = ? WHERE hash = ?", row)
                db.execute(f"UPDATE words SET name = ? WHERE rowid IN ({chunks})", (_named(item), item.id))  # noqa: S608
                if item.id in known and said_of(known[item.id][0]) != said_of(item):
                    worded = f"{chunks} AND chunks.modality <> 'text'"
                    db.execute(
                        f"DELETE FROM views WHERE chunk IN ({worded}) AND view IN ('titled', 'grounded')",  # noqa: S608
                        (item.id,),
                    )

    def note(self, key: str, value: str) -> None:
        """Keep ``value`` among what is known of the index as a whole, see :meth:`meta`; where it can be written."""
        with suppress(IndexFileError), self._write(contents=False) as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    @property
    def identity(self) -> str:
        """Stands for this index wherever it lies: what is kept of it elsewhere goes by this."""
        known = self.meta().get("identity")
        if known is None:
            known = secrets.token_hex(8)
            self.note("identity", known)
            known = self.meta().get("identity", str(self.path))  # another may have been first; or it may only be read
        return known

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
        """Keep the vectors (b, d) in ``space`` of the background queries of ``modality`` that ``digest`` stands for.

        They only save time, so an index that cannot be written now goes without.
        """
        row = (space, modality, digest, vectors.astype(LITTLE).tobytes())
        with suppress(IndexFileError), self._write(contents=False) as db:
            db.execute("INSERT OR REPLACE INTO backgrounds VALUES (?, ?, ?, ?)", row)

    def set_statistics(
        self, channel: tuple[str, str, str, str], digest: str, last: int, statistics: bytes, state: object
    ) -> None:
        """Keep what background queries reach in ``channel``: (space, view, part, asked); see :meth:`statistics`.

        They were measured while :attr:`generation` was ``state``, and are of no use where something has changed since:
        the ids of what was removed are given again. They only save time, so an index that cannot be written now goes
        without, too.
        """
        row = (*channel, digest, last, statistics)
        with suppress(IndexFileError), self._write(contents=False) as db:
            if self.generation == state:
                db.execute("INSERT OR REPLACE INTO calibrations VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def _add_vectors(db: sqlite3.Connection, vectors: Mapping[str, Mapping[str, NDArray[np.float32]]]) -> None:
    for space, by_key in vectors.items():
        rows = ((space, key, vector.astype(LITTLE).tobytes()) for key, vector in by_key.items())
        db.executemany("INSERT OR IGNORE INTO vectors (space, key, vector) VALUES (?, ?, ?)", rows)


def _describe(db: sqlite3.Connection, chunk: int, described: Mapping[str, Described]) -> None:
    if described:
        rows = ((chunk, kind, said.model, said.text) for kind, said in described.items())
        db.executemany("INSERT OR REPLACE INTO descriptions VALUES (?, ?, ?, ?)", rows)
        text = " ".join(str(row[0]) for row in db.execute("SELECT text FROM descriptions WHERE chunk = ?", (chunk,)))
        db.execute("UPDATE words SET described = ? WHERE rowid = ?", (searchable(text), chunk))


def _record(item: Item) -> tuple[str | None, str | None]:
    return (item.record.id, item.record.name) if item.record else (None, None)


def _json(value: Metadata) -> str:
    # SQLite before 3.42 takes no NaN for JSON, and no filter would work on such an index.
    finite = {k: None if isinstance(one, float) and not math.isfinite(one) else one for k, one in value.items()}
    return json.dumps(finite, ensure_ascii=False, default=str)


def _named(item: Item) -> str:
    """What the full-text index holds of an item besides its chunks' texts, of which a caption is one already."""
    said = (str(value) for key, value in item.metadata.items() if key != "caption")
    return searchable(" ".join([item.words, *said]))
