"""Cosines of different kinds of pairs, made comparable.

CLIP's cosines between two texts lie far above those between a text and a picture (the modality gap: Liang et al.
2022, "Mind the Gap"), so one ranking by raw cosine never shows a picture. What can be compared is how *unusual* a
cosine is for its kind of pair. The yardstick is a bank of background queries ``b_1 .. b_m`` that have nothing to do
with the index, a relative of query-bank normalisation (Bogolin et al. 2022), of CSLS (Conneau et al. 2018) and of the
inverted softmax (Smith et al. 2017). Those correct each *item* for how many queries it attracts; here each *channel*
(the vectors ``x_1 .. x_n`` of one kind) is corrected for what it offers, and the order within it stays that of the
cosine.

1. **Chance is a maximum.** A question looks at the best of a channel, and the best of 200 lies higher than the best of
   20 though nothing there answers it. So what counts are the maxima ``M_i = max_j b_i . x_j``. Measured, not derived
   from a distribution, they hold for any ``n``, and where vectors repeat. A copy of ``b_i`` itself is left out.
2. **Questions differ in level.** One lies near to everything, another far from everything. The level of ``q`` is
   ``L(q) = q . mean_j x_j``, one product for any ``n``; the bank's are ``L_i``. From few vectors it says more of them
   than of the question, so it is believed as far as it repeats (empirical Bayes: Robbins 1956; Efron and Morris 1973).
   Two-way analysis of variance of ``b_i . x_j`` (queries, vectors, rest) gives the variance ``e`` of the rest and
   ``u = max(var L_i - e / n, 0)`` of true levels, hence the share ``w = u / (u + e / n)``: 0 for one vector, towards 1
   for many.
3. **Zero** is what one arbitrary question in twenty exceeds: ``z(q) = quantile_0.95(M_i - w L_i) + w L(q)``, the
   conformal threshold for a false alarm in twenty (Vovk, Gammerman and Shafer 2005). Where the bank's luckiest
   questions come far, as among texts, an answer is expected to come further.
4. **The unit** belongs to the space, not to the channel: the root mean square, over the channels of the space, of the
   deviation of ``M_i - w L_i``. A contrastive space has one temperature, by which a cosine is a log-likelihood ratio up
   to a constant (van den Oord, Li and Vinyals 2018, "Representation Learning with Contrastive Predictive Coding"): an
   equal rise says as much between texts as between a text and a picture.

``score = (cosine - z) / unit``: standard deviations above what one arbitrary question in twenty reaches. Above zero,
the unit is at least what the encoder names: where chance hardly varies, as among texts that share no word, the first
shared word is no certainty. Below, what was measured holds: less than chance is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from mmrag_nb.types import Vectors

FALSE_ALARMS = 0.05
"""Share of arbitrary questions whose best score in a channel is above zero: the usual 5 %."""

COPY = 0.99
"""Cosine from which on a background query is in the index itself, as the demo's pictures may be: that is no chance."""

LEAST_DEVIATION = 1e-3
"""Identical background cosines (a single blank page, say) must not turn rounding noise into certainty."""

_BLOCK = 8192
"""Vectors whose cosines to the bank are in memory at once."""

_LITTLE = np.dtype("<f8")


@dataclass(frozen=True)
class Scale:
    """What is usual, for one question, in one channel."""

    mean: float
    """Cosine that the best vector of the channel reaches for one arbitrary question in twenty."""
    deviation: float
    """What one standard deviation above ``mean`` is, at least the least that means something in the space."""
    average: float = 0.0
    """Cosine that any vector of the channel is expected to reach: where one stands of which nothing is known."""
    below: float | None = None
    """What one standard deviation below ``mean`` is, the same where absent."""

    def score(self, cosines: float | NDArray[np.floating]) -> NDArray[np.float64]:
        """Standard deviations above chance; any shape."""
        gains = np.asarray(cosines, np.float64) - self.mean
        return np.asarray(gains / np.where(gains > 0, self.deviation, self.below or self.deviation))

    @property
    def unknown(self) -> float:
        """The score of a chunk of which nothing is known: an average one's."""
        return float(self.score(self.average))


@dataclass(frozen=True)
class Unit:
    """One standard deviation in a space."""

    deviation: float
    """As measured."""
    least: float
    """The smallest that means something above chance: below it lies noise of the space itself."""

    @property
    def above(self) -> float:
        """What counts above chance."""
        return max(self.deviation, self.least)


