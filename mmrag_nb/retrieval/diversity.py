"""Not five times the same: near-duplicates folded onto the best of them, and a ranking that covers more."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mmrag_nb.types import Modality

    Matrix = NDArray[np.floating]
    PerRow = float | NDArray[np.floating]

_PIXELS = frozenset({"image", "video"})


class Likeness(NamedTuple):
    """What cosines between two chunks mean in one space, for one kind of chunk."""

    ordinary: float
    """What two chunks that have nothing to do with each other reach."""
    near: float
    """From here on, they are near-duplicates."""


def likeness(space: str, modality: Modality) -> Likeness:
    """What cosines mean in ``space`` between vectors of chunks seen as ``modality``.

    Pictures, measured: cropped by 2 % at each edge, recompressed, scaled or brightened they keep 0.965 and more in the
    shipped model's space, while different drawings reach 0.914 there and 500 photographs in a real CLIP's 0.910.

    Texts: no cosine tells a typing error from another fact. Two rows of a price list that differ in the price reach
    0.998 in MiniLM's space, a caption with one typing error 0.3 to 1.0. As a fold hides what it folds, only texts that
    are the same but for case and blanks are sure to be folded, and others where their vectors are practically equal.
    """
    ordinary = 0.45 if space.startswith("clip:") else 0.1
    return Likeness(ordinary, 0.95 if modality in _PIXELS else 0.999)


def similarities(
    vectors: Sequence[NDArray[np.float32]],
    spaces: Sequence[str],
    modalities: Sequence[Modality],
    texts: Sequence[str],
) -> NDArray[np.float64]:
    """Cosines between ``n`` chunks, where they can be compared.

    Parameters
    ----------
    vectors
        One (d,) a chunk, of unit length, ``d`` by its space. A picture's should be that of its pixels: a caption that
        a whole folder shares does not make its pictures alike.
    spaces, modalities
        The space of each vector, and as what the chunk was embedded there.
    texts
        The passage, transcript or caption of each chunk.

    Returns
    -------
    (n, n) float64
        NaN between vectors of different spaces or modalities. 1 where two texts, not empty, are the same but for case
        and blanks, whatever their vectors, except between two pictures, of which the pixels tell.
    """
    n = len(vectors)
    cosines = np.full((n, n), np.nan)
    kinds: dict[tuple[str, Modality], list[int]] = {}
    same: dict[str, list[int]] = {}
    for row, kind in enumerate(zip(spaces, modalities, strict=True)):
        kinds.setdefault(kind, []).append(row)
        same.setdefault(" ".join(texts[row].casefold().split()), []).append(row)
    for rows in kinds.values():
        stacked = np.stack([vectors[row] for row in rows]).astype(np.float64)
        cosines[np.ix_(rows, rows)] = stacked @ stacked.T
    pictures = np.array([modality in _PIXELS for modality in modalities], bool)
    for text, rows in same.items():
        if text:
            seen = pictures[rows]
            block = cosines[np.ix_(rows, rows)]
            cosines[np.ix_(rows, rows)] = np.where(seen[:, None] & seen, block, 1.0)
    return cosines


def fold(similarity: Matrix, threshold: PerRow) -> list[list[int]]:
    """Group near-duplicates under the best ranked of their kind.

    Each row, in order, joins the first leader that it is like, or leads a group of its own (Hartigan 1975, "Clustering
    Algorithms", the leader algorithm). Likeness is to the leader alone and not passed on: where b is like a and c like
    b, but c not like a, c is not folded.

    Parameters
    ----------
    similarity
        (n, n), rows by rank, best first; NaN is unlike everything.
    threshold
        The least similarity of near-duplicates, one or (n,) by leader: see :attr:`Likeness.near`.

    Returns
    -------
    list of groups
        By rank of the leader; each holds the leader's row, then those folded onto it, ascending. Every row is in one.
    """
    like = np.asarray(similarity) >= np.broadcast_to(threshold, len(similarity))[:, None]
    free = np.ones(len(like), bool)
    groups = []
    for leader in range(len(like)):
        if free[leader]:
            free[leader] = False
            folded = np.flatnonzero(like[leader] & free)
            free[folded] = False
            groups.append([leader, *folded.tolist()])
    return groups


def mmr(
    relevance: NDArray[np.floating],
    similarity: Matrix,
    k: int,
    balance: float,
    ordinary: PerRow = 0.0,
) -> list[int]:
    """Choose ``k`` rows, each relevant and unlike those chosen before.

    Maximal marginal relevance (Carbonell and Goldstein 1998, "The Use of MMR, Diversity-Based Reranking"): the next is
    the one with most ``balance * relevance - (1 - balance) * likeness``, the latter to the most alike of those chosen.
    Both go from 0 to 1 there. Relevance is measured from the least relevant row to the most, or over one standard
    deviation where they lie closer: a difference of nothing must not be stretched to one of all. Likeness is 0 at the
    cosine that arbitrary chunks reach and 1 at cosine 1, or else CLIP's cosines, all high, would punish whatever has
    the modality of the first.

    Parameters
    ----------
    relevance
        (n,), in standard deviations.
    similarity
        (n, n), cosines in [-1, 1]; NaN where two rows cannot be compared, which are not alike then.
    k
        How many; all where there are not so many.
    balance
        In [0, 1]: 1 ranks by relevance alone, 0 by difference alone. At 0.7 a copy of the best stays before what is
        less than 0.57 as relevant (0.7 - 0.3 = 0.7 * 0.57).
    ordinary
        The cosine of arbitrary chunks, below 1, one or (n,) by row: see :attr:`Likeness.ordinary`.

    Returns
    -------
    list of int
        Rows, in the order chosen; the first is the most relevant, the earlier one of equals.
    """
    relevance = np.asarray(relevance, np.float64)
    n = len(relevance)
    if not n:
        return []
    worth = (relevance - relevance.min()) / max(float(np.ptp(relevance)), 1.0)
    floor = np.broadcast_to(ordinary, n)[:, None]
    alike = np.clip(np.nan_to_num((similarity - floor) / (1 - floor), nan=0.0), 0.0, 1.0)
    chosen: list[int] = []
    nearest = np.zeros(n)
    gain = worth.copy()
    while len(chosen) < min(k, n):
        row = int(np.argmax(gain))
        chosen.append(row)
        nearest = np.maximum(nearest, alike[:, row])
        gain = balance * worth - (1 - balance) * nearest
        gain[chosen] = -np.inf
    return chosen
