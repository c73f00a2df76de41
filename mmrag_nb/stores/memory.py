"""The default store: scikit-learn's exact nearest neighbours, in memory."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmrag_nb.types import Vectors

SMALL = 1 << 24
"""Numbers (vectors times dimensions) up to which one thread searches.

Up to there a second thread saves a few milliseconds at best. On a busy machine it costs up to 300, since the threads of
OpenMP, which scikit-learn uses, wait for each other by spinning while one of them is off its core.
"""

COPYING = 5
"""To copy a vector and multiply it takes about so many times as long as to multiply it where it lies."""


class MemoryStore:
    """Exact search over unit vectors.

    The metric is Euclidean: on unit vectors ``|a - b|^2 = 2 - 2 cos(a, b)``, so the order is the cosine's, and
    scikit-learn's Euclidean path is several times faster than its cosine path.
    """

    exact = True

    def __init__(self, *, channel: str = "") -> None:
        self.channel = channel
        self._fitted = _Fitted()

    def fit(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        """Replace the contents by ``vectors`` (n, d), unit rows, known by ``ids`` (n,)."""
        from sklearn.neighbors import NearestNeighbors
        from threadpoolctl import ThreadpoolController  # what scikit-learn itself limits threads by

        neighbours = NearestNeighbors(algorithm="brute", metric="euclidean").fit(vectors) if len(ids) else None
        threads = ThreadpoolController() if vectors.size <= SMALL else None  # looks for libraries: not each time
        self._fitted = _Fitted(ids, vectors, neighbours, threads)  # at once: another thread may be searching

    def search(
        self, queries: Vectors, k: int, allowed: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The nearest of each query (q, d), best first, among the ids ``allowed``: ids (q, m) and cosines (q, m)."""
        fitted = self._fitted
        rows = None if allowed is None else np.flatnonzero(np.isin(fitted.ids, allowed))
        if rows is not None and len(rows) < len(fitted.ids):
            return fitted.among(rows, queries, k)
        k = min(k, len(fitted.ids))
        if fitted.neighbours is None or k < 1:
            return np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
        with fitted.threads.limit(limits=1, user_api="openmp") if fitted.threads else nullcontext():
            distances, found = fitted.neighbours.kneighbors(queries, k)
        return fitted.ids[found], (1 - distances**2 / 2).astype(np.float32)

    def close(self) -> None:
        """Let go of the vectors."""
        self._fitted = _Fitted()

    def __len__(self) -> int:
        return len(self._fitted.ids)


@dataclass(frozen=True, eq=False)
class _Fitted:
    ids: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    vectors: Vectors = field(default_factory=lambda: np.empty((0, 0), np.float32))
    neighbours: Any = None
    threads: Any = None

    def among(self, rows: NDArray[np.intp], queries: Vectors, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The nearest among some rows (r,)."""
        # To pick rows is to copy them: where they are many, multiplying all is cheaper.
        many = len(rows) * COPYING > len(self.ids)
        cosines = (queries @ self.vectors.T)[:, rows] if many else queries @ self.vectors[rows].T
        columns = np.argpartition(-cosines, k - 1, axis=1)[:, :k] if len(rows) > k else np.arange(len(rows))[None]
        cosines = np.take_along_axis(cosines, np.broadcast_to(columns, (len(queries), columns.shape[1])), 1)
        order = np.argsort(-cosines, axis=1, kind="stable")
        best = np.take_along_axis(np.broadcast_to(columns, cosines.shape), order, 1)
        return self.ids[rows[best]], np.take_along_axis(cosines, order, 1)
