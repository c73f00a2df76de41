"""Ways of searching side by side: who moved, as a drawing; where each stands and why, as a table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mmrag_nb.insight.comparison import ordinal

from . import besides, bump_chart, facts, hits, moves, plain, quantities
from .escape import escape, name, one_line
from .place import kind, short_place, title
from .style import section

if TYPE_CHECKING:
    from mmrag_nb.insight.comparison import Cell, Column, Comparison, Row
    from mmrag_nb.results import Hit

    from .media import Media

_LEGEND = (
    "Rank, with places won ▲ or lost ▼ against the first column; score, where it does not say otherwise in standard "
    f"deviations ({quantities.SIGMA}) above {quantities.CHANCE}; what moved it. A dash: not among the hits, its rank "
    "in brackets."
)
_KINDS = {"text": "texts", "image": "pictures", "audio": "recordings", "video": "videos"}

# Every card on a page brings the shared rules again: a rule of our own must outweigh them, not only follow them.
STYLE = (
    """
.mmrag .mm-table.mm-versus td, .mmrag .mm-table.mm-versus tbody th {vertical-align:top}
.mmrag .mm-table.mm-versus thead th {white-space:normal;overflow-wrap:anywhere;vertical-align:top}
.mmrag .mm-versus thead th small {display:-webkit-box;overflow:hidden;-webkit-box-orient:vertical;-webkit-line-clamp:4;
  font-weight:400}
.mmrag .mm-versus small, .mmrag .mm-versus thead bdi {max-width:18em}
.mmrag .mm-versus .mm-broken small {color:inherit}
.mmrag .mm-versus td {min-width:8.5em}
.mmrag .mm-table.mm-versus tbody th {min-width:13em}
.mmrag .mm-versus .mm-who {display:flex;gap:8px}
.mmrag .mm-versus .mm-who img {flex:none;width:40px;height:40px;object-fit:cover;border-radius:4px}
.mmrag .mm-versus bdi {display:-webkit-box;overflow:hidden;-webkit-box-orient:vertical;-webkit-line-clamp:3}
.mmrag .mm-versus tbody small {display:block}
.mmrag .mm-versus small {line-height:1.35}
.mmrag .mm-versus .mm-at {font-weight:600;font-variant-numeric:tabular-nums}
.mmrag .mm-versus tbody tr .mm-at {color:var(--mm-m)}
.mmrag .mm-versus tbody tr .mm-beyond {color:var(--mm-soft);font-weight:400}
.mmrag .mm-versus .mm-new {margin-inline-start:4px;padding:0 5px;border:1px solid var(--mm-m);border-radius:8px;
  color:var(--mm-m);font-size:11px}
.mmrag .mm-versus .mm-broken {color:var(--mm-warn)}
.mmrag .mm-versus tfoot th, .mmrag .mm-versus tfoot td {color:var(--mm-soft);font-size:12px;
  font-variant-numeric:tabular-nums}
