"""Milvus: Milvus Lite in a file, or a server or cluster."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.errors import StoreError
from mmrag_nb.milvus import connecting

from . import cache
from .difference import checksums, difference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmrag_nb.types import Vectors

    Found = tuple[NDArray[np.int64], NDArray[np.float32]]

HNSW_FROM = 20_000
"""Vectors from which on Milvus builds a graph (HNSW): a scan of fewer (FLAT) is exact and takes a few milliseconds."""
NEIGHBOURS, CONSTRUCTION, CANDIDATES = 32, 100, 1_024
"""Of the graph: M, efConstruction and ef; as in :mod:`mmrag_nb.stores.faiss`, where the reasons are."""

_INT64, _FLOAT_VECTOR = 5, 101  # as Milvus' protocol numbers them; its library is known under milvus/ only

_BATCH = 2_000
"""Rows sent at once: of 4,096 numbers each, half of the 64 MB that a server takes."""
_PAGE = 16_384
"""Rows that a server returns at most, unless it is set otherwise."""
_LISTED = 50_000
"""Ids that a filter lists at most; more are asked for in several questions, of which the best are kept."""


class MilvusStore:
    """Search in a collection of Milvus', one for a channel: a scan where few vectors are there, else a graph.

    Parameters
    ----------
    where
        ``FILE.db`` (Milvus Lite, which one process at a time can have open), or ``http(s)://host:port``; empty for a
        file of the channel's own in the user's cache folder.
    channel
        The collection's name.

    Raises
    ------
    StoreError
        The file or server cannot be used.
    """

    exact = False

    def __init__(self, where: str = "", *, channel: str = "mmrag") -> None:
        self.channel = channel
        self._where = where or str(cache.place(f"{channel}.db"))
        self._ids, self._fitting = np.empty(0, np.int64), threading.Lock()
        self._client = connecting.connect(self._where)

    def fit(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        """Take over what differs in ``vectors`` (n, d), unit rows, known by ``ids`` (n,)."""
        with self._fitting, connecting.told(self._where):
            self._prepare(vectors.shape[1], "HNSW" if len(ids) >= HNSW_FROM else "FLAT")
            held = self._held()
            marks = checksums(vectors)
            plan = difference(held, (ids, marks))
            for start in range(0, len(plan.send), _BATCH):
                rows = plan.send[start : start + _BATCH]
                made = zip(ids[rows].tolist(), marks[rows].tolist(), vectors[rows], strict=True)
                self._client.upsert(
                    self.channel, [{"id": id_, "checksum": mark, "vector": vector} for id_, mark, vector in made]
                )
            if len(plan.send) and "lite" in str(self._client.get_server_version()):
                # Milvus Lite converts what it has not written yet for every question: a hundred times as slow. Others
                # write when they think fit.
                self._client.flush(self.channel)
            if len(ids) >= HNSW_FROM and self._index != "HNSW":
                self._client.release_collection(self.channel)
                self._client.drop_index(self.channel, "vector")
                self._client.create_index(self.channel, self._indexed("HNSW"))
                self._client.load_collection(self.channel)
            self._ids = ids  # before anything goes: another thread may be searching
            gone = np.setdiff1d(held[0], ids)
            for start in range(0, len(gone), _PAGE):
                self._client.delete(self.channel, ids=gone[start : start + _PAGE].tolist())

    def search(self, queries: Vectors, k: int, allowed: NDArray[np.int64] | None = None) -> Found:
        """The nearest of each query (q, d), best first, among the ids ``allowed``: ids (q, m) and cosines (q, m)."""
        known = self._ids
        among = np.ones(len(known), bool) if allowed is None else np.isin(known, allowed)
        k = min(k, int(among.sum()), _PAGE)
        if k < 1:
            return np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
        conditions = _conditions(known, among)
        try:
            found = [self._asked(queries, k, condition, known) for condition in conditions]
        except StoreError:
            with self._fitting:  # where another thread changes the index, nothing can be asked until it has
                found = [self._asked(queries, k, condition, known) for condition in conditions]
        ids, cosines = (np.concatenate(parts, axis=1) for parts in zip(*found, strict=True))
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]  # NaN, where nothing was found, comes last
        return np.take_along_axis(ids, order, 1), np.take_along_axis(cosines, order, 1)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()
        self._ids = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def _index(self) -> str:
        described = self._client.describe_index(self.channel, "vector")
        return str((described or {}).get("index_type", ""))

    def _indexed(self, kind: str) -> Any:
        parameters = self._client.prepare_index_params()
        graph = {"M": NEIGHBOURS, "efConstruction": CONSTRUCTION} if kind == "HNSW" else {}
        parameters.add_index("vector", index_type=kind, metric_type="COSINE", params=graph)
        return parameters

    def _prepare(self, dimension: int, index: str) -> None:
        """Make the collection where there is none for such vectors."""
        if self._client.has_collection(self.channel):
            fields = self._client.describe_collection(self.channel)["fields"]
            if any(int(field["params"].get("dim", 0)) == dimension for field in fields if field["name"] == "vector"):
                self._client.load_collection(self.channel)
                return
            self._client.drop_collection(self.channel)
        schema = self._client.create_schema(auto_id=False)
        schema.add_field("id", _INT64, is_primary=True)
        schema.add_field("checksum", _INT64)
        schema.add_field("vector", _FLOAT_VECTOR, dim=dimension)
        # Strong: what was written is found by the next question.
        self._client.create_collection(
            self.channel, schema=schema, index_params=self._indexed(index), consistency_level="Strong"
        )

    def _held(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ids and checksums (n,) of what is there."""
        ids: list[int] = []
        marks: list[int] = []
        pages = self._client.query_iterator(self.channel, batch_size=_PAGE, output_fields=["id", "checksum"])
        while page := pages.next():
            ids += [row["id"] for row in page]
            marks += [row["checksum"] for row in page]
        pages.close()
        return np.array(ids, np.int64), np.array(marks, np.int64)

    def _asked(self, queries: Vectors, k: int, condition: str, known: NDArray[np.int64]) -> Found:
        """What Milvus finds under a condition: ids and cosines (q, k); what is not ``known`` counts as not found."""
        with connecting.told(self._where):
            found = self._client.search(
                self.channel,
                data=list(queries),
                limit=k,
                filter=condition,
                output_fields=["id"],
                search_params={"metric_type": "COSINE", "params": {"ef": max(CANDIDATES, 2 * k)}},
            )
        ids = np.full((len(queries), k), -1, np.int64)
        cosines = np.full(ids.shape, np.nan, np.float32)
        for row, hits in enumerate(found):
            own = np.array([hit["id"] for hit in hits], np.int64)
            held = np.isin(own, known)
            ids[row, : held.sum()] = own[held]
            cosines[row, : held.sum()] = np.array([hit["distance"] for hit in hits], np.float32)[held]
        return ids, cosines


def _conditions(ids: NDArray[np.int64], among: NDArray[np.bool_]) -> list[str]:
    """What a filter says to Milvus: the ids that are ``among``, or those that are not, whichever are fewer.

    They stand in the text itself, since Milvus Lite knows no other way.
    """
    if among.all():
        return [""]
    listed, others = ids[among].tolist(), ids[~among].tolist()
    if len(others) < len(listed) and len(others) <= _LISTED:
        return [f"id not in {others}"]
    return [f"id in {listed[start : start + _LISTED]}" for start in range(0, len(listed), _LISTED)]
