"""Who moved where: a column of ranks for each way of searching, a line for each chunk."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from mmrag_nb.insight.comparison import called, ordinal

from .escape import escape, one_line
from .place import kind, title
from .plain import shortened
from .style import LIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmrag_nb.insight.comparison import Cell, Comparison, Row

MOST_ROWS = 16
"""Chunks that are drawn at most; the table has them all."""
_WIDTH, _GUTTER, _TOP, _STEP = 856, 215, 44, 27
"""Of the drawing, of the names at both sides, above the first rank and from rank to rank, in its own units."""
_NAME = 25
"""Columns of a name."""

STYLE = """
.mmrag .mm-bump {display:block;width:100%;height:auto;margin:4px 0 14px;font-size:12.5px;
  font-variant-numeric:tabular-nums}
.mmrag .mm-bump text {fill:var(--mm-ink);stroke:none}
.mmrag .mm-bump .mm-soft {fill:var(--mm-soft)}
.mmrag .mm-bump g[class] {stroke:var(--mm-m)}
.mmrag .mm-bump path {fill:none}
.mmrag .mm-bump .mm-node {fill:var(--mm-wash)}
.mmrag .mm-bump .mm-cut {stroke:var(--mm-line)}
@container (max-width:640px) {.mmrag .mm-bump {display:none}}
"""


def svg(comparison: Comparison) -> str:
    """Return the drawing; empty where there are not two columns to draw lines between.

    Colours come from the card's style, and stand in attributes too, for pages that drop styles.
    """
    working = [number for number, column in enumerate(comparison.columns) if not column.error]
    rows = comparison.rows[:MOST_ROWS]
    if len(working) < 2 or not rows:
        return ""
    places = [_slots([row.cells[number] for row in rows]) for number in working]
    lefts = [_GUTTER + i * (_WIDTH - 2 * _GUTTER) / (len(working) - 1) for i in range(len(working))]
    height = _TOP + len(rows) * _STEP
    names = " and ".join(one_line(comparison.columns[number].name) for number in working)
    more = f" The first {len(rows)} of {len(comparison.rows)}." if len(rows) < len(comparison.rows) else ""
    label = f"ranks in {names}, a line for each chunk.{more} {one_line(comparison.summary)}"
    heads = "".join(
        f'<text x="{left:.0f}" y="16" text-anchor="middle" font-weight="600" fill="{LIGHT["ink"]}">'
        f"{escape(shortened(one_line(comparison.columns[number].name), 24))}</text>"
        for number, left in zip(working, lefts, strict=True)
    )
    cuts = "".join(_cut([row.cells[number] for row in rows], left) for number, left in zip(working, lefts, strict=True))
    lines = "\n".join(
        _line(row, [row.cells[number] for number in working], [slots[i] for slots in places], lefts)
        for i, row in enumerate(rows)
    )
    return (
        f'<svg class="mm-bump" viewBox="0 0 {_WIDTH} {height:.0f}" width="{_WIDTH}" role="img" '
        f'font-size="12.5" aria-label="{escape(label)}">{heads}{cuts}\n{lines}</svg>'
    )


def _slots(cells: Sequence[Cell]) -> list[int | None]:
    """The place of each chunk among those drawn, by its rank in one column; ``None`` where it has none."""
    ranks = sorted(cell.standing.rank for cell in cells if cell.standing is not None)
    return [None if cell.standing is None else ranks.index(cell.standing.rank) for cell in cells]


def _cut(cells: Sequence[Cell], left: float) -> str:
    """A line below the hits of a column, where others are drawn below them."""
    found = sum(cell.found for cell in cells)
    if found == len(cells):
        return ""
    y = _y(found) - _STEP / 2
    return f'<path class="mm-cut" stroke="{LIGHT["line"]}" d="M{left - 26:.0f} {y:.1f}h52"/>'


def _y(slot: int) -> float:
    return _TOP + slot * _STEP


def _line(row: Row, cells: Sequence[Cell], slots: Sequence[int | None], lefts: Sequence[float]) -> str:
    at = [(left, _y(slot), cell) for left, slot, cell in zip(lefts, slots, cells, strict=True) if slot is not None]
    curves = "".join(_curve(one, other) for one, other in pairwise(at))
    nodes = "".join(_node(kind(row.hit), x, y, cell) for x, y, cell in at)
    who = one_line(called(title(row.hit), row.hit.chunk))
    told = escape(f"{shortened(who, 200)}, {one_line(row.hit.chunk.modality)}")
    what = escape(shortened(who, _NAME))
    names = ""
    for edge, anchor, shift in ((lefts[0], "end", -20), (lefts[-1], "start", 20)):
        here = next(((y, cell) for x, y, cell in at if x == edge), None)
        if here is not None:
            y, cell = here
            css, ink = ("", LIGHT["ink"]) if cell.found else (' class="mm-soft"', LIGHT["soft"])
            names += (
                f'<text{css} x="{edge + shift:.0f}" y="{y + 4:.1f}" text-anchor="{anchor}" fill="{ink}">{what}</text>'
            )
    colour = LIGHT[kind(row.hit)]
    return f'<g class="mm-{kind(row.hit)}" stroke="{colour}"><title>{told}</title>{curves}{nodes}{names}</g>'


def _curve(one: tuple[float, float, Cell], other: tuple[float, float, Cell]) -> str:
    (x, y, a), (to_x, to_y, b) = one, other
    bend = (to_x - x) / 2
    faint = "" if a.found and b.found else ' stroke-dasharray="2 4"'
    wide = 2.5 if a.found and b.found else 1.5
    return (
        f'<path fill="none" stroke-width="{wide}"{faint} '
        f'd="M{x:.0f} {y:.1f}c{bend:.0f} 0 {bend:.0f} {to_y - y:.1f} {to_x - x:.0f} {to_y - y:.1f}"/>'
    )


def _node(modality: str, x: float, y: float, cell: Cell) -> str:
    """The rank in a shape that tells the modality without its colour."""
    assert cell.standing is not None
    half = 11 if cell.standing.rank < 100 else 15
    shape = {
        "image": f"M{x - half:.0f} {y:.1f}a{half} 11 0 1 0 {2 * half} 0a{half} 11 0 1 0 {-2 * half} 0z",
        "audio": f"M{x - half - 3:.0f} {y:.1f}l{half + 3} -13 {half + 3} 13 {-half - 3} 13z",
        "video": f"M{x - half:.0f} {y + 10:.1f}l4 -20h{2 * half - 8}l4 20z",
    }.get(modality, f"M{x - half:.0f} {y - 10:.1f}h{2 * half}v20h{-2 * half}z")
    css, ink = ("", LIGHT["ink"]) if cell.found else (' class="mm-soft"', LIGHT["soft"])
    wide = 2 if cell.found else 1
    number = f"{cell.standing.rank:,}"
    return (
        f'<path class="mm-node" fill="{LIGHT["wash"]}" stroke-width="{wide}" d="{shape}"><title>'
        f"{ordinal(cell.standing.rank)}</title></path>"
        f'<text{css} x="{x:.0f}" y="{y + 4:.1f}" text-anchor="middle" font-size="11.5" fill="{ink}">{number}</text>'
    )
