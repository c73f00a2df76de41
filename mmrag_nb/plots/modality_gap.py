"""How far apart the cosines of two kinds of pairs lie."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from mmrag_nb.errors import InvalidSetting

from .canvas import finish, given_or_new
from .labels import Room, above, halo, in_legend, plain, settle
from .palette import looks, palette
from .values import finite, numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

_MOST_BINS = 60
_FEWEST_BINS = 12
_ARROWS, _NAMES = 9, 30
"""Heights above the bars of the arrows between means and of the means' names, points."""


def modality_gap(cosines: Mapping[str, ArrayLike], *, ax: Axes | None = None) -> Axes:
    """Draw the cosines of several kinds of pairs over each other, their means, and how far apart the means lie.

    Parameters
    ----------
    cosines
        ``{"text–text": array, "text–image": array}``: floats in [-1, 1] of any shape. The bins are the same for all,
        and a bar's height is its share of its own kind's pairs, so that kinds of different numbers compare. A name that
        ends in a modality has that modality's colour.
    ax
        Where to draw; a new figure otherwise.

    Returns
    -------
    matplotlib.axes.Axes
        Cosine to the right, share of the pairs in percent upwards.

    Raises
    ------
    InvalidSetting
        There is nothing to draw, or numbers that are no cosines.

    Notes
    -----
    Why rankings by raw cosine never show a picture: Liang et al., "Mind the Gap: Understanding the Modality Gap in
    Multi-modal Contrastive Representation Learning", NeurIPS 2022. They measure the gap between centroids of vectors;
    here it is what a ranking meets, the distance between mean cosines.
    """
    import numpy as np

    if not cosines:
        raise InvalidSetting('cosines: nothing to draw; give {"text–text": array, "text–image": array}')
    names = [plain(name) for name in cosines]
    kinds = [_cosines(name, given) for name, given in zip(names, cosines.values(), strict=True)]
    edges = _edges(np.concatenate(kinds))

    ax = given_or_new(ax, 8, 4.8)
    colours = palette(ax)
    means, top = [float(values.mean()) for values in kinds], 0.0
    drawn = looks(names, colours)
    for name, values, look in zip(names, kinds, drawn, strict=True):
        shares = np.histogram(values, edges)[0] * 100 / len(values)
        top = max(top, float(shares.max()))
        shares[shares == 0] = np.nan  # no line along the ground
        ax.stairs(shares, edges, fill=True, color=look.colour, alpha=0.2)
        ax.stairs(shares, edges, color=look.colour, linewidth=2, linestyle=look.dashes, label=in_legend(name))
    ranked = sorted(range(len(means)), key=means.__getitem__)
    ax.set(ylim=(0, top), yticks=[tick for tick in ax.get_yticks() if tick <= top])
    title = _title([names[i] for i in ranked], [means[i] for i in ranked])
    finish(ax, title, "cosine similarity", "share of pairs (%)", grid="y")
    settle(ax)
    room = Room()
    effects = halo(colours["bg"])
    _draw_distances(ax, room, [means[i] for i in ranked], top)
    high = 0.0
    for i in ranked:
        ax.plot([means[i]] * 2, [0, top], color=drawn[i].colour, linewidth=2, linestyle=(0, (1, 1.5)))
        words, colour = f"{names[i]} {means[i]:.2f}", drawn[i].colour
        reach = above(ax, room, words, (means[i], top), _NAMES, color=colour, path_effects=effects, fontweight="bold")
        high = max(high, reach)
    height = ax.get_window_extent().height * 72 / ax.figure.dpi
    ax.set_ylim(0, top * height / max(height - high - 4, height / 3))
    return ax


def _cosines(name: str, given: ArrayLike) -> NDArray[np.float64]:
    values = finite(name, numbers(name, given, shape="cosines, at least one").ravel())
    if abs(values).max() > 1.001:  # rounding may lead a little beyond 1
        raise InvalidSetting(f"{name}: from {values.min():.3g} to {values.max():.3g}; cosines lie between -1 and 1")
    return values


def _edges(pooled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bins of one width for all, by Freedman and Diaconis' rule where it gives a number that can be read."""
    import numpy as np

    low, high = float(pooled.min()), float(pooled.max())
    if high - low < 1e-6:
        return np.linspace(low - 0.05, high + 0.05, _FEWEST_BINS + 1)
    low4, high4 = np.percentile(pooled, [25, 75])
    width = 2 * float(high4 - low4) / len(pooled) ** (1 / 3)
    wanted = int(min(_MOST_BINS, (high - low) / width)) if width else _MOST_BINS
    return np.linspace(low, high, max(_FEWEST_BINS, wanted) + 1)


def _title(names: Sequence[str], means: Sequence[float]) -> str:
    if len(names) == 1:
        return f"{names[0]} cosines: {means[0]:.2f} on average"
    return f"{names[-1]} cosines lie {means[-1] - means[0]:.2f} above {names[0]}"


def _draw_distances(ax: Axes, room: Room, means: Sequence[float], top: float) -> None:
    """An arrow from each mean to the next, its length above it."""
    from matplotlib.transforms import ScaledTranslation

    ink = palette(ax)["ink"]
    raised = ax.transData + ScaledTranslation(0, _ARROWS / 72, ax.figure.dpi_scale_trans)
    look = {"arrowstyle": "<->", "color": ink, "shrinkA": 0, "shrinkB": 0, "linewidth": 1.5}
    for low, high in pairwise(means):
        ax.annotate("", (high, top), xytext=(low, top), xycoords=raised, arrowprops=look, annotation_clip=False)
        above(ax, room, f"{high - low:.2f}", ((low + high) / 2, top), _ARROWS + 3, color=ink)
