"""One process that decodes for this one: started, asked, watched, ended."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from mmrag_nb.errors import LoadError

from .framing import Broken, Piece, read, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .calling import Limits

_BEGIN = 60.0
"""Longest wait, in seconds, until a process is there and has taken in what it is asked."""
_CALLS = 500
"""Calls of one process: what a decoder leaks does not pile up."""
_LARGEST = 1 << 30
"""Bytes of one piece."""
# Without a module beyond `sys` until the paths are right: the working directory may hold a `json.py`.
_START = "import sys; line, *sys.path[:] = sys.argv[1:]; from mmrag_nb.isolation.worker import main; main(int(line))"
_ENVIRONMENT = frozenset(
    "PATH HOME LANG LC_ALL LC_CTYPE LD_LIBRARY_PATH DYLD_LIBRARY_PATH SYSTEMROOT WINDIR TEMP TMP TMPDIR "
    "PYTHONHOME PYTHONUTF8 VIRTUAL_ENV".split()
)
"""What is passed on: no key is among it."""
_THREADS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",  # each further one reserves 64 MB that count as grown by
}


class Worker:
    """One process, that waits for calls until it is ended."""

    def __init__(self) -> None:
        line = self._lifeline = -1
        try:
            if os.name == "posix":
                line, self._lifeline = os.pipe()
            self._process = subprocess.Popen(  # noqa: S603  # our own code, by this very interpreter
                [sys.executable, "-B", "-c", _START, str(line), *_paths()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for the kernel, which closes the call
                pass_fds=() if line < 0 else (line,),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            self._cut()
            raise LoadError(f"cannot be read here: no process can be started ({error.strerror})") from error
        finally:
            if line >= 0:
                os.close(line)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests: IO[bytes] = self._process.stdin
        self._answers = io.BufferedReader(self._process.stdout)  # type: ignore[type-var]  # unbuffered, so raw
        self._calls = 0
        self._late = False
        self._turn = 0
        self._turns = threading.Lock()

    def asked(self, request: Piece) -> Piece | None:
        """Send ``request`` and wait for the first answer, which comes before the content is looked at.

        ``None`` where the process has ended.
        """
        self._calls += 1
        try:
            with self._watched(_BEGIN):
                write(self._requests, request)  # type: ignore[arg-type]
                return read(self._answers, most=_LARGEST)
        except (Broken, OSError):
            return None

    def answer(self, limits: Limits) -> Piece:
        """Wait for the next message.

        Raises
        ------
        LoadError
            None came in time, or the process crashed.
        """
        try:
            with self._watched(limits.seconds):
                return read(self._answers, most=_LARGEST)
        except (Broken, OSError, ValueError) as error:
            if self._late:
                raise LoadError(f"damaged, or too large: reading it hung for {limits.seconds:g} s") from error
            end = self.end()
            if "SIGXCPU" in end:
                told = f"damaged, or too large: reading it takes more than {limits.processor:g} s"
                raise LoadError(told) from error
            raise LoadError(f"damaged: its decoder {end}") from error

    @contextmanager
    def _watched(self, seconds: float) -> Iterator[None]:
        """Kill the process unless the block ends in time."""
        turn = self._turn
        timer = threading.Timer(seconds, self._stop, (turn,))
        timer.daemon = True
        try:
            timer.start()  # Ctrl-C may come while it does
            yield
        finally:
            timer.cancel()
            with self._turns:  # a timer that is just going off must not hit what comes next
                self._turn += 1

    def _stop(self, turn: int) -> None:
        with self._turns:
            if self._turn == turn:
                self._late = True
                self._process.kill()

    def kill(self) -> None:
        """End it."""
        self._process.kill()
        for pipe in (self._requests, self._answers):
            with suppress(OSError):
                pipe.close()
        self._process.wait()
        self._cut()

    def _cut(self) -> None:
        line, self._lifeline = self._lifeline, -1
        if line >= 0:
            os.close(line)

    def __del__(self) -> None:
        self._cut()

    def disown(self) -> None:
        """Leave it to the process of which this one is a fork."""
        self._process.returncode = 0

    @property
    def alive(self) -> bool:
        """Whether it waits for calls."""
        return not self._late and self._process.poll() is None

    @property
    def fresh(self) -> bool:
        """Whether it may serve another call."""
        return self.alive and self._calls < _CALLS

    def end(self) -> str:
        """How it ended."""
        try:
            code = self._process.wait(1)
        except subprocess.TimeoutExpired:
            return "writes nonsense"
        if code < 0:
            with suppress(ValueError):
                return f"crashed ({signal.Signals(-code).name})"
        return f"ended (exit status {code})"


def _paths() -> list[str]:
    """Where this process finds modules; an empty entry, the working directory, is not passed on."""
    return [path for path in sys.path if isinstance(path, str) and path]


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name.upper() in _ENVIRONMENT}
    return {**kept, **_THREADS}
