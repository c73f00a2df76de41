"""A generator faces a server that misbehaves: the right error, in time, the requests counted, the key unseen."""

from __future__ import annotations

import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

from canary import leaks

from mmrag_nb.errors import GenerationError
from mmrag_nb.types import Generation

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults import Fault
    from loopback import Scripted

    from mmrag_nb.protocols import Generator
    from mmrag_nb.types import Prompt

_ATTEMPTS = 3
_TIMEOUT = 0.8  # seconds, where it is waited for


def limits(fault: Fault) -> dict[str, Any]:
    """Options for the generator that is to face it."""
    return {"timeout": _TIMEOUT if fault.waits else 20.0, "attempts": _ATTEMPTS, "delay": 0.01}


def assert_it_ends_as_it_has_to(
    fault: Fault,
    generator: Generator,
    server: Scripted,
    prompt: Prompt,
    *,
    key: str,
    said_aside: Callable[[], list[str]],
    hangs_up: bool = True,
    leaves: float = 0.5,
) -> None:
    """Ask, and look at all that comes of it.

    ``generator`` is made with the :func:`limits` and ``key``. ``said_aside`` tells what was logged and printed.
    It ``hangs_up`` once it has given up, and its threads have ended ``leaves`` seconds later.
    """
    before = set(threading.enumerate())
    server.play(*fault.script)
    shown, whole, failure, took = _ask(generator, prompt)

    assert type(failure) is (fault.error or type(None)), failure
    assert len(server.asked) == fault.asked(_ATTEMPTS)
    timeout = limits(fault)["timeout"]
    least, most = (0.9 * timeout, timeout + 1.5) if fault.waits else fault.seconds
    assert least <= took <= most
    if failure is None:
        assert shown.rstrip() == whole.text == fault.text
        assert whole.trouble.startswith(fault.trouble)
        assert bool(whole.trouble) == bool(fault.trouble)
        seen = [repr(whole), whole.sent]
    else:
        assert whole is None
        assert fault.told in str(failure)
        assert "\n" not in str(failure)
        assert shown.startswith(fault.text)
        assert bool(shown) == bool(fault.text)
        assert failure.__cause__ is None
        assert failure.__context__ is None  # an SDK's exception holds its request, headers and all
        seen = [str(failure), repr(failure), _traceback(failure)]

    seen += [*said_aside(), repr(generator), repr(vars(generator))]
    assert leaks([("what is seen", text) for text in seen], key) == []
    if hangs_up:
        assert _within(2, lambda: all(request.ended for request in server.asked)), "it has hung up"
        assert _within(leaves, lambda: not _workers() - before), "nothing goes on behind"


def _ask(generator: Generator, prompt: Prompt) -> tuple[str, Generation | None, GenerationError | None, float]:
    """(text, the whole or ``None``, the error or ``None``, seconds)."""
    shown, whole, failure = [], None, None
    begin = time.monotonic()
    try:
        for piece in generator.stream(prompt):
            assert whole is None, "nothing comes after the whole"
            if isinstance(piece, Generation):
                whole = piece
            else:
                shown.append(piece)
    except GenerationError as error:
        failure = error
    return "".join(shown), whole, failure, time.monotonic() - begin


def _traceback(failure: GenerationError) -> str:
    """With the variables of each frame, as ``%xmode Verbose`` shows them."""
    return "".join(traceback.TracebackException.from_exception(failure, capture_locals=True).format())


def _workers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "mmrag-generate"}


def _within(seconds: float, holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()
