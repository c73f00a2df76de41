"""Scores of parts made scores of records: a product is its description and its photographs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Pooling = Literal["max", "mean", "weighted"]


def pool(
    scores: NDArray[np.floating],
    records: NDArray[np.int64],
    method: Pooling = "max",
    weights: NDArray[np.floating] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Score each record by its parts, and choose the part that stands for it.

    ``max`` finds a record by any one part: late interaction in its simplest form (ColBERT sums such maxima over the
    words of a question: Khattab and Zaharia 2020, "ColBERT: Efficient and Effective Passage Search via Contextualized
    Late Interaction over BERT"). ``mean`` and ``weighted`` ask that the parts agree.

    Parameters
    ----------
    scores
        (n,), higher is better. ``mean`` and ``weighted`` need all parts of a record here, not its best alone.
    records
        (n,) int64: the record of each part, at least 0; -1 for a part of none, which stands for itself.
    weights
        (n,), at least 0, for ``weighted``: how much a part counts within its record; all 1 where absent. Where all
        parts of a record have weight 0, they count alike.

    Returns
    -------
    chosen : (r,) int64
        The row of each record's best part, by score alone, the first of equals; best record first, ties by row.
    pooled : (r,) float64
        The scores of these records.
    """
    values = np.asarray(scores, np.float64)
    keys = np.where(records < 0, -1 - np.arange(len(records)), records)
    order = np.lexsort((-values, keys))  # stable: rows ascend among equals
    starts = np.flatnonzero(np.diff(keys[order], prepend=np.iinfo(np.int64).min))
    best = order[starts]
    pooled = values[best]
    if method != "max" and len(best):
        count = np.ones(len(values)) if method == "mean" or weights is None else np.asarray(weights, np.float64)
        sizes = np.diff(starts, append=len(order))
        shares = count[order]
        shares[np.repeat(np.add.reduceat(shares, starts) == 0, sizes)] = 1.0
        pooled = np.add.reduceat(values[order] * shares, starts) / np.add.reduceat(shares, starts)
    ranked = np.lexsort((best, -pooled))
    return best[ranked], pooled[ranked]
