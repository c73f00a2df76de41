"""MurmurHash3 of many short texts at once, as scikit-learn's feature hashing has it, which takes a second to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_C1, _C2 = np.uint32(0xCC9E2D51), np.uint32(0x1B873593)


def columns(features: Sequence[str], n: int) -> NDArray[np.int64]:
    """(len(features),) the column, of ``n``, a power of two, that each falls into.

    Appleby's MurmurHash3 for 32 bits (2011), seed 0, of the UTF-8; its absolute value as a signed number counts.
    """
    raw = [feature.encode("utf-8", "surrogatepass") for feature in features]
    lengths = np.fromiter(map(len, raw), np.int64, len(raw))
    found = np.zeros(len(raw), np.int64)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        padded = -(-int(length) // 4) * 4
        text = b"".join(raw[row].ljust(padded, b"\0") for row in rows)
        blocks = np.frombuffer(text, "<u4").reshape(len(rows), padded // 4)
        found[rows] = np.abs(_murmur(blocks, int(length)).view(np.int32).astype(np.int64)) % n
    return found


def _murmur(blocks: NDArray[np.uint32], length: int) -> NDArray[np.uint32]:
    """(r,) of texts of ``length`` bytes in (r, b) blocks of four, the last one filled up with zeros."""
    state = np.zeros(len(blocks), np.uint32)
    for number in range(blocks.shape[1]):
        state ^= _turned(blocks[:, number] * _C1, 15) * _C2
        if number < length // 4:  # what is left at the end is mixed in, and no more
            state = _turned(state, 13) * np.uint32(5) + np.uint32(0xE6546B64)
    state ^= np.uint32(length)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        state = (state ^ (state >> np.uint32(shift))) * np.uint32(factor)
    return state ^ (state >> np.uint32(16))


def _turned(values: NDArray[np.uint32], by: int) -> NDArray[np.uint32]:
    return (values << np.uint32(by)) | (values >> np.uint32(32 - by))
