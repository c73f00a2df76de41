"""Ids and vectors that grow at their end: what was handed out before stays what it is, and nothing is copied twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmrag_nb.types import Vectors

_ROOM = 0.5
"""Share that is left free where there was no room: so often as all are copied, they are a half more."""


class Rows:
    """Ids (n,) and vectors (n, d), row i of id ``ids[i]``.

    Parameters
    ----------
    ids
        (n,) ascending
    vectors
        (n, d). Where they are the beginning of a larger array, the rest of it is taken as room.
    """

    def __init__(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        self.ids, self.vectors = ids, vectors
        self._whole = _whole(vectors)
        self._continued = False

    def __len__(self) -> int:
        return len(self.ids)

    def and_then(self, ids: NDArray[np.int64], vectors: Vectors) -> Rows:
        """These and then others; the vectors are copied only where there is no room behind them."""
        n, total = len(self.ids), len(self.ids) + len(ids)
        if self._continued or total > len(self._whole):
            whole = np.empty((total + int(_ROOM * total), self.vectors.shape[1]), np.float32)
            whole[:n] = self.vectors
        else:
            whole, self._continued = self._whole, True  # what follows is written once
        whole[n:total] = vectors
        return Rows(np.concatenate([self.ids, ids]), whole[:total])


def _whole(vectors: Vectors) -> Vectors:
    """The array that vectors are the beginning of; they themselves, where they are no such thing."""
    base = vectors.base
    if isinstance(base, np.ndarray) and base.dtype == vectors.dtype and base.ndim == 2 and base.flags.writeable:
        start = base.__array_interface__["data"] == vectors.__array_interface__["data"]
        if start and base.shape[1] == vectors.shape[1] and base.strides == vectors.strides:
            return base
    return vectors
