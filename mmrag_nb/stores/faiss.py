"""FAISS in memory: an exact scan, or a graph (HNSW) that is kept for the next kernel."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from mmrag_nb.errors import InvalidSetting

from . import cache
from .difference import checksums, difference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmrag_nb.types import Vectors

    Found = tuple[NDArray[np.int64], NDArray[np.float32]]

NEIGHBOURS = 32
"""Edges of a vector (M). Malkov and Yashunin (https://arxiv.org/abs/1603.09320) take 5 to 48, more for high dimensions
and high recall."""
CONSTRUCTION = 100
"""Candidates while it is built (efConstruction): with 200, building takes twice as long, and hardly more is found."""
CANDIDATES = 1_024
"""Candidates of a question (efSearch). A question in words lies far from all pictures (the modality gap), and needs
more of them than a picture among pictures: 512 find 0.99 of its nearest among 20,000, but 0.92 among 100,000, where
1,024 find 0.95."""

_swig: Any = faiss  # its stubs leave out what these classes take
# FAISS's own until 1.15, whose 128,000 means that 64 questions take 64 times as long as one.
_swig.cvar.distance_compute_blas_threshold = 20

_SCANNED = 10
"""Vectors that are scanned in the time in which the graph looks at one more candidate and its neighbours."""
_BATCH = 5_000
"""Vectors added at a time: between two batches Ctrl-C is heard."""
_DEAD = 0.25
"""Share of vectors no longer wanted, which a graph can only pass over, from which on it is built anew."""
_KEPT_FROM = 2_000
"""Vectors from which on a graph is kept: fewer are built within a second."""
_KEPT_AGAIN = 0.05
"""Share of vectors that are new, from which on what is kept is written again: fewer are added within a second."""


def store(kind: str = "", *, channel: str = "") -> FaissStore | HnswStore:
    """Make the exact store, or for ``hnsw`` the graph.

    Raises
    ------
    InvalidSetting
        ``kind`` is neither.
    """
    if kind not in {"", "hnsw"}:
        raise InvalidSetting(f"store 'faiss:{kind}' is not known: set store to 'faiss' (exact) or 'faiss:hnsw'")
    return HnswStore(channel) if kind else FaissStore(channel)


class FaissStore:
    """Exact search: every vector is looked at (``IndexFlatIP``).

    FAISS uses one thread for one question, here and in the graph.
    """

    exact = True

    def __init__(self, channel: str = "") -> None:
        self.channel = channel
        self._fitted = _Rows()

    def fit(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        """Replace the contents by ``vectors`` (n, d), unit rows, known by ``ids`` (n,)."""
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(np.ascontiguousarray(vectors, np.float32))
        self._fitted = _Rows(ids, index)  # at once: another thread may be searching

    def search(self, queries: Vectors, k: int, allowed: NDArray[np.int64] | None = None) -> Found:
        """The nearest of each query (q, d), best first, among the ids ``allowed``: ids (q, m) and cosines (q, m)."""
        fitted = self._fitted
        return _scan(fitted.index, fitted.ids, queries, k, fitted.among(allowed))

    def close(self) -> None:
        """Let go of the vectors."""
        self._fitted = _Rows()

    def __len__(self) -> int:
        return len(self._fitted.ids)


class HnswStore:
    """Approximate search in a graph of neighbours (HNSW), for what is too much to scan.

    Where few vectors are there, or few allowed, scanning these is quicker than the graph, and exact. The graph is kept
    in the user's cache folder; what has come or gone since then is added, or passed over.
    """

    exact = False

    def __init__(self, channel: str = "") -> None:
        self.channel = channel
        self._fitted = _Rows()
        self._fitting = threading.Lock()
        self._unkept = 0

    def fit(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        """Take over what differs in ``vectors`` (n, d), unit rows, known by ``ids`` (n,)."""
        with self._fitting:
            marks = checksums(vectors)
            before = self._fitted if self._fitted.index is not None else self._kept()
            if before.index is not None and before.index.d != vectors.shape[1]:
                before = _Rows()
            plan = difference((before.ids, before.marks), (ids, marks))
            known = before.ids.copy()
            known[plan.drop] = -1  # what is dead already is dropped again: it has no id that can be wanted
            if before.index is None or (known < 0).sum() > _DEAD * len(known):
                before, known, send = _Rows(index=_graph(vectors.shape[1])), before.ids[:0], np.arange(len(ids))
            else:
                send = plan.send
            index = before.index
            if len(send):
                index = faiss.clone_index(index)  # another thread may be searching
                for start in range(0, len(send), _BATCH):
                    index.add(np.ascontiguousarray(vectors[send[start : start + _BATCH]], np.float32))
            self._fitted = _Rows(np.concatenate([known, ids[send]]), index, np.concatenate([before.marks, marks[send]]))
            self._unkept += len(send)
            if self._unkept > _KEPT_AGAIN * len(ids):
                self._keep()

    def search(self, queries: Vectors, k: int, allowed: NDArray[np.int64] | None = None) -> Found:
        """The nearest of each query (q, d), best first, among the ids ``allowed``: ids (q, m) and cosines (q, m)."""
        fitted = self._fitted
        rows = fitted.among(allowed)
        total, some = len(fitted.ids), len(fitted.ids) if rows is None else len(rows)
        wide = max(CANDIDATES, 2 * k)
        # The rarer what is allowed, the more candidates it takes to meet enough of it.
        if some * some <= _SCANNED * wide * total:
            flat = None if fitted.index is None else faiss.downcast_index(fitted.index.storage)
            return _scan(flat, fitted.ids, queries, k, rows)
        choice: dict[str, Any] = {"efSearch": int(wide * total / some)}
        if rows is not None:
            mask = np.zeros(total, bool)
            mask[rows] = True
            choice["sel"] = _swig.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
        found = fitted.index.search(_asked(queries), min(k, some), params=_swig.SearchParametersHNSW(**choice))
        return _named(found, fitted.ids)

    def close(self) -> None:
        """Let go of the graph; it is kept."""
        with self._fitting:
            if self._unkept:
                self._keep()
            self._fitted = _Rows()

    def __len__(self) -> int:
        return int((self._fitted.ids >= 0).sum())

    def _kept(self) -> _Rows:
        """The graph that was kept, if it is whole; else nothing."""
        kept = cache.read(cache.place(self._file), self._facts)
        if kept is None:
            return _Rows()
        index = faiss.deserialize_index(kept["graph"])
        return _Rows(kept["ids"].view(np.int64), index, kept["marks"].view(np.int64))

    def _keep(self) -> None:
        fitted = self._fitted
        if len(fitted.ids) >= _KEPT_FROM and self.channel:
            graph = faiss.serialize_index(fitted.index)
            arrays = {"ids": fitted.ids.view(np.uint8), "marks": fitted.marks.view(np.uint8), "graph": graph}
            cache.write(cache.place(self._file), self._facts, arrays)
        self._unkept = 0

    @property
    def _file(self) -> str:
        return f"{self.channel}.hnsw"

    @property
    def _facts(self) -> dict[str, object]:
        """What a graph has to be to go on with it: made so, and by this very FAISS, whose format may change."""
        made = {"neighbours": NEIGHBOURS, "construction": CONSTRUCTION}
        return {"channel": self.channel, "faiss": str(faiss.__version__), **made}


@dataclass(frozen=True, eq=False)
class _Rows:
    """An index, and what its rows are."""

    ids: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """(n,) -1 where a row is no longer wanted."""
    index: Any = None
    marks: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """(n,) checksums of rows, where they are kept."""

    def among(self, allowed: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
        """Rows (r,) of the ids ``allowed``; ``None`` where these are all."""
        rows = np.flatnonzero(self.ids >= 0 if allowed is None else np.isin(self.ids, allowed))
        return rows if len(rows) < len(self.ids) else None


def _graph(dimension: int) -> Any:
    index = faiss.IndexHNSWFlat(dimension, NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = CONSTRUCTION
    return index


def _scan(index: Any, ids: NDArray[np.int64], queries: Vectors, k: int, rows: NDArray[np.int64] | None) -> Found:
    """Look at all vectors of a flat index, or at ``rows`` (r,) of it."""
    k = min(k, len(ids) if rows is None else len(rows))
    if k < 1:
        return np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
    chosen = None if rows is None else _swig.SearchParameters(sel=faiss.IDSelectorArray(rows))
    return _named(index.search(_asked(queries), k, params=chosen), ids)


def _asked(queries: Vectors) -> Vectors:
    return np.ascontiguousarray(queries, np.float32)


def _named(found: tuple[NDArray[np.float32], NDArray[np.int64]], ids: NDArray[np.int64]) -> Found:
    """Ids and cosines of what FAISS found, whose rows are -1 where it found no more."""
    cosines, rows = found
    return np.where(rows < 0, -1, ids[rows]), np.where(rows < 0, np.float32(np.nan), cosines)
