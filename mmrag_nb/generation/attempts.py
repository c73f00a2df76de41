"""Ask a server again while that makes sense, never beyond a deadline, and take its reply piece by piece.

The providers' SDKs can retry by themselves; none does what is needed. google-genai gives each attempt the whole
timeout (a hanging server costs attempts x timeout), retries neither reset connections nor after the time the server
asked for; google.api_core counts seconds but no attempts; openai waits at most 8 s whatever the server asks for. All
measure a timeout between two bytes, so that a dripping server holds them for ever. So tenacity decides when to go
again, and the SDK works in a thread that is left behind when time is up.
"""

from __future__ import annotations

import queue
import threading
import time
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from tenacity import RetryCallState

T = TypeVar("T")
_END = object()
_GLANCE = 0.5  # seconds; Windows does not interrupt a wait on a lock, so that Ctrl-C is noticed between two of them
_here = threading.local()
_given_up: ContextVar[threading.Event | None] = ContextVar("given_up", default=None)


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed, in no SDK's words. Holds no exception: those hold requests, and these hold keys."""

    message: str
    status: int | None = None
    """HTTP status; ``None`` where there was no reply."""
    again: bool = False
    """Whether another attempt can help."""
    wait: float | None = None
    """Seconds that the server asked to wait."""
    timed_out: bool = False
    tries: int = 1


class _Failed(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def persist(
    start: Callable[[float], Iterator[T]],
    judge: Callable[[BaseException], Failure],
    *,
    attempts: int,
    seconds: float,
    delay: float,
) -> Generator[T | Failure, None, None]:
    """Start until a first piece comes, another attempt is pointless, ``attempts`` are used up or ``seconds`` are over.

    Once a piece has come nothing is tried again: it has been shown. Closed early, the thread stops at its next piece,
    or at once where ``start`` told how to hang up (:func:`when_left`).

    Parameters
    ----------
    start : callable
        Takes the seconds that are left; runs, with the iteration of what it returns, in a thread of its own, which is
        left behind if it overruns.
    judge : callable
        Turns what that raised into a failure.
    attempts : int
        At most so many starts.
    seconds : float
        For everything together, the last piece included.
    delay : float
        Seconds before the second attempt, doubled each time, shortened at random by up to a half so that many
        clients do not return at once. A server's own wish (``Failure.wait``) takes its place, and is kept to: up to
        ``delay`` seconds are added to it at random.

    Yields
    ------
    T or Failure
        The pieces; last, where it failed, the failure. Yielded, not raised, so that nobody's traceback leads to the
        request.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_before_delay

    deadline = time.monotonic() + seconds
    given_up = _given_up.get()
    retrying = Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, _Failed) and error.failure.again),
        stop=stop_after_attempt(attempts) | stop_before_delay(seconds),
        wait=_pause(delay),
        sleep=_sleep(given_up),
        reraise=True,
    )
    flow, tries = None, 0
    try:
        for attempt in retrying:
            tries += 1
            with attempt:
                _go_on_unless(given_up)
                flow = _Flow(start, judge, deadline, seconds, given_up)
                piece = flow.take()
        assert flow is not None
        while piece is not _END:
            yield piece
            piece = flow.take()
    except _Failed as failed:
        yield replace(failed.failure, tries=tries)
    finally:
        if flow is not None:
            flow.leave()


def give_up_when(event: threading.Event) -> None:
    """Give up what this context and those copied from it wait for, once ``event`` is set: its asker has gone."""
    _given_up.set(event)


def _sleep(given_up: threading.Event | None) -> Callable[[float], None]:
    def sleep(seconds: float) -> None:
        if given_up is None:
            time.sleep(seconds)  # Ctrl-C ends it on Windows, too
        else:
            given_up.wait(seconds)

    return sleep


def _go_on_unless(given_up: threading.Event | None) -> None:
    if given_up is not None and given_up.is_set():
        raise _Failed(Failure("nobody waits for the answer any more"))


def when_left(act: Callable[[], object]) -> None:
    """Have ``act`` done as soon as nobody waits for the calling thread's pieces any more: to hang up, for example.

    A thread that waits for a server's next byte notices nothing else. ``act`` is called from another thread, perhaps
    twice; that the connection is closed already is no error. Outside of what :func:`persist` starts it is never called.
    """
    flow = getattr(_here, "flow", None)
    if flow is not None:
        flow.when_left(act)


def _pause(delay: float) -> Callable[[RetryCallState], float]:
    from tenacity import wait_exponential, wait_random

    growing, shortened, added = wait_exponential(multiplier=delay), wait_random(0.5, 1), wait_random(0, delay)

    def seconds(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.failure.wait if isinstance(error, _Failed) else None
        return growing(state) * shortened(state) if asked is None else asked + added(state)

    return seconds


class _Flow(Generic[T]):
    """An iteration in a thread of its own, its pieces handed over one by one, up to a deadline."""

    def __init__(
        self,
        start: Callable[[float], Iterator[T]],
        judge: Callable[[BaseException], Failure],
        deadline: float,
        seconds: float,
        given_up: threading.Event | None,
    ) -> None:
        self._judge, self._deadline, self._given_up = judge, deadline, given_up
        self._late = Failure(f"no whole reply within {seconds:g} s", timed_out=True)
        self._pieces: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._left = threading.Event()
        self._farewells: list[Callable[[], object]] = []
        threading.Thread(target=self._work, args=(start,), name="mmrag-generate", daemon=True).start()

    def _work(self, start: Callable[[float], Iterator[T]]) -> None:
        _here.flow = self
        try:
            pieces = start(self._deadline - time.monotonic())
            last: Any = _END
            for piece in pieces:
                if self._left.is_set():
                    break
                if time.monotonic() > self._deadline:  # a server without end must not keep up with its reader for ever
                    last = _Failed(self._late)
                    break
                self._pieces.put(piece)
            if hasattr(pieces, "close"):
                pieces.close()
            self._pieces.put(last)
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread, without what it refers to
            self._pieces.put(_Failed(self._judged(error)))
        finally:
            self._farewells.clear()

    def _judged(self, error: BaseException) -> Failure:
        try:
            return self._judge(error)
        except Exception as odd:  # noqa: BLE001 - else nobody would be told, and the wait would last to the deadline
            return Failure(f"the failure cannot be read ({type(error).__name__}, {type(odd).__name__})")

    def take(self) -> Any:
        """Return the next piece, or ``_END``."""
        while True:
            left = self._deadline - time.monotonic()
            _go_on_unless(self._given_up)
            try:
                piece = self._pieces.get(timeout=min(_GLANCE, max(0.0, left)))
            except queue.Empty:
                if left > 0:
                    continue
                self.leave()
                raise _Failed(self._late) from None
            if isinstance(piece, _Failed):
                raise piece
            return piece

    def when_left(self, act: Callable[[], object]) -> None:
        self._farewells.append(act)
        if self._left.is_set():
            self.leave()

    def leave(self) -> None:
        self._left.set()
        for act in tuple(self._farewells):
            with suppress(Exception):  # whatever it says, nobody is there to hear it
                act()


def within(seconds: float, call: Callable[[], Any]) -> tuple[bool, Any]:
    """``(True, result or exception)`` of ``call``, or ``(False, None)`` where it took longer than ``seconds``."""
    outcome: list[Any] = []

    def work() -> None:
        try:
            outcome.append(call())
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread
            outcome.append(error)

    thread = threading.Thread(target=work, name="mmrag-generate", daemon=True)
    thread.start()
    thread.join(max(0.0, seconds))
    return (True, outcome[0]) if outcome else (False, None)
