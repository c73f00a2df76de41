"""What a first question takes beyond the next ones, done in a thread of its own, while the user still types it."""

from __future__ import annotations

import atexit
import builtins
import importlib
import sys
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING

from .weights.hub import keeping_offline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .protocols import Progress

HEAD_START = 0.2
"""Seconds that the cell which opens an index has to end: while a library is linked, nothing else in Python runs."""
_NAME = "mmrag_nb warming"
_FAREWELL = 2.0
"""Seconds that Python's end waits for the step in hand: a library that is torn down while it loads can crash."""
_AT_WORK: weakref.WeakSet[Warming] = weakref.WeakSet()


class Warming:
    """A load in the background, begun at once.

    It downloads nothing, prints nothing and raises nothing: what cannot be loaded is told by the question that needs
    it, which tries again. A question that comes earlier waits for what is being loaded, and loads the rest itself.

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
        hurry()
        return self._over.wait(seconds)

    def _run(self) -> None:
        self._stopped.wait(self._after)
        _HURRY.clear()
        start = time.perf_counter()
        try:
            self._step()
            with keeping_offline(), _considerate():
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


_HURRY = threading.Event()
"""Set where somebody waits for a model."""
_SHARE = 0.25
"""Of the time that a load takes for itself while a cell runs: Python runs one thread at a time."""
_LONGEST = 0.2
"""Seconds that it steps back at most, at once."""


def hurry() -> None:
    """Have what loads in the background no longer step back for the running cell, which waits for it."""
    if not _is_warming():
        _HURRY.set()


def _is_warming() -> bool:
    return threading.current_thread().name == _NAME


@contextmanager
def _considerate() -> Iterator[None]:
    """Step back between two imports of this thread, of which there are thousands, while a cell of the user's runs."""
    finder = _Pause()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        with suppress(ValueError):
            sys.meta_path.remove(finder)


class _Pause(MetaPathFinder):
    """Finds no module, and takes its time: of each that is imported, import asks the finders of ``sys.meta_path``."""

    def __init__(self) -> None:
        self._thread, self._before = threading.get_ident(), time.monotonic()

    def find_spec(self, *_: object) -> None:
        if threading.get_ident() == self._thread:
            if in_kernel() and not _HURRY.is_set() and not self._awaited():
                _HURRY.wait(min(_LONGEST, (time.monotonic() - self._before) * (1 / _SHARE - 1)))
            self._before = time.monotonic()

    def _awaited(self) -> bool:
        """Whether another thread waits for a module that is being imported, most likely by this one."""
        # Python keeps it, to find deadlocks, and has no public name for it; without it, an import takes longer.
        waiting = getattr(importlib._bootstrap, "_blocking_on", {})  # noqa: SLF001
        return any(thread != self._thread for thread in tuple(waiting))


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
