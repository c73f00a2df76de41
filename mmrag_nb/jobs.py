"""Indexing that can be watched, waited for and stopped, one job after the other on one index."""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
import time
import weakref
from collections import deque
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from importlib import import_module
from traceback import clear_frames
from typing import TYPE_CHECKING, ClassVar

from .errors import MMRagError
from .reports import IndexReport
from .results import Shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .protocols import Progress

_LOG = logging.getLogger(__name__)
WAITING = "waiting for what is being indexed"
"""Stage of a job while another one is at work on the index."""
_GLANCE = 0.5
"""Seconds; Windows does not interrupt a wait on a lock, so that Ctrl-C is noticed between two of them."""
_FAREWELL = 3.0
"""Seconds that Python's end waits for jobs to leave what they have in hand; Jupyter's patience is five."""
_WINDOW = 15.0
"""Seconds over which a rate is taken: short enough to follow a change, long enough to be calm."""
_TOLD_AFTER = 1.0
"""Seconds of a stage before its rate says anything."""


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


def leave_off() -> None:
    """End the run that this context belongs to, if that is wished. To be called where nothing is in hand.

    Raises
    ------
    Stopped
        It is.
    """
    if (stopping := _here.get()) is not None:
        stopping.leave_off()


class Meter:
    """How fast one stage goes, and how long it will take.

    Rates are taken over the last seconds, between the moments at which something was finished: work that is done in
    batches stands still between them, and neither the rate nor the time left should swing with that.
    """

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def see(self, now: float, done: int) -> None:
        """Note that ``done`` are through at ``now``, seconds of a clock that never goes back."""
        if self._marks and done < self._marks[-1][1]:
            self._marks.clear()
        if not self._marks or done > self._marks[-1][1]:
            self._marks.append((now, done))
        while len(self._marks) > 2 and now - self._marks[1][0] > _WINDOW:
            self._marks.popleft()

    def rate(self) -> float | None:
        """How many are finished in a second; ``None`` before that can be told."""
        marks = tuple(self._marks)  # another thread may be adding to them
        if len(marks) < 2:
            return None
        (start, first), (end, last) = marks[0], marks[-1]
        return (last - first) / (end - start) if end - start >= _TOLD_AFTER else None

    def left(self, now: float, total: int) -> float | None:
        """Seconds until ``total`` are through; ``None`` before that can be told."""
        rate = self.rate()
        if rate is None:
            return None
        at, done = self._marks[-1]
        return max(0.0, (total - done) / rate - (now - at))


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
        self._stopping = _here.get() or Stopping()
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
        while not self._over.wait(_GLANCE if until is None else min(_GLANCE, max(0.0, until - time.monotonic()))):
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
        _at_work.add(self)
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
        _at_work.discard(self)

    def _tell(self) -> None:
        for follower in tuple(self._followers):
            try:
                follower(self)
            except Exception:  # noqa: BLE001, PERF203 - that it cannot be shown must not end it
                _LOG.exception("a job cannot be followed")
                self._followers.remove(follower)

    def _ipython_display_(self, **_: object) -> None:
        import_module("mmrag_nb.notebook.following").show(self)


class Jobs:
    """The jobs on one index: one is at work, others wait in the order in which they came."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._line: list[Job] = []
        self.last: Job | None = None
        """The one that ended last."""

    def __iter__(self) -> Iterator[Job]:
        """Those that are not over, the one at work first."""
        with self._changed:
            return iter(tuple(self._line))

    def __len__(self) -> int:
        return len(self._line)

    def stop(self, *, now: bool = False) -> None:
        """Have all of them end, see :meth:`Job.stop`."""
        for job in reversed(list(self)):  # else the next would begin
            job.stop(now=now)

    def must_be_over(self, what: str) -> None:
        """Refuse ``what`` while a job is at work.

        Raises
        ------
        MMRagError
            One is.
        """
        if len(self):
            raise MMRagError(
                f"the index is being filled in the background, so it cannot {what}: wait (%mmrag_status tells how far "
                "it is), or %mmrag_stop"
            )

    # -- what jobs call --------------------------------------------------------------------------------------------

    def join(self, job: Job) -> None:
        """Take a place in the line."""
        with self._changed:
            self._line.append(job)

    def turn(self, job: Job) -> None:
        """Wait until it is the turn of ``job``.

        Raises
        ------
        Stopped
            It is to end before that.
        """
        while True:
            with self._changed:
                if self._line[0] is not job and job.state == "waiting":
                    self._changed.wait(_GLANCE)
                waits = self._line[0] is not job
            leave_off()
            if not waits:
                return
            job(WAITING, 0, None)

    def look(self) -> None:
        """Have those that wait see what has changed."""
        with self._changed:
            self._changed.notify_all()

    def leave(self, job: Job) -> None:
        """Make room for the next."""
        with self._changed:
            if job in self._line:
                self._line.remove(job)
                self.last = job
            self._changed.notify_all()


_at_work: weakref.WeakSet[Job] = weakref.WeakSet()


@atexit.register
def _farewell() -> None:
    """Have the jobs in the background end with Python: at their next step, so that no thread dies within a commit."""
    for job in (jobs := list(_at_work)):
        job.stop(now=True)
    until = time.monotonic() + _FAREWELL
    for job in jobs:
        with suppress(Exception):  # told already
            job.wait(max(0.0, until - time.monotonic()))
