"""What making an index compact has gained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import plain
from .escape import escape, one_line
from .plan import size
from .quantities import count, duration
from .style import section

if TYPE_CHECKING:
    from mmrag_nb.verification import Compaction


def totals(made: Compaction) -> str:
    """Return ``lesson.mmrag: 12 MB before, 9.1 MB now; 3 vectors that nothing referred to are gone, 0.4 s``."""
    gone = f"; {count(made.orphans, 'vector')} that nothing referred to {'is' if made.orphans == 1 else 'are'} gone"
    sizes = f"{size(made.before)} before, {size(made.after)} now"
    return f"{made.path or 'the index in memory'}: {sizes}{gone if made.orphans else ''}, {duration(made.seconds)}"


def html(made: Compaction) -> str:
    """Return a self-contained section."""
    return section("compaction of the index", f'<p class="mm-totals">{escape(totals(made))}</p>')


def text(made: Compaction) -> str:
    """Return the same for a terminal."""
    return plain.wrapped(one_line(totals(made)))
