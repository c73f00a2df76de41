"""Several ways of searching, side by side on one question: who stands where, who moved, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from mmrag_nb.results import Shown
from mmrag_nb.types import page_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmrag_nb.results import Hit
    from mmrag_nb.types import Chunk, Modality

_KINDS: dict[str, tuple[str, str]] = {
    "text": ("a text", "texts"),
    "image": ("a picture", "pictures"),
    "audio": ("a recording", "recordings"),
    "video": ("a video", "videos"),
}
_NAME = 80
"""Characters of a name in a sentence."""
_MINUS = "\N{MINUS SIGN}"
_LITTLE = 0.05
"""Standard deviations, or parts of a cosine, that are not worth a word."""


@dataclass(frozen=True)
class Standing:
    """Where one chunk stands in one column, and what put it there."""

    rank: int
    """From 1, over the whole index."""
    score: float
    cosine: float | None
    """``None`` where only its words found it."""
    calibrated: float
    """Standard deviations above what one arbitrary question in twenty reaches."""
    words: float
    """What the words brought, in standard deviations; 0 in a raw ranking."""
    seen_as: Modality = "text"
    space: str = ""
    unit: str = "σ"
    """Of the score and of what the words brought."""


@dataclass(frozen=True)
class Column:
    """One way of searching."""

    name: str
    settings: str = ""
    """What it changes: ``raw=true``; empty where that is its name already, or nothing."""
    k: int = 0
    """How many hits it finds."""
    raw: bool = False
    """Whether its scores are raw cosines."""
    unit: str = "σ"
    """Of its scores, as :class:`~mmrag_nb.results.Hit` has it."""
    levels: Mapping[Modality, float] = field(default_factory=dict)
    """Mean cosine of all chunks that it saw as a modality."""
    facts: tuple[str, ...] = ()
    """What produced it, as :class:`~mmrag_nb.results.Hits` has it."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """Seconds by stage, models loaded: ``embed``, ``search``."""
    shared: int | None = None
    """How many of its hits the first column has, too."""
    tau: float | None = None
    """Kendall's tau with the first column over the hits of either: 1 the same order, -1 the reverse; ``None`` for fewer
    than two."""
    error: str = ""
    """Why there is nothing in it: models that are absent, an index that others made."""


@dataclass(frozen=True)
class Cell:
    """One chunk in one column."""

    standing: Standing | None
    """``None`` where the column does not reach the chunk at all."""
    found: bool = False
    """Whether it is among the column's hits."""
    moved: int | None = None
    """Places won (positive) or lost against the first column; ``None`` in that one, and where either lacks it."""
    new: bool = False
    """Whether it is a hit here, and none of the first column's."""
    why: str = ""
    """What moved it, in one clause; empty where it stayed."""


@dataclass(frozen=True)
class Row:
    """One chunk in all columns."""

    hit: Hit
    """As the first column that found it has it."""
    cells: tuple[Cell, ...]


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """Ways of searching side by side: a column each, a row for every chunk that one of them found."""

    question: str
    columns: tuple[Column, ...]
    """The first is what the others are compared with."""
    rows: tuple[Row, ...]
    """By the first column's ranks; what only others found comes after, the best placed first."""
    total: int = 0
    """Number of chunks in the index."""
    summary: str = ""
    """What differs, in a sentence or two."""

    _renderer: ClassVar[str] = "mmrag_nb.notebook.render.comparison"
    _columns: ClassVar[list[str] | None] = [
        *("variant", "modality", "name", "text", "rank", "found", "moved", "score", "cosine", "calibrated", "words"),
        *("why", "uri"),
    ]

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {
                "variant": column.name,
                "modality": row.hit.chunk.modality,
                "name": row.hit.item.name,
                "text": row.hit.chunk.text,
                "found": cell.found,
                "moved": cell.moved,
                "why": cell.why,
                "uri": row.hit.item.uri,
                **{
                    name: getattr(cell.standing, name, None)
                    for name in ("rank", "score", "cosine", "calibrated", "words")
                },
            }
            for column, cells in zip(self.columns, zip(*(row.cells for row in self.rows), strict=True), strict=True)
            if not column.error
            for row, cell in zip(self.rows, cells, strict=True)
        ]


