"""The words of an index: which chunks hold them, and how well (BM25)."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from .spaces import Spaces
from .words import match_expression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_FEW = 20
"""Chunks up to which the full-text index is asked for each."""
_BLOCK = 4096
"""Rows that are read at a time where there may be very many."""


class Lexicon(Spaces):
    """What of a :class:`~mmrag_nb.catalog.catalog.Catalog` is words."""

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
