"""What was imported, how it was checked, and what was left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import facts, plain
from .escape import escape, name, one_line
from .quantities import count, duration
from .report import counted, pairs, skipped_html
from .style import section

if TYPE_CHECKING:
    from mmrag_nb.reports import ImportReport


def totals(report: ImportReport) -> str:
    """Return ``imported 42 items (42 images): 40 added, 2 there already, 1 row left out (see below), 0.4 s``."""
    parts = [f"{report.added:,} added", f"{report.reused:,} there already"]
    if report.skipped:
        parts.append("some rows left out (see below)")
    if report.seconds:
        parts.append(duration(sum(report.seconds.values())))
    return f"imported {counted(report.items)}: {', '.join(parts)}"


def _check(report: ImportReport) -> str:
    return f"Vectors: {one_line(report.agreement)}" if report.agreement else ""


def _details(report: ImportReport) -> list[str]:
    spaces = [f"{count(n, 'vector')} in {space}" for space, n in report.spaces.items()]
    return [*spaces, *report.models, *facts.times(report.seconds)]


def html(report: ImportReport) -> str:
    """Return a self-contained section."""
    parts = [f'<p class="mm-totals">{escape(totals(report))}</p>']
    if said := _check(report):
        parts.append(f'<p dir="auto">{escape(said)}</p>')
    parts.append(skipped_html(report.skipped, "left out"))
    if report.notes:
        lines = "\n".join(f"<li>{name(what)}: {escape(remark)}</li>" for what, remark in report.notes)
        parts.append(
            f"<details open><summary>{count(len(report.notes), 'note')}</summary><ul>\n{lines}\n</ul></details>"
        )
    parts.append(facts.html(_details(report)))
    return section("import into the index", "\n".join(filter(None, parts)))


def text(report: ImportReport) -> str:
    """Return the same for a terminal of 80 to 100 columns."""
    return plain.joined(
        plain.wrapped(totals(report)),
        plain.wrapped(_check(report)) if report.agreement else "",
        pairs("left out", [(s.source, s.reason) for s in report.skipped]),
        pairs(count(len(report.notes), "note"), report.notes) if report.notes else "",
        plain.facts(_details(report)),
    )