def cell(
    column: Column, here: Mapping[int, Standing], first: Column, there: Mapping[int, Standing], chunk: int
) -> Cell:
    """What to say of a ``chunk`` in ``column``, where chunks stand as ``here``; in the ``first`` one, as ``there``."""
    standing, before = here.get(chunk), there.get(chunk)
    found = standing is not None and standing.rank <= column.k
    if column is first:
        return Cell(standing, found)
    moved = before.rank - standing.rank if standing is not None and before is not None else None
    was_found = before is not None and before.rank <= first.k
    reason = ""
    if moved:
        reason = why(column, standing, first, before, among_its_own=_among_its_own(here, there, chunk))
    elif moved is None and standing is not before:
        reason = why(column, standing, first, before)
    return Cell(standing, found, moved, new=found and not was_found, why=reason)


def _among_its_own(here: Mapping[int, Standing], there: Mapping[int, Standing], chunk: int) -> bool:
    """Whether most of what changed sides with ``chunk`` is seen as the same modality, so calibrated alike."""
    now, before = here[chunk], there[chunk]
    crossed = [
        one.seen_as == now.seen_as
        for other, one in here.items()
        if other in there and (one.rank < now.rank) != (there[other].rank < before.rank)
    ]
    return 2 * sum(crossed) > len(crossed)


def why(
    column: Column, here: Standing | None, first: Column, there: Standing | None, *, among_its_own: bool = False
) -> str:
    """Why a chunk stands elsewhere in ``column`` than in the ``first`` one: one clause, from its numbers."""
    if here is None or there is None:
        return _reach(here, there)
    if here.space and there.space and here.space != there.space:
        return f"other space: {here.space}, not {there.space}"
    if column.raw != first.raw:
        own = among_its_own
        return _uncalibrated(column, here, there, own=own) if column.raw else _calibrated(here, there, own=own)
    if column.raw:
        return _same_scale("cosine", here.cosine or 0.0, there.cosine or 0.0, here, there)
    words, cosines = here.words - there.words, here.calibrated - there.calibrated
    if abs(words) >= max(abs(cosines), _LITTLE) and (words > 0) == (here.rank < there.rank):
        return _words(here, there)
    return _same_scale("score", here.score, there.score, here, there)


def _reach(here: Standing | None, there: Standing | None) -> str:
    """Only one of the two columns has the chunk at all."""
    if here is not None:
        return "its words found it" if here.cosine is None else f"has a vector in {here.space}"
    only_words = there is not None and there.cosine is None
    return "only its words found it, which do not count here" if only_words else "has no vector in the space used"


def _words(here: Standing, there: Standing) -> str:
    if here.words < _LITTLE:
        return f"without the words’ {there.words:+.1f} {there.unit}"
    instead = f", not {there.words:+.1f} {there.unit}" if there.words >= _LITTLE else ""
    return f"words brought {here.words:+.1f} {here.unit}{instead}"


def _uncalibrated(column: Column, here: Standing, there: Standing, *, own: bool) -> str:
    """Ranked by raw cosine where the first column calibrates and counts words."""
    lead = f"raw cosine {here.cosine or 0.0:.2f} is {ordinal(here.rank)}"
    fell = here.rank > there.rank
    if own:  # what is calibrated alike keeps its order, but for the words
        return f"{lead}: " + (
            f"without the words’ {there.words:+.1f} {there.unit}" if fell else "others stood on their words"
        )
    level = column.levels.get(here.seen_as, 0.0)
    others = [other for kind, other in column.levels.items() if kind != here.seen_as]
    if fell and others and level < max(others):
        return f"{lead}: {_plural(here)}’ cosines lie lower"
    if not fell and others and level > min(others):
        return f"{lead}: {_plural(here)}’ cosines lie higher"
    return f"{lead}, uncalibrated and without words"


