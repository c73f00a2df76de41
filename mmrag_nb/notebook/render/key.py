"""Whose key is known, and where it is kept; never the key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .escape import escape, one_line
from .style import section

if TYPE_CHECKING:
    from mmrag_nb.notebook.magics.key import KeyState


def html(state: KeyState) -> str:
    """Return a self-contained section."""
    return section("key", f'<p class="mm-totals"><b>{escape(state.provider)} key</b>: {escape(state.where)}</p>')


def text(state: KeyState) -> str:
    """Return the same for a terminal."""
    return one_line(f"{state.provider} key: {state.where}")
