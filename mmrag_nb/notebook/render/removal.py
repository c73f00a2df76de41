"""What was taken out of the index, or would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import plain
from .escape import escape, name, one_line
from .quantities import count
from .report import counted
from .style import section

if TYPE_CHECKING:
    from mmrag_nb.reports import Removal

_LISTED = 20
"""Items that are named; the rest is counted."""


def totals(removal: Removal) -> str:
    """Return ``removed 3 items (2 images, 1 text) with 7 chunks; 39 items (…) stay``."""
    kinds: dict[str, int] = {}
    for item in removal.items:
        kinds[item.modality] = kinds.get(item.modality, 0) + 1
    chunks = count(sum(removal.chunks.values()), "chunk")
    if removal.closed:
        stays = f"{one_line(removal.closed)} is closed and stays as it is: {counted(kinds)}, {chunks}"
        return f"started over with an empty index in memory; {stays}"
    what = f"{counted(kinds)} with {chunks}"
    if not removal.items:
        return "the index is empty, in memory"
    stay = f"{counted(removal.left)} stay" if removal.left else "the index is empty"
    if removal.dry_run:
        return f"would remove {what}; " + (stay.replace(" stay", " would stay") if removal.left else "none would stay")
    return f"removed {what}; {stay}"


def html(removal: Removal) -> str:
    """Return a self-contained section."""
    parts = [f'<p class="mm-totals">{escape(totals(removal))}</p>']
    if removal.dry_run:
        parts.append('<p class="mm-gap">Dry run: nothing was removed.</p>')
    if removal.items and not removal.closed:
        rows = "\n".join(
            f'<tr class="mm-{escape(item.modality)}"><th scope="row">{name(item.name, item.uri)}</th>'
            f'<td class="mm-kind">{escape(item.modality)}</td>'
            f'<td class="mm-n">{removal.chunks.get(item.id, 0):,}</td><td dir="auto">{escape(item.uri)}</td></tr>'
            for item in removal.items[:_LISTED]
        )
        caption = "would be removed" if removal.dry_run else "removed"
        parts.append(
            f'<div class="mm-scroll"><table class="mm-table"><caption>{caption}</caption>\n'
            '<thead><tr><th scope="col">item</th><th scope="col">modality</th><th scope="col" class="mm-n">chunks</th>'
            f'<th scope="col">where it came from</th></tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>'
        )
        if more := _more(removal):
            parts.append(f'<p class="mm-also">{more}</p>')
    return section("removal from the index", "\n".join(parts))


def text(removal: Removal) -> str:
    """Return the same for a terminal of 80 to 100 columns."""
    lines = []
    if not removal.closed:
        for item in removal.items[:_LISTED]:
            where = "" if item.uri == item.name else f" ({one_line(item.uri)})"
            chunks = count(removal.chunks.get(item.id, 0), "chunk")
            lines.append(plain.wrapped(f"  {one_line(item.name)}{where}, {item.modality}, {chunks}", "", "    "))
        lines += [f"  {_more(removal)}"] if _more(removal) else []
    dry = "Dry run: nothing was removed." if removal.dry_run else ""
    return plain.joined(plain.wrapped(totals(removal)), dry, "\n".join(lines))


def _more(removal: Removal) -> str:
    rest = len(removal.items) - _LISTED
    return f"and {rest:,} more" if rest > 0 and not removal.closed else ""
