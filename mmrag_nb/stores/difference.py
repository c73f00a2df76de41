"""What a store that keeps things has to be told, so that it holds what the catalog does."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmrag_nb.types import Vectors


@dataclass(frozen=True, eq=False)
class Difference:
    """From what is held to what is wanted."""

    send: NDArray[np.intp]
    """Rows of what is wanted that are not held, or held otherwise."""
    drop: NDArray[np.intp]
    """Rows of what is held that are wanted no more, or otherwise."""


def checksums(vectors: Vectors) -> NDArray[np.int64]:
    """(n,) one for each row: 64 bits of its BLAKE2b, by which two that differ are told apart."""
    rows = np.ascontiguousarray(vectors, "<f4")
    digests = b"".join(hashlib.blake2b(row, digest_size=8).digest() for row in rows)
    return np.frombuffer(digests, "<i8").astype(np.int64, copy=False)


def difference(
    held: tuple[NDArray[np.int64], NDArray[np.int64]], wanted: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> Difference:
    """What leads from the ids and checksums that are ``held`` to those that are ``wanted``; ids are there once."""
    if not len(held[0]) or not len(wanted[0]):
        return Difference(np.arange(len(wanted[0])), np.arange(len(held[0])))
    order = np.argsort(held[0])
    place = order[np.minimum(np.searchsorted(held[0], wanted[0], sorter=order), len(order) - 1)]
    same = (held[0][place] == wanted[0]) & (held[1][place] == wanted[1])
    kept = np.zeros(len(held[0]), bool)
    kept[place[same]] = True
    return Difference(np.flatnonzero(~same), np.flatnonzero(~kept))
