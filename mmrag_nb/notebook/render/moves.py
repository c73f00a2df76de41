"""Places won and lost, as an arrow that is read out in words."""

from __future__ import annotations

from .quantities import count


def arrow(places: int | None) -> str:
    """Return ``▲3`` for three places won, ``▼1`` for one lost; empty for none."""
    return f"{'▲' if places > 0 else '▼'}{abs(places):,}" if places else ""


def html(places: int | None) -> str:
    """Return the arrow for a page: ``up 3 places`` to those who listen."""
    if not places:
        return ""
    way = f"{'up' if places > 0 else 'down'} {count(abs(places), 'place')}"
    return f'<span class="mm-move" role="img" aria-label="{way}">{arrow(places)}</span>'
