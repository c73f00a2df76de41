"""The default store: scikit-learn's exact nearest neighbours, in memory."""

from __future__ import annotations

from contextlib import nullcontext
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


class MemoryStore:
    """Exact search over unit vectors.

    The metric is Euclidean: on unit vectors ``|a - b|^2 = 2 - 2 cos(a, b)``, so the order is the cosine's, and
    scikit-learn's Euclidean path is several times faster than its cosine path.
    """

    def __init__(self) -> None:
        self._ids = np.empty(0, np.int64)
        self._neighbours: Any = None
        self._threads: Any = None

    def fit(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        """Replace the contents by ``vectors`` (n, d), unit rows, known by ``ids`` (n,)."""
        from sklearn.neighbors import NearestNeighbors
        from threadpoolctl import ThreadpoolController  # what scikit-learn itself limits threads by

        self._ids = ids
        self._neighbours = NearestNeighbors(algorithm="brute", metric="euclidean").fit(vectors) if len(ids) else None
        self._threads = ThreadpoolController() if vectors.size <= SMALL else None  # looks for libraries: not each time

    def search(self, queries: Vectors, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The ``min(k, len)`` nearest of each query (q, d), best first: ids (q, k) and cosines (q, k)."""
        k = min(k, len(self))
        if self._neighbours is None or k < 1:
            return np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
        with self._threads.limit(limits=1, user_api="openmp") if self._threads else nullcontext():
            distances, rows = self._neighbours.kneighbors(queries, k)
        return self._ids[rows], (1 - distances**2 / 2).astype(np.float32)

    def __len__(self) -> int:
        return len(self._ids)
