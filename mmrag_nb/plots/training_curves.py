"""How training went."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from mmrag_nb.errors import InvalidSetting

from .canvas import finish, given_or_new
from .labels import SMALL, at_line_ends, halo, in_legend, plain
from .palette import looks, palette
from .values import is_number, numbers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes

    Points = list[tuple[float, float]]

_VALIDATION = ("validation", "valid", "val", "eval", "dev", "test")
_SPLITS = (*_VALIDATION, "training", "train")
_LOWER = ("loss", "error", "perplexity", "wer", "mse", "mae", "rank")
"""What a quantity is called where less of it is better."""
_STEPS = ("step", "epoch")
_BREAK = re.compile(r"[\s_/.:-]+")


def training_curves(
    history: Mapping[str, Any] | Iterable[Mapping[str, Any]],
    *,
    best: Literal["lowest", "highest"] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw what training reported, step by step: validation solid, training dashed, the best point marked.

    Parameters
    ----------
    history
        ``{"train loss": values, "val loss": {250: value, 500: value}}``: a sequence of numbers has one each step, from
        1; a mapping says its steps. Or one mapping a step, ``[{"step": 1, "loss": 2.1}, ...]``, as a log has them: what
        is no number is left out there. A name that begins with ``val``, ``valid``, ``validation``, ``eval``, ``dev`` or
        ``test`` is of validation; one quantity has one colour. NaN leaves a hole in the line.
    best
        Whether the best is the lowest or the highest; where not said, the lowest of what is called a loss, an error, a
        perplexity or a rank, the highest of all else. The first validation curve has it, or the first curve.
    ax
        Where to draw; a new figure otherwise.

    Returns
    -------
    matplotlib.axes.Axes
        Steps to the right.

    Raises
    ------
    InvalidSetting
        There is no number to draw.
    """
    from matplotlib.ticker import MaxNLocator

    if best not in {None, "lowest", "highest"}:
        raise InvalidSetting(f"best={plain(repr(best))}: give 'lowest' or 'highest'")
    x, curves = _by_name(history)
    names = list(curves)
    quantities = list(dict.fromkeys(_quantity(name) for name in names))

    ax = given_or_new(ax)
    colours = palette(ax)
    look_of = dict(zip(quantities, looks(quantities, colours), strict=True))
    split = len(quantities) < len(names) or any(_validates(name) for name in names)
    ends = []
    for name, points in curves.items():
        look = look_of[_quantity(name)]
        steps, values = zip(*points, strict=True)
        dashes: Any = look.dashes if _validates(name) or not split else (0, (4, 1.6))
        marker = look.marker if len(points) <= 20 else None
        ax.plot(
            steps,
            values,
            color=look.colour,
            linestyle=dashes,
            linewidth=2.2,
            marker=marker,
            ms=6,
            label=in_legend(name),
        )
        last = [point for point in points if math.isfinite(point[1])][-1]
        ends.append((*last, plain(name), look.colour))

    chosen = next(filter(_validates, names), names[0])
    lowest = best == "lowest" if best else any(word in chosen.lower() for word in _LOWER)
    known = [point for point in curves[chosen] if math.isfinite(point[1])]
    step, value = (min if lowest else max)(known, key=lambda point: point[1])
    ax.plot(step, value, "o", ms=13, mfc="none", mec=colours["ink"], mew=2, zorder=5, label="best")
    title = f"{plain(chosen)} is best at {x} {step:,.10g}: {value:.3g}"
    finish(ax, title, x, plain(", ".join(quantities)), grid="y")
    ax.annotate(
        f"best {value:.3g}",
        (step, value),
        xytext=(0, 11 if lowest else -11),
        textcoords="offset points",
        ha="center",
        va="bottom" if lowest else "top",
        fontsize=SMALL,
        color=look_of[_quantity(chosen)].colour,
        path_effects=halo(colours["bg"]),
    )
    ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    ax.xaxis.set_major_formatter(lambda at, _: f"{at:,.0f}")
    ax.margins(x=0.03, y=0.14)
    at_line_ends(ax, ends)
    return ax


def _by_name(history: Any) -> tuple[str, dict[str, Points]]:
    """Return what the steps are called, and the points (step, value) of each curve in the order of their steps."""
    x, curves = "step", {}
    if isinstance(history, Mapping):
        curves = {str(name): _points(plain(name), given) for name, given in history.items()}
    else:
        for n, row in enumerate(history, 1):
            if not isinstance(row, Mapping):
                raise InvalidSetting(f"history: {plain(repr(row))} is no mapping of names to numbers")
            x = next((word for word in _STEPS if word in row), x)
            step = float(row.get(x, n))
            for name, value in row.items():
                if name not in _STEPS and is_number(value):
                    curves.setdefault(str(name), []).append((step, float(value)))
    if not curves:
        raise InvalidSetting('history: nothing to draw; give {"train loss": [2.1, 1.4], "val loss": {2: 1.6}}')
    for name, points in curves.items():
        points.sort(key=lambda point: point[0])
        if not any(math.isfinite(value) for _, value in points):
            raise InvalidSetting(f"{plain(name)}: no number in it but NaN or infinities")
    return x, curves


def _points(name: str, given: Any) -> Points:
    if isinstance(given, Mapping):
        steps = numbers(name, list(given), shape="{step: value}", ndim=1)
        given = list(given.values())
    else:
        steps = None
    values = numbers(name, given, shape="one number a step", ndim=1)
    return [(n if steps is None else float(steps[n - 1]), float(value)) for n, value in enumerate(values, 1)]


def _validates(name: str) -> bool:
    return _words(name)[0] in _VALIDATION


def _quantity(name: str) -> str:
    """``loss`` of ``val_loss``, ``train loss`` and ``loss``."""
    first, rest = _words(name)
    return rest if rest and first in _SPLITS else name


def _words(name: str) -> tuple[str, str]:
    first, *rest = _BREAK.split(name, maxsplit=1)
    return first.lower(), rest[0] if rest else ""
