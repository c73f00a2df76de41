"""The default store: scikit-learn's exact nearest neighbours, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmrag_nb.types import Vectors


class MemoryStore:
    """Exact search over unit vectors.

    The metric is Euclidean: on unit vectors ``|a - b|^2 = 2 - 2 cos(a, b)``, so the order is the cosine's, and
    scikit-learn's Euclidean path is several times faster than its cosine path.
    """

    def __init__(self) -> None:
        self._ids = np.empty(0, np.int64)
        self._neighbours: Any = None

    def fit(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        """Replace the contents by ``vectors`` (n, d), unit rows, known by ``ids`` (n,)."""
        from sklearn.neighbors import NearestNeighbors

        self._ids = ids
        self._neighbours = NearestNeighbors(algorithm="brute", metric="euclidean").fit(vectors) if len(ids) else None

    def search(self, queries: Vectors, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The ``min(k, len)`` nearest of each query (q, d), best first: ids (q, k) and cosines (q, k)."""
        k = min(k, len(self))
        if self._neighbours is None or k < 1:
            return np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
        distances, rows = self._neighbours.kneighbors(queries, k)
        return self._ids[rows], (1 - distances**2 / 2).astype(np.float32)

    def __len__(self) -> int:
        return len(self._ids)
