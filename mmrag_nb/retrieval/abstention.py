"""Whether the best hit says anything, or an arbitrary question would have reached as high."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .calibration import FALSE_ALARMS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDING = 1e-3
"""Standard deviations: what float32 cosines leave undecided. The background reaching the same score each time, on a
blank page say, must not turn that into an answer."""


@dataclass(frozen=True)
class Verdict:
    """Whether the best hit can answer, and how rare its score is."""

    answerable: bool
    surprise: float
    """Estimated share of arbitrary questions that reach as high, in (0, 1]; at least ``1 / (b + 1)``, the least that
    ``b`` background questions can tell."""


def judge(best: float, maxima: NDArray[np.floating], *, false_answers: float = FALSE_ALARMS) -> Verdict:
    """Hold ``best`` against what background questions reach in the very same channel.

    A question that has nothing to do with the index is one more draw of the background: it is as likely to take any
    place among the ``b + 1`` scores. So the share of places as high, ``(1 + #{maxima >= best}) / (b + 1)``, stays at
    or below 5 % for at most 5 % of such questions, whatever the distribution and the size of the index: a conformal
    p-value (Vovk, Gammerman and Shafer 2005, "Algorithmic Learning in a Random World"; Bates et al. 2023, "Testing for
    outliers with conformal p-values"). Whoever looks in several channels finds by chance in each, and so a little more
    often: the share is that of one channel, as the score's zero is, so that a refusal is a score below zero.

    Parameters
    ----------
    best
        The best score found; ``-inf`` where nothing was found.
    maxima
        (b,), the best score of each background question where ``best`` was found. Where there are too few to tell 5 %,
        all of them have to be exceeded. With none, everything is answerable.
    false_answers
        The share wanted instead of 5 %.
    """
    b = len(maxima)
    if not b:
        return Verdict(answerable=True, surprise=1.0)
    higher = int(np.count_nonzero(maxima >= best - _ROUNDING))
    surprise = (1 + higher) / (b + 1)
    return Verdict(answerable=surprise <= false_answers or not higher, surprise=surprise)
