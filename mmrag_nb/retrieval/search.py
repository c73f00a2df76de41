"""A question's vectors to ranked chunks: candidates, calibrated scores, fusion with the words, records.

One way for every strategy: a strategy chooses the channels, this ranks what they find.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .fusion import Fusion, fuse
from .pooling import Pooling, pool

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from .channels import Probe

CANDIDATES = 50
"""Least number of chunks that each channel puts up, so that the lexical channel can still reorder them."""
_MIXED = 10
"""So many times more are put up for a question of several parts: what is best in sum may be best in none."""

_LEAK = 0.25
"""What standard deviations below chance count in a question of several parts: how unlike a part something is must not
outweigh how like the other it is."""


@dataclass(frozen=True)
class Words:
    """What the lexical channel found."""

    bm25: Mapping[int, float] = field(default_factory=dict)
    """Chunk id to BM25."""
    shares: Mapping[int, float] = field(default_factory=dict)
    """Chunk id to its share, in [0, 1], of the best possible."""


@dataclass(frozen=True)
class How:
    """What makes one score of several."""

    lexical_weight: float
    fusion: Fusion = "calibrated"
    weights: Mapping[str, float] = field(default_factory=dict)
    """By modality; 1 where absent."""
    pool: Pooling = "max"
    raw: bool = False
    """Rank by raw cosine alone, as naive systems do."""

    @property
    def unit(self) -> str:
        """Of the scores: standard deviations, or else ``rank points`` or none."""
        return "" if self.raw else "rank points" if self.fusion == "rrf" else "σ"


@dataclass(frozen=True)
class Order:
    """Candidates ranked, best first; of a record, its best part stands for it."""

    chunks: NDArray[np.int64]
    """(r,) ids."""
    scores: NDArray[np.float64]
    """(r,), of a record the pooled one."""
    rows: NDArray[np.int64]
    """(r,) of the chunks in what follows, which has all ``n`` candidates."""
    own: NDArray[np.float64]
    """(n,) scores before they were pooled."""
    words: NDArray[np.float64]
    """(n,) what the words brought."""
    calibrated: NDArray[np.float64]
    """(n,) what the cosines brought, in standard deviations."""
    cosines: NDArray[np.float32]
    """(n,) the cosine that counted most; NaN where only the words found a chunk."""
    by: NDArray[np.int64]
    """(n,) the probe it belongs to."""
    candidates: NDArray[np.int64]
    """(n,) ids."""
    records: NDArray[np.int64]
    """(n,) number of the record that a candidate is part of; -1 for none."""

    def __len__(self) -> int:
        return len(self.chunks)

    def place(self, chunk: int) -> int | None:
        """Rank of ``chunk``, or of its record, from 1; ``None`` where it is not among them."""
        at = np.flatnonzero(self.chunks == chunk)
        if not len(at):
            record = self.records[self.candidates == chunk]
            at = np.flatnonzero(self.records[self.rows] == record[0]) if len(record) and record[0] >= 0 else at
        return int(at[0]) + 1 if len(at) else None

    def parts(self, chunk: int) -> tuple[tuple[int, float], ...]:
        """The parts of the record that ``chunk`` stands for, with their own scores, best first."""
        record = self.records[self.candidates == chunk]
        if not len(record) or record[0] < 0:
            return ()
        rows = np.flatnonzero(self.records == record[0])
        rows = rows[np.argsort(-self.own[rows], kind="stable")]
        return tuple(zip(self.candidates[rows].tolist(), self.own[rows].tolist(), strict=True))


def candidates(
    probes: Sequence[Probe], depth: int, words: Words, allowed: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Ids (n,), ascending, of the ``depth`` chunks that each probe finds, and of those that share words."""
    mixed = len({probe.part for probe in probes}) > 1
    found = [
        probe.channel.nearest(probe.query, depth * (_MIXED if mixed else 1), allowed)
        for probe in probes
        if probe.weight > 0
    ]
    return np.unique(np.concatenate([np.fromiter(words.shares, np.int64, len(words.shares)), *found]))


