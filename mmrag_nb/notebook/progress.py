"""One line that says what is going on, updated in place and gone when the work is done."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from IPython.display import clear_output, display

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_INTERVAL = 0.1
"""Seconds between updates: what an eye can follow, and a saved notebook's message log can bear."""


class ProgressLine:
    """Shows :class:`~mmrag_nb.protocols.Progress` in a notebook, or on a terminal's standard error.

    Parameters
    ----------
    shell
        The running IPython shell.
    owns_cell
        Whether all of the cell's output is ours, as in a cell magic: then the line leaves no trace.
    """

    def __init__(self, shell: Any, *, owns_cell: bool) -> None:
        self._kernel = hasattr(shell, "kernel")
        self._owns_cell = owns_cell
        self._handle: Any = None
        self._last = 0.0
        self._width = 0

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Show that ``done`` of ``total`` are through; too frequent calls are dropped."""
        now = time.monotonic()
        if now - self._last < _INTERVAL and not stage.startswith("loading"):
            return
        self._last = now
        count = f" ({done} of {total})" if total else f" ({done} so far)" if done else ""
        self._show(f"{stage}{count} …")

    def _show(self, line: str) -> None:
        if self._kernel:
            # A plain mapping is shown as it is: no object of display's can take a file's name for a file to read.
            bundle = {"text/plain": line}
            if self._handle is None:
                self._handle = display(bundle, raw=True, display_id=True)
            else:
                self._handle.update(bundle, raw=True)
        elif sys.stderr.isatty():
            line = line[:100]
            sys.stderr.write(f"\r{line.ljust(self._width)}")
            sys.stderr.flush()
            self._width = len(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._handle is not None and self._owns_cell:
            clear_output(wait=True)
        elif self._handle is not None:
            self._handle.update({"text/plain": ""}, raw=True)
        elif self._width:
            sys.stderr.write(f"\r{' ' * self._width}\r")
