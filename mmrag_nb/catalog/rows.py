"""An index by rows, one a chunk, as it is exported and imported; and fingerprints that are still to be compared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mmrag_nb.types import Preview

from .spaces import LITTLE
from .writing import Writing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mmrag_nb.types import Vectors

LAYOUT = "mmrag_nb"
"""Name under which a Parquet file's metadata tells what its columns of vectors are."""
FORMAT = 1
"""Of that layout."""
UNCHECKED = "unchecked"
"""Revision of a model whose vectors were imported while the model itself was not at hand."""


class Channel(NamedTuple):
    """The vectors of one space that stand for one view of chunks."""

    space: str
    view: str
    dimension: int
    fingerprint: Mapping[str, str]


class Rows(Writing):
    """What of a :class:`~mmrag_nb.catalog.catalog.Catalog` is read and kept by rows."""

    def in_order(self) -> NDArray[np.int64]:
        """Ids (n,) of all chunks, those of an item together, in their order."""
        rows = self._rows("SELECT id FROM chunks ORDER BY item, ordinal")
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def channels(self) -> list[Channel]:
        """Which spaces hold vectors of which views."""
        views = [str(row[0]) for row in self._rows("SELECT DISTINCT view FROM views ORDER BY view")]
        some = """
            SELECT 1 FROM views CROSS JOIN vectors ON vectors.space = ? AND vectors.key = views.key
            WHERE views.view = ? LIMIT 1"""
        return [
            Channel(str(name), view, int(str(dimension)), json.loads(str(fingerprint)))
            for name, dimension, fingerprint in self._rows(
                "SELECT name, dimension, fingerprint FROM spaces ORDER BY name"
            )
            for view in views
            if self._rows(some, (name, view))
        ]

    def vectors_of(self, chunk_ids: Sequence[int], space: str, view: str) -> dict[int, Vectors]:
        """The vectors (d,) in ``space`` of one ``view`` of these chunks, by chunk id; some may have none."""
        query = """
            SELECT views.chunk, vector FROM views CROSS JOIN vectors ON vectors.space = ? AND vectors.key = views.key
            WHERE views.view = ? AND views.chunk IN (SELECT value FROM json_each(?))"""
        rows = self._rows(query, (space, view, json.dumps([int(one) for one in chunk_ids])))
        return {int(str(chunk)): np.frombuffer(blob, LITTLE) for chunk, blob in rows}  # type: ignore[call-overload]

    def thumbnails(self, chunk_ids: Sequence[int], kind: str = "thumbnail") -> dict[int, Preview]:
        """Those previews of ``kind`` that chunks or their items have, by chunk id."""
        query = """
            SELECT chunks.id, mime, data FROM chunks
            CROSS JOIN previews ON previews.item = chunks.item AND previews.ordinal IN (-1, chunks.ordinal) AND kind = ?
            WHERE chunks.id IN (SELECT value FROM json_each(?)) ORDER BY previews.ordinal"""
        rows = self._rows(query, (kind, json.dumps([int(one) for one in chunk_ids])))  # the chunk's own win
        return {int(str(chunk)): Preview(str(mime), data) for chunk, mime, data in rows}  # type: ignore[arg-type]

    def lacking_items(self, space: str, views: Sequence[str], item_hashes: Sequence[str]) -> list[str]:
        """Those of these items of which no chunk has a vector of any of ``views`` in ``space``."""
        query = """
            SELECT value FROM json_each(?) WHERE NOT EXISTS (
                SELECT 1 FROM items CROSS JOIN chunks ON chunks.item = items.id CROSS JOIN views
                ON views.chunk = chunks.id CROSS JOIN vectors ON vectors.space = ? AND vectors.key = views.key
                WHERE items.hash = value AND view IN (SELECT value FROM json_each(?)))"""
        rows = self._rows(query, (json.dumps(list(item_hashes)), space, json.dumps(list(views))))
        return [str(row[0]) for row in rows]

    def kinds_said(self) -> dict[str, set[str]]:
        """What values the metadata have, by name: ``integer``, ``real``, ``text``, ``true``, ``false``."""
        query = """
            SELECT DISTINCT key, CASE WHEN type = 'integer' THEN typeof(value) ELSE type END
            FROM items, json_each(items.metadata)"""  # an integer of more than 64 bits is a real
        found: dict[str, set[str]] = {}
        for name, kind in self._rows(query):
            found.setdefault(str(name), set()).add(str(kind))
        return found

    # -- what is still to be compared ------------------------------------------------------------------------------

    def holds(self, space: str, fingerprint: Mapping[str, str]) -> bool:
        """As :meth:`Spaces.holds`; vectors that nobody has compared yet count as what they were imported as.

        Raises
        ------
        IndexMismatch
            There are vectors of ``space`` made by another model.
        """
        known = self.fingerprint(space)
        if known is not None and unchecked(known) and known.get("model") == fingerprint.get("model"):
            return True
        return super().holds(space, fingerprint)

    def unsettled(self) -> list[str]:
        """Spaces whose vectors were imported while their model was not at hand, and not compared with it since."""
        query = "SELECT name, fingerprint FROM spaces WHERE fingerprint LIKE ?"
        rows = self._rows(query, (f'%"{UNCHECKED}"%',))
        return [str(name) for name, told in rows if unchecked(json.loads(str(told)))]

    def samples(self, space: str, view: str, most: int) -> list[int]:
        """Ids of at most ``most`` chunks that have a vector of ``view`` in ``space``, spread over the index.

        Pictures among them have a preview, the others a text.
        """
        query = """
            SELECT views.chunk FROM views CROSS JOIN vectors ON vectors.space = ? AND vectors.key = views.key
            CROSS JOIN chunks ON chunks.id = views.chunk WHERE views.view = ? AND CASE WHEN views.view = 'image'
            THEN EXISTS (SELECT 1 FROM previews WHERE item = chunks.item AND previews.ordinal IN (-1, chunks.ordinal)
                         AND kind IN ('thumbnail', 'proxy'))
            ELSE chunks.text <> '' END ORDER BY views.chunk"""
        found = [int(str(row[0])) for row in self._rows(query, (space, view))]
        places = np.linspace(0, len(found) - 1, min(most, len(found))).astype(int)
        return [found[place] for place in places]

    def adopt(self, space: str, fingerprint: Mapping[str, str]) -> None:
        """Note that the vectors of ``space`` are those of the model of ``fingerprint``: they were compared."""
        with self._write(contents=False) as db:
            db.execute("UPDATE spaces SET fingerprint = ? WHERE name = ?", (json.dumps(dict(fingerprint)), space))


def unchecked(fingerprint: Mapping[str, str]) -> bool:
    """Whether a fingerprint is one that was taken on somebody's word."""
    return fingerprint.get("revision") == UNCHECKED
