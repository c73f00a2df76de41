"""An engine in a process of its own: what it takes is its own, and what breaks it breaks nothing else.

The engine is set up once and then does task after task. ``python -m mmrag_nb.bench.apart MODULE:CLASS`` is the process;
:class:`Apart` is its owner's side. Tasks and facts are lines of JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LIMIT = 3600.0
"""Seconds after which a task that is not done is given up, and its engine with it."""

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ANONYMIZED_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "true",
    "TQDM_DISABLE": "1",
}


class Engine(Protocol):
    """What is measured: made with its entrant's ``how`` as keywords, in the process that it has for itself."""

    def setup(self) -> Mapping[str, Any] | None:
        """Load what is loaded once; return facts to be told, none of them measured."""

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Do ``task``; return facts, JSON can carry them. ``seconds`` among them replaces what the clock says."""


def cores() -> int:
    """Count the cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def threads() -> int:
    """Count the threads that an engine's libraries may use: the cores, unless the user set another number."""
    return int(os.environ.get("OMP_NUM_THREADS") or cores())


def environment() -> dict[str, str]:
    """As many threads as there are cores for all, unless the user set another number; no network, no telemetry."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(cores()))
    importable = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return threads | dict(os.environ) | _OFFLINE | importable


class Apart:
    """The owner's side of an engine's process.

    Parameters
    ----------
    spec
        ``module:Class`` of an :class:`Engine`.
    how
        Keywords it is made with.
    """

    def __init__(self, spec: str, how: Mapping[str, Any]) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the process lives
        command = [sys.executable, "-m", "mmrag_nb.bench.apart", spec, json.dumps(how)]
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, env=environment(), text=True
        )
        self.hello = self._answer(LIMIT)
        """What ``setup`` told, ``setup_seconds`` and ``memory_mb`` besides; ``error`` where it failed."""

    @property
    def alive(self) -> bool:
        """Whether it can do another task."""
        return self._process.poll() is None

    def run(self, task: Mapping[str, Any], limit: float = LIMIT) -> dict[str, Any]:
        """Have ``task`` done: the engine's facts with ``seconds``, ``cpu_seconds`` and ``peak_mb``, or ``error``."""
        if not self.alive:
            return {"error": self._last_words()}
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has just ended: the answer says how
            self._process.stdin.write(json.dumps(dict(task)) + "\n")
            self._process.stdin.flush()
        return self._answer(limit)

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    def _answer(self, limit: float) -> dict[str, Any]:
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(limit, give_up)
        timer.daemon = True
        timer.start()
        try:
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if late.is_set():
            return {"error": f"not done in {limit:,.0f} s: given up"}
        if not line:
            self._process.wait()
            return {"error": self._last_words()}
        told: dict[str, Any] = json.loads(line)
        return told

    def _last_words(self) -> str:
        self._log.seek(0)
        written = self._log.read().decode("utf-8", "replace").strip().splitlines()
        return f"its process ended with status {self._process.poll()}{': ' + written[-1] if written else ''}"


def peak_mb() -> float:
    """Megabytes, 10⁶ bytes, that this process had in memory at most: since :func:`_forget_peak` on Linux."""
    if _STATUS.exists():
        found = [line.split()[1] for line in _STATUS.read_text(encoding="ascii").splitlines() if "VmHWM" in line]
        if found:
            return int(found[0]) * 1024 / 1e6
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def _forget_peak() -> None:
    """Give back what is free, so that engines side by side do not crowd each other, and count the peak anew."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    with contextlib.suppress(OSError):
        _RESET.write_text("5", encoding="ascii")


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _serve(spec: str, how: Mapping[str, Any], tasks: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Set the engine up and do its tasks; facts of each as they are done."""
    start = time.perf_counter()
    try:
        module, name = spec.split(":")
        engine: Engine = getattr(importlib.import_module(module), name)(**how)
        told = dict(engine.setup() or {})
    except Exception as error:  # noqa: BLE001  # whatever it is, it is told
        yield {"error": _said(error)}
        return
    yield {"setup_seconds": time.perf_counter() - start, "memory_mb": peak_mb(), **told}
    for line in tasks:
        _forget_peak()
        cpu, start = _cpu_seconds(), time.perf_counter()
        try:
            found = dict(engine.run(json.loads(line)) or {})
        except Exception as error:  # noqa: BLE001
            yield {"error": _said(error)}
            continue
        measured = {"seconds": time.perf_counter() - start, "cpu_seconds": _cpu_seconds() - cpu, "peak_mb": peak_mb()}
        yield measured | found


def _said(error: Exception) -> str:
    """One line of it; all of it goes to the process's log."""
    traceback.print_exception(error)
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def main() -> None:
    """Be an engine's process: what libraries print goes with the errors, so that the facts have a line of their own."""
    spec, how = sys.argv[1], json.loads(sys.argv[2])
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as facts:
        os.dup2(2, 1)
        for found in _serve(spec, how, iter(sys.stdin.readline, "")):
            facts.write(json.dumps(found, default=float) + "\n")
            facts.flush()


if __name__ == "__main__":
    main()
