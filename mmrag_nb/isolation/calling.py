"""Calls into a process of their own, that is stopped where it hangs or grows beyond its limits."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import LoadError

from .framing import Broken, Piece, read, write

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 20.0
"""Longest wait for the next piece."""
MEMORY = 800_000_000
"""Bytes by which the process may grow while it works (not limited on Windows and macOS)."""
_IDLE = 2
"""Processes that are kept for the next call."""
_LARGEST = 1 << 30
"""Bytes of one piece."""
_PROCESSOR = 3 * 3600
"""Seconds of processor time of one call."""
_START = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from mmrag_nb.isolation.worker import main; main()"
_ENVIRONMENT = frozenset(
    "PATH HOME LANG LC_ALL LC_CTYPE LD_LIBRARY_PATH DYLD_LIBRARY_PATH SYSTEMROOT WINDIR TEMP TMP TMPDIR "
    "PYTHONHOME PYTHONUTF8 VIRTUAL_ENV".split()
)
"""What is passed on: no key is among it."""


@dataclass(frozen=True)
class Limits:
    """How long and how much a call may take."""

    seconds: float = SECONDS
    """Longest wait for the next piece; while nobody waits, it does not count."""
    memory: int = MEMORY
    """Bytes."""


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
    worker = _taken()
    done = False
    try:
        facts = {"target": target, "options": options, "memory": limits.memory, "processor": _PROCESSOR}
        if isinstance(content, Path):
            worker = worker.asked(Piece({**facts, "path": os.fspath(content.absolute())}))
        else:
            worker = worker.asked(Piece(facts, (content,)))
        while True:
            answer = worker.answer(limits)
            if "piece" in answer.facts:
                yield answer.facts["piece"], tuple(answer.blobs)
                continue
            done = True
            if "refused" in answer.facts:
                raise LoadError(str(answer.facts["refused"]))
            if "memory" in answer.facts:
                raise LoadError(f"damaged, or too large: reading it takes more than {limits.memory / 1e6:,.0f} MB")
            if "error" in answer.facts:
                raise LoadError(f"damaged: {answer.facts['error']}")
            return
    finally:
        if done:
            _given_back(worker)
        else:
            worker.kill()


class _Worker:
    """One process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # our own code, by this very interpreter
            [sys.executable, "-c", _START, _paths()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for the kernel, which closes the call
        )
        self._late = False

    def asked(self, request: Piece) -> _Worker:
        """Send ``request``, to another process where this one has ended meanwhile; the one that works on it."""
        try:
            self._send(request)
        except OSError:
            self.kill()
            other = _Worker()
            other._send(request)
            return other
        return self

    def _send(self, request: Piece) -> None:
        assert self._process.stdin is not None
        write(self._process.stdin, request)  # type: ignore[arg-type]

    def answer(self, limits: Limits) -> Piece:
        """Wait for the next message.

        Raises
        ------
        LoadError
            None came in time, or the process crashed.
        """
        assert self._process.stdout is not None
        timer = threading.Timer(limits.seconds, self._stop)
        timer.daemon = True
        timer.start()
        try:
            return read(self._process.stdout, most=_LARGEST)  # type: ignore[arg-type]
        except (Broken, OSError, ValueError) as error:
            if self._late:
                raise LoadError(f"damaged, or too large: reading it hung for {limits.seconds:g} s") from error
            raise LoadError(f"damaged: its decoder {_ended(self._process)}") from error
        finally:
            timer.cancel()

    def _stop(self) -> None:
        self._late = True
        self._process.kill()

    def kill(self) -> None:
        """End it."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self._process.wait()

    @property
    def alive(self) -> bool:
        """Whether it waits for calls."""
        return not self._late and self._process.poll() is None


def _ended(process: subprocess.Popen[bytes]) -> str:
    try:
        code = process.wait(5)
    except subprocess.TimeoutExpired:
        return "writes nonsense"
    if code < 0:
        with suppress(ValueError):
            return f"crashed ({signal.Signals(-code).name})"
    return f"ended (exit status {code})"


def _paths() -> str:
    """Where this process finds modules; an empty entry, the working directory, is not passed on."""
    import json

    return json.dumps([path for path in sys.path if path])


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name.upper() in _ENVIRONMENT}
    return {**kept, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


_lock = threading.Lock()
_idle: list[_Worker] = []


def _taken() -> _Worker:
    while True:
        with _lock:
            if not _idle:
                break
            worker = _idle.pop()
        if worker.alive:
            return worker
        worker.kill()
    return _Worker()


def _given_back(worker: _Worker) -> None:
    with _lock:
        if len(_idle) < _IDLE and worker.alive:
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
