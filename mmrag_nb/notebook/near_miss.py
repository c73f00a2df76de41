"""A misspelt magic: IPython says that there is none of that name, and this names the one that was meant."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from mmrag_nb.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

_OURS = "mmrag_"
_NOT_FOUND = re.compile(r"`(%%?)(\w+)` not found\.")


def near_miss(shell: Any) -> Callable[[Any], None]:
    """Make the callback for ``post_run_cell``: there is no hook where IPython looks a magic up."""

    def tell(result: Any) -> None:
        found = _NOT_FOUND.search(str(result.error_in_exec)) if isinstance(result.error_in_exec, UsageError) else None
        if found is None:
            return
        escape, name = found.groups()
        table = shell.magics_manager.magics["cell" if escape == "%%" else "line"]
        ours = {one.removeprefix(_OURS): one for one in table if one.startswith(_OURS)}
        # What all of ours begin with says nothing of which is meant.
        near = nearest(name.removeprefix(_OURS), ours, cutoff=0.6 if name.startswith(_OURS) else 0.8)
        near = ours.get(near) or nearest(name, ours.values(), cutoff=0.8)
        if near:
            print(f"did you mean {escape}{near}?", file=sys.stderr)  # noqa: T201 - a line below IPython's own

    return tell
