"""What there is to say of ranked chunks: their scores, their parts, and where the naive ranking would put them."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .search import How, by_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mmrag_nb.types import Modality

    from .channels import Probe
    from .search import Order, Words

_FEW = 64
"""Chunks up to which counting what is higher beats sorting everything."""
_SPARSE = 4
"""So many times more numbers than chunks, because others were removed, and a table of all numbers is too large."""
_SMALL = 1 << 24
"""Numbers up to which one thread multiplies: several wait for each other, by spinning where the machine is busy."""


@dataclass(frozen=True)
class Scored:
    """A chunk with what each channel says of it."""

    chunk: int
    score: float
    cosine: float | None
    calibrated: float
    words: float
    """What the words brought to ``score``."""
    lexical: float
    """BM25."""
    seen_as: Modality
    space: str
    raw_rank: int | None
    parts: tuple[tuple[int, float], ...] = ()
    """Of a record: its chunks and their scores, best first."""


def tell(order: Order, probes: Sequence[Probe], words: Words, places: Sequence[int], how: How) -> list[Scored]:
    """What there is to say of the chunks at ``places`` (rows of ``order.candidates``)."""
    raw_ranks = _raw_ranks(probes, order.candidates[list(places)], how)
    told = []
    for row, raw_rank in zip(places, raw_ranks, strict=True):
        chunk = int(order.candidates[row])
        reached = not np.isnan(order.cosines[row])
        probe = probes[order.by[row]] if reached else None
        at = order.place(chunk)
        told.append(
            Scored(
                chunk=chunk,
                score=float(order.own[row] if at is None else order.scores[at - 1]),
                cosine=float(order.cosines[row]) if reached else None,
                calibrated=float(order.calibrated[row]),
                words=float(order.words[row]),
                lexical=words.bm25.get(chunk, 0.0),
                seen_as=probe.channel.modality if probe else "text",
                space=probe.channel.space if probe else "",
                raw_rank=raw_rank,
                parts=order.parts(chunk),
            )
        )
    return told


def _raw_ranks(probes: Sequence[Probe], chunks: NDArray[np.int64], how: How) -> list[int | None]:
    """Where the naive ranking over the whole index would put each chunk, from 1."""
    if not len(chunks) or not probes:
        return [None] * len(chunks)
    raw = How(0.0, raw=True, weights=how.weights)
    seen = np.stack([probe.cosines(chunks) for probe in probes]).astype(np.float64)
    own = by_parts(probes, seen, raw)
    reached = [not bool(np.isnan(column).all()) for column in seen.T]
    floor = max(probe.channel.floor(probe.query) for probe in probes)
    if floor > -np.inf:  # of what lies lower, not everything that is higher is at hand
        alone = len({probe.part for probe in probes}) == 1
        reached = [there and alone and float(score) >= floor for there, score in zip(reached, own, strict=True)]
    everything = _everything(probes, raw)
    limits = own + 1e-5  # float32 products of one row and of a whole matrix differ in the last bits
    if len(limits) <= _FEW:
        higher = np.array([np.count_nonzero(everything > limit) for limit in limits])
    else:
        higher = len(everything) - np.searchsorted(np.sort(everything), limits, side="right")
    return [1 + int(n) if there else None for n, there in zip(higher, reached, strict=True)]


def _everything(probes: Sequence[Probe], raw: How) -> NDArray[np.float64]:
    """The raw score of every chunk that a probe reaches, each once."""
    small = sum(probe.channel.vectors.size for probe in probes) <= _SMALL
    with _threads().limit(limits=1, user_api="blas") if small else nullcontext():
        columns = [probe.channel.vectors @ probe.query for probe in probes]
    if len(probes) == 1:
        return columns[0].astype(np.float64)
    places, n = _places([probe.channel.ids for probe in probes])
    table = np.full((len(probes), n), np.nan)
    reached = np.zeros(n, bool)
    for row, (place, column) in enumerate(zip(places, columns, strict=True)):
        table[row, place] = column
        reached[place] = True
    return by_parts(probes, table if reached.all() else table[:, reached], raw)


def _places(ids: Sequence[NDArray[np.int64]]) -> tuple[list[NDArray[np.int64]], int]:
    """A place below ``n`` for each id, the same wherever it occurs, and ``n``; not every place need be taken."""
    low, high = min(int(one[0]) for one in ids), max(int(one[-1]) for one in ids)
    if high - low < _SPARSE * sum(map(len, ids)):  # numbers given one after the other: nothing has to be sorted
        return [one - low for one in ids], high - low + 1
    together = np.unique(np.concatenate(ids))
    return [np.searchsorted(together, one) for one in ids], len(together)


@cache
def _threads() -> Any:
    from threadpoolctl import ThreadpoolController  # looks for libraries, so it is made once

    return ThreadpoolController()
