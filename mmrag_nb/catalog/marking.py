"""Whether an index has only grown since its vectors were read: then what is new is read, and nothing else.

Ids of chunks are never given twice, and what a chunk is does not change. What may are its views, by which it has other
vectors or none, and vectors that come later to views that are there. So a digest of all views up to the last chunk
tells whether these are what they were, whoever wrote meanwhile, and vectors that were stored since are looked through
for any that belong to them. A digest of 100,000 views takes tens of milliseconds, where their vectors take a second.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from .reading import Reading

_STEP = 50_000
"""Ids of chunks whose views are digested at once: a few MB."""


@dataclass(frozen=True, eq=False)
class Mark:
    """How an index stood when vectors of a space were read."""

    space: str
    model: list[tuple[object, ...]]
    """Fingerprint and versions of what made them."""
    last: int
    """The highest id of a chunk that has a view."""
    views: Any
    """Digest of all views up to it."""
    vectors: int
    """How many there were in the space."""
    row: int
    """The highest number of a vector, of any space."""


class Marking(Reading):
    """What of a :class:`~mmrag_nb.catalog.catalog.Catalog` tells how it stands. All of it is read within a snapshot."""

    def mark(self, space: str) -> Mark:
        """How the index stands."""
        return self._marked(space, hashlib.blake2b(digest_size=32), 0)

    def grown(self, before: Mark) -> Mark | None:
        """How the index stands now; ``None`` where more has happened to it since ``before`` than that it has grown."""
        views = hashlib.blake2b(digest_size=32)
        self._digest(views, 0, before.last)
        if views.digest() != before.views.digest():
            return None
        now = self._marked(before.space, views, before.last)
        if now.model != before.model:
            return None
        stored = "SELECT count(*) FROM vectors WHERE rowid > ? AND +space = ?"
        later = """
            SELECT 1 FROM vectors CROSS JOIN views ON views.key = vectors.key
            WHERE vectors.rowid > ? AND +vectors.space = ? AND views.chunk <= ? LIMIT 1"""
        # Where vectors were removed and the rest numbered anew, the counts differ.
        if self._number(stored, before.row, before.space) != now.vectors - before.vectors:
            return None
        return None if self._rows(later, (before.row, before.space, before.last)) else now

    def _marked(self, space: str, views: Any, digested: int) -> Mark:
        last = self._number("SELECT ifnull(max(chunk), 0) FROM views")
        self._digest(views, digested, last)
        model = self._rows("SELECT fingerprint, versions FROM spaces WHERE name = ?", (space,))
        vectors = self._number("SELECT count(*) FROM vectors WHERE space = ?", space)
        return Mark(space, model, last, views, vectors, self._number("SELECT ifnull(max(rowid), 0) FROM vectors"))

    def _digest(self, views: Any, after: int, last: int) -> None:
        # Each ends with what separates it: the digest does not depend on the steps. They come in the table's own order.
        query = """
            SELECT group_concat(chunk || char(31) || view || char(31) || key || char(30), '')
            FROM views WHERE chunk > ? AND chunk <= ?"""
        for start in range(after, last, _STEP):
            for (told,) in self._rows(query, (start, min(start + _STEP, last))):
                views.update(str(told or "").encode())

    def _number(self, query: str, *values: object) -> int:
        return int(str(self._rows(query, values)[0][0]))
