"""Whether the best hit says anything, or an arbitrary question would have reached as high."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FALSE_ANSWERS = 0.05
"""Share of arbitrary questions that may be told that something here answers them."""
LEAST_SCORE = 1.64
"""Standard deviations that one chunk alone reaches for one arbitrary question in twenty, the scores being normal. The
best of several chunks means less, so nothing below this is ever evidence, however low the background stayed: in indexes
of one caption, captions of other photographs were taken for answers in 12 % of cases without it, in 4 % with it."""
_ROUNDING = 1e-3
"""Standard deviations: what float32 cosines leave undecided. The background reaching the same score each time, on a
blank page say, must not turn that into an answer."""


@dataclass(frozen=True)
class Verdict:
    """Whether the best hit can answer, and how rare its score is."""

    answerable: bool
    threshold: float
    """The score, in standard deviations, that the best hit has to exceed; -inf where nothing is known."""
    surprise: float
    """Estimated share of arbitrary questions that reach as high, in (0, 1]; at least ``1 / (b + 1)``, the least that
    ``b`` background questions can tell."""


def judge(best: float, maxima: NDArray[np.floating], *, false_answers: float = FALSE_ANSWERS) -> Verdict:
    """Hold ``best`` against what background questions reach over the very same index.

    A question that has nothing to do with the index is one more draw of the background: it is as likely to take any
    place among the ``b + 1`` scores. So the share of places as high, ``(1 + #{maxima >= best}) / (b + 1)``, stays at
    or below 5 % for at most 5 % of such questions, whatever the distribution and the size of the index: a conformal
    p-value (Vovk, Gammerman and Shafer 2005, "Algorithmic Learning in a Random World"; Bates et al. 2023, "Testing for
    outliers with conformal p-values"). The threshold is the empirical quantile with the same correction.

    A Gumbel fitted by moments, the other way for maxima, does no better here: with 100 background questions its false
    answers over eight real indexes were 3.3 to 5.9 %, these 4.8 to 5.1 %. And one background question that an index
    happens to answer, at 13, lifts its threshold by 1.4 standard deviations; here it counts as one of those 5 %.

    Parameters
    ----------
    best
        The best score found, calibrated, the words' part included; ``-inf`` where nothing was found.
    maxima
        (b,), the best score of each background question, made in the same way. Below ``b = 19``, 5 % cannot be told:
        then all of them have to be exceeded. With none, everything is answerable.
    false_answers
        The share wanted instead of 5 %.
    """
    b = len(maxima)
    if not b:
        return Verdict(answerable=True, threshold=-math.inf, surprise=1.0)
    place = min(math.ceil((b + 1) * (1 - false_answers) - 1e-9), b)  # 19.000000000000004 is 19
    threshold = max(float(np.partition(maxima, place - 1)[place - 1]) + _ROUNDING, LEAST_SCORE)
    surprise = (1 + int(np.count_nonzero(maxima >= best - _ROUNDING))) / (b + 1)
    return Verdict(answerable=best > threshold, threshold=threshold, surprise=surprise)
