"""Queries by chunks, as a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import InvalidSetting, UnknownName
from mmrag_nb.results import Hit, Hits

from .canvas import finish, given_or_new
from .labels import SMALL, VERBATIM, plain, settle
from .palette import DARK, LIGHT, is_light, palette
from .values import as_many, known_modalities, numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

SCORES = {
    "cosine": "raw cosine",
    "score": "score (σ)",
    "calibrated": "calibrated cosine (σ)",
    "lexical": "shared words (BM25)",
}
"""What each score of a hit is called beside the colours."""
_NAMED = 40
"""Rows or columns that are named one by one, at most."""
_SHAPE = "cosines (queries, chunks)"


def similarity(
    matrix: ArrayLike,
    *,
    queries: Sequence[str],
    chunks: Sequence[str],
    modalities: Sequence[str] | None = None,
    name: str = "cosine",
    ax: Axes | None = None,
) -> Axes:
    """Draw how similar each query is to each chunk, each query's best chunk outlined.

    Parameters
    ----------
    matrix
        (n_q, n_c) floats, higher is more similar. NaN where a query has no value for a chunk: the cell stays empty.
    queries
        (n_q,) what the rows are called.
    chunks
        (n_c,) what the columns are called.
    modalities
        (n_c,) ``text``, ``image``, ``audio`` or ``video``. The columns are then grouped by modality, in that order and
        otherwise as given.
    name
        What the numbers are; stands beside the colours, with its unit.
    ax
        Where to draw; a new figure otherwise.

    Returns
    -------
    matplotlib.axes.Axes
        With the colour bar in axes of its own beside it.

    Raises
    ------
    InvalidSetting
        The shapes do not fit each other, or there is no number at all.
    UnknownName
        A modality that is none.
    """
    import numpy as np

    values = numbers("similarity", matrix, shape=_SHAPE, ndim=2)
    as_many("queries", queries, values.shape[0], "rows")
    as_many("chunks", chunks, values.shape[1], "columns")
    if not np.isfinite(values).any() or np.isinf(values).any():
        raise InvalidSetting("similarity: infinite, or NaN only; give numbers, and NaN where there is none")
    groups: list[str] = []
    kinds = list(modalities or [])
    if modalities is not None:
        as_many("modalities", kinds, values.shape[1], "columns")
        groups = known_modalities(kinds)
        order = sorted(range(len(kinds)), key=lambda i: groups.index(kinds[i]))
        values, chunks, kinds = values[:, order], [chunks[i] for i in order], [kinds[i] for i in order]

    rows, columns = values.shape
    ax = given_or_new(ax, min(14, max(8, 3.6 + 0.62 * min(columns, _NAMED))), min(9, max(3.6, 2.6 + 0.5 * rows)))
    colours = palette(ax)
    image = ax.imshow(np.ma.masked_invalid(values), cmap=_colour_map(colours["wash"]), aspect="auto")
    image.set_interpolation("nearest")
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02, aspect=24)
    bar.set_label(plain(name, 60), fontsize=SMALL, color=colours["soft"], **VERBATIM)
    bar.ax.tick_params(labelsize=SMALL, color=colours["faint"], labelcolor=colours["ink"])
    bar.outline.set_visible(False)

    best = [(row, int(np.nanargmax(values[row]))) for row in range(rows) if np.isfinite(values[row]).any()]
    _outline(ax, image, values, best)
    finish(
        ax, _title([kinds[column] for _, column in best] if kinds else [], len(best)), "", "", pad=28 if kinds else 10
    )
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(length=0)
    _name_rows(ax, queries)
    settle(ax)
    _name_columns(ax, chunks, kinds)
    _group(ax, kinds, groups)
    _write_values(ax, values, image)
    return ax


def similarity_of(hits: Iterable[Hits] | Hits, *, score: str = "cosine", ax: Axes | None = None) -> Axes:
    """Draw what several questions found, one row a question and one column a chunk that any of them found.

    Parameters
    ----------
    hits
        One :class:`~mmrag_nb.results.Hits` a question, or a single one. A chunk that a question did not find leaves
        its cell empty; ask with a larger ``k`` for fuller rows.
    score
        Which of a hit's scores: ``cosine`` (raw), ``score``, ``calibrated`` (both in standard deviations) or
        ``lexical`` (BM25).
    ax
        Where to draw; a new figure otherwise.

    Returns
    -------
    matplotlib.axes.Axes
        As :func:`similarity`.

    Raises
    ------
    InvalidSetting
        Nothing was found, or not with this score.
    UnknownName
        A score that hits do not have.
    """
    import numpy as np

    if score not in SCORES:
        raise UnknownName("score", score, SCORES)
    asked = [hits] if isinstance(hits, Hits) else list(hits)
    found: dict[tuple[str, int], Hit] = {}
    for each in asked:
        for hit in each:
            found.setdefault((hit.chunk.item_id, hit.chunk.ordinal), hit)
    column = {key: i for i, key in enumerate(found)}
    values = np.full((len(asked), len(found)), np.nan)
    for row, each in enumerate(asked):
        for hit in each:
            value = getattr(hit, score)
            values[row, column[hit.chunk.item_id, hit.chunk.ordinal]] = np.nan if value is None else value
    if not np.isfinite(values).any():
        raise InvalidSetting(f"no hit has a {score}: ask for something that the index holds")
    return similarity(
        values,
        queries=[each.question or f"query {row}" for row, each in enumerate(asked, 1)],
        chunks=[_place(hit) for hit in found.values()],
        modalities=[hit.chunk.modality for hit in found.values()],
        name=SCORES[score],
        ax=ax,
    )


def _place(hit: Hit) -> str:
    """Return the item's name, and where in it: short enough to stay whole under a column."""
    chunk = hit.chunk
    where = ""
    if chunk.start is not None and chunk.end is not None:
        where = f" {chunk.start:.1f}–{chunk.end:.1f} s"
    elif chunk.page is not None:
        where = f" p. {chunk.page}"
    elif chunk.ordinal:
        where = f" #{chunk.ordinal + 1}"
    return plain(hit.item.name, 24 - len(where)) + where


