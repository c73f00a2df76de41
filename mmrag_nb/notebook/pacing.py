"""What changes quickly, shown at a pace that an eye can follow."""

from __future__ import annotations

import time
from contextvars import copy_context
from threading import Lock, Timer
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

INTERVAL = 0.1
"""Seconds between two updates: what an eye can follow, and a saved notebook's message log can bear."""


class Paced(Generic[T]):
    """Calls ``show`` with the newest that it was given, every ``interval`` seconds at most.

    What comes too early is shown later, also where nothing comes after it: a server may pause for long.
    """

    def __init__(self, show: Callable[[T], None], interval: float = INTERVAL) -> None:
        self._show, self._interval = show, interval
        self._lock = Lock()
        self._timer: Timer | None = None
        self._waiting: list[T] = []
        self._last = float("-inf")

    def __call__(self, what: T) -> None:
        """Show ``what``, now or soon."""
        with self._lock:
            early = self._last + self._interval - time.monotonic()
            if early <= 0:
                self._now(what)
                return
            self._waiting = [what]
            if self._timer is None:
                # in this context, as what is displayed there belongs to the running cell
                self._timer = Timer(early, copy_context().run, (self._late,))
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        """Show nothing more."""
        with self._lock:
            self._waiting = []
            if self._timer is not None:
                self._timer.cancel()

    def _late(self) -> None:
        with self._lock:
            self._timer = None
            for what in self._waiting:
                self._now(what)

    def _now(self, what: T) -> None:
        self._waiting = []
        self._show(what)
        self._last = time.monotonic()
