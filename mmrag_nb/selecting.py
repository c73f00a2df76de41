"""Which of the ranked chunks are shown: not five times the same, and where it is wished, not five of a kind."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from .retrieval.diversity import Likeness, fold, likeness, mmr, similarities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .catalog.catalog import Catalog
    from .retrieval.channels import Probe
    from .retrieval.search import Order
    from .types import Modality, Vectors

_SAME_WORDS = 0.8
"""Share of two pictures' words that both have, from which they say the same; reading is not free of errors."""
_LOOKED_AT = 5
"""So many times ``k`` chunks are looked at for near-duplicates and for what is different, at a time."""


@dataclass(frozen=True)
class Selected:
    """What is shown."""

    places: list[int]
    """Of the ranking, from 0, in the order shown."""
    alike: dict[int, list[int]]
    """By place: the places of its near-duplicates."""
    notes: tuple[str, ...] = ()


def select(
    order: Order, probes: Sequence[Probe], catalog: Catalog, k: int, *, folded: bool, diversity: float
) -> Selected:
    """The ``k`` best of a ranking, near-duplicates once, the others by marginal relevance where that is wished.

    Parameters
    ----------
    folded
        Show near-duplicates once.
    diversity
        From 0, by relevance alone, to 1, by difference alone.
    """
    n, window = len(order), _LOOKED_AT * k
    if n < 2 or not (folded or diversity):
        return Selected(list(range(min(k, n))), {})
    groups: dict[int, list[int]] = {}
    start = 0
    while start < n and len(groups) < k:  # further down only where what was looked at is too much alike
        places = [*groups, *range(start, min(start + window, n))]
        cosines, limits, read = _alike(order, places, probes, catalog)
        # A record is more than the part that is like another: two products may share a description or a photograph.
        apart = order.records[order.rows[places]] >= 0
        near = np.where(apart | _of_other_words(read), np.nan, cosines)
        least = np.array([one.near for one in limits])
        for first, *rest in fold(near, least) if folded else [[row] for row in range(len(places))]:
            groups.setdefault(places[first], []).extend(places[row] for row in rest)
        start += window
    leaders = list(groups)
    if diversity:
        rows = [places.index(leader) for leader in leaders]
        ordinary = np.array([limits[row].ordinary for row in rows])
        chosen = mmr(order.scores[leaders], cosines[np.ix_(rows, rows)], k, 1 - diversity, ordinary)
        leaders = [leaders[row] for row in chosen]
    leaders = leaders[:k]
    alike = {leader: groups[leader] for leader in leaders if groups[leader]}
    hidden = sum(map(len, alike.values()))
    notes = [f"{hidden} near-duplicate{'s' * (hidden != 1)} folded"] * bool(hidden)
    notes += [f"diversity {diversity:g} (MMR)"] * bool(diversity)
    return Selected(leaders, alike, tuple(notes))


def _alike(
    order: Order, places: Sequence[int], probes: Sequence[Probe], catalog: Catalog
) -> tuple[NDArray[np.float64], list[Likeness], list[frozenset[str]]]:
    """(n, n) cosines between what stands at ``places``, what they mean for each, and the words read in each."""
    chunks, rows = order.chunks[places].tolist(), order.rows[places]
    stored = catalog.records(chunks)
    found = [_vector(probes, chunk, by) for chunk, by in zip(chunks, order.by[rows].tolist(), strict=True)]
    shown = [stored[chunk].chunk.text for chunk in chunks]
    cosines = similarities([f[0] for f in found], [f[1] for f in found], [f[2] for f in found], shown)
    said = [stored[chunk].described.get("ocr") for chunk in chunks]
    read = [frozenset(one.text.casefold().split() if one else ()) for one in said]
    return cosines, [likeness(space, modality) for _, space, modality in found], read


def _of_other_words(read: Sequence[frozenset[str]]) -> NDArray[np.bool_]:
    """(n, n): whether two pictures that look alike say different things, as slides do (by the Jaccard index)."""
    apart = np.zeros((len(read), len(read)), bool)
    worded = [row for row, words in enumerate(read) if words]
    for one, other in combinations(worded, 2):
        words = read[one], read[other]
        apart[one, other] = apart[other, one] = len(words[0] & words[1]) < _SAME_WORDS * len(words[0] | words[1])
    return apart


def _vector(probes: Sequence[Probe], chunk: int, by: int) -> tuple[Vectors, str, Modality]:
    """A chunk's vector with its space and what it was embedded as: of a picture its pixels', where there are any."""
    seeing = sorted(range(len(probes)), key=lambda one: (probes[one].channel.modality != "image", one != by))
    for one in seeing:
        channel = probes[one].channel
        if (vector := channel.vector(chunk)) is not None:
            return vector, channel.space, channel.modality
    return np.zeros(1, np.float32), f"chunk {chunk}", "text"  # found by its words alone: like nothing but its text
