"""Which of the ranked chunks are shown: not five times the same, and where it is wished, not five of a kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .retrieval.diversity import fold, likeness, mmr, similarities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .catalog.catalog import Catalog
    from .retrieval.channels import Probe
    from .retrieval.search import Order
    from .types import Modality, Vectors

_LOOKED_AT = 5
"""So many times ``k`` chunks are looked at for near-duplicates and for what is different."""


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
    n = min(len(order), _LOOKED_AT * k)
    if n < 2 or not (folded or diversity):
        return Selected(list(range(min(k, n))), {})
    chunks = order.chunks[:n].tolist()
    stored = catalog.records(chunks)
    found = [_vector(probes, chunk, int(order.by[order.rows[place]])) for place, chunk in enumerate(chunks)]
    shown = [stored[chunk].chunk.text for chunk in chunks]
    cosines = similarities([f[0] for f in found], [f[1] for f in found], [f[2] for f in found], shown)
    limits = [likeness(space, modality) for _, space, modality in found]
    groups = fold(cosines, np.array([one.near for one in limits])) if folded else [[place] for place in range(n)]
    leaders = [group[0] for group in groups]
    if diversity:
        chosen = mmr(
            order.scores[leaders],
            cosines[np.ix_(leaders, leaders)],
            k,
            1 - diversity,
            np.array([limits[leader].ordinary for leader in leaders]),
        )
        leaders = [leaders[row] for row in chosen]
    leaders = leaders[:k]
    alike = {group[0]: group[1:] for group in groups if len(group) > 1 and group[0] in leaders}
    hidden = sum(map(len, alike.values()))
    notes = [f"{hidden} near-duplicate{'s' * (hidden != 1)} folded"] * bool(hidden)
    notes += [f"diversity {diversity:g} (MMR)"] * bool(diversity)
    return Selected(leaders, alike, tuple(notes))


def _vector(probes: Sequence[Probe], chunk: int, by: int) -> tuple[Vectors, str, Modality]:
    """A chunk's vector with its space and what it was embedded as: of a picture its pixels', where there are any."""
    seeing = sorted(range(len(probes)), key=lambda one: (probes[one].channel.modality != "image", one != by))
    for one in seeing:
        channel = probes[one].channel
        row = int(channel.rows([chunk])[0])
        if row >= 0:
            return channel.vectors[row], channel.space, channel.modality
    return np.zeros(1, np.float32), f"chunk {chunk}", "text"  # found by its words alone: like nothing but its text
