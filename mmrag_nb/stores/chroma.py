"""Chroma: in memory, in a folder, or a server."""

from __future__ import annotations

import logging
import os
import threading
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import chromadb
import numpy as np
import urllib3
from chromadb.errors import ChromaError

from mmrag_nb.errors import StoreError

from .difference import checksums, difference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mmrag_nb.types import Vectors

    Found = tuple[NDArray[np.int64], NDArray[np.float32]]

TOKEN = "CHROMA_TOKEN"  # noqa: S105
"""The environment variable that has the token, for a server that wants one."""

HNSW = {"space": "cosine", "ef_construction": 100, "max_neighbors": 32, "ef_search": 1_024}
"""As in :mod:`mmrag_nb.stores.faiss`, where the reasons are; Chroma's own (100, 16, 100) find 0.97 of the nearest among
10,000 of CLIP's vectors, these all."""

_MOST = 0.5
"""Share of vectors allowed from which on a question without filter is asked first: as many more are asked for."""
_WITHIN = 10.0
"""Seconds within which a server must answer at first; Chroma's client itself waits for ever."""


class ChromaStore:
    """Approximate search in a collection of Chroma's, one for a channel.

    A vector is known there as ``ID-CHECKSUM``: what is there tells by its name whether it is what is wanted, and a
    vector that has changed is another.

    Parameters
    ----------
    where
        A folder, which is made if absent, or ``http(s)://host:port``, with the token, if any, in the environment
        variable ``CHROMA_TOKEN``; empty for this process's memory.
    channel
        The collection's name.

    Raises
    ------
    StoreError
        The folder or server cannot be used.
    """

    exact = False

    def __init__(self, where: str = "", *, channel: str = "mmrag") -> None:
        self.channel = channel
        self._where, self._fitted, self._fitting = where, _Fitted(), threading.Lock()
        # In memory, all of this process's indexes share one Chroma; what is there is nobody else's.
        self._name = channel if where else f"{channel}_{uuid.uuid4().hex[:12]}"
        with _told(where):
            self._client = _client(where)
            self._collection = self._opened()

    def fit(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        """Take over what differs in ``vectors`` (n, d), unit rows, known by ``ids`` (n,)."""
        with self._fitting, _told(self._where):
            one = self._collection.get(limit=1, include=["embeddings"])["embeddings"]
            if len(one) and len(one[0]) != vectors.shape[1]:
                self._client.delete_collection(self._name)
                self._collection = self._opened()
            held = self._collection.get(include=[])["ids"]
            marks = checksums(vectors)
            plan = difference(_read(held), (ids, marks))
            names = np.array(
                [f"{id_}-{mark & _BITS:016x}" for id_, mark in zip(ids.tolist(), marks.tolist(), strict=True)]
            )
            size = self._client.get_max_batch_size()
            for start in range(0, len(plan.send), size):
                rows = plan.send[start : start + size]
                self._collection.upsert(ids=names[rows].tolist(), embeddings=vectors[rows])
            self._fitted = _Fitted(ids, names)  # before anything goes: another thread may be searching
            for start in range(0, len(plan.drop), size):
                self._collection.delete(ids=[held[row] for row in plan.drop[start : start + size]])

    def search(self, queries: Vectors, k: int, allowed: NDArray[np.int64] | None = None) -> Found:
        """The nearest of each query (q, d), best first, among the ids ``allowed``: ids (q, m) and cosines (q, m)."""
        fitted = self._fitted
        among = np.ones(len(fitted.ids), bool) if allowed is None else np.isin(fitted.ids, allowed)
        n, some = len(among), int(among.sum())
        k = min(k, some)
        if k < 1:
            return np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
        with _told(self._where):
            if some >= _MOST * n:
                found = fitted.named(self._asked(queries, min(n, -(-2 * k * n // some)) if some < n else k), among, k)
                if some == n or (found[0] >= 0).all():
                    return found
            return fitted.named(self._asked(queries, k, fitted.names[among].tolist()), among, k)

    def close(self) -> None:
        """Let go of the folder or connection; what is in memory goes."""
        if not self._where:
            with suppress(StoreError), _told(""):  # closed before
                self._client.delete_collection(self._name)
        self._client.close()
        self._fitted = _Fitted()

    def __len__(self) -> int:
        return len(self._fitted.ids)

    def _opened(self) -> Any:
        return self._client.get_or_create_collection(self._name, configuration={"hnsw": HNSW}, embedding_function=None)

    def _asked(self, queries: Vectors, k: int, names: list[str] | None = None) -> Any:
        """What Chroma finds, among ``names``, all of which have to be there."""
        chosen: dict[str, Any] = {"query_embeddings": queries, "n_results": k, "include": ["distances"]}
        if names is None:
            return self._collection.query(**chosen)
        try:
            return self._collection.query(**chosen, ids=names)
        except ChromaError:  # some have gone meanwhile: by a fit here, or in another notebook
            there = self._collection.get(ids=names, include=[])["ids"]
            if len(there) == len(names):
                raise
            return self._collection.query(**chosen, ids=there)


_BITS = (1 << 64) - 1


@dataclass(frozen=True, eq=False)
class _Fitted:
    ids: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    names: NDArray[np.str_] = field(default_factory=lambda: np.empty(0, np.str_))

    def named(self, found: Any, among: NDArray[np.bool_], k: int) -> Found:
        """Ids and cosines (q, k) of what Chroma found ``among`` the rows; what else is there counts as not found."""
        ids = np.full((len(found["ids"]), k), -1, np.int64)
        cosines = np.full(ids.shape, np.nan, np.float32)
        for row, (names, distances) in enumerate(zip(found["ids"], found["distances"], strict=True)):
            own = _read(names)[0]
            place = np.minimum(np.searchsorted(self.ids, own), len(self.ids) - 1)
            # By their whole names: while another thread fits, a vector that has changed is there twice.
            held = np.flatnonzero((self.names[place] == np.array(names)) & among[place])[:k]
            ids[row, : len(held)] = own[held]
            cosines[row, : len(held)] = 1 - np.asarray(distances, np.float32)[held]
        return ids, cosines


def _read(names: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids and checksums (n,) of vectors by their names there."""
    parts = [name.partition("-") for name in names]
    marks = np.array([int(mark, 16) for *_, mark in parts], np.uint64)
    return np.array([int(number) for number, *_ in parts], np.int64), marks.view(np.int64)


def _client(where: str) -> Any:
    logging.getLogger("chromadb").setLevel(logging.CRITICAL)  # what matters is raised
    settings = chromadb.Settings(anonymized_telemetry=False)
    if not where:
        return chromadb.EphemeralClient(settings)
    if "://" not in where:
        return chromadb.PersistentClient(Path(where).expanduser().absolute(), settings)
    parts = urlsplit(where)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.username:
        told = "something else" if "@" in where else repr(where)  # no password is repeated
        raise StoreError(f"write chroma:http://host:8000, with the token, if any, in {TOKEN}: {told} is no address")
    port = parts.port or (443 if parts.scheme == "https" else 8000)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    try:
        with urllib3.PoolManager(timeout=_WITHIN, retries=False) as pool:
            reply = pool.request("GET", f"{parts.scheme}://{host}:{port}/api/v2/heartbeat")
    except urllib3.exceptions.HTTPError:
        raise StoreError(
            f"no Chroma server answers at {where}: start it (chroma run --path FOLDER), or mend the address"
        ) from None
    if reply.status == 404:
        raise StoreError(f"{where} is no Chroma server, or one older than 1.0: this needs 1.0 or newer")
    token = os.environ.get(TOKEN, "")
    headers = {"Authorization": f"Bearer {token}", "X-Chroma-Token": token} if token else {}
    return chromadb.HttpClient(parts.hostname, port, ssl=parts.scheme == "https", headers=headers, settings=settings)


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Tell what fails within as a :class:`StoreError` of one line, without the token."""
    from httpx import HTTPError

    try:
        yield
    except (ChromaError, HTTPError, OSError, ValueError, RuntimeError) as error:
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        if token := os.environ.get(TOKEN, ""):
            line = line.replace(token, "***")
        raise StoreError(f"Chroma {f'at {where}' if where else 'in memory'} failed: {line[:300]}") from None
