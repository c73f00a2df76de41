"""Foreign text in figures, and room for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.text import Text
    from numpy.typing import ArrayLike

TITLE, LABEL, SMALL = 15, 13, 11.5
"""Sizes in points: of titles, of axes' names, of all else. Read from the last row of a class."""

VERBATIM: dict[str, Any] = {"parse_math": False, "usetex": False}
"""For each text that comes from a file, a model or a user: a dollar sign in it is a dollar sign."""

_HIDDEN = {
    **dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], "\ufffd"),  # control characters
    **dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\ufffd"),  # they reorder their surroundings
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),  # halves of surrogate pairs: no font has them, drawing would fail
}
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def plain(text: object, limit: int = 28) -> str:
    """Return ``text`` as one line of at most ``limit`` characters in which nothing acts instead of being seen."""
    start = str(text)[: 20 * limit + 200]  # nobody waits for the whole of a megabyte
    line = " ".join(start.split()).translate(_HIDDEN)
    return line if len(line) <= limit else line[: limit - 1].rstrip() + _ELLIPSIS


def in_legend(text: object) -> str:
    """Return ``text`` as :func:`plain`, for a legend that the caller may add: it reads dollar signs as mathematics."""
    return plain(text).replace("$", r"\$")


def halo(colour: str) -> list[Any]:
    """Return the path effect that keeps a text readable on top of lines and points."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=3, foreground=colour, alpha=0.85)]


def settle(ax: Axes) -> None:
    """Lay the figure out, so that positions in pixels are those that will be drawn."""
    ax.figure.canvas.figure.draw_without_rendering()


class Room:
    """What is taken of a drawing already: boxes of left, low, right and high, pixels.

    Parameters
    ----------
    drawn
        (n, 4) what a text should not hide, and may where nothing else is left.
    """

    def __init__(self, drawn: ArrayLike = ()) -> None:
        import numpy as np

        self._drawn = np.asarray(drawn, float).reshape(-1, 4)
        self._texts = np.empty((0, 4))

    def take(self, text: Text, *, within: Any = None, over_drawn: bool = False) -> bool:
        """Keep the place of ``text`` where nothing else is, and it lies ``within`` (a Bbox); tell whether it was so."""
        x0, y0, x1, y1 = (float(v) for v in text.get_window_extent().extents)
        if within is not None and (x0 < within.x0 or y0 < within.y0 or x1 > within.x1 or y1 > within.y1):
            return False
        for boxes in (self._texts,) if over_drawn else (self._texts, self._drawn):
            left, low, right, high = boxes.T
            if ((left < x1 + 2) & (right > x0 - 2) & (low < y1 + 2) & (high > y0 - 2)).any():
                return False
        self.add(text)
        return True

    def add(self, text: Text) -> None:
        """Keep the place of ``text``, whatever else is there."""
        import numpy as np

        self._texts = np.vstack([self._texts, text.get_window_extent().extents])

    def draw(self, boxes: ArrayLike) -> None:
        """Count ``boxes`` (n, 4) as drawn."""
        import numpy as np

        self._drawn = np.vstack([self._drawn, boxes])


def above(ax: Axes, room: Room, words: str, at: tuple[float, float], least: float = 3, **look: Any) -> float:
    """Write ``words`` over the point ``at``, higher where ``room`` is taken; return how far up they reach, in points.

    ``least`` is the distance from the point, points; ``look`` are more properties of the text, ``xycoords`` among them.
    """
    rise = least
    while True:
        text = ax.annotate(
            words,
            at,
            xytext=(0, rise),
            textcoords="offset points",
            ha="center",
            va="bottom",
            annotation_clip=False,
            **{"fontsize": SMALL, **VERBATIM, **look},
        )
        if room.take(text):
            return rise + text.get_window_extent().height * 72 / ax.figure.dpi
        text.remove()
        rise += SMALL / 2


def at_line_ends(ax: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Write each ``(x, y, text, colour)`` to the right of its line's end, moved up or down so that none overlap."""
    settle(ax)
    pixels = ax.figure.dpi / 72
    step = 1.25 * SMALL * pixels
    heights = [float(ax.transData.transform((x, y))[1]) for x, y, _, _ in ends]
    for i, place in zip(_ranked(heights), _apart(sorted(heights), step), strict=True):
        x, y, text, colour = ends[i]
        ax.annotate(
            text,
            (x, y),
            xytext=(9, (place - heights[i]) / pixels),
            textcoords="offset points",
            color=colour,
            fontsize=SMALL,
            va="center",
            annotation_clip=False,
            **VERBATIM,
        )


def _ranked(values: Sequence[float]) -> list[int]:
    return sorted(range(len(values)), key=lambda i: values[i])


def _apart(places: Sequence[float], step: float) -> list[float]:
    """Ascending ``places`` moved as little as keeps ``step`` between neighbours: crowds spread around their middle."""
    crowds: list[tuple[float, int]] = []  # (middle, how many)
    for place in places:
        middle, n = place, 1
        while crowds and crowds[-1][0] + (crowds[-1][1] - 1) * step / 2 + step > middle - (n - 1) * step / 2:
            other, m = crowds.pop()
            middle, n = (other * m + middle * n) / (m + n), m + n
        crowds.append((middle, n))
    return [middle + (i - (n - 1) / 2) * step for middle, n in crowds for i in range(n)]
