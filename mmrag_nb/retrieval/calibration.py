"""Cosines of different kinds of pairs, made comparable.

CLIP's cosines between two texts lie far above those between a text and a picture (the modality gap: Liang et al.
2022, "Mind the Gap"), so one ranking by raw cosine never shows a picture. What can be compared is how *unusual* a
cosine is for its kind of pair. The yardstick is a bank of background queries, texts that have nothing to do with
the index: their cosines to the index's chunks of one modality tell what arbitrary questions reach there. A relative
of query-bank normalisation (Bogolin et al. 2022) and CSLS (Conneau et al. 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmrag_nb.types import Vectors

T = TypeVar("T", float, "NDArray[np.float32]")

LEAST_DEVIATION = 1e-3
"""Identical background cosines (a single blank page, say) must not turn rounding noise into certainty."""


@dataclass(frozen=True)
class Calibration:
    """Mean and standard deviation of background queries' cosines to the chunks of one space and modality."""

    mean: float
    deviation: float

    def score(self, cosines: T) -> T:
        """Standard deviations above the background; any shape."""
        return (cosines - self.mean) / self.deviation


def fit(background: Vectors, vectors: Vectors, least: float = LEAST_DEVIATION) -> Calibration:
    """Measure ``background`` (b, d) against the index's ``vectors`` (n, d), both with unit rows; n may be 1.

    ``least`` is the smallest deviation that means something in this space.
    """
    if not len(background) or not len(vectors):
        return Calibration(0.0, 1.0)
    # The moments of all b * n cosines without forming them: B X^T has mean (mean B)(mean X)^T and mean square
    # <B^T B, X^T X> / (b n), so the cost is that of two d x d products.
    b, x = background.astype(np.float64), vectors
    mean = float(b.mean(0) @ x.mean(0, dtype=np.float64))
    square = float(np.sum((b.T @ b) * (x.T @ x)) / (len(b) * len(x)))
    return Calibration(mean, max(float(np.sqrt(max(square - mean**2, 0.0))), least))
