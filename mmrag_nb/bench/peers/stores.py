"""What finds the nearest of vectors in memory: ours, the plain product, what reading alone takes, and libraries.

Each reads the same files, which the operating system has in memory once for all of them: ``vectors.npy`` (n, d),
``queries.npy`` (q, d) and ``nearest.npy`` (q, k), the rows of the very nearest.
"""

from __future__ import annotations

import importlib
import statistics
import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.bench.apart import cores
from mmrag_nb.bench.rounds import Entrant
from mmrag_nb.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mmrag_nb.types import Vectors

OURS, PRODUCT = "mmrag_nb", "numpy product + argpartition"
READING, READING_CODES = "limit: read all float32", "limit: read a byte for each"
ADDED = 100
"""Vectors that are added, to measure what that costs."""
_CALLS = 50
"""Most calls of a task."""


def here(folder: Path) -> list[Entrant]:
    """Ours, and what takes no other library."""
    how = {"folder": str(folder)}
    return [
        Entrant(OURS, f"{__name__}:Ours", how),
        Entrant(PRODUCT, f"{__name__}:Product", how),
        Entrant(READING, f"{__name__}:Reading", how | {"width": 4}),
        Entrant(READING_CODES, f"{__name__}:Reading", how | {"width": 1}),
    ]


def others(folder: Path, *, large: bool) -> list[Entrant]:
    """The libraries one would pick instead; of a ``large`` index, without those that take minutes to build it."""
    how = {"folder": str(folder)}
    peers: list[tuple[str, str, dict[str, str], str]] = [
        ("scikit-learn cosine", "Neighbours", {"metric": "cosine"}, "scikit-learn"),
        ("scikit-learn Euclidean", "Neighbours", {"metric": "euclidean"}, "scikit-learn"),
        ("FAISS flat", "Faiss", {}, "faiss-cpu"),
        ("usearch exact", "Usearch", {}, "usearch"),
        *[("Chroma (HNSW, approximate)", "Chroma", {}, "chromadb")] * (not large),
    ]
    return [
        Entrant(name, f"{__name__}:{kind}", how | more, (library,), peer=True) for name, kind, more, library in peers
    ]


