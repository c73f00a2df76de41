"""The process in which a decoder works for another: it may hang, crash or eat memory, and nothing else ends with it.

Started by :mod:`mmrag_nb.isolation.calling`; no environment variable that could be a key gets here, and no program
is started from here.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from contextlib import closing, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from mmrag_nb.errors import LoadError

from .framing import Broken, Piece, read, write

if TYPE_CHECKING:
    from collections.abc import Mapping

_LARGEST_REQUEST = 4 << 30
_FORBIDDEN = ("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.startfile", "pty.", "socket.")
"""Audit events of what no decoder needs."""


def main(lifeline: int) -> None:
    """Serve calls until the caller closes the pipe, or ends and with it ``lifeline`` (-1 where there is none)."""
    requests = os.fdopen(os.dup(0), "rb")
    answers: BinaryIO = os.fdopen(os.dup(1), "wb", buffering=0)
    # What a library prints must not get among the messages.
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    _hold(lifeline)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    sys.addaudithook(_refuse)
    with suppress(Broken, OSError):
        while True:
            _serve(read(requests, most=_LARGEST_REQUEST), answers)


def _serve(request: Piece, answers: BinaryIO) -> None:
    facts = request.facts
    try:
        module, _, name = str(facts["target"]).partition(":")
        work = getattr(import_module(module), name)
        _limit(facts)
        with _content(request) as handle, closing(work(handle, **facts["options"])) as pieces:
            write(answers, Piece({"begun": True}))
            for said, blobs in pieces:
                write(answers, Piece({"piece": said}, blobs))
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        write(answers, Piece({"error": _line(error)}))
    except MemoryError:
        write(answers, Piece({"memory": True}))
    except LoadError as error:
        write(answers, Piece({"refused": str(error)}))
    except Exception as error:  # noqa: BLE001  # damaged files raise anything
        write(answers, Piece({"error": _line(error)}))
    else:
        write(answers, Piece({"end": True}))


def _content(request: Piece) -> BinaryIO:
    path = request.facts.get("path")
    if path is None:
        return io.BytesIO(request.blobs[0])
    try:
        return Path(path).open("rb")
    except FileNotFoundError as error:
        raise LoadError("no such file: check the path") from error
    except OSError as error:
        raise LoadError(f"cannot be opened: {error.strerror or error}") from error


def _line(error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    return " ".join(str(reason).split())[:160] or type(error).__name__


def _limit(facts: Mapping[str, Any]) -> None:
    """Let this process grow by ``memory`` bytes from here, and use ``processor`` seconds at most."""
    try:
        import resource
    except ImportError:  # Windows has none; there the caller's clock is the only limit
        return
    with suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + int(facts["memory"])
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))
    with suppress(OSError, ValueError):
        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(used + facts["processor"]) + 1, hard))
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it has nothing to write
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _refuse(event: str, _arguments: tuple[Any, ...]) -> None:
    if event.startswith(_FORBIDDEN):
        raise PermissionError(f"a decoder may not call {event}")


def _hold(lifeline: int) -> None:
    """Have the system end this process when the caller's end of a pipe closes, whatever it is busy with.

    Linux sends SIGIO then, and SIGIO ends who does not handle it; elsewhere `_end_with` has to do.
    """
    if lifeline < 0 or not sys.platform.startswith("linux"):
        return
    import fcntl

    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


def _end_with(parent: int) -> None:
    """End when the caller does, however it does."""
    while os.getppid() == parent:
        time.sleep(2)
    os._exit(1)
