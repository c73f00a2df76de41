"""The default store: every vector is looked at, in memory."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from . import int8
from .scanning import QUERIES, SMALL, Products, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmrag_nb.types import Vectors

    Found = tuple[NDArray[np.int64], NDArray[np.float32]]
    Best = tuple[NDArray[np.intp], NDArray[np.float32]]

CODED = 1 << 22
"""Numbers from which on an index has codes: to read fewer takes no longer than what a scan takes besides."""
COPYING = 5
"""To copy a vector and multiply it takes about so many times as long as to multiply it where it lies."""
_CODING = 4
"""So many times less is read of a vector that is scanned by its codes."""
_DEEP = 64
"""A large index is scanned for one of so many vectors at most; for more, it is sorted."""


class MemoryStore:
    """Exact search over unit vectors.

    Up to :data:`CODED` numbers it is one product and a partial sort. A larger index is scanned by int8 codes where
    NumKong is installed, by float32 products otherwise, and what may be among the nearest is looked at again in
    float64: the very nearest are found either way. The vectors are kept as they are given, not copied; the codes take
    a quarter of their bytes besides, and what a search needs is bounded: 2 MB for each thread.
    """

    exact = True

    def __init__(self, *, channel: str = "") -> None:
        self.channel = channel
        self._fitted = _Fitted()

    def fit(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        """Replace the contents by ``vectors`` (n, d), unit rows, known by ``ids`` (n,)."""
        self._fitted = _Fitted(ids, vectors, _codes(vectors, None), _threads(vectors))

    def add(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        """Go on to ``vectors`` (n, d) known by ``ids`` (n,): those that are there come first, what is new after them.

        All are given, since all stay where they lie; only what is new costs anything.
        """
        before = self._fitted
        threads = before.threads if vectors.size <= SMALL else None
        self._fitted = _Fitted(ids, vectors, _codes(vectors, before.codes), threads)

    def search(self, queries: Vectors, k: int, allowed: NDArray[np.int64] | None = None) -> Found:
        """The nearest of each query (q, d), best first, among the ids ``allowed``: ids (q, m) and cosines (q, m)."""
        fitted = self._fitted
        among = None if allowed is None else np.isin(fitted.ids, allowed)
        some = len(fitted.ids) if among is None else int(among.sum())
        k = max(0, min(k, some))
        if not k or not len(queries):
            return np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
        if some == len(fitted.ids):
            among = None
        scanned = fitted.scanned(k, some) and bool(np.isfinite(queries).all())
        step = QUERIES if scanned else max(1, SMALL // len(fitted.ids))
        find = fitted.scan if scanned else fitted.sort
        parts = [find(queries[start : start + step], k, among) for start in range(0, len(queries), step)]
        rows, cosines = (np.concatenate(column) for column in zip(*parts, strict=True))
        return fitted.ids[rows], cosines

    def kneighbors(self, X: Vectors, n_neighbors: int = 5, return_distance: bool = True) -> Any:  # noqa: N803
        """Distances (q, m) and rows (q, m), or rows alone, as scikit-learn's ``NearestNeighbors`` gives them.

        Its Euclidean metric: on unit vectors ``|a - b|^2 = 2 - 2 cos(a, b)``, so that the order is the cosine's.
        """
        ids, cosines = self.search(np.asarray(X, np.float32), n_neighbors)
        rows = np.searchsorted(self._fitted.ids, ids)
        if not return_distance:
            return rows
        return np.sqrt((2 - 2 * cosines.astype(np.float64)).clip(0)), rows

    def close(self) -> None:
        """Let go of the vectors."""
        self._fitted = _Fitted()

    def __len__(self) -> int:
        return len(self._fitted.ids)


def _codes(vectors: Vectors, before: int8.Codes | None) -> int8.Codes | None:
    if vectors.size <= CODED or not int8.available():
        return None
    return int8.Codes.of(vectors) if before is None else before.grown(vectors)


def _threads(vectors: Vectors) -> Any:
    """What limits BLAS to one thread, where vectors are few: it looks for libraries, which is not done each time."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController() if vectors.size <= SMALL else None


@dataclass(frozen=True, eq=False)
class _Fitted:
    """Replaced as a whole: another thread may be searching."""

    ids: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    vectors: Vectors = field(default_factory=lambda: np.empty((0, 0), np.float32))
    codes: int8.Codes | None = None
    threads: Any = None

    def scanned(self, k: int, some: int) -> bool:
        """Whether the ``k`` nearest among ``some`` are found by a scan of all, rather than a product and a sort."""
        n = len(self.ids)
        # To pick rows is to copy them: where they are many, scanning all is cheaper.
        many = some * COPYING * (_CODING if self.codes else 1) > n
        return self.vectors.size > CODED and k * _DEEP <= n and many and (self.codes is not None or self.finite)

    def scan(self, queries: Vectors, k: int, among: NDArray[np.bool_] | None) -> Best:
        """Rows (q, k) and cosines (q, k) of the nearest."""
        scores = self.codes.asked(queries) if self.codes else Products(self.vectors, queries)
        found = nearest(scores, self.vectors, queries, k, among)
        return np.stack([rows for rows, _ in found]), np.stack([cosines for _, cosines in found])

    def sort(self, queries: Vectors, k: int, among: NDArray[np.bool_] | None) -> Best:
        """The same by a product and a partial sort. What is not finite comes last."""
        rows = np.arange(len(self.ids)) if among is None else np.flatnonzero(among)
        with self.threads.limit(limits=1, user_api="blas") if self.threads else nullcontext():
            if among is None:
                cosines = queries @ self.vectors.T
            elif len(rows) * COPYING > len(self.ids):
                cosines = (queries @ self.vectors.T)[:, rows]
            else:
                cosines = queries @ self.vectors[rows].T
        columns = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        chosen = np.take_along_axis(cosines, columns, 1)
        order = np.lexsort((columns, -chosen), axis=1)
        return rows[np.take_along_axis(columns, order, 1)], np.take_along_axis(chosen, order, 1)

    @cached_property
    def finite(self) -> bool:
        """Whether all numbers are: a damaged file or a model gone wrong may have others."""
        return bool(np.isfinite(self.vectors.sum()))
