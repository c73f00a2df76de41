"""Where an index stands: its file, what is in it, which models are chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import plain
from .escape import escape, one_line
from .quantities import count
from .report import counted
from .style import section

if TYPE_CHECKING:
    from mmrag_nb.reports import Status


def _rows(status: Status) -> list[tuple[str, str]]:
    contents = f"{counted(status.items)}, {count(status.chunks, 'chunk')}" if any(status.items.values()) else "empty"
    vectors = [("vectors", f"{n:,} in {space}") for space, n in status.vectors.items()]
    return [("index", status.path), ("contents", contents), *vectors, *status.settings.items()]


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