@dataclass(frozen=True, eq=False)
class Statistics:
    """What background queries reach in one channel: counts, sums and maxima, from which every scale follows.

    Adding vectors costs what these vectors cost; taking some away needs a new fit.
    """

    n: int
    """Vectors measured."""
    total: NDArray[np.float64]
    """(d,) sum of the vectors."""
    sums: NDArray[np.float64]
    """(b,) sum of each background query's cosines."""
    squares: NDArray[np.float64]
    """(b,) sum of their squares."""
    maxima: NDArray[np.float64]
    """(b,) the highest of them, copies of the query left out; ``-inf`` where there is none."""
    levels: float
    """Sum over the vectors of the squared mean of the background's cosines to one."""

    @classmethod
    def empty(cls, b: int, d: int) -> Statistics:
        """Nothing measured yet, for ``b`` background queries in ``d`` dimensions."""
        return cls(0, np.zeros(d), np.zeros(b), np.zeros(b), np.full(b, -np.inf), 0.0)

    def updated(self, background: Vectors, vectors: Vectors) -> Statistics:
        """These and ``vectors`` (m, d), measured with the same ``background`` (b, d); unit rows, m may be 0."""
        bank = background.astype(np.float64)
        total, sums, squares, maxima = self.total.copy(), self.sums.copy(), self.squares.copy(), self.maxima.copy()
        levels = self.levels
        for start in range(0, len(vectors), _BLOCK):
            block = vectors[start : start + _BLOCK].astype(np.float64)
            total += block.sum(0)
            if len(bank):
                cosines = bank @ block.T
                sums += cosines.sum(1)
                squares += np.square(cosines).sum(1)
                others = np.where(cosines < COPY, cosines, -np.inf)
                np.maximum(maxima, others.max(1), out=maxima)
                levels += float(np.square(cosines.mean(0)).sum())
        return Statistics(self.n + len(vectors), total, sums, squares, maxima, levels)

    def scale(self, query: Vectors, unit: Unit) -> Scale:
        """What is usual for ``query`` (d,), at a cost that does not depend on ``n``.

        ``unit`` is that of the space, see :func:`unit_of`. Without vectors, or with fewer than two background queries,
        nothing is known and the score is the cosine.
        """
        if not self.known:
            return Scale(0.0, 1.0)
        level = self.share * float(query.astype(np.float64) @ self.total) / self.n
        bank = float(self.sums.mean()) / self.n
        return Scale(self._zero + level, unit.above, (1 - self.share) * bank + level, unit.deviation)

    def reached(self, unit: Unit) -> NDArray[np.float64]:
        """(b,) the best score that each background query reaches: what chance looks like, for abstention.

        Of those alone that have any but a copy of themselves to reach.
        """
        if not self.known:
            return np.empty(0)
        return Scale(self._zero, unit.above, below=unit.deviation).score(self._gains)

    @property
    def known(self) -> bool:
        """Whether there is anything to tell."""
        return int(np.isfinite(self.maxima).sum()) > 1

    @property
    def deviation(self) -> float:
        """Of what the background queries gain over their own level; 0 where nothing is known."""
        return float(self._gains.std(ddof=1)) if self.known else 0.0

    @cached_property
    def _gains(self) -> NDArray[np.float64]:
        there = np.isfinite(self.maxima)
        return self.maxima[there] - self.share * self.sums[there] / self.n

    @cached_property
    def _zero(self) -> float:
        return float(np.quantile(self._gains, 1 - FALSE_ALARMS))

    @cached_property
    def share(self) -> float:
        """How far a question's own level is believed, in [0, 1]."""
        n, b = self.n, len(self.sums)
        if n < 2 or b < 2:
            return 0.0
        bank = self.sums / n
        within = float((self.squares / n - np.square(bank)).mean())
        between_vectors = self.levels / n - float(bank.mean()) ** 2
        rest = max(within - between_vectors, 0.0) * n * b / ((n - 1) * (b - 1))
        levels = float(bank.var(ddof=1))
        return max(levels - rest / n, 0.0) / levels if levels > np.finfo(np.float32).eps ** 2 else 0.0

    def to_bytes(self) -> bytes:
        """As float64, little-endian: ``b``, ``d``, ``n``, ``levels``, ``total``, ``sums``, ``squares``, ``maxima``."""
        head = [len(self.sums), len(self.total), self.n, self.levels]
        return np.concatenate([head, self.total, self.sums, self.squares, self.maxima]).astype(_LITTLE).tobytes()

    @classmethod
    def from_bytes(cls, stored: bytes) -> Statistics:
        """Read what :meth:`to_bytes` wrote; ``ValueError`` where it is something else."""
        numbers = np.frombuffer(stored, _LITTLE).astype(np.float64)
        if len(numbers) < 4 or len(numbers) != 4 + numbers[1] + 3 * numbers[0]:
            raise ValueError("these bytes are no statistics")
        b, d = int(numbers[0]), int(numbers[1])
        total, sums, squares, maxima = np.split(numbers[4:], [d, d + b, d + 2 * b])
        return cls(int(numbers[2]), total, sums, squares, maxima, float(numbers[3]))


def unit_of(channels: Iterable[Statistics], least: float = LEAST_DEVIATION) -> Unit:
    """One standard deviation in a space, over its ``channels``."""
    squares = [channel.deviation**2 for channel in channels if channel.known]
    return Unit(max(float(np.mean(squares)) ** 0.5, LEAST_DEVIATION) if squares else 1.0, least)
