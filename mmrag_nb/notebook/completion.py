"""Tab completes the flags of our magics."""

from __future__ import annotations

from typing import Any

from .arguments import flags


def complete(shell: Any, event: Any) -> list[str]:
    """IPython's ``complete_command`` hook: flags where a dash was typed; files and names are left to IPython."""
    if not event.symbol.startswith("-"):
        return []
    command = event.command.lstrip("%")
    magic = shell.find_line_magic(command) or shell.find_cell_magic(command)
    return sorted(flags(magic)) if magic else []
