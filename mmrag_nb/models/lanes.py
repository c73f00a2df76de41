"""Batches side by side, a core each: on few cores that beats spreading every product over all of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")


def spread(work: Callable[[T], object], batches: Sequence[T], lanes: int) -> None:
    """Do ``work`` on each of ``batches``, on up to ``lanes`` threads; a single batch in the calling thread.

    Where one fails or the caller is interrupted, batches that were not begun are left and the others waited for.
    """
    if lanes == 1 or len(batches) <= 1:
        for batch in batches:
            work(batch)
        return
    pool = ThreadPoolExecutor(min(lanes, len(batches)), thread_name_prefix="mmrag-lane")
    try:
        for begun in [pool.submit(work, batch) for batch in batches]:
            begun.result()
    finally:
        pool.shutdown(cancel_futures=True)
