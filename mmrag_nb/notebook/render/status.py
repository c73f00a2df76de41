"""Where an index stands: its file, what is in it, which models are chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import job as jobs
from . import plain
from .escape import escape, one_line
from .quantities import count
from .report import counted
from .style import section

if TYPE_CHECKING:
    from mmrag_nb.jobs.line import Jobs
    from mmrag_nb.reports import Status


def _rows(status: Status) -> list[tuple[str, str]]:
    contents = f"{counted(status.items)}, {count(status.chunks, 'chunk')}" if any(status.items.values()) else "empty"
    vectors = [("vectors", f"{n:,} in {space}") for space, n in status.vectors.items()]
    return [("index", status.path), ("contents", contents), *vectors, *status.settings.items()]


def of_jobs(line: Jobs) -> dict[str, str]:
    """Return what is being indexed, what waits to be, and how the last run ended."""
    here = list(line)
    rows = {}
    if here:
        rows["indexing now"] = " · ".join(filter(None, [jobs.told(here[0]), jobs.since(here[0])]))
    if len(here) > 1:
        rows["waiting"] = f"{count(len(here) - 1, 'other run')} of indexing"
    if (last := line.last) is not None and (last.report is not None or last.error is not None):
        rows["indexed last"] = " · ".join(filter(None, [jobs.told(last), jobs.since(last)]))
    return rows


def html(status: Status) -> str:
    """Return a self-contained section."""
    body = "\n".join(
        f'<tr><th scope="row">{escape(what)}</th><td>{escape(value)}</td></tr>' for what, value in _rows(status)
    )
    table = f'<table class="mm-table mm-pairs"><caption>status</caption>\n<tbody>\n{body}\n</tbody></table>'
    return section("status of the index", f'<div class="mm-scroll">{table}</div>')


def text(status: Status) -> str:
    """Return the same for a terminal."""
    rows = [(one_line(what), one_line(value)) for what, value in _rows(status)]
    width = max(plain.columns(what) for what, _ in rows) + 2
    return "\n".join(f"{plain.padded(what, width)}{value}" for what, value in rows)
