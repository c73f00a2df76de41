"""Ask a server again while that makes sense, and never beyond a deadline.

Both of Google's SDKs can retry by themselves; neither does what is needed. google-genai gives each attempt the whole
timeout (a hanging server costs attempts x timeout), retries neither reset connections nor after the time the server
asked for; google.api_core counts seconds but no attempts. Both measure a timeout between two bytes, so that a
dripping server holds them for ever.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


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


def persist(
    call: Callable[[float], T],
    judge: Callable[[BaseException], Failure],
    *,
    attempts: int,
    seconds: float,
    delay: float,
) -> T | Failure:
    """Call until it works, another attempt is pointless, ``attempts`` are used up or ``seconds`` are over.

    Parameters
    ----------
    call : callable
        Takes the seconds that are left; runs in a thread of its own, which is left behind if it overruns.
    judge : callable
        Turns what ``call`` raised into a failure.
    attempts : int
        At most so many calls.
    seconds : float
        For everything together.
    delay : float
        Seconds before the second attempt, doubled each time, shortened at random by up to a half so that many
        clients do not return at once. A server's own wish (``Failure.wait``) takes its place.

    Returns
    -------
    T or Failure
        Returned, not raised, so that nobody's traceback leads to the request.
    """
    deadline = time.monotonic() + seconds
    tries = 0
    while True:
        tries += 1
        left = deadline - time.monotonic()
        done, value = within(left, lambda left=left: call(left))  # type: ignore[misc]
        if not done:
            return Failure(f"no reply within {seconds:g} s", timed_out=True, tries=tries)
        if not isinstance(value, BaseException):
            return value  # type: ignore[no-any-return]
        failure = replace(judge(value), tries=tries)
        pause = delay * 2 ** (tries - 1) * random.uniform(0.5, 1) if failure.wait is None else failure.wait  # noqa: S311
        if not failure.again or tries >= attempts or time.monotonic() + pause >= deadline:
            return failure
        time.sleep(pause)


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
