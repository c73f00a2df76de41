"""The index on a plane."""

from __future__ import annotations

from itertools import islice, product
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import InvalidSetting

from .canvas import finish, given_or_new
from .labels import LABEL, SMALL, VERBATIM, Room, halo, plain, settle
from .palette import MARKERS, palette
from .values import as_many, finite, known_modalities, numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

LABELS = 12
"""Points that are named, at most."""
_TRIED = 36
"""Points for which a place is sought, at most."""
_SIDES = ((8, 0), (-8, 0), (0, 8), (0, -8), (8, 8), (8, -8), (-8, 8), (-8, -8), (16, 0), (-16, 0), (0, 16), (0, -16))
"""Where a name may stand beside its point, in points."""


def embedding_map(
    points: ArrayLike,
    *,
    modalities: Sequence[str],
    labels: Sequence[str] = (),
    query: ArrayLike | None = None,
    gap: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw an index as a map: one point a chunk, coloured and shaped by modality, the query a star.

    Parameters
    ----------
    points
        (n, 2) floats, a projection of the chunks' vectors.
    modalities
        (n,) ``text``, ``image``, ``audio`` or ``video``.
    labels
        (n,) what the points are called, or none. Those nearest to the query are written, as far as they have room
        and up to :data:`LABELS`; without a query, those farthest from the middle.
    query
        (2,) floats: where the query lies.
    gap
        Whether to draw lines between the modalities' centroids, each with its length in the map's units: from texts
        to each other modality, or from the first modality present where there is no text.
    ax
        Where to draw; a new figure otherwise.

    Returns
    -------
    matplotlib.axes.Axes
        Both axes in the map's own units, of the same scale.

    Raises
    ------
    InvalidSetting
        The shapes do not fit each other, or a coordinate is NaN or infinite.
    UnknownName
        A modality that is none.

    Notes
    -----
    Contrastive models put each modality into a cone of its own: Liang et al., "Mind the Gap: Understanding the Modality
    Gap in Multi-modal Contrastive Representation Learning", NeurIPS 2022. A projection shows that, but a distance on
    the map is not the distance in the space.
    """
    import numpy as np

    places = _plane("points", points, 2, "places (chunks, 2)")
    as_many("modalities", modalities, len(places), "points")
    if len(labels):
        as_many("labels", labels, len(places), "points")
    present = known_modalities(modalities)
    asked = None if query is None else _plane("query", query, 1, "a place (2,)")

    ax = given_or_new(ax, 8, 5.6)
    colours = palette(ax)
    kinds = np.array(list(modalities))
    size, opacity = (52, 0.9) if len(places) <= 300 else (18, 0.6)
    centres = {}
    for kind in present:
        own = places[kinds == kind]
        centres[kind] = own.mean(axis=0)
        ax.scatter(
            own[:, 0],
            own[:, 1],
            s=size,
            marker=MARKERS[kind],
            color=colours[kind],
            alpha=opacity,
            edgecolors=colours["bg"],
            linewidths=0.6 if size > 20 else 0,
            label=kind,
        )
    if asked is not None:
        ax.scatter(
            asked[0],
            asked[1],
            s=330,
            marker="*",
            color=colours["ink"],
            edgecolors=colours["bg"],
            zorder=5,
            label="query",
        )
    pairs = _pairs(present) if gap else []
    ax.margins(0.12)
    ax.set_aspect("equal", adjustable="datalim")
    title = _title(centres, pairs, len(places))
    finish(ax, title, "first direction (map units)", "second direction (map units)")
    settle(ax)
    room = Room(_boxes(ax, places, size, asked))
    for one, other in pairs:
        _draw_gap(ax, room, centres[one], centres[other])
    if asked is not None:
        _name_group(ax, room, "query", "ink", asked[None])
    for kind in present:
        own = places[kinds == kind]
        _name_group(ax, room, f"{kind} ({len(own):,})", kind, own)
    if len(labels):
        _name_points(ax, room, places, labels, asked)
    return ax


def _plane(what: str, given: ArrayLike, ndim: int, shape: str) -> NDArray[np.float64]:
    places = finite(what, numbers(what, given, shape=shape, ndim=ndim))
    if places.shape[-1] != 2:
        raise InvalidSetting(f"{what}: an array of shape {places.shape}; give {shape}")
    return places


def _pairs(present: Sequence[str]) -> list[tuple[str, str]]:
    return [(present[0], other) for other in present[1:]]  # texts come first


def _title(centres: dict[str, Any], pairs: Sequence[tuple[str, str]], n: int) -> str:
    import numpy as np

    if not pairs:
        return f"{n:,} chunks on a map" if n > 1 else "One chunk on a map"
    first, widest = max(pairs, key=lambda pair: float(np.linalg.norm(centres[pair[0]] - centres[pair[1]])))
    apart = float(np.linalg.norm(centres[first] - centres[widest]))
    return f"{first.capitalize()} and {widest} lie {apart:.2f} apart on this map"


def _boxes(ax: Axes, places: NDArray[np.float64], size: float, asked: Any) -> NDArray[np.float64]:
    """(n, 4): left, low, right, high of each marker, pixels."""
    import numpy as np

    def around(at: Any, area: float) -> Any:
        pixels = ax.transData.transform(np.atleast_2d(at))
        half = area**0.5 / 2 * ax.figure.dpi / 72
        return np.hstack([pixels - half, pixels + half])

    boxes = around(places, size)
    return boxes if asked is None else np.vstack([boxes, around(asked, 200)])


def _write(
    ax: Axes, room: Room, at: Any, text: str, colour: str, *, bold: bool = False, over_drawn: bool = False
) -> bool:
    """Write ``text`` beside the point ``at``, on the first side that has room; tell whether there was one."""
    colours = palette(ax)
    inside = ax.get_window_extent()
    for dx, dy in _SIDES:
        written = ax.annotate(
            text,
            at,
            xytext=(dx * (1.4 if bold else 1), dy * (1.4 if bold else 1)),
            textcoords="offset points",
            ha="left" if dx > 0 else "right" if dx < 0 else "center",
            va="bottom" if dy > 0 else "top" if dy < 0 else "center",
            fontsize=LABEL if bold else SMALL,
            fontweight="bold" if bold else "normal",
            color=colours[colour],
            path_effects=halo(colours["bg"]),
            zorder=6,
            **VERBATIM,
        )
        if room.take(written, within=inside, over_drawn=over_drawn):
            return True
        written.remove()
    return False


def _draw_gap(ax: Axes, room: Room, one: NDArray[np.float64], other: NDArray[np.float64]) -> None:
    """A line from centroid to centroid, its length on it where that hides no point, or at its middle."""
    import numpy as np

    colours = palette(ax)
    ax.plot(
        [one[0], other[0]],
        [one[1], other[1]],
        color=colours["ink"],
        linewidth=1.5,
        linestyle=(0, (4, 2)),
        marker="+",
        markersize=11,
        markeredgewidth=2,
        zorder=4,
    )
    middle, *others = [(x, y) for x, y in (one + part * (other - one) for part in (0.5, 0.4, 0.6, 0.3, 0.7))]
    length = ax.text(
        middle[0],
        middle[1],
        f"{float(np.linalg.norm(one - other)):.2f}",
        ha="center",
        va="center",
        fontsize=LABEL,
        color=colours["ink"],
        bbox={"boxstyle": "round,pad=0.2", "facecolor": colours["bg"], "edgecolor": "none"},
        zorder=6,
    )
    for over_drawn, at in product((False, True), (middle, *others)):
        length.set_position(at)
        if room.take(length, over_drawn=over_drawn):
            break
    else:
        length.set_position(middle)
        room.add(length)
    start, end = ax.transData.transform(np.stack([one, other]))
    parts = np.linspace(0, 1, 2 + int(np.linalg.norm(end - start) / 4))[:, None]
    along = start + parts * (end - start)
    room.draw(np.hstack([along - 3, along + 3]))


def _name_group(ax: Axes, room: Room, name: str, colour: str, own: NDArray[np.float64]) -> None:
    """Write ``name`` once: beside the highest of its points that leaves room, or else over its points."""
    import numpy as np

    high = own[np.argsort(-own[:, 1], kind="stable")][:_TRIED]
    if any(_write(ax, room, at, name, colour, bold=True) for at in high):
        return
    _write(ax, room, own.mean(axis=0), name, colour, bold=True, over_drawn=True)


def _name_points(
    ax: Axes, room: Room, places: NDArray[np.float64], labels: Sequence[str], asked: NDArray[np.float64] | None
) -> None:
    import numpy as np

    middle = places.mean(axis=0) if asked is None else asked
    far = np.linalg.norm(places - middle, axis=1)
    order = np.argsort(far if asked is not None else -far, kind="stable")[:_TRIED]
    named = (i for i in order if _write(ax, room, places[i], plain(labels[i], 24), "ink"))
    for _ in islice(named, LABELS):
        pass
