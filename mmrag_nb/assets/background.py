"""English lines of everyday questions, captions and statements: what arbitrary text looks like."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def background() -> tuple[str, ...]:
    """All lines: first questions, then captions, then statements (about 2 : 1 : 1), each of them once."""
    return tuple(files(__package__).joinpath("background.txt").read_text(encoding="utf-8").splitlines())


@cache
def queries(n: int = 100) -> tuple[str, ...]:
    """Spread ``n`` picks evenly over the lines, so that questions, captions and statements keep their shares.

    The same ``n`` always gives the same lines; more than there are gives all.
    """
    lines = background()
    n = min(n, len(lines))
    return tuple(lines[i * len(lines) // n] for i in range(n))
