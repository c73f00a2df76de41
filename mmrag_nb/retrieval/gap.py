"""One sentence that tells why a picture won or lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmrag_nb.results import Hit


def gap_line(hits: Sequence[Hit], *, total: int, raw: bool) -> str:
    """Compare where the best picture stands by raw cosine and after calibration.

    Parameters
    ----------
    hits
        Ranked hits.
    total
        Number of chunks in the index.

    Returns
    -------
    str
        Empty where no picture was compared with something else by its pixels.
    """
    pictures = [hit for hit in hits if hit.seen_as == "image" and hit.raw_rank is not None]
    others = [hit for hit in hits if hit.seen_as != "image" and hit.cosine is not None]
    if not pictures or not others:
        return ""
    best = pictures[0]
    place = f"{_ordinal(best.raw_rank or 0)} of {total}"
    where = f"The best picture ({best.item.name}) has a raw cosine of {best.cosine:.3f}: {place}"
    if raw:
        return f"{where}. Raw cosines of pictures and of texts do not compare: calibration is off."
    if best.raw_rank == best.rank:
        return f"{where}, and so it is after calibration ({best.calibrated:+.1f} σ)."
    verb = "rises" if best.rank < (best.raw_rank or 0) else "falls"
    return (
        f"{where}, since a picture's cosines with words lie lower than a text's. "
        f"Calibrated ({best.calibrated:+.1f} σ, how unusual that is for a picture), it {verb} to {_ordinal(best.rank)}."
    )


def _ordinal(n: int) -> str:
    suffix = "th" if n % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"
