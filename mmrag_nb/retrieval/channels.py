"""Where chunks are looked for: the vectors of one space, and a question put to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .calibration import Scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mmrag_nb.protocols import Store
    from mmrag_nb.types import Modality, Vectors

_UNCALIBRATED = Scale(0.0, 1.0)
_UNKNOWN = np.empty(0)


class AnyChannel(Protocol):
    """One way to reach chunks: the vectors of one space, seen as one modality, wherever they lie."""

    @property
    def space(self) -> str:
        """The space."""
        ...

    @property
    def modality(self) -> Modality:
        """What they are seen as."""
        ...

    @property
    def ids(self) -> NDArray[np.int64]:
        """(n,) ids, ascending, of the chunks whose vectors are at hand."""
        ...

    @property
    def vectors(self) -> Vectors:
        """(n, d), row i of chunk ``ids[i]``."""
        ...

    @property
    def most(self) -> int:
        """How many can be ranked."""
        ...

    def __len__(self) -> int: ...

    def nearest(self, query: Vectors, k: int, allowed: Any) -> NDArray[np.int64]:
        """The ``k`` chunks nearest to ``query`` (d,), among those ``allowed`` where this is given."""
        ...

    def cosines(self, query: Vectors, chunks: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """(m,) cosines of ``query`` to ``chunks``; NaN where the channel does not hold one."""
        ...

    def vector(self, chunk: int) -> Vectors | None:
        """(d,) that of a chunk; ``None`` where the channel does not hold it."""
        ...

    def nearer(self, query: Vectors, cosine: float) -> int:
        """How many chunks have a higher cosine to ``query``."""
        ...

    def floor(self, query: Vectors) -> float:
        """The cosine to ``query`` above which all vectors are at hand."""
        ...

    def distinct(self, others: Sequence[AnyChannel]) -> int:
        """How many chunks it and ``others`` hold together."""
        ...


@dataclass(frozen=True)
class Channel:
    """A channel whose vectors are all in memory."""

    space: str
    modality: Modality
    ids: NDArray[np.int64]
    """(n,) chunk ids, ascending."""
    vectors: Vectors
    """(n, d), row i of chunk ``ids[i]``."""
    store: Store

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def most(self) -> int:
        """How many can be ranked: all."""
        return len(self.ids)

    def cosines(self, query: Vectors, chunks: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """(m,) cosines of ``query`` to ``chunks``; NaN where the channel does not hold one."""
        rows = self.rows(chunks)
        found = np.full(len(rows), np.nan, np.float32)
        held = rows >= 0
        found[held] = self.vectors[rows[held]] @ query
        return found

    def vector(self, chunk: int) -> Vectors | None:
        """(d,) that of a chunk; ``None`` where the channel does not hold it."""
        row = int(self.rows([chunk])[0])
        return self.vectors[row] if row >= 0 else None

    def nearer(self, query: Vectors, cosine: float) -> int:
        """How many chunks have a higher cosine to ``query``."""
        return int((self.vectors @ query > cosine).sum())

    def floor(self, query: Vectors) -> float:  # noqa: ARG002
        """The cosine above which all vectors are at hand: any."""
        return -np.inf

    def distinct(self, others: Sequence[AnyChannel]) -> int:
        """How many chunks it and ``others`` hold together."""
        return len(set(self.ids.tolist()).union(*(other.ids.tolist() for other in others)))

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

    channel: AnyChannel
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
        return self.channel.cosines(self.query, chunks)
