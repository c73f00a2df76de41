"""What a first question takes beyond the next ones, done in a thread of its own, while the user still types it."""

from __future__ import annotations

import atexit
import builtins
import threading
import time
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING

from .weights.hub import keeping_offline

if TYPE_CHECKING:
    from collections.abc import Callable

    from .protocols import Progress

HEAD_START = 0.2
"""Seconds that the cell which opens an index has to end: while a library is linked, nothing else in Python runs."""
_NAME = "mmrag_nb warming"
_FAREWELL = 2.0
"""Seconds that Python's end waits for the step in hand: a library that is torn down while it loads can crash."""
_AT_WORK: weakref.WeakSet[Warming] = weakref.WeakSet()


class Warming:
    """A load in the background, begun at once.

    It downloads nothing, prints nothing, raises nothing and leaves the index alone, whose connection serves one thread
    at a time: what cannot be loaded is told by the question that needs it, which tries again. A question that comes
    earlier waits for what is being loaded, and loads the rest itself.

    Parameters
    ----------
    load
        Loads; told of each step by calling what it is given, which may end it there.
    after
        Seconds to wait before it begins.
    """

    def __init__(self, load: Callable[[Progress], None], after: float = 0.0) -> None:
        self._load, self._after = load, after
        self._stopped, self._over = threading.Event(), threading.Event()
        self.error: Exception | None = None
        """Why not all of it was loaded."""
        self.seconds = 0.0
        """What it took."""
        _AT_WORK.add(self)
        threading.Thread(target=self._run, name=_NAME, daemon=True).start()

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._over.is_set()

    def stop(self) -> None:
        """End it at its next step."""
        self._stopped.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is over, so many seconds at most; returns whether it is."""
        return self._over.wait(seconds)

    def _run(self) -> None:
        self._stopped.wait(self._after)
        start = time.perf_counter()
        try:
            self._step()
            with keeping_offline():
                self._load(self._step)
        except _Stop:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, the question that needs it meets it again
            self.error = error.with_traceback(None)  # whose frames would keep what they held
        finally:
            self.seconds = time.perf_counter() - start
            del self._load
            self._over.set()

    def _step(self, stage: str = "", done: int = 0, total: int | None = None) -> None:  # noqa: ARG002 - Progress
        if self._stopped.is_set():
            raise _Stop


class _Stop(BaseException):
    """No error: a load that takes errors for reasons to go on must not go on."""


def in_kernel() -> bool:
    """Whether this runs in a cell of a notebook, where somebody will type before there is the next one."""
    shell = getattr(builtins, "get_ipython", lambda: None)()  # there while a cell runs
    return getattr(shell, "kernel", None) is not None


@atexit.register
def _farewell() -> None:
    for one in (loads := list(_AT_WORK)):
        one.stop()
    until = time.monotonic() + _FAREWELL
    for one in loads:
        with suppress(Exception):
            one.wait(max(0.0, until - time.monotonic()))
