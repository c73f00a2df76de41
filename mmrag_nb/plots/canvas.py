"""Axes to draw on, and what all figures share once drawn."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Literal

from .labels import LABEL, SMALL, TITLE, VERBATIM
from .palette import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def given_or_new(ax: Axes | None, width: float = 8, height: float = 4.5) -> Axes:
    """Return ``ax``, or the axes of a new figure of ``width`` by ``height`` inches.

    The new figure is pyplot's: a notebook shows it once, at the end of its cell, and closes it.
    """
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    _, new = plt.subplots(figsize=(width, height), layout="constrained")
    own: Axes = new
    return own


def finish(ax: Axes, title: str, x: str, y: str, *, grid: Literal["x", "y"] | None = None, pad: float = 10) -> Axes:
    """Write the title and the axes' names, and take away what says nothing; ``grid`` is ``"x"``, ``"y"`` or none.

    ``pad`` is the room between the title and the axes, points.
    """
    colours = palette(ax)
    room = max(20, int(ax.get_window_extent().width / (ax.figure.dpi / 72) / (0.54 * TITLE)))
    ax.set_title(textwrap.fill(title, room), loc="left", fontsize=TITLE, color=colours["ink"], pad=pad, **VERBATIM)
    ax.set_xlabel(x, fontsize=LABEL, color=colours["soft"], **VERBATIM)
    ax.set_ylabel(y, fontsize=LABEL, color=colours["soft"], **VERBATIM)
    ax.tick_params(labelsize=SMALL, color=colours["faint"], labelcolor=colours["ink"])
    for side, spine in ax.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(colours["faint"])
    ax.set_axisbelow(True)
    ax.grid(visible=False)
    if grid:
        ax.grid(visible=True, axis=grid, color=colours["line"], linewidth=1)
    return ax
