"""Where chunks are looked for: the vectors of one space, and a question put to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .calibration import Scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mmrag_nb.protocols import Store
    from mmrag_nb.types import Modality, Vectors

_UNCALIBRATED = Scale(0.0, 1.0)
_UNKNOWN = np.empty(0)


@dataclass(frozen=True)
class Channel:
    """One way to reach chunks: the vectors of one space, seen as one modality."""

    space: str
    modality: Modality
    ids: NDArray[np.int64]
    """(n,) chunk ids, ascending."""
    vectors: Vectors
    """(n, d), row i of chunk ``ids[i]``."""
    store: Store

    def rows(self, chunks: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of ``chunks`` (m,), -1 where this channel does not hold one."""
        wanted = np.asarray(chunks, np.int64)
        rows = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        return np.where(self.ids[rows] == wanted, rows, -1)

    def nearest(self, query: Vectors, k: int, allowed: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """The ``k`` chunks nearest to ``query`` (d,), among the ids ``allowed`` where these are given.

        A filter goes before the search, so that ``k`` are found where ``k`` there are.
        """
        ids, _ = self.store.search(query[None], k, allowed)
        return np.asarray(ids[0][ids[0] >= 0], np.int64)


@dataclass(frozen=True)
class Probe:
    """A question, or a part of one, put to a channel."""

    channel: Channel
    query: Vectors
    """(d,), unit length."""
    scale: Scale = field(default=_UNCALIBRATED)
    """What is usual for such a question there."""
    part: int = 0
    """Which part of the question: of "this shoe, but in red" the picture is one, the words are another."""
    weight: float = 1.0
    """What the part counts; negative for what hits are to be unlike."""
    chance: NDArray[np.float64] = field(default_factory=lambda: _UNKNOWN, repr=False)
    """(b,) the best score that each background query reaches there."""

    def cosines(self, chunks: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """(m,) cosines to ``chunks``; NaN where the channel does not hold one."""
        rows = self.channel.rows(chunks)
        found = np.full(len(rows), np.nan, np.float32)
        held = rows >= 0
        found[held] = self.channel.vectors[rows[held]] @ self.query
        return found