def rank(
    probes: Sequence[Probe],
    chunks: NDArray[np.int64],
    words: Words,
    how: How,
    *,
    records: Mapping[int, int] | None = None,
    without: Collection[int] = (),
) -> Order:
    """Rank the candidates ``chunks`` (n,) for a question.

    Each part of the question gives a chunk one score, fused from the channels that reach it (see
    :mod:`mmrag_nb.retrieval.fusion`); of several parts, the weighted sum over the root of the squared weights counts
    (Stouffer et al. 1949), so that a sum is in standard deviations, too. A part that does not reach a chunk says
    nothing of it: it counts as an average one. The words come on top.

    Parameters
    ----------
    records
        Candidates that are parts of records: chunk id to number of the record, from 0.
    without
        Ids that are not to be found.
    """
    chunks = chunks[~np.isin(chunks, np.fromiter(without, np.int64, len(without)))]
    cosines = np.array([probe.cosines(chunks) for probe in probes], np.float32).reshape(len(probes), len(chunks))
    if how.pool == "max" and records:  # a part of which nothing is known must not stand for its record
        known = np.isin(chunks, np.fromiter(words.shares, np.int64, len(words.shares))) | ~np.isnan(cosines).all(0)
        chunks, cosines = chunks[known], cosines[:, known]
    n = len(chunks)
    shares = np.array([words.shares.get(chunk, 0.0) for chunk in chunks.tolist()])
    columns = [probe.scale.score(row) for probe, row in zip(probes, cosines, strict=True)]
    calibrated = np.array(columns, np.float64).reshape(len(probes), n)
    seen = cosines.astype(np.float64) if how.raw else calibrated
    from_words = np.zeros(n) if how.raw else _by_words(shares, how)
    from_vectors = by_parts(probes, seen, how)
    own = from_vectors + from_words
    towards = np.where(np.isnan(seen), -np.inf, seen * np.sign([[probe.weight] for probe in probes] or 1.0))
    by = towards.argmax(0) if len(probes) else np.full(n, -1)
    numbers = np.array([(records or {}).get(chunk, -1) for chunk in chunks.tolist()], np.int64)
    counts = _weights_of(chunks, probes, by, how)
    rows, scores = pool(own, numbers, how.pool, counts)
    told = cosines[by, np.arange(n)] if len(probes) else np.full(n, np.nan, np.float32)
    deviations = from_vectors if how.fusion != "rrf" and not how.raw else _best(calibrated, n)
    return Order(chunks[rows], scores, rows, own, from_words, deviations, told, by, chunks, numbers)


def _by_words(shares: NDArray[np.float64], how: How) -> NDArray[np.float64]:
    return fuse(np.empty((0, len(shares))), shares, weights=(), lexical_weight=how.lexical_weight, method=how.fusion)


def by_parts(probes: Sequence[Probe], seen: NDArray[np.float64], how: How) -> NDArray[np.float64]:
    """(n,) one score of all parts of the question."""
    n = seen.shape[1]
    weights = {probe.part: probe.weight for probe in probes}
    total: NDArray[np.float64] = np.zeros(n)
    for part, weight in weights.items():
        rows = [row for row, probe in enumerate(probes) if probe.part == part]
        given = [1.0 if how.raw else how.weights.get(probes[row].channel.modality, 1.0) for row in rows]
        method: Fusion = "calibrated" if how.raw else how.fusion
        fused = _fused(seen[rows], given, method)
        if method != "rrf":
            unknown = 0.0 if how.raw else float(np.mean([probes[row].scale.unknown for row in rows]))
            counted = seen[[row for row, one in zip(rows, given, strict=True) if one > 0]]
            fused = np.where(np.isnan(counted).all(axis=0), unknown, fused)
        if len(weights) > 1 and not how.raw:
            fused = np.where(fused < 0, _LEAK * fused, fused)
        total = total + weight * fused
    squares = sum(weight * weight for weight in weights.values())
    norm: float = sum(map(abs, weights.values())) if how.raw else squares**0.5
    return total / (norm or 1.0)


def _fused(seen: NDArray[np.float64], weights: Sequence[float], method: Fusion) -> NDArray[np.float64]:
    """(n,) one score of the channels (c, n) that one part of the question was put to.

    By ranks, a chunk's best place counts: several lists that hold the same pictures, by their pixels and by their
    names, must not add up where a text stands in one.
    """
    nothing = np.zeros(seen.shape[1])
    if method != "rrf":
        return fuse(seen, nothing, weights=weights, lexical_weight=0.0, method=method)
    each = [
        fuse(row[None], nothing, weights=[weight], lexical_weight=0.0, method=method)
        for row, weight in zip(seen, weights, strict=True)
    ]
    best: NDArray[np.float64] = np.maximum.reduce([nothing, *each])
    return best


def _best(calibrated: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    best = np.fmax.reduce(calibrated, axis=0, initial=np.nan) if len(calibrated) else np.full(n, np.nan)
    return np.where(np.isnan(best), 0.0, best)


def _weights_of(
    chunks: NDArray[np.int64], probes: Sequence[Probe], by: NDArray[np.int64], how: How
) -> NDArray[np.float64] | None:
    """(n,) what each part of a record counts in it, by the modality it was seen as."""
    if how.pool != "weighted" or not probes:
        return None
    given = np.array([how.weights.get(probe.channel.modality, 1.0) for probe in probes])
    return given[by] if len(chunks) else np.empty(0)
