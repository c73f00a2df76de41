"""How well retrieval finds, by how far one looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import InvalidSetting

from .canvas import finish, given_or_new
from .labels import at_line_ends, in_legend, plain
from .palette import looks, palette
from .values import finite, numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    Points = list[tuple[int, float]]


def evaluation_curve(
    recalls: Mapping[str, ArrayLike | Mapping[int, float]],
    *,
    candidates: int | None = None,
    name: str = "recall@k",
    ax: Axes | None = None,
) -> Axes:
    """Draw the share of queries whose right chunk is among the first k, for several rankings.

    Parameters
    ----------
    recalls
        ``{"shared": values}``: floats in [0, 1], of k = 1, 2, 3 and so on; or ``{"shared": {1: 0.4, 10: 0.8}}``.
    candidates
        How many chunks there are to find one right one among: draws what chance reaches, k of them.
    name
        What is measured, for the axis.
    ax
        Where to draw; a new figure otherwise.

    Returns
    -------
    matplotlib.axes.Axes
        k to the right on a logarithmic scale, percent upwards from 0 to 100.

    Raises
    ------
    InvalidSetting
        There is nothing to draw, a k below 1, or a value outside [0, 1].
    """
    import numpy as np
    from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter

    if not recalls:
        raise InvalidSetting('recalls: nothing to draw; give {"shared": [0.4, 0.6, 0.7]}')
    if candidates is not None and candidates < 1:
        raise InvalidSetting(f"candidates={candidates}: give how many chunks there are to choose from")
    names = [plain(label) for label in recalls]
    curves = [_points(label, given) for label, given in zip(names, recalls.values(), strict=True)]
    widest = max(points[-1][0] for points in curves)

    ax = given_or_new(ax)
    colours = palette(ax)
    ends: list[tuple[float, float, str, str]] = []
    for label, points, look in zip(names, curves, looks(names, colours), strict=True):
        ks, values = zip(*points, strict=True)
        marker = look.marker if len(points) <= 20 else None
        ax.plot(
            ks,
            values,
            color=look.colour,
            linestyle=look.dashes,
            linewidth=2.2,
            marker=marker,
            ms=7,
            clip_on=False,
            label=in_legend(label),
        )
        ends.append((*points[-1], f"{label} {values[-1]:.0%}", look.colour))
    if candidates is not None:
        far = np.geomspace(1, max(2, widest), 200)
        chance = np.minimum(1, far / candidates)
        ax.plot(far, chance, color=colours["faint"], linewidth=2, label="chance")
        ends.append((float(far[-1]), float(chance[-1]), f"chance, 1 of {candidates:,}", colours["soft"]))
    ax.set_xscale("log")
    ax.set(xlim=(0.92, max(2, widest) * 1.06), ylim=(0, 1.02))
    ax.xaxis.set_major_locator(FixedLocator(_ticks(widest)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(lambda k, _: f"{k:,.0f}")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    finish(ax, _title(names, curves, plain(name)), "k, chunks looked at", f"{plain(name)} (% of queries)", grid="y")
    at_line_ends(ax, ends)
    return ax


def _points(name: str, given: Any) -> Points:
    """(k, value) in the order of k."""
    if isinstance(given, Mapping):
        ks = finite(name, numbers(name, list(given), shape="{k: value}", ndim=1))
        given = list(given.values())
        if (ks < 1).any() or (ks != ks.round()).any():
            raise InvalidSetting(f"{name}: k counts chunks from 1; got {plain(ks.tolist(), 60)}")
    else:
        ks = None
    values = finite(name, numbers(name, given, shape="one value for each k from 1", ndim=1))
    if values.min() < 0 or values.max() > 1:
        raise InvalidSetting(f"{name}: from {values.min():.3g} to {values.max():.3g}; shares lie between 0 and 1")
    return sorted((n if ks is None else int(ks[n - 1]), float(value)) for n, value in enumerate(values, 1))


def _title(names: Sequence[str], curves: Sequence[Points], measured: str) -> str:
    """Who is ahead at the least k that all have."""
    common = set.intersection(*({k for k, _ in points} for points in curves))
    if not common:
        return f"{measured} by how many chunks are looked at"
    k = min(common)
    at = [dict(points)[k] for points in curves]
    best = max(at)
    ahead = " and ".join(name for name, value in zip(names, at, strict=True) if value == best)
    return f"{ahead} {'leads with' if best > min(at) else 'reaches'} {best:.0%} at k = {k:,}"


def _ticks(widest: int) -> list[int]:
    """1, 2, 5, 10, 20, 50 and so on, as far as the curves go."""
    steps = [m * 10**e for e in range(len(str(widest))) for m in (1, 2, 5)]
    return [k for k in steps if k <= widest]
