"""A wish that indexing should end, heeded between its steps."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Stopped(KeyboardInterrupt):
    """A run ended because it was asked to; like Ctrl-C, it passes whatever handles errors."""


class Stopping:
    """A wish that a run should end, from whichever thread."""

    def __init__(self) -> None:
        self._wished, self._pressing = threading.Event(), threading.Event()

    def wish(self, *, now: bool = False) -> None:
        """End it after the batch in hand; ``now``, at its next step, so that this batch is lost."""
        self._wished.set()
        if now:
            self._pressing.set()

    @property
    def wished(self) -> bool:
        """Whether it is to end."""
        return self._wished.is_set()

    def step(self) -> None:
        """Go on within a batch, or raise :class:`Stopped`."""
        if self._pressing.is_set():
            raise Stopped

    def leave_off(self) -> None:
        """Go on between two batches, or raise :class:`Stopped`."""
        if self._wished.is_set():
            raise Stopped

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Have what is indexed within the block end when this is wished."""
        token = _here.set(self)
        try:
            yield
        finally:
            _here.reset(token)


_here: ContextVar[Stopping | None] = ContextVar("stopping", default=None)


def in_force() -> Stopping:
    """The wish that this context heeds; a new one where there is none yet."""
    return _here.get() or Stopping()


def leave_off() -> None:
    """End the run that this context belongs to, if that is wished. To be called where nothing is in hand.

    Raises
    ------
    Stopped
        It is.
    """
    if (stopping := _here.get()) is not None:
        stopping.leave_off()
