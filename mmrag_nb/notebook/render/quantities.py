"""Numbers as people read them."""

from __future__ import annotations

import math

NONE = "—"
SIGMA = "\N{GREEK SMALL LETTER SIGMA}"
CHANCE = "what one arbitrary question in twenty reaches"
"""Zero of calibrated scores."""
POINTS = "rank points"
"""Unit of scores that reciprocal-rank fusion makes."""
TIMES = "\N{MULTIPLICATION SIGN}"


def count(n: int, one: str, many: str = "") -> str:
    """Return ``1 item``, ``2 items``, ``1,234 items``."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """Return ``<1 ms``, ``31 ms``, ``1.4 s``, ``75 s``, ``12 min 5 s``."""
    if seconds < 0.0005:
        return "<1 ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:,} min {rest} s"


def dollars(value: float) -> str:
    """Return ``$0``, ``<$0.0001``, ``$0.0007``, ``$0.012``, ``$1.50``."""
    if value <= 0:
        return "$0"
    if value < 0.00005:
        return "<$0.0001"
    if value >= 0.995:
        return f"${value:,.2f}"
    return f"${value:.4f}".rstrip("0")


def number(value: object) -> float | None:
    """Return ``value`` where it is a finite number: facts come from files and need not be what they should."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return value


def cosine(value: float | None) -> str:
    """Return a raw cosine with three digits."""
    return NONE if value is None else f"{value:.3f}"


def score(value: float, unit: str) -> str:
    """Return a score with its unit; a raw cosine, which has none, with three digits."""
    if unit == SIGMA:
        return deviations(value)
    return f"{plain_score(value, unit)} {unit}" if unit else cosine(value)


def plain_score(value: float, unit: str) -> str:
    """Return a score alone, for where its unit is told once for many."""
    return f"{round(value, 2) + 0.0:.2f}" if unit else cosine(value)  # no -0.00


def reranked(value: float | None) -> str:
    """Return a reranker's score: a grade up to 10, a probability, a logit."""
    if value is None:
        return NONE
    digits = 0 if float(value).is_integer() else 3 if abs(value) < 1 else 2
    return f"{round(value, digits) + 0.0:.{digits}f}"  # no -0.000


def deviations(value: float | None) -> str:
    """Return a calibrated score in standard deviations, ``+4.2`` with its unit."""
    return NONE if value is None else f"{round(value, 1) + 0.0:+.1f} {SIGMA}"  # no -0.0