.mmrag .mm-versus tfoot tr:last-child > * {border-bottom:0}
"""
    + bump_chart.STYLE
)


def html(comparison: Comparison) -> str:
    """Return a self-contained section; of at most :data:`~mmrag_nb.notebook.render.media.ROOM` bytes."""
    pictured = [_pictured(number, row.hit) for number, row in enumerate(comparison.rows)]

    def draw(media: Media) -> str:
        parts = [
            hits.question(comparison.question).rstrip(),
            f'<p class="mm-totals">{escape(comparison.summary)}</p>' if comparison.summary else "",
            bump_chart.svg(comparison),
            f'<p class="mm-meta">{escape(_LEGEND)}</p>' if comparison.rows else "",
            _table(comparison, media) if comparison.rows else f"<p>{hits.NOTHING}</p>",
            facts.html(_facts(comparison)),
        ]
        return section("comparison", "\n".join(part for part in parts if part), STYLE)

    return hits.fitted(pictured, (), draw)


def text(comparison: Comparison) -> str:
    """Return the same for a terminal of 80 to 100 columns."""
    columns = comparison.columns
    working = [number for number, column in enumerate(columns) if not column.error]
    heads = ["", *(one_line(columns[number].name) for number in working)]
    lines = [[_called(row.hit), *(_short(row.cells[number]) for number in working)] for row in comparison.rows]
    foot = [
        f"{what}: " + "; ".join(f"{one_line(columns[n].name)} {values[n]}" for n in working if values[n])
        for what, values in _foot(comparison)
    ]
    reasons = [
        (f"{_called(row.hit)} in {one_line(columns[number].name)}", row.cells[number].why)
        for number in working
        for row in comparison.rows
        if row.cells[number].why
    ]
    return plain.joined(
        plain.wrapped(comparison.question),
        plain.wrapped(comparison.summary),
        _aligned([heads, *lines]) if lines else hits.NOTHING,
        "\n".join(plain.wrapped(f"{who}: {why}", hanging="    ") for who, why in reasons),
        "\n".join(
            plain.wrapped(f"{column.name}: {column.error}", hanging="    ") for column in columns if column.error
        ),
        "\n".join(plain.wrapped(line, hanging="    ") for line in foot),
        plain.facts(_facts(comparison)),
    )


# -- the table ---------------------------------------------------------------------------------------------------------


def _table(comparison: Comparison, media: Media) -> str:
    head = "".join(_head(column) for column in comparison.columns)
    body = "\n".join(_row(number, row, comparison, media) for number, row in enumerate(comparison.rows))
    foot = "\n".join(
        f'<tr><th scope="row">{escape(what)}</th>' + "".join(f"<td>{escape(value)}</td>" for value in values) + "</tr>"
        for what, values in _foot(comparison)
    )
    return (
        '<div class="mm-scroll" role="region" aria-label="comparison table" tabindex="0">'
        '<table class="mm-table mm-versus" aria-label="where each stands">\n'
        f'<thead><tr><th scope="col">evidence</th>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n'
        f"<tfoot>\n{foot}\n</tfoot></table></div>"
    )


def _head(column: Column) -> str:
    told = escape(one_line(column.settings))
    changed = f'<small title="{told}">{told}</small>' if told else ""
    return f'<th scope="col">{name(column.name)}{changed}</th>'


def _row(number: int, row: Row, comparison: Comparison, media: Media) -> str:
    uri = media.uris.get((number, "thumbnail"))
    image = f'<img src="{uri}" alt="" width="40" height="40">' if uri else ""  # its name stands beside it
    modality = "" if row.hit.item.record is not None else one_line(row.hit.chunk.modality)  # a part's name tells it
    where = " · ".join(part for part in (modality, short_place(row.hit)) if part)
    said = "".join(_small(line) for line in besides.glance(row.hit))
    cells = []
    for column, cell in zip(comparison.columns, row.cells, strict=True):
        if not column.error:
            cells.append(_cell(cell, column))
        elif number == 0:
            rows = len(comparison.rows)
            cells.append(f'<td class="mm-broken" rowspan="{rows}">{_small(column.error)}</td>')
    return (
        f'<tr class="mm-{kind(row.hit)}"><th scope="row"><div class="mm-who">{image}<span>'
        f"{name(title(row.hit), row.hit.item.uri)}<small>{escape(where)}</small>{said}</span></div></th>"
        f"{''.join(cells)}</tr>"
    )


def _cell(cell: Cell, column: Column) -> str:
    if cell.standing is None:
        return f'<td><span class="mm-at mm-beyond">–</span>{_small(cell.why)}</td>'
    rank = cell.standing.rank
    if cell.found:
        at = f'<span class="mm-at">{rank:,}</span>'
    else:
        at = f'<span class="mm-at mm-beyond" title="{ordinal(rank)}, beyond the {column.k} hits">– ({rank:,})</span>'
    new = '<span class="mm-new">new</span>' if cell.new else ""
    score = "" if column.raw and cell.why else _score(cell, column)  # what moved it begins with its cosine
    return f"<td>{at}{moves.html(cell.moved)}{new}{_small(score)}{_small(cell.why)}</td>"


def _small(remark: str) -> str:
    return f'<small dir="auto">{escape(remark)}</small>' if remark else ""


# -- its words ---------------------------------------------------------------------------------------------------------


def _score(cell: Cell, column: Column) -> str:
    assert cell.standing is not None
    if column.raw:
        return f"cosine {quantities.cosine(cell.standing.score)}"
    words = f", {cell.standing.words:+.1f} by words" if cell.standing.words >= 0.05 else ""
    return quantities.score(cell.standing.score, column.unit) + words


def _short(cell: Cell) -> str:
    if cell.standing is None:
        return "–"
    at = f"{cell.standing.rank:,}" if cell.found else f"– ({cell.standing.rank:,})"
    return " ".join(part for part in (at, moves.arrow(cell.moved), "new" if cell.new else "") if part)


def _called(hit: Hit) -> str:
    return ", ".join(part for part in (one_line(title(hit)), short_place(hit)) if part)


def _foot(comparison: Comparison) -> list[tuple[str, list[str]]]:
    """Below the ranks: agreement with the first column, the modalities' levels, the time it took."""
    columns = comparison.columns
    of = sum(row.cells[0].found for row in comparison.rows)
    rows = [
        (f"hits in common with {one_line(columns[0].name)}", [_common(column, of) for column in columns]),
        ("Kendall’s τ of the order", [_tau(column) for column in columns]),
        ("mean raw cosine", [_levels(column) for column in columns]),
        ("time", [", ".join(facts.times(column.timings)) for column in columns]),
    ]
    return [(what, values) for what, values in rows if any(values)]


def _common(column: Column, of: int) -> str:
    return "" if column.shared is None else f"{column.shared} of {of}"


def _tau(column: Column) -> str:
    return "" if column.tau is None else f"{column.tau:+.2f}".replace("-", "\N{MINUS SIGN}")


def _levels(column: Column) -> str:
    return ", ".join(f"{_KINDS.get(seen, seen)} {level:.2f}" for seen, level in sorted(column.levels.items()))


def _facts(comparison: Comparison) -> list[str]:
    first = next((column for column in comparison.columns if not column.error), None)
    chunks = quantities.count(comparison.total, "chunk")
    return [f"ranked over {'all ' * (comparison.total > 1)}{chunks}", *(first.facts[1:] if first is not None else ())]


def _pictured(number: int, hit: Hit) -> Hit:
    """The hit by its row's number, with its thumbnail only: ranks of several columns are not distinct."""
    return replace(hit, rank=number, previews={k: v for k, v in hit.previews.items() if k == "thumbnail"})


def _aligned(lines: list[list[str]]) -> str:
    """Columns as wide as what stands in them, the first shortened where the line would be too long."""
    widths = [max(plain.columns(line[i]) for line in lines) for i in range(len(lines[0]))]
    widths[0] = min(widths[0], max(20, plain.WIDTH - sum(widths[1:]) - 2 * len(widths[1:])))
    return "\n".join(
        "  ".join(
            plain.padded(plain.shortened(cell, width), width) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )
