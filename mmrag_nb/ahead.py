"""Pictures read and embedded ahead of the batch in hand, on every core: nobody waits for what could go on.

A thread decodes a few pictures and embeds them itself. On few cores this beats two pools, one that decodes and one that
embeds: nothing is handed over, and no thread waits for another at the end of each matrix.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import MMRagError
from .parts import loader_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


class Ahead:
    """Reads pictures that are not in the index yet, for one run of indexing.

    At any time as many pictures are on their way as :attr:`depth` batches hold, and no more.
    """

    def __init__(self, parts: Parts, catalog: Catalog, tally: Tally) -> None:
        self._parts, self._catalog, self._tally = parts, catalog, tally
        self._lanes = _cores()
        self._pool: ThreadPoolExecutor | None = None
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Resolved, Future[Seen]]] = deque()
        self._coming: dict[str, Future[Seen]] = {}
        self._loading = self._embedding = 0.0

    def depth(self, batch: int) -> int:
        """Batches of that size to begin before the oldest is waited for: three groups for each thread."""
        return -(-3 * self._lanes * min(GROUP, batch) // batch)

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
        begun: list[tuple[Resolved, Future[Seen]]] = [(one, Future()) for one in new]
        self._coming.update((one.item.id, due) for one, due in begun)
        with self._lock:
            self._waiting.extend(begun)
        for _ in begun:  # more than are needed: who finds nothing left to do is done
            self._pool.submit(self._take, loader, able)

    def taken(self, resolved: Resolved) -> Seen:
        """What was made of an item, waited for; empty where it was not begun."""
        due = self._coming.pop(resolved.item.id, None)
        if due is None:
            return Seen()
        start = time.perf_counter()
        seen = due.result()
        waited = time.perf_counter() - start
        if worked := self._loading + self._embedding:  # while one waits, the threads do both
            seconds: Any = self._tally.seconds
            seconds["load"] += waited * self._loading / worked
            seconds["embed"] += waited * self._embedding / worked
        return seen

    def close(self) -> None:
        """Give up what is on its way; what is being decoded is waited for."""
        self._over.set()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
        self._waiting.clear()
        self._coming.clear()

    def _take(self, loader: Any, encoders: Sequence[Encoder]) -> None:
        """See to some of those that wait, in a thread: fewer where fewer are left, so that all end together."""
        with self._lock:
            n = max(1, min(GROUP, -(-len(self._waiting) // self._lanes)))
            some = [self._waiting.popleft() for _ in range(min(n, len(self._waiting)))]
        if not some or self._over.is_set():
            return
        try:
            seen = self._seen([one for one, _ in some], loader, encoders)
        except BaseException as error:  # noqa: BLE001  # raised where they are due
            for _, due in some:
                due.set_exception(error)
        else:
            for one, due in some:
                due.set_result(seen[one.item.id])

    def _seen(self, some: Sequence[Resolved], loader: Any, encoders: Sequence[Encoder]) -> dict[str, Seen]:
        """Decode and embed a group."""
        start = time.perf_counter()
        loaded: dict[str, LoadedItem] = {}
        seen: dict[str, Seen] = {}
        for one in some:
            if self._over.is_set():
                raise CancelledError
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
        with self._lock:
            self._loading += begun - start
            self._embedding += time.perf_counter() - begun
        return seen | {key: Seen(read, None, vectors[key]) for key, read in loaded.items()}


def _cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return max(1, min(len(affinity(0)) if affinity else os.cpu_count() or 1, MOST_LANES))
