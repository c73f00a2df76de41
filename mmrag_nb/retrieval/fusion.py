"""Several rankings made one: by calibrated scores, by ranks, or by weighted scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Scores = NDArray[np.floating]

Fusion = Literal["calibrated", "rrf", "weighted"]

_SMOOTHING = 60
"""Cormack, Clarke and Büttcher's constant: how slowly a place further down a list loses its worth."""
_USUAL_LEXICAL_WEIGHT = 1.5
"""At this weight, in standard deviations, the words' list counts as much as another list does."""


def fuse(
    scores: Scores,
    lexical: Scores,
    *,
    weights: Sequence[float],
    lexical_weight: float,
    method: Fusion = "calibrated",
) -> NDArray[np.float64]:
    """Fuse what ``c`` channels and the words say of ``n`` chunks into one score a chunk; higher is better.

    - ``calibrated``: the best score of the channels that reach the chunk (0 where none does), plus
      ``lexical_weight`` times the lexical share: a convex combination in all but scale, which fuses better than ranks
      where scores mean something (Bruch, Gai and Ingber 2023, "An Analysis of Fusion Functions for Hybrid Retrieval").
    - ``weighted``: the weighted sum of the scores over the root of the sum of the squared weights of the channels that
      reach the chunk (Stouffer et al. 1949; Liptak 1958), plus the lexical part as above. Of an arbitrary question
      whose scores are independent, this is again in standard deviations, however many channels reach a chunk. Channels
      that agree by nature (two encoders on one text) exceed that by up to the root of their number.
    - ``rrf``: reciprocal ranks (Cormack, Clarke and Büttcher 2009, "Reciprocal Rank Fusion outperforms Condorcet and
      individual Rank Learning Methods"), the sum of ``weight * 61 / (60 + rank)`` over the lists that hold the chunk.
      61 changes no order; with it, the first place of one list is worth its weight, so that scores read as 1, 2, 3 and
      not as 0.016. The words' list holds the chunks that share any, with weight ``lexical_weight / 1.5``.

    Parameters
    ----------
    scores
        (c, n), in standard deviations; NaN where a channel does not reach a chunk. Ranks are those among these ``n``.
    lexical
        (n,), shares in [0, 1]; 0 where no word matches.
    weights
        (c,), at least 0. A channel of weight 0 is left out, by every method; ``calibrated`` makes no other difference.
    lexical_weight
        Standard deviations that a perfect lexical match is worth.

    Returns
    -------
    (n,) float64
    """
    given = np.asarray(weights, np.float64)
    scores, given = np.asarray(scores, np.float64)[given > 0], given[given > 0]
    if method == "rrf":
        worded = np.where(lexical > 0, lexical, np.nan)
        lists = zip((*scores, worded), (*given, lexical_weight / _USUAL_LEXICAL_WEIGHT), strict=True)
        ranked: NDArray[np.float64] = np.sum([weight * _reciprocal_ranks(column) for column, weight in lists], axis=0)
        return ranked
    seen = _weighted(scores, given) if method == "weighted" else _best(scores)
    fused: NDArray[np.float64] = seen + lexical_weight * np.asarray(lexical, np.float64)
    return fused


def _best(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    best = np.fmax.reduce(scores, axis=0, initial=np.nan)
    return np.where(np.isnan(best), 0.0, best)


def _weighted(scores: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    reached = ~np.isnan(scores)
    total = weights @ np.where(reached, scores, 0.0)
    norm = np.sqrt(weights**2 @ reached)
    return np.divide(total, norm, out=np.zeros_like(total), where=norm > 0)


def _reciprocal_ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """61 / (60 + rank), 1 for the first, 0 for what is NaN; equal scores share the better rank (1, 2, 2, 4)."""
    worth = np.zeros(len(scores))
    reached = np.flatnonzero(~np.isnan(scores))
    order = reached[np.argsort(-scores[reached])]
    falls = np.diff(scores[order], prepend=np.inf) != 0
    rank = 1 + np.maximum.accumulate(np.where(falls, np.arange(len(order)), 0))
    worth[order] = (_SMOOTHING + 1) / (_SMOOTHING + rank)
    return worth
