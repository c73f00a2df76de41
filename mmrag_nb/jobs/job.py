"""One run of indexing that can be watched, waited for and stopped."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from importlib import import_module
from traceback import clear_frames
from typing import TYPE_CHECKING, ClassVar

from mmrag_nb.reports import IndexReport
from mmrag_nb.results import Shown

from .farewell import AT_WORK
from .metering import Meter
from .stopping import in_force

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmrag_nb.protocols import Progress

    from .line import Jobs

_LOG = logging.getLogger(__name__)
GLANCE = 0.5
"""Seconds; Windows does not interrupt a wait on a lock, so that Ctrl-C is noticed between two of them."""


@dataclass(frozen=True)
class Step:
    """How far a job is."""

    stage: str
    done: int
    total: int | None
    """``None`` while unknown."""
    meter: Meter
    """Of this stage: its rate, and the time that is left."""


class Job(Shown):
    """One run of ``index``, in a thread of its own or in the one that asked for it.

    Attributes
    ----------
    progress : Step or None
        How far it is; ``None`` before its first word.
    report : IndexReport or None
        What it did, once it is done; also where it was stopped or failed: what is counted there is in the index.
    error : BaseException or None
        Why it failed.
    begun, ended : float or None
        Seconds since the epoch.

    Examples
    --------
    >>> from mmrag_nb import MultimodalRAG
    >>> rag = MultimodalRAG(preset="offline")
    >>> job = rag.index_in_background([{"text": "The ferry leaves at noon."}])
    >>> job.wait()
    indexed 1 item (1 text): 1 embedded, 0 reused, 0 skipped, ...
    >>> job.state
    'done'
    """

    _renderer: ClassVar[str] = "mmrag_nb.notebook.render.job"

    def __init__(self, line: Jobs, work: Callable[[Job], None], progress: Progress | None = None) -> None:
        self._line, self._work, self._progress = line, work, progress
        self._stopping = in_force()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._followers: list[Callable[[Job], object]] = []
        self._meters: dict[str, Meter] = {}
        self.progress: Step | None = None
        self.report: IndexReport | None = None
        self.error: BaseException | None = None
        self.begun: float | None = None
        self.ended: float | None = None

    # -- to be watched ---------------------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._over.is_set()

    @property
    def state(self) -> str:
        """``waiting`` (for another job), ``running``, ``stopping``, ``done``, ``stopped`` or ``failed``."""
        if not self.done:
            return "stopping" if self._stopping.wished else "waiting" if self.begun is None else "running"
        if self.error is None:
            return "done"
        return "stopped" if isinstance(self.error, KeyboardInterrupt) else "failed"

    def follow(self, follower: Callable[[Job], object]) -> None:
        """Call ``follower`` at each step and when it is over, in the thread that works; at once if that has been."""
        with self._lock:
            if not self.done:
                self._followers.append(follower)
                return
        follower(self)

    # -- to be waited for and stopped ------------------------------------------------------------------------------

    def stop(self, *, now: bool = False) -> None:
        """Have it end after the batch in hand; ``now``, at its next step, without that. What was committed stays."""
        self._stopping.wish(now=now)
        self._line.look()

    def wait(self, timeout: float | None = None) -> IndexReport | None:
        """Wait until it is over, or for ``timeout`` seconds; ``None`` where it goes on. Ctrl-C ends the waiting alone.

        Raises
        ------
        Exception
            What made it fail. One that was stopped returns what it did.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while not self._over.wait(GLANCE if until is None else min(GLANCE, max(0.0, until - time.monotonic()))):
            if until is not None and time.monotonic() >= until:
                return None
        if self.error is not None and not isinstance(self.error, KeyboardInterrupt):
            raise self.error
        return self.report

    async def over(self) -> None:
        """Wait until it is over, while the event loop goes on. Cancelled, it stops first, after the batch in hand."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def tell(_: Job) -> None:
            if self.done:
                with suppress(RuntimeError):  # the loop is closed
                    loop.call_soon_threadsafe(ended.set)

        self.follow(tell)
        cancelled: asyncio.CancelledError | None = None
        while not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError as error:  # noqa: PERF203 - it may come twice
                self.stop(now=cancelled is not None)
                cancelled = error
        if cancelled is not None:
            raise cancelled

    # -- to be run -------------------------------------------------------------------------------------------------

    def start(self) -> Job:
        """Run in a thread of its own, which a Python that ends does not wait for."""
        self._line.join(self)
        AT_WORK.add(self)
        # in this context, as what is displayed there belongs to the cell that starts it
        run = copy_context().run
        threading.Thread(target=run, args=(self._run,), name="mmrag-index", daemon=True).start()
        return self

    def run(self) -> IndexReport:
        """Run in this thread.

        Raises
        ------
        Exception, KeyboardInterrupt
            Whatever ended it early.
        """
        try:
            self._line.join(self)
            self._run()
        finally:
            self._end()  # Ctrl-C may have come while it was ending
        if self.error is not None:
            raise self.error
        assert self.report is not None
        return self.report

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Note a step; a job is the :class:`~mmrag_nb.protocols.Progress` of what it runs."""
        self._stopping.step()
        meter = self._meters.setdefault(stage, Meter())
        meter.see(time.monotonic(), done)
        self.progress = Step(stage, done, total, meter)
        if self._progress is not None:
            self._progress(stage, done, total)
        self._tell()

    def _run(self) -> None:
        try:
            with self._stopping.heeded():
                self._line.turn(self)
                self.begun = time.time()
                self._work(self)
        except BaseException as error:  # noqa: BLE001 - kept, and raised where somebody waits
            self.error = error
            if isinstance(error, KeyboardInterrupt):
                clear_frames(error.__traceback__)  # what was in hand ends now, with the process that decodes it
        finally:
            self._end()

    def _end(self) -> None:
        if self.done:
            return
        self.ended = time.time()
        if self.report is None and isinstance(self.error, KeyboardInterrupt):
            self.report = IndexReport({}, 0, 0, 0, interrupted=True)
        self._line.leave(self)
        with self._lock:
            self._over.set()
        self._tell()
        AT_WORK.discard(self)

    def _tell(self) -> None:
        for follower in tuple(self._followers):
            try:
                follower(self)
            except Exception:  # noqa: BLE001, PERF203 - that it cannot be shown must not end it
                _LOG.exception("a job cannot be followed")
                self._followers.remove(follower)

    def _ipython_display_(self, **_: object) -> None:
        import_module("mmrag_nb.notebook.following").show(self)
