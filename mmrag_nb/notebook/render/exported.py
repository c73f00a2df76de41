"""What was exported, and where to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import plain
from .escape import escape, one_line
from .plan import size
from .quantities import count, duration
from .report import counted
from .style import section

if TYPE_CHECKING:
    from mmrag_nb.reports import ExportReport

_OPENED = {
    "parquet": 'pandas.read_parquet(...), or datasets.load_dataset("parquet", data_files=...)',
    "datasets": "datasets.load_from_disk(...)",
}


def totals(report: ExportReport) -> str:
    """Return ``exported 42 items (30 images, 12 text) as 120 rows, 1.2 MB, 0.4 s``."""
    rows = count(report.rows, "row")
    return f"exported {counted(report.items)} as {rows}, {size(report.size)}, {duration(report.seconds)}"


def _rows(report: ExportReport) -> list[tuple[str, str]]:
    opened = _OPENED.get(report.form)
    return [
        ("where", report.path),
        ("form", report.form),
        *report.vectors.items(),
        *([("opened by", opened)] if opened else []),
    ]


def html(report: ExportReport) -> str:
    """Return a self-contained section."""
    body = "\n".join(
        f'<tr><th scope="row">{escape(what)}</th><td dir="auto">{escape(value)}</td></tr>'
        for what, value in _rows(report)
    )
    table = f'<table class="mm-table mm-pairs"><caption>export</caption>\n<tbody>\n{body}\n</tbody></table>'
    head = f'<p class="mm-totals">{escape(totals(report))}</p>'
    return section("export of the index", f'{head}<div class="mm-scroll">{table}</div>')


def text(report: ExportReport) -> str:
    """Return the same for a terminal."""
    rows = [(one_line(what), one_line(value)) for what, value in _rows(report)]
    width = max(plain.columns(what) for what, _ in rows) + 2
    return plain.joined(
        plain.wrapped(totals(report)), "\n".join(f"{plain.padded(what, width)}{value}" for what, value in rows)
    )
