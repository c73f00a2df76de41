"""The very nearest by scores that may be off by a known bound: a scan of all, then a second look at a few.

The vectors are scanned in blocks. The scores of a block are reduced to maxima of groups, which is all that looks at
each of them; every group's maximum less its bound is what some vector surely reaches, so the ``k``-th highest of these
so far is what the ``k``-th nearest reaches at least. Only a group that may hold more is looked into, and only what may
reach it is kept. Its cosines are computed in float64 in the end: what is returned is the ``k`` nearest, whatever the
scores were.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from mmrag_nb.types import Vectors

    Best = tuple[NDArray[np.intp], NDArray[np.float32]]
    """Rows (m,) and cosines (m,), best first."""

_In = TypeVar("_In")
_Out = TypeVar("_Out")

BLOCK = 8_192
"""Vectors whose scores are in memory at once, for each thread: those of 64 queries lie in a core's cache."""
QUERIES = 64
"""Queries that are asked at once."""
_GROUP = 64
"""Vectors of a group. It divides :data:`BLOCK`."""
_GROUPS = BLOCK // _GROUP

SMALL = 1 << 24
"""Numbers (vectors times dimensions) up to which one thread works.

Up to there a second thread saves a few milliseconds at best. On a busy machine it costs up to 300 where threads wait
for each other by spinning while one of them is off its core, as those of BLAS do.
"""