def _colour_map(blank: str) -> Any:
    from matplotlib import colormaps

    return colormaps["cividis"].with_extremes(bad=blank)  # the same order of lightness for every kind of eye


def _title(winners: Sequence[str], n: int) -> str:
    if not winners:
        return "Each query’s best match is outlined" if n > 1 else "The best match is outlined"
    counts = {kind: winners.count(kind) for kind in known_modalities(winners)}
    if len(winners) == 1:
        return f"The best match is {_one(winners[0])}"
    if len(counts) == 1:
        return f"The best match is {_one(winners[0])} for all {n} queries"
    return "Best matches: " + ", ".join(f"{kind} {count} of {n}" for kind, count in counts.items())


def _one(kind: str) -> str:
    return {"image": "an image", "audio": "a sound"}.get(kind, f"a {kind}")


def _outline(ax: Axes, image: Any, values: NDArray[np.float64], cells: Iterable[tuple[int, int]]) -> None:
    """Frame each of ``cells`` (row, column) on its inside, where its neighbours' colours do not matter."""
    from matplotlib.patches import Rectangle

    width = 2.5 if values.shape[1] <= _NAMED else 1
    for row, column in cells:
        corner, ink = (column - 0.46, row - 0.46), _ink(image, values[row, column])
        ax.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, edgecolor=ink, linewidth=width, zorder=3))


def _ink(image: Any, value: float) -> str:
    """Return what reads well on the colour of ``value``."""
    return (LIGHT if is_light(image.cmap(image.norm(value))) else DARK)["ink"]


def _fits(pixels: float, n: int, ax: Axes, spacing: float = 1.15) -> bool:
    """Whether ``n`` lines of text stand side by side in ``pixels``, ``spacing`` times their size apart."""
    return pixels / n > spacing * SMALL * ax.figure.dpi / 72


def _name_rows(ax: Axes, queries: Sequence[str]) -> None:
    if len(queries) > _NAMED or not _fits(ax.get_window_extent().height, len(queries), ax):
        ax.set(yticks=[], ylabel=f"{len(queries):,} queries")
        return
    ax.set_yticks(range(len(queries)), labels=[plain(query, 32) for query in queries], **VERBATIM)


def _name_columns(ax: Axes, chunks: Sequence[str], kinds: Sequence[str]) -> None:
    if len(chunks) > _NAMED or not _fits(ax.get_window_extent().width, len(chunks), ax, 1.8):  # aslant
        ax.set(xticks=[], xlabel=f"{len(chunks):,} chunks")
        return
    names = [plain(chunk, 24) for chunk in chunks]
    ax.set_xticks(range(len(names)), labels=names, **VERBATIM)
    upright = max(map(len, names)) * 0.6 * SMALL * ax.figure.dpi / 72 < ax.get_window_extent().width / len(names)
    for i, label in enumerate(ax.get_xticklabels()):
        if not upright:
            label.set(rotation=40, ha="right", rotation_mode="anchor")
        if kinds:
            label.set_color(palette(ax)[kinds[i]])


def _group(ax: Axes, kinds: Sequence[str], groups: Sequence[str]) -> None:
    """Name each modality above its columns, and part it from the next."""
    from matplotlib.transforms import blended_transform_factory

    above = blended_transform_factory(ax.transData, ax.transAxes)
    for group in groups:
        first, n = kinds.index(group), kinds.count(group)
        colour = palette(ax)[group]
        ax.plot([first - 0.42, first + n - 0.58], [1.012] * 2, transform=above, color=colour, lw=3, clip_on=False)
        ax.annotate(
            group,
            (first + (n - 1) / 2, 1.012),
            xycoords=above,
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=SMALL,
            fontweight="bold",
            color=colour,
        )
        if first:
            ax.axvline(first - 0.5, color=palette(ax)["bg"], linewidth=4)


def _write_values(ax: Axes, values: NDArray[np.float64], image: Any) -> None:
    """Print the numbers where each has room in its cell, dark on light and light on dark."""
    import numpy as np

    rows, columns = values.shape
    digits = 2 if np.nanmax(np.abs(values)) < 10 else 1
    longest = max(len(f"{value:.{digits}f}") for value in values[np.isfinite(values)])
    extent, letter = ax.get_window_extent(), SMALL * ax.figure.dpi / 72
    if extent.width / columns < (longest + 0.5) * 0.64 * letter or extent.height / rows < 1.4 * letter:
        return
    for (row, column), value in np.ndenumerate(values):
        words, ink = "–", palette(ax)["soft"]
        if np.isfinite(value):
            words, ink = f"{round(value, digits) + 0.0:.{digits}f}", _ink(image, value)  # + 0.0: never -0.0
        ax.text(column, row, words, ha="center", va="center", fontsize=SMALL, color=ink)
