"""The vectors of an index, by space: which there are, which are missing, and what background queries reach."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.errors import IndexMismatch

from .marking import Marking
from .reading import OF_ITEM, hashes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mmrag_nb.types import Modality, Vectors

LITTLE = np.dtype("<f4")
"""How vectors lie in the file."""
_BLOCK = 4096
"""Vectors that are read at a time."""


class Spaces(Marking):
    """What of a :class:`~mmrag_nb.catalog.catalog.Catalog` is vectors."""

    def spaces(self) -> dict[str, int]:
        """Number of vectors by space, of those that have some."""
        rows = self._rows("SELECT space, count(*) FROM vectors GROUP BY space ORDER BY space")
        return {str(name): int(str(n)) for name, n in rows}

    def spaces_noted(self) -> dict[str, dict[str, Any]]:
        """Dimension, fingerprint and versions of each space, as noted."""
        rows = self._rows("SELECT name, dimension, fingerprint, versions FROM spaces ORDER BY name")
        return {
            str(name): {
                "dimension": int(str(dimension)),
                "fingerprint": json.loads(str(fingerprint)),
                "versions": json.loads(str(versions)),
            }
            for name, dimension, fingerprint, versions in rows
        }

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

    def unembedded(
        self, space: str, view: str, kinds: Sequence[Modality], items: str | Sequence[str] | None = None
    ) -> list[int]:
        """Ids of the chunks of these ``kinds`` that have no vector for ``view`` in ``space``, of some items or of all.

        Whether there is anything to embed is not asked: a text may be empty.
        """
        query = f"""
            SELECT chunks.id FROM chunks JOIN items ON items.id = chunks.item
            WHERE {OF_ITEM[items is None]} AND chunks.modality IN (SELECT value FROM json_each(?)) AND NOT EXISTS (
                SELECT 1 FROM views JOIN vectors ON vectors.key = views.key AND vectors.space = ?
                WHERE views.chunk = chunks.id AND views.view = ?)
            ORDER BY chunks.id"""  # noqa: S608
        rows = self._rows(query, (hashes(items), json.dumps(list(kinds)), space, view))
        return [int(str(row[0])) for row in rows]

    def embeddable(self, views: Sequence[str]) -> int:
        """Number of chunks of which something is embedded as one of ``views``.

        Those in which nothing was heard, say, are not among them.
        """
        query = "SELECT count(DISTINCT chunk) FROM views WHERE view IN (SELECT value FROM json_each(?))"
        return int(str(self._rows(query, (json.dumps(list(views)),))[0][0]))

    def matrix(self, space: str, view: str, part: Modality | None = None) -> tuple[NDArray[np.int64], Vectors]:
        """Chunk ids (n,), ascending, and vectors (n, d) of all ``view`` s in ``space``, of one modality or of all."""
        return self.vectors_after(0, space, view, part)

    def vectors_after(
        self, last: int, space: str, view: str, part: Modality | None = None, *, room: float = 0.0
    ) -> tuple[NDArray[np.int64], Vectors]:
        """The same of chunks whose ids are above ``last``.

        The array that the vectors are the beginning of (their ``base``) has ``room`` for such a share to follow.
        """
        # In the order in which views lie there: SQLite would sort gigabytes of vectors instead.
        query = """
            SELECT views.chunk, vectors.vector FROM views
            CROSS JOIN vectors ON vectors.space = :space AND vectors.key = views.key
            WHERE views.view = :view AND views.chunk > :last
            AND (:part IS NULL OR (SELECT modality FROM chunks WHERE chunks.id = views.chunk) = :part)
            ORDER BY views.chunk"""
        ids: list[int] = []
        blocks: list[Vectors] = []
        named = {"space": space, "view": view, "part": part, "last": last}
        with self._lock, closing(self._db.execute(query, named)) as cursor:
            while rows := cursor.fetchmany(_BLOCK):
                ids += [row[0] for row in rows]
                blocks.append(_floats(b"".join(row[1] for row in rows)).reshape(len(rows), -1))
        end = len(ids)
        whole = np.empty((end + int(room * end), blocks[0].shape[1] if blocks else 0), np.float32)
        while blocks:  # each is given back as soon as it is copied: a large index is in memory once
            block = blocks.pop()
            whole[end - len(block) : end] = block
            end -= len(block)
            del block
        return np.asarray(ids, np.int64), whole[: len(ids)]


def _floats(blob: object) -> Vectors:
    return np.frombuffer(blob, LITTLE).astype(np.float32)  # type: ignore[call-overload,no-any-return]
