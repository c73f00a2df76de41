"""Calls into a process of their own, that is stopped where it hangs or grows beyond its limits."""

from __future__ import annotations

import atexit
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import LoadError

from .framing import Piece
from .process import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 20.0
"""Longest wait for the next piece."""
MEMORY = 800_000_000
"""Bytes by which the process may grow while it works (not limited on Windows and macOS)."""
PROCESSOR = 3 * 3600.0
"""Seconds of processor time of one call."""
_IDLE = 4
"""Processes that are kept for the next call."""


@dataclass(frozen=True)
class Limits:
    """How long and how much a call may take."""

    seconds: float = SECONDS
    """Longest wait for the next piece; while nobody waits, it does not count."""
    memory: int = MEMORY
    """Bytes."""
    processor: float = PROCESSOR
    """Seconds of processor time (not limited on Windows); a busy machine does not shorten them."""


def stream(
    target: str, content: Path | bytes, limits: Limits | None = None, **options: Any
) -> Iterator[tuple[dict[str, Any], tuple[bytes, ...]]]:
    """Yield what ``target`` yields, in a process of its own.

    It works as fast as its pieces are taken. Closed early, it is stopped.

    Parameters
    ----------
    target
        ``package.module:function``: called with an open binary file and ``options``, it yields pairs of a dict of JSON
        values and a sequence of bytes. What it raises as a `LoadError` is raised here.
    content
        A file, or a body in memory.
    limits
        How long to wait, how large it may grow.
    options
        JSON values.

    Raises
    ------
    LoadError
        It refused, failed, crashed, hung or needed too much memory; the message says which.
    """
    limits = limits or Limits()
    facts = {"target": target, "options": options, "memory": limits.memory, "processor": limits.processor}
    if isinstance(content, Path):
        request = Piece({**facts, "path": os.fspath(content.absolute())})
    else:
        request = Piece(facts, (content,))
    worker = _taken()
    done = False
    try:
        answer = worker.asked(request)
        if answer is None:  # it has ended meanwhile
            worker.kill()
            worker = Worker()
            answer = worker.asked(request)
        if answer is None:
            raise LoadError(f"cannot be read here: the process that should read it {worker.end()}")
        while True:
            if "piece" in answer.facts:
                yield answer.facts["piece"], tuple(answer.blobs)
            elif "begun" not in answer.facts:
                break
            answer = worker.answer(limits)
        done = "memory" not in answer.facts  # who knows what lacks some now
        _raise_for(answer, limits)
    finally:
        if done:
            _given_back(worker)
        else:
            worker.kill()


def _raise_for(last: Piece, limits: Limits) -> None:
    if "refused" in last.facts:
        raise LoadError(_printable(str(last.facts["refused"])))
    if "memory" in last.facts:
        raise LoadError(f"damaged, or too large: reading it takes more than {limits.memory / 1e6:,.0f} MB")
    if "error" in last.facts:
        raise LoadError(_printable(f"damaged: {last.facts['error']}"))


def _printable(told: str) -> str:
    """One line: a library's message may quote the file."""
    return "".join(char if char.isprintable() else "?" for char in " ".join(told.split()))


_lock = threading.Lock()
_idle: list[Worker] = []


def _taken() -> Worker:
    while True:
        with _lock:
            if not _idle:
                break
            worker = _idle.pop()
        if worker.alive:
            return worker
        worker.kill()
    return Worker()


def _given_back(worker: Worker) -> None:
    with _lock:
        if len(_idle) < _IDLE and worker.fresh:
            _idle.append(worker)
            return
    worker.kill()


@atexit.register
def close() -> None:
    """End the processes that wait for calls."""
    with _lock:
        waiting, _idle[:] = list(_idle), []
    for worker in waiting:
        worker.kill()


def _forked() -> None:
    """In a fork: the processes that wait are its parent's."""
    global _lock  # noqa: PLW0603  # another thread of the parent may hold it
    _lock = threading.Lock()
    for worker in _idle:
        worker.disown()
    _idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
