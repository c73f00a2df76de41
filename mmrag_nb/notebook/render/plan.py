"""What indexing would do: items by modality, how long, how large, and what that is measured on."""

from __future__ import annotations

from math import floor, log10
from typing import TYPE_CHECKING

from . import facts, plain
from .escape import escape, name, one_line
from .quantities import NONE, count, duration
from .report import counted, pairs, skipped_html
from .style import section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmrag_nb.reports import Plan, Planned

_HEADINGS = ("items", "new", "in the index", "chunks", "index grows by", "time")
_NAMES = {"image": "images", "text": "text", "audio": "audio", "video": "videos"}
_STYLE = """
.mmrag .mm-plan th:first-child {min-width:5em}
.mmrag ul.mm-fetched {margin:0 0 10px;padding-inline-start:1.4em}
.mmrag .mm-fetched bdi {font-weight:400}
"""
_FETCHED = "would be fetched; what is there is not counted"
_MOST = 12
"""Addresses that are listed: a table can name thousands."""
_NOTHING = "nothing to index: no source leads to an item"
_DRY = "Dry run: nothing was embedded or written."


def size(bytes_: float) -> str:
    """Return ``840 bytes``, ``12 kB``, ``1.3 MB``, ``2.0 GB``."""
    if bytes_ < 1000:
        return count(round(bytes_), "byte")
    for power, unit in ((9, "GB"), (6, "MB"), (3, "kB")):
        if bytes_ >= 0.995 * 10**power:
            value = bytes_ / 10**power
            return f"{value:.1f} {unit}" if value < 9.95 else f"{value:,.0f} {unit}"
    return "1.0 kB"


def about(seconds: float) -> str:
    """Return a duration in the two digits that an estimate has."""
    if seconds <= 0:
        return duration(0)
    digits = 1 - floor(log10(seconds))
    rounded = round(seconds, digits)
    return f"{rounded:.0f} s" if 10 <= rounded < 60 else duration(rounded)


def totals(plan: Plan) -> str:
    """Return the line that says it all: ``would index 240 items (…): 228 new, 12 in the index already``."""
    items: dict[str, int] = {kind.modality: kind.new + kind.known for kind in plan.kinds}
    if not sum(items.values()):
        if plan.fetched:
            return f"would fetch {count(len(plan.fetched), 'address', 'addresses')}"
        return _NOTHING
    parts = [f"{plan.new:,} to embed", f"{plan.known:,} in the index already"]
    if plan.fetched:
        parts.append(f"{count(len(plan.fetched), 'address', 'addresses')} to fetch")
    if plan.skipped:
        parts.append(f"{len(plan.skipped):,} to skip (see below)")
    return f"would index {counted(items)}: {', '.join(parts)}"


def estimate(plan: Plan) -> str:
    """Return what it would cost; empty where there is nothing to embed or nothing can be told."""
    if not plan.new:
        return ""
    told = [kind for kind in plan.kinds if kind.seconds]
    whole = all(kind.seconds for kind in plan.kinds if kind.new)
    if not told:
        return ""
    parts = [f"About {about(sum(plan.seconds.values()))}"]
    if plan.chunks is not None:
        parts.append(count(plan.chunks, "chunk"))
    if plan.growth is not None:
        vectors = sum(plan.vectors.values())
        parts.append(f"{size(plan.growth)} in the index, {size(vectors)} of it vectors")
    return ", ".join(parts) + ("" if whole else f", for {' and '.join(_NAMES[kind.modality] for kind in told)} alone")


def details(plan: Plan) -> list[str]:
    """Return what the estimate rests on, the models and the seconds by stage."""
    stages = [f"{stage} {about(seconds)}" for stage, seconds in plan.seconds.items()] if plan.basis else []
    return [plan.basis, *plan.models, *stages]


def _cells(kind: Planned) -> list[str]:
    seconds = sum(kind.seconds.values())
    return [
        f"{kind.new:,}",
        f"{kind.known:,}",
        NONE if kind.chunks is None else f"{kind.chunks:,}",
        NONE if kind.growth is None else size(kind.growth),
        about(seconds) if kind.seconds else NONE if kind.new else about(0.0).replace("<1 ms", "0 s"),
    ]


def html(plan: Plan) -> str:
    """Return a self-contained section."""
    parts = [f'<p class="mm-totals">{escape(totals(plan))}</p>']
    if cost := estimate(plan):
        parts.append(f'<p class="mm-gap"><b>{escape(cost)}.</b> {_DRY}</p>')
    else:
        parts.append(f'<p class="mm-gap">{_DRY}</p>')
    if plan.kinds:
        parts.append(_table(plan.kinds))
    parts += [f'<p class="mm-error" role="note">{escape(remark)}</p>' for remark in plan.remarks]
    if plan.fetched:
        lines = "\n".join(f"<li>{name(address)}</li>" for address in plan.fetched[:_MOST])
        lines += f"\n<li>{more}</li>" if (more := _more(plan)) else ""
        parts.append(f'<p class="mm-also">{_FETCHED}</p><ul class="mm-fetched">\n{lines}\n</ul>')
    parts += [skipped_html(plan.skipped, "would be skipped"), facts.html(details(plan))]
    return section("plan of indexing", "\n".join(filter(None, parts)), _STYLE)


def _table(kinds: Sequence[Planned]) -> str:
    head = "".join(
        f'<th scope="col"{" class=mm-n" * bool(place)}>{heading}</th>' for place, heading in enumerate(_HEADINGS)
    )
    rows = "\n".join(
        f'<tr class="mm-{escape(kind.modality)}"><th scope="row">{_NAMES[kind.modality]}</th>'
        + "".join(f'<td class="mm-n">{escape(cell)}</td>' for cell in _cells(kind))
        + "</tr>"
        for kind in kinds
    )
    return (
        '<div class="mm-scroll"><table class="mm-table mm-plan"><caption>estimated, by modality</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )


def text(plan: Plan) -> str:
    """Return the same for a terminal of 80 to 100 columns."""
    cost = estimate(plan)
    return plain.joined(
        plain.wrapped(totals(plan)),
        plain.wrapped(f"{cost}. {_DRY}" if cost else _DRY),
        _columns(plan.kinds),
        *(plain.wrapped(remark) for remark in plan.remarks),
        "\n".join([_FETCHED, *(f"  {line}" for line in _addresses(plan))]) if plan.fetched else "",
        pairs("would be skipped", [(s.source, s.reason) for s in plan.skipped]),
        plain.facts(details(plan)),
    )


def _addresses(plan: Plan) -> list[str]:
    more = _more(plan)
    return [*map(one_line, plan.fetched[:_MOST]), *([more] if more else [])]


def _more(plan: Plan) -> str:
    left = len(plan.fetched) - _MOST
    return f"and {left:,} more" if left > 0 else ""


def _columns(kinds: Sequence[Planned]) -> str:
    if not kinds:
        return ""
    rows = [list(_HEADINGS), *([_NAMES[kind.modality], *_cells(kind)] for kind in kinds)]
    widths = [max(plain.columns(row[place]) for row in rows) for place in range(len(_HEADINGS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
