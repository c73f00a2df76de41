"""An iteration that can be stopped at once, from another thread, however long its next piece takes."""

from __future__ import annotations

import queue
from contextvars import copy_context
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mmrag_nb.generation.attempts import give_up_when

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


class Stoppable(Generic[T]):
    """What ``pieces`` yields, up to its end or :meth:`stop`.

    A thread waits for the pieces. Stopped, it leaves a provider at once, and closes ``pieces``.
    """

    def __init__(self, pieces: Iterator[T]) -> None:
        self._pieces = pieces
        self._come: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._stopped = Event()
        run = copy_context().run
        Thread(target=run, args=(self._work,), name="mmrag-ask", daemon=True).start()

    @property
    def stopped(self) -> bool:
        """Whether it was stopped."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """End the iteration, also where its next piece is still waited for."""
        self._stopped.set()
        self._come.put(("stopped", None))

    def _work(self) -> None:
        give_up_when(self._stopped)  # in the context that is this thread's own
        try:
            for piece in self._pieces:
                self._come.put(("piece", piece))
                if self._stopped.is_set():
                    break
            if hasattr(self._pieces, "close"):
                self._pieces.close()
            self._come.put(("end", None))
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread
            self._come.put(("error", error))

    def __iter__(self) -> Iterator[T]:
        while not self._stopped.is_set():
            kind, what = self._come.get()
            if kind == "error":
                raise what
            if kind != "piece":
                return
            yield what
