"""Whether an index is what was written, and what to do where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import plain
from .escape import escape, one_line
from .quantities import count, duration
from .style import section

if TYPE_CHECKING:
    from mmrag_nb.verification import Verification

_ONE = {"items": "item", "chunks": "chunk", "views": "view", "vectors": "vector", "previews": "preview"}


def totals(found: Verification) -> str:
    """Return ``lesson.mmrag is whole: 120 pages, 42 items, ...``, or how many problems there are."""
    which = found.path or "the index in memory"
    if not found.ok:
        return f"{which}: {count(len(found.problems), 'problem')}"
    looked = [count(found.pages, "page")] if found.pages else []
    looked += [count(n, _ONE[what]) for what, n in found.counts.items()]
    return f"{which} is whole: {', '.join([*looked, duration(found.seconds)])}"


def html(found: Verification) -> str:
    """Return a self-contained section."""
    parts = [f'<p class="mm-totals">{escape(totals(found))}</p>']
    if found.problems:
        rows = "\n".join(
            f'<tr><th scope="row">{escape(one.part)}</th><td dir="auto">{escape(one.what)}</td>'
            f'<td dir="auto">{escape(one.remedy)}</td></tr>'
            for one in found.problems
        )
        parts.append(
            '<div class="mm-scroll"><table class="mm-table"><caption>what is wrong</caption>\n'
            '<thead><tr><th scope="col">part</th><th scope="col">problem</th><th scope="col">what to do</th></tr>'
            f"</thead>\n<tbody>\n{rows}\n</tbody></table></div>"
        )
    parts += [f'<p class="mm-also">{escape(note)}</p>' for note in found.notes]
    return section("check of the index", "\n".join(parts))


def text(found: Verification) -> str:
    """Return the same for a terminal."""
    lines = []
    for one in found.problems:
        lines.append(plain.wrapped(f"{one.part}: {one_line(one.what)}", "  ", "    "))
        lines.append(plain.wrapped(one_line(one.remedy), "    "))
    notes = "\n".join(plain.wrapped(one_line(note)) for note in found.notes)
    return plain.joined(plain.wrapped(one_line(totals(found))), "\n".join(lines), notes)
