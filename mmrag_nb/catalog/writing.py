"""What goes into an index: items with their chunks, vectors, previews and words, each in one transaction."""

from __future__ import annotations

import json
import math
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from .entries import BEGUN
from .noting import Noting
from .relying import Relied, forget_sections, rely, take_section
from .removal import give_back, remove_items
from .replacing import fresh_ids, make_room, other_views, said_of
from .spaces import LITTLE
from .words import searchable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from mmrag_nb.types import Item, Metadata

    from .database import Database
    from .entries import Described, Entry, Stored


class Writing(Noting):
    """The writing half of a :class:`~mmrag_nb.catalog.catalog.Catalog`, over an open database."""

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
            rely(self, db, {space: Relied(dimension, fingerprint, versions)})

    def add(
        self,
        entries: Iterable[Entry],
        vectors: Mapping[str, Mapping[str, NDArray[np.float32]]],
        meta: Mapping[str, str] | None = None,
        relied: Mapping[str, Relied] | None = None,
    ) -> dict[str, str]:
        """Keep ``entries``, ``vectors`` (by space, then key) and ``meta`` (what made them) in one transaction.

        An item known by its hash is replaced; a section replaces the chunks in its place, the last one also what
        is behind it. ``relied``, by space: what was found in the index while the vectors were made.

        Returns
        -------
        dict of str to str
            The URIs, by hash, of those items that were known.

        Raises
        ------
        IndexMismatch, VectorsGoneError
            Another notebook has written meanwhile, so that this is not so any longer; nothing is kept.
        TakenOverError
            Another has removed what a section belongs to, or begun to read it; nothing is kept.
        """
        entries = list(entries)
        with self._write() as db:
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", (meta or {}).items())
            # So that a question, which comes later, has nothing to write.
            db.execute("INSERT OR IGNORE INTO meta VALUES ('identity', ?)", (secrets.token_hex(8),))
            rely(self, db, relied or {})
            _add_vectors(db, vectors)
            known = self.found([entry.item.id for entry in entries])
            ids = fresh_ids(db, sum(len(entry.chunks) for entry in entries))
            for entry in entries:
                take_section(db, entry)
                self._add_entry(db, entry, ids)
        return {one: item.uri for one, (item, _) in known.items()}

    def _add_entry(self, db: Database, entry: Entry, ids: Iterator[int]) -> None:
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
        words = searchable(named(item))
        for chunk, views in zip(entry.chunks, entry.views, strict=True):
            chunk_id = next(ids)
            row = (chunk_id, number, chunk.ordinal, chunk.modality, chunk.text, chunk.start, chunk.end, chunk.page)
            db.execute(
                'INSERT INTO chunks (id, item, ordinal, modality, text, start, "end", page) '
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            others, described = kept.get(chunk.ordinal, ([], {}))
            described = {**described, **entry.described.get(chunk.ordinal, {})}
            fresh = {view for view, _ in views}
            seen = [*views, *(other for other in others if other[0] not in fresh)]
            db.executemany("INSERT OR IGNORE INTO views VALUES (?, ?, ?)", ((chunk_id, *view) for view in seen))
            db.execute(
                "INSERT INTO words (rowid, text, name, described) VALUES (?, ?, ?, '')",
                (chunk_id, searchable(chunk.text), words),
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
        relied: Mapping[str, Relied] | None = None,
        of: Mapping[int, Stored] | None = None,
    ) -> None:
        """Keep further views of chunks that are there, by chunk id, in one transaction; see :meth:`add`.

        Those are left out that are not, or no longer, what they were when their views were made, as ``of`` has it.
        """
        with self._write() as db:
            rely(self, db, relied or {})
            there = self.records([*views, *described])
            same = {one for one, now in there.items() if of is None or (one in of and _told_of(now, of[one]))}
            views = {one: seen for one, seen in views.items() if one in same}
            described = {one: said for one, said in described.items() if one in same}
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

    def update(self, *items: Item) -> dict[str, str]:
        """Take over where items are found now and what is said of them, in one transaction; their chunks stay.

        What is embedded of a name and of what is said goes, where these have changed.

        Returns
        -------
        dict of str to str
            Where they were known to be (URIs), by their hashes; not of those that are not in the index any more.
        """
        with self._write():
            known = self.found([item.id for item in items])
            for item in items:
                if item.id in known:
                    self._take_over(item, known[item.id][0])
        return {one: item.uri for one, (item, _) in known.items()}

    def move(self, item_hash: str, here: str, there: str) -> None:
        """Take over that an item is no longer found at the URI ``here`` but ``there``; unless others know better."""
        with self._write():
            known, _ = self.find(item_hash) or (None, "")
            if known is not None and known.uri == here:
                self._take_over(replace(known, uri=there), known)

    def _take_over(self, item: Item, known: Item) -> None:
        row = (item.uri, _json(item.metadata), *_record(item), item.id)
        self._db.execute("UPDATE items SET uri = ?, metadata = ?, record = ?, record_name = ? WHERE hash = ?", row)
        chunks = "SELECT chunks.id FROM chunks JOIN items ON items.id = chunks.item WHERE hash = ?"
        words = f"UPDATE words SET name = ? WHERE rowid IN ({chunks})"  # noqa: S608
        self._db.execute(words, (searchable(named(item)), item.id))
        if said_of(known) != said_of(item):
            worded = f"{chunks} AND chunks.modality <> 'text'"
            gone = f"DELETE FROM views WHERE chunk IN ({worded}) AND view IN ('titled', 'grounded')"  # noqa: S608
            self._db.execute(gone, (item.id,))

    def remove(
        self, hashes: Sequence[str], at: Mapping[str, str] | None = None, instead: Mapping[str, str] | None = None
    ) -> None:
        """Delete items by content hash, with what only they refer to; nothing of it stays in the file.

        Those stay that others have found elsewhere meanwhile, not where ``at`` has it (URIs by hash), and those of
        which the item that stands ``instead`` of them (by hash) is gone.

        Raises
        ------
        IndexFileError
            The file may only be read, or is being written elsewhere.
        """
        at, instead = at or {}, instead or {}
        with self._write() as db:
            known = self.found([*hashes, *instead.values()])
            going = [
                one
                for one in hashes
                if one in known
                and at.get(one, known[one][0].uri) == known[one][0].uri
                and instead.get(one, one) in known
            ]
            fresh_ids(db, 0)
            remove_items(db, going)
            forget_sections(db, going)
        with self._lock:
            give_back(self._db)


def _told_of(now: Stored, then: Stored) -> bool:
    """Whether a chunk is what it was, and all that is said of it."""
    return (now.chunk, now.described, said_of(now.item)) == (then.chunk, then.described, said_of(then.item))


def _add_vectors(db: Database, vectors: Mapping[str, Mapping[str, NDArray[np.float32]]]) -> None:
    for space, by_key in vectors.items():
        rows = ((space, key, vector.astype(LITTLE).tobytes()) for key, vector in by_key.items())
        db.executemany("INSERT OR IGNORE INTO vectors (space, key, vector) VALUES (?, ?, ?)", rows)


def _describe(db: Database, chunk: int, described: Mapping[str, Described]) -> None:
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


def named(item: Item) -> str:
    """What the full-text index holds of an item besides its chunks' texts, of which a caption is one already."""
    said = (str(value) for key, value in item.metadata.items() if key != "caption")
    return " ".join([item.words, *said])
