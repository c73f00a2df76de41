"""How cost grows with how much there is: a straight line, or better."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import MMRagError

from .rounds import rounded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

STRAIGHT = 1.2
"""How many times the first one's cost each may cost at the end before the line counts as bent."""
_BAR = 40


@dataclass(frozen=True)
class Point:
    """So much, in so long."""

    n: float
    seconds: float
    peak_mb: float = 0.0


def to_linear(points: Sequence[Point]) -> list[float]:
    """How many times as long as by the first point's rate each took; below 1 it grows more slowly than a line."""
    first = points[0]
    return [(point.seconds / point.n) / (first.seconds / first.n) for point in points]


def table(points: Sequence[Point], unit: str, plot: Path | None = None) -> Iterator[str]:
    """Lines of a table with bars, none where there are no points; ``plot`` gets a picture of it."""
    if not points:
        return
    ratios = to_linear(points)
    longest = max(math.log10(max(point.seconds, 1e-6)) for point in points)
    shortest = min(math.log10(max(point.seconds, 1e-6)) for point in points)
    yield ""
    yield f"how cost grows: {unit}, seconds (bars: their logarithm), rate, memory, ratio to a straight line"
    for point, ratio in zip(points, ratios, strict=True):
        share = (math.log10(max(point.seconds, 1e-6)) - shortest) / max(longest - shortest, 1e-9)
        yield (
            f"  {point.n:>12,g}{point.seconds:10.2f} s{rounded(point.n / max(point.seconds, 1e-9)):>10}/s"
            f"{point.peak_mb:9,.0f} MB{ratio:7.2f} x  {'#' * (1 + round(share * (_BAR - 1)))}"
        )
    yield f"  {'a straight line, or better' if ratios[-1] <= STRAIGHT else 'STEEPER than a straight line'}"
    if plot is not None:
        draw({unit: points}, plot)
        yield f"  drawn: {plot}"


def figures(points: Sequence[Point]) -> list[dict[str, Any]]:
    """For a JSON file."""
    return [
        asdict(point) | {"to_linear": ratio}
        for point, ratio in zip(points, to_linear(points) if points else (), strict=True)
    ]


def draw(series: dict[str, Sequence[Point]], file: Path) -> None:
    """Draw seconds over how much, both on logarithmic axes, with the straight line of each series' first point.

    Raises
    ------
    MMRagError
        matplotlib writes no such kind of file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xscale="log", yscale="log", xlabel=" · ".join(series), ylabel="seconds")
    for name, points in series.items():
        n, first = [point.n for point in points], points[0]
        (line,) = axes.plot(n, [point.seconds for point in points], marker="o", label=name)
        straight = [first.seconds * at / first.n for at in n]
        axes.plot(n, straight, linestyle=":", color=line.get_color(), label=f"{name}: a straight line")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend()
    try:
        figure.savefig(file)
    except ValueError as error:
        raise MMRagError(f"cannot draw {file.name}: name a .png, .svg or .pdf file") from error
