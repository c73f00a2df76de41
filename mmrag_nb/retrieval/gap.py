"""One sentence that tells why a picture won or lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .telling import Scored


def gap_line(picture: Scored, name: str, place: int | None, *, total: int, raw: bool) -> str:
    """Tell where the best picture stands by raw cosine, and where after calibration.

    Parameters
    ----------
    picture
        The best picture, found by its pixels.
    name
        What it is called.
    place
        Its rank, from 1; ``None`` where it is not among the hits.
    total
        Number of chunks in the index.
    """
    before = picture.raw_rank or 0
    stands = (
        f"The best picture by its pixels ({name}) is {_ordinal(before)} of {total:,} chunks by raw cosine "
        f"({picture.cosine:.3f})"
    )
    if raw:
        return f"{stands}. Raw cosines of pictures and of texts cannot be compared, and calibration is off."
    above = round(picture.calibrated, 1) + 0.0  # no -0.0
    unusual = f"{above:+.1f} σ, {'above' if above > 0 else 'no more than'} chance among pictures"
    if place is None:
        return f"{stands}. Calibrated ({unusual}), it is not among the hits."
    if place < before:
        reason = "a picture's cosines with words lie lower than a text's"
        return f"{stands}: {reason}. Calibrated ({unusual}), it rises to {_ordinal(place)}."
    if place > before:
        return f"{stands}. Calibrated ({unusual}) and with the words counted, it falls to {_ordinal(place)}."
    return f"{stands}, and as high after calibration ({unusual})."


def _ordinal(n: int) -> str:
    suffix = "th" if n % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n:,}{suffix}"
