"""A question's vectors to ranked chunks: channels, calibration, fusion with the words, ranks.

One way for every strategy: a strategy chooses the channels, this ranks what they find.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .calibration import Calibration

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from numpy.typing import NDArray

    from mmrag_nb.protocols import Store
    from mmrag_nb.types import Modality, Vectors

_CANDIDATES = 50
"""Least number of chunks that each channel puts up, so that the lexical channel can still reorder them."""


_SMALL = 1 << 24
"""Numbers up to which one thread multiplies: several wait for each other, by spinning where the machine is busy."""

_UNCALIBRATED = Calibration(0.0, 1.0)


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
    calibration: Calibration = _UNCALIBRATED

    def rows(self, chunks: Sequence[int]) -> NDArray[np.int64]:
        """Rows of those of ``chunks`` that this channel holds."""
        wanted = np.asarray(chunks, np.int64)
        rows = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        found: NDArray[np.int64] = rows[self.ids[rows] == wanted]
        return found

    def cosines(self, query: Vectors, chunks: Sequence[int]) -> dict[int, float]:
        """Cosines of ``query`` (d,) to those of ``chunks`` that this channel holds."""
        rows = self.rows(chunks)
        values = self.vectors[rows] @ query
        return dict(zip(self.ids[rows].tolist(), values.tolist(), strict=True))

    def nearest(self, query: Vectors, k: int, allowed: NDArray[np.int64] | None) -> list[int]:
        """The ``k`` chunks nearest to ``query`` (d,), among the ids ``allowed`` where these are given.

        A filter goes before the search, so that ``k`` are found where ``k`` there are.
        """
        if allowed is None:
            return list(self.store.search(query[None], k)[0][0].tolist())
        rows = np.flatnonzero(np.isin(self.ids, allowed))
        if len(rows) > k:
            rows = rows[np.argpartition(-(self.vectors[rows] @ query), k - 1)[:k]]
        return list(self.ids[rows].tolist())


@dataclass(frozen=True)
class Probe:
    """A question put to a channel."""

    channel: Channel
    query: Vectors
    """(d,), unit length."""


@dataclass(frozen=True)
class Scored:
    """A chunk with what each channel says of it."""

    chunk: int
    score: float
    cosine: float | None
    calibrated: float
    lexical: float
    """BM25."""
    seen_as: Modality
    space: str
    raw_rank: int | None


def rank(
    probes: Sequence[Probe],
    *,
    k: int,
    bm25: Mapping[int, float],
    lexical: Mapping[int, float],
    lexical_weight: float,
    raw: bool = False,
    allowed: NDArray[np.int64] | None = None,
    without: Container[int] = (),
) -> tuple[list[Scored], Scored | None]:
    """Rank the chunks for a question, best first, at most ``k``; beside them the best picture, wherever it stands.

    A chunk's score is its best calibrated cosine over the probes that reach it, plus ``lexical_weight`` (standard
    deviations) times its lexical share: a convex combination in all but scale, which fuses better than reciprocal
    ranks where scores mean something (Bruch, Gai and Ingber 2023).

    Parameters
    ----------
    probes
        The question, in each space, put to each channel of that space.
    bm25, lexical
        Chunk id to BM25 and to its share of the best possible, in [0, 1].
    raw
        Rank by raw cosine alone, as naive systems do.
    allowed, without
        Ids of the chunks that may be found, all where absent, and of those that may not.
    """
    candidates = dict.fromkeys([] if raw else lexical)
    for probe in probes:
        candidates.update(dict.fromkeys(probe.channel.nearest(probe.query, max(5 * k, _CANDIDATES), allowed)))
    candidates = {chunk: None for chunk in candidates if chunk not in without}
    best: dict[int, tuple[float, float, Channel]] = {}
    highest: dict[int, float] = {}
    for probe in probes:
        channel = probe.channel
        for chunk, cosine in channel.cosines(probe.query, list(candidates)).items():
            calibrated = channel.calibration.score(cosine)
            highest[chunk] = max(cosine, highest.get(chunk, -1.0))
            if chunk not in best or (cosine if raw else calibrated) > (best[chunk][1] if raw else best[chunk][0]):
                best[chunk] = (calibrated, cosine, channel)
    # A chunk that only the words found says nothing of its cosine: it stands where an average one would.
    scores = {
        chunk: best[chunk][1]
        if raw
        else (best[chunk][0] if chunk in best else 0.0) + lexical_weight * lexical.get(chunk, 0.0)
        for chunk in candidates
    }
    chosen = sorted(scores, key=lambda chunk: (-scores[chunk], chunk))[:k]
    picture = max((c for c in best if best[c][2].modality == "image"), key=lambda c: scores[c], default=None)
    told = dict.fromkeys(chosen if picture is None else [*chosen, picture])
    raw_ranks = _raw_ranks(probes, {chunk: highest[chunk] for chunk in told if chunk in highest}, without)
    scored = {
        chunk: Scored(
            chunk=chunk,
            score=scores[chunk],
            cosine=best[chunk][1] if chunk in best else None,
            calibrated=best[chunk][0] if chunk in best else 0.0,
            lexical=bm25.get(chunk, 0.0),
            seen_as=best[chunk][2].modality if chunk in best else "text",
            space=best[chunk][2].space if chunk in best else "",
            raw_rank=raw_ranks.get(chunk),
        )
        for chunk in told
    }
    return [scored[chunk] for chunk in chosen], None if picture is None else scored[picture]


def _raw_ranks(probes: Sequence[Probe], cosines: Mapping[int, float], without: Container[int]) -> dict[int, int]:
    """Where the naive ranking over the whole index would put each chunk, from 1."""
    if not cosines:
        return {}
    small = sum(probe.channel.vectors.size for probe in probes) <= _SMALL
    with _threads().limit(limits=1, user_api="blas") if small else nullcontext():
        everything = np.concatenate([probe.channel.vectors @ probe.query for probe in probes])
    chunks, place = np.unique(np.concatenate([probe.channel.ids for probe in probes]), return_inverse=True)
    highest = np.full(len(chunks), -1, np.float32)  # of a chunk's several views
    np.maximum.at(highest, place, everything)
    if without:
        highest[[chunk in without for chunk in chunks.tolist()]] = -1
    # Float32 products of one row and of a whole matrix differ in the last bits.
    return {chunk: 1 + int((highest > cosine + 1e-5).sum()) for chunk, cosine in cosines.items()}


@cache
def _threads() -> Any:
    from threadpoolctl import ThreadpoolController  # looks for libraries, so it is made once

    return ThreadpoolController()