def cores() -> int:
    """How many threads may work side by side: the cores that this process may use, or what OpenMP is told."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdecimal() and int(told):
        return int(told)
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def spread(work: Callable[[_In], _Out], pieces: Sequence[_In], numbers: int) -> Iterable[_Out]:
    """Do ``work`` on all ``pieces``, in order, on as many threads as pay for so many ``numbers``.

    The threads are made for it and gone afterwards: that takes a tenth of a millisecond, and a process that is forked
    has none that hang.
    """
    threads = min(cores(), numbers // SMALL, len(pieces))
    if threads < 2:
        return [work(piece) for piece in pieces]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, pieces))


class Scores(ABC):
    """Scores of some queries with all vectors, block by block: each is off by a bound at most."""

    n: int
    """Vectors."""
    factor: NDArray[np.float64]
    """(q,) what a score is multiplied by, which gives the cosine less the ``offset``."""
    offset: NDArray[np.float64]
    """(q,)"""
    lowest: float
    """The score of what is not there."""

    @abstractmethod
    def error(self, block: int) -> NDArray[np.float64]:
        """(q,) how far a score in a block, times the factor, can be off."""

    @abstractmethod
    def room(self) -> Any:
        """What a thread keeps its scores in."""

    @abstractmethod
    def block(self, block: int, room: Any) -> NDArray[Any]:
        """(q, BLOCK) the scores of a block, in ``room``; the lowest behind the last vector."""


class Products(Scores):
    """Scores that are float32 products, off by their rounding alone.

    Parameters
    ----------
    vectors
        (n, d), of length 1.
    queries
        (q, d)
    """

    lowest = -np.inf

    def __init__(self, vectors: Vectors, queries: Vectors) -> None:
        self._vectors, self._queries = vectors, queries
        self.n = len(vectors)
        self.factor = np.ones(len(queries))
        self.offset = np.zeros(len(queries))
        # Higham (2002), section 3.1: a sum of d products is off by d roundings at most, in any order. One is half of
        # eps; the whole leaves room for lengths that are not quite 1.
        rounding = vectors.shape[1] * float(np.finfo(np.float32).eps)
        self._error: NDArray[np.float64] = rounding * np.linalg.norm(queries.astype(np.float64), axis=1)

    def error(self, block: int) -> NDArray[np.float64]:  # noqa: ARG002
        """(q,) the rounding."""
        return self._error

    def room(self) -> Any:
        """Scores of a block."""
        return np.empty((len(self._queries), BLOCK), np.float32)

    def block(self, block: int, room: Any) -> NDArray[Any]:
        """(q, BLOCK) products."""
        part = self._vectors[block * BLOCK : (block + 1) * BLOCK]
        room[:, : len(part)] = self._queries @ part.T
        room[:, len(part) :] = self.lowest
        return room  # type: ignore[no-any-return]


class _Kept:
    """What a thread has found so far that may be among the ``k`` nearest of a query."""

    def __init__(self, scores: Scores, k: int) -> None:
        q = len(scores.factor)
        self._scores = scores
        self.reached = np.full((q, k), -np.inf)
        """(q, k) what the k best groups reach at least."""
        self.found: list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]] = []
        """Query, row, score and bound."""

    def look(self, blocks: range, allowed: NDArray[np.bool_] | None) -> None:
        """Scan these blocks, for what is ``allowed`` (n,)."""
        room = self._scores.room()
        for number in blocks:
            scores = self._scores.block(number, room)
            if allowed is not None:
                there = allowed[number * BLOCK : (number + 1) * BLOCK]
                np.copyto(scores[:, : len(there)], self._scores.lowest, where=~there)
            self._take(number, scores)

    def _take(self, number: int, scores: NDArray[Any]) -> None:
        """Keep what may count of the scores (q, BLOCK) of a block."""
        factor, error, lowest = self._scores.factor, self._scores.error(number), self._scores.lowest
        q = len(factor)
        groups = scores.reshape(q, _GROUP, _GROUPS)  # strided ones: rows of it are reduced side by side
        tops = groups.max(1)
        values = tops * factor[:, None]
        both = np.concatenate([self.reached, values - error[:, None]], 1)
        self.reached = np.partition(both, _GROUPS, 1)[:, _GROUPS:]
        least = self.reached.min(1) - error
        query, group = np.nonzero((values >= least[:, None]) & (tops > lowest))
        if not len(query):
            return
        inside = groups[query, :, group]
        within = inside * factor[query, None]
        pair, member = np.nonzero((within >= least[query, None]) & (inside > lowest))
        asked = query[pair]
        rows = number * BLOCK + member * _GROUPS + group[pair]
        self.found.append((asked, rows, within[pair, member], error[asked]))


def nearest(
    scores: Scores, vectors: Vectors, queries: Vectors, k: int, allowed: NDArray[np.bool_] | None = None
) -> list[Best]:
    """The ``k`` nearest of each query (q, d) among the ``allowed`` (n,) of the vectors (n, d), which are ``k`` or more.

    All are finite. Equal cosines (in float32) are in the order of their rows.
    """
    parts = [_Kept(scores, k) for _ in range(_threads(scores, vectors.shape[1]))]
    ends = np.linspace(0, -(-scores.n // BLOCK), len(parts) + 1).astype(int).tolist()
    work = [(part, range(*blocks)) for part, blocks in zip(parts, pairwise(ends), strict=True)]
    spread(lambda one: one[0].look(one[1], allowed), work, scores.n * vectors.shape[1])
    reached = np.partition(np.concatenate([part.reached for part in parts], 1), -k, 1)[:, -k]
    pieces = [piece for part in parts for piece in part.found]
    asked, rows, values, errors = (np.concatenate(column) for column in zip(*pieces, strict=True))
    left = np.flatnonzero(values + errors >= reached[asked])
    left = left[np.argsort(asked[left], kind="stable")]
    of_query = np.split(left, np.searchsorted(asked[left], np.arange(1, len(queries))))
    return [
        _best((vectors, query), k, rows[own], values[own] + offset, errors[own])
        for query, offset, own in zip(queries, scores.offset, of_query, strict=True)
    ]


def _threads(scores: Scores, dimension: int) -> int:
    if isinstance(scores, Products):  # whose own threads are BLAS's
        return 1
    return max(1, min(cores(), scores.n * dimension // SMALL))


def _best(
    asked: tuple[Vectors, Vectors],
    k: int,
    rows: NDArray[np.intp],
    values: NDArray[np.float64],
    errors: NDArray[np.float64],
) -> Best:
    """The ``k`` nearest to a query (d,) of those ``rows`` (r,) of vectors (n, d), whose scores may be off by errors."""
    vectors, query = asked[0], asked[1].astype(np.float64)
    if len(rows) > k:
        # The best by their scores reach almost what the best do: what reaches less need not be computed.
        first = rows[np.argpartition(-values, k - 1)[:k]]
        rows = rows[values + errors >= (vectors[first].astype(np.float64) @ query).min()]
    cosines = (vectors[rows].astype(np.float64) @ query).astype(np.float32)
    order = np.lexsort((rows, -cosines))[:k]
    return rows[order], cosines[order]
