"""Where every chunk of an index stands for one question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from mmrag_nb.types import Modality

_ROUNDING = 1e-5
"""Float32 products of one row and of a whole matrix differ in the last bits."""


@dataclass(frozen=True)
class Seen:
    """The chunks of one space and modality, as a question sees them."""

    space: str
    modality: Modality
    ids: NDArray[np.int64]
    """(n,) chunk ids, ascending."""
    cosines: NDArray[np.float32]
    """(n,) with the question."""
    mean: float
    deviation: float
    """Of what arbitrary questions reach here."""

    @property
    def calibrated(self) -> NDArray[np.float32]:
        """(n,) standard deviations."""
        return (self.cosines - self.mean) / self.deviation

    def place(self, cosine: float) -> int:
        """Where a chunk with that cosine stands here, from 1."""
        return 1 + int((self.cosines > cosine + _ROUNDING).sum())


@dataclass(frozen=True)
class Ranked:
    """All chunks that can be found, best first."""

    ids: NDArray[np.int64]
    scores: NDArray[np.float64]

    def place(self, chunk: int) -> int | None:
        """Rank of ``chunk``, from 1; ``None`` where it cannot be found."""
        at = np.flatnonzero(self.ids == chunk)
        return int(at[0]) + 1 if len(at) else None

    def among(self, kind: NDArray[np.int64]) -> Ranked:
        """The same of the chunks ``kind`` alone."""
        chosen = np.isin(self.ids, kind)
        return Ranked(self.ids[chosen], self.scores[chosen])


def ranked(
    seen: Sequence[Seen],
    words: Mapping[int, float],
    *,
    raw: bool = False,
    allowed: NDArray[np.int64] | None = None,
    without: Collection[int] = (),
) -> Ranked:
    """Rank every chunk as a search does its candidates.

    A chunk's score is its best calibrated cosine, plus what its words bring: ``words``, chunk id to standard
    deviations. What only its words found has no other part. ``raw``: its highest cosine, and nothing else.
    """
    # The same sums as in the search itself, over whole columns instead of over candidates.
    parts = [one.cosines if raw else one.calibrated for one in seen]
    lexical = np.fromiter({} if raw else words, np.int64, 0 if raw else len(words))
    ids, place = np.unique(np.concatenate([lexical, *(one.ids for one in seen)]), return_inverse=True)
    scores = np.full(len(ids), -np.inf)
    np.maximum.at(scores, place[len(lexical) :], np.concatenate(parts) if parts else [])
    scores[np.isneginf(scores)] = 0.0
    scores[place[: len(lexical)]] += [words[chunk] for chunk in lexical.tolist()]
    keep = ~np.isin(ids, np.fromiter(without, np.int64, len(without)))
    if allowed is not None:
        keep &= np.isin(ids, allowed)
    ids, scores = ids[keep], scores[keep]
    order = np.lexsort((ids, -scores))
    return Ranked(ids[order], scores[order])