class Search(ABC):
    """An engine that is built when it is set up, and then asked.

    Parameters
    ----------
    folder
        Where the files are.
    """

    def __init__(self, folder: str) -> None:
        home = Path(folder)
        # Still the file, but no longer a class of its own.
        self.vectors: Vectors = np.asarray(np.load(home / "vectors.npy", mmap_mode="r"))
        self.queries: Vectors = np.load(home / "queries.npy")
        self.nearest: NDArray[np.int64] = np.load(home / "nearest.npy")
        self.k = self.nearest.shape[1]

    def setup(self) -> Mapping[str, Any]:
        """Build it."""
        self.imports()
        self.vectors.view(np.int32).max()  # the file is in memory
        start = time.perf_counter()
        self.build()
        return {"build_seconds": time.perf_counter() - start, **self.told()}

    def imports(self) -> None:  # noqa: B027 - most need nothing
        """Import what it takes, which does not count."""

    def build(self) -> None:  # noqa: B027 - what only reads builds nothing
        """Make it ready for questions."""

    def told(self) -> Mapping[str, Any]:
        """What there is to tell besides."""
        return {}

    @abstractmethod
    def find(self, queries: Vectors) -> Any:
        """Rows (q, k) of the nearest."""

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask so many ``queries`` at once, call after call ``for_seconds``."""
        at_once: int = task["queries"]
        calls: list[float] = []
        found: list[float] = []
        self.find(self.queries[:at_once])
        end = time.perf_counter() + task["for_seconds"]
        while len(calls) < 3 or (len(calls) < _CALLS and time.perf_counter() < end):
            asked = np.arange(len(calls) * at_once, (len(calls) + 1) * at_once) % len(self.queries)
            queries = self.queries[asked]
            start = time.perf_counter()
            rows = self.find(queries)
            calls.append(time.perf_counter() - start)
            found += [np.isin(self.nearest[one], np.asarray(row)).mean() for one, row in zip(asked, rows, strict=False)]
        return {"seconds": statistics.median(calls), "calls": len(calls), "recall": float(np.mean(found or 1.0))}


class Ours(Search):
    """The default store."""

    def build(self) -> None:
        """Fit it."""
        self._store = MemoryStore()
        self._store.fit(np.arange(len(self.vectors)), self.vectors)

    def told(self) -> Mapping[str, Any]:
        """Seconds that it takes to add some, to all that were there before."""
        n = max(1, len(self.vectors) - ADDED)
        before = MemoryStore()
        before.fit(np.arange(n), self.vectors[:n])
        start = time.perf_counter()
        before.add(np.arange(len(self.vectors)), self.vectors)
        return {"add_seconds": time.perf_counter() - start, "added": len(self.vectors) - n}

    def find(self, queries: Vectors) -> Any:
        """As rows, which are their own ids here."""
        return self._store.search(queries, self.k)[0]


class Product(Search):
    """All cosines by one product, and the best of each row."""

    def find(self, queries: Vectors) -> Any:
        """As one would write it."""
        cosines = queries @ self.vectors.T
        best = np.argpartition(-cosines, self.k - 1, axis=1)[:, : self.k]
        order = np.argsort(-np.take_along_axis(cosines, best, 1), axis=1)
        return np.take_along_axis(best, order, 1)


class Reading(Search):
    """What reading takes: the greatest of all numbers, on all cores, of so many bytes for each.

    Parameters
    ----------
    folder
        Where the files are.
    width
        Bytes that are read of a number.
    """

    def __init__(self, folder: str, width: int) -> None:
        super().__init__(folder)
        self._width = width

    def build(self) -> None:
        """Start the threads, and take as many bytes."""
        read = self.vectors.reshape(-1).view(np.int32)[: self.vectors.size * self._width // 4]
        self._parts = np.array_split(read, cores())
        self._pool = ThreadPoolExecutor(len(self._parts))

    def find(self, queries: Vectors) -> list[NDArray[np.int64]]:  # noqa: ARG002
        """Nothing: it is read."""
        list(self._pool.map(np.max, self._parts))
        return []


class Neighbours(Search):
    """scikit-learn's ``NearestNeighbors``, brute force.

    Parameters
    ----------
    folder
        Where the files are.
    metric
        Its name there.
    """

    def __init__(self, folder: str, metric: str) -> None:
        super().__init__(folder)
        self._metric = metric

    def build(self) -> None:
        """Fit it."""
        neighbors = importlib.import_module("sklearn.neighbors")
        self._fitted = neighbors.NearestNeighbors(n_neighbors=self.k, metric=self._metric, algorithm="brute")
        self._fitted.fit(self.vectors)

    def imports(self) -> None:
        """Import it."""
        importlib.import_module("sklearn.neighbors")

    def find(self, queries: Vectors) -> Any:
        """Rows."""
        return self._fitted.kneighbors(queries, return_distance=False)


class Faiss(Search):
    """``IndexFlatIP``."""

    def imports(self) -> None:
        """Import it."""
        self._faiss = importlib.import_module("faiss")

    def build(self) -> None:
        """Add all, which copies them."""
        self._index = self._faiss.IndexFlatIP(self.vectors.shape[1])
        self._index.add(self.vectors)

    def find(self, queries: Vectors) -> Any:
        """Rows."""
        return self._index.search(queries, self.k)[1]


class Usearch(Search):
    """``search(exact=True)``."""

    def imports(self) -> None:
        """Import it."""
        self._usearch = importlib.import_module("usearch.index")

    def find(self, queries: Vectors) -> Any:
        """Rows."""
        metric = self._usearch.MetricKind.Cos
        found = self._usearch.search(self.vectors, queries, self.k, metric, exact=True, threads=cores())
        return np.asarray(found.keys).reshape(len(queries), -1)


class Chroma(Search):
    """A collection in memory, as its documentation makes one."""

    def imports(self) -> None:
        """Import it."""
        self._client = importlib.import_module("chromadb").EphemeralClient()

    def build(self) -> None:
        """Add all."""
        self._collection = self._client.create_collection(
            "bench", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
        )
        for start in range(0, len(self.vectors), 5_000):
            part = self.vectors[start : start + 5_000]
            self._collection.add(ids=[str(start + i) for i in range(len(part))], embeddings=part)

    def find(self, queries: Vectors) -> Any:
        """Rows."""
        found = self._collection.query(query_embeddings=queries, n_results=self.k, include=[])["ids"]
        return [[int(name) for name in row] for row in found]
