"""Pictures read and embedded ahead of the batch in hand, on every core: nobody waits for what could go on.

A thread decodes a few pictures and embeds them itself. On few cores this beats two pools, one that decodes and one that
embeds: nothing is handed over, and no thread waits for another at the end of each matrix.
"""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import MMRagError
from .parts import loader_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    import numpy as np
    from numpy.typing import NDArray

    from .catalog.catalog import Catalog
    from .parts import Parts
    from .protocols import Encoder
    from .retrieval.ways import Way
    from .types import LoadedItem, Resolved
    from .workload import Tally

GROUP = 8
"""Pictures that one thread decodes and embeds together: the fewest that keep a matrix product busy."""
MOST_LANES = 16
"""Threads, at most: each holds :data:`GROUP` decoded pictures, of up to 25 million pixels while one is decoded."""


@dataclass(frozen=True)
class Seen:
    """What was made of a picture ahead."""

    loaded: LoadedItem | None = None
    """``None`` where it could take long or much memory: it is left to whoever may be interrupted."""
    error: MMRagError | None = None
    """Why it cannot be read."""
    vectors: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """(d,) by space."""


@dataclass(frozen=True)
class _Group:
    """Pictures that one thread has seen, by item, and the seconds that it took."""

    seen: Mapping[str, Seen]
    loading: float = 0.0
    embedding: float = 0.0


class Ahead:
    """Reads pictures that are not in the index yet, for one run of indexing.

    At any time as many pictures are on their way as :attr:`depth` batches hold, and no more.
    """

    def __init__(self, parts: Parts, catalog: Catalog, tally: Tally) -> None:
        self._parts, self._catalog, self._tally = parts, catalog, tally
        self._lanes = _cores()
        self._pool: ThreadPoolExecutor | None = None
        self._over = threading.Event()
        self._coming: dict[str, Future[_Group]] = {}

    def depth(self, batch: int) -> int:
        """Batches of that size to begin before the oldest is waited for: two groups for each thread."""
        return -(-2 * self._lanes * min(GROUP, batch) // batch)

    def begin(self, batch: Sequence[Resolved], ways: Sequence[Way]) -> None:
        """Begin to read those of ``batch`` that are pictures, and new."""
        pictures = [one for one in batch if loader_name(one) == "image" and one.item.id not in self._coming]
        known = self._catalog.found([one.item.id for one in pictures])
        new = list({one.item.id: one for one in pictures if one.item.id not in known}.values())
        if not new:
            return
        if self._pool is None:
            self._over.clear()
            self._pool = ThreadPoolExecutor(self._lanes, "mmrag-ahead")
        loader: Any = self._parts.loader("image", ways[-1].encoder)
        encoders = list(dict.fromkeys(way.encoder for way in ways if way.view == "image"))
        able = [one for one in encoders if getattr(one, "lanes", 0)]  # others may not be called beside themselves
        size = max(1, min(GROUP, -(-len(new) // self._lanes)))
        for first in range(0, len(new), size):
            some = new[first : first + size]
            group = self._pool.submit(self._seen, some, loader, able)
            self._coming.update((one.item.id, group) for one in some)

    def taken(self, resolved: Resolved) -> Seen:
        """What was made of an item, waited for; empty where it was not begun."""
        group = self._coming.pop(resolved.item.id, None)
        if group is None:
            return Seen()
        start = time.perf_counter()
        found = group.result()
        waited = time.perf_counter() - start
        worked = found.loading + found.embedding
        if worked:
            seconds: Any = self._tally.seconds
            seconds["load"] += waited * found.loading / worked
            seconds["embed"] += waited * found.embedding / worked
        return found.seen[resolved.item.id]

    def close(self) -> None:
        """Give up what is on its way; what is being decoded is waited for."""
        self._over.set()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
        self._coming.clear()

    def _seen(self, some: Sequence[Resolved], loader: Any, encoders: Sequence[Encoder]) -> _Group:
        """Decode and embed a group, in a thread of the pool."""
        start = time.perf_counter()
        loaded: dict[str, LoadedItem] = {}
        seen: dict[str, Seen] = {}
        for one in some:
            if self._over.is_set():
                return _Group({})
            try:
                read = loader.load_at_hand(one.content, one.file_name or one.item.name)
            except MMRagError as error:
                seen[one.item.id] = Seen(error=error)
            else:
                seen[one.item.id] = Seen(read)
                if read is not None:
                    loaded[one.item.id] = read
        begun = time.perf_counter()
        vectors: dict[str, dict[str, NDArray[np.float32]]] = {key: {} for key in loaded}
        pixels = [read.chunks[0].pixels for read in loaded.values()]
        for encoder in encoders if pixels else ():
            for key, vector in zip(loaded, encoder.embed_images(pixels), strict=True):  # type: ignore[arg-type]
                vectors[key][encoder.space] = vector
        seen |= {key: Seen(read, None, vectors[key]) for key, read in loaded.items()}
        return _Group(seen, begun - start, time.perf_counter() - begun)


def _cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return max(1, min(len(affinity(0)) if affinity else os.cpu_count() or 1, MOST_LANES))