def _calibrated(here: Standing, there: Standing, *, own: bool) -> str:
    """Calibrated, the words counted, where the first column ranks by raw cosine."""
    if own:
        return f"words brought {here.words:+.1f} {here.unit}" if here.rank < there.rank else "words brought others more"
    one = _KINDS.get(here.seen_as, _KINDS["text"])[0]
    return f"raw cosine {there.cosine or 0.0:.2f} is {here.calibrated:+.1f} σ for {one}"


def _same_scale(what: str, now: float, before: float, here: Standing, there: Standing) -> str:
    rose = here.rank < there.rank
    if abs(now - before) < _LITTLE / 10:
        return "what stood above it fell away" if rose else "others rose past it"
    if (now > before) != rose:
        return f"{what} {now:.2f}, not {before:.2f}; the others' changed by more"
    return f"{what} {now:.2f}, not {before:.2f}"


def _plural(standing: Standing) -> str:
    return _KINDS.get(standing.seen_as, _KINDS["text"])[1]


def called(name: str, chunk: Chunk) -> str:
    """Return the ``name`` of the chunk's item, with what tells it from the item's other chunks."""
    if chunk.start is not None and chunk.end is not None:
        return f"{name}, {chunk.start:.1f}-{chunk.end:.1f} s"
    if chunk.page is not None:
        return f"{name}, {page_of(name, chunk.page)}"
    return f"{name}, passage {chunk.ordinal + 1}" if chunk.modality == "text" else name


def kendall(ranks: Sequence[int], others: Sequence[int]) -> float | None:
    """Kendall's tau-b of two rankings of the same things: 1 the same order, -1 the reverse; ``None`` for fewer than 2.

    Kendall, "A New Measure of Rank Correlation", Biometrika 1938.
    """
    if len(ranks) < 2:
        return None
    from scipy.stats import kendalltau

    tau = float(kendalltau(ranks, others).statistic)
    return tau if tau == tau else None  # noqa: PLR0124 - not a number where all of one are tied


def summary(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """What the columns share and who moved most, in a sentence or two."""
    first = columns[0]
    hits = sum(row.cells[0].found for row in rows)
    sentences = [f"{column.name} {_shares(column, hits)}" for column in columns[1:] if not column.error]
    told = f"Against {first.name}, {'; '.join(sentences)}." if sentences else ""
    failed = [column.name for column in columns if column.error]
    if failed:
        told += f" {' and '.join(failed)} could not be run."
    return f"{told} {_most_moved(columns, rows)}".strip()


def _shares(column: Column, hits: int) -> str:
    many = f"{column.shared} of the {hits:,} hits" if hits != 1 else f"{'the' if column.shared else 'not the'} one hit"
    many = f"all {hits:,} hits" if column.shared == hits > 1 else many
    if column.tau is None:
        return f"has {many}"
    if column.tau > 1 - 1e-9:
        return f"has {many}, in the same order"
    return f"has {many}, in another order (Kendall’s τ {column.tau:.2f})".replace("-", _MINUS)


def _most_moved(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    moves = [
        (abs(cell.moved), row, column, cell)
        for row in rows
        for column, cell in zip(columns, row.cells, strict=True)
        if cell.moved and cell.standing is not None
    ]
    if not moves:
        return ""
    _, row, column, moved = max(moves, key=lambda move: move[0])
    before, now = row.cells[0].standing, moved.standing
    assert before is not None
    assert now is not None
    who = called(row.hit.item.name, row.hit.chunk)
    who = who if len(who) <= _NAME else f"{who[: _NAME // 2]}…{who[-_NAME // 2 :]}"
    return f"{who} moved most: {ordinal(before.rank)} in {columns[0].name}, {ordinal(now.rank)} in {column.name}."


def ordinal(n: int) -> str:
    """Return ``1st``, ``2nd``, ``1,003rd``."""
    suffix = "th" if n % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n:,}{suffix}"
