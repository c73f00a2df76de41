"""Processes that are forked from a warm one, watched by strace, and hit at a chosen system call."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

CALLS = (
    *("write", "pwrite64", "writev", "pwritev", "pwritev2", "fsync", "fdatasync", "ftruncate", "fallocate"),
    *("rename", "renameat", "renameat2", "unlink", "unlinkat", "link", "linkat", "openat"),
)
"""What changes a file, or makes that lasting; of ``openat``, those calls that may create one."""
Act = Callable[[], Any]


class Child:
    """A fork of this process: it makes ready what it is to do, and does it once it is told to go.

    Parameters
    ----------
    ready
        Called with ``arguments`` in the child, it returns what is to be done, of which the result is JSON.
    """

    def __init__(self, ready: Callable[..., Act], *arguments: Any) -> None:
        self._here, there = socket.socketpair()
        sys.stdout.flush()
        self.pid = os.fork()
        if not self.pid:
            self._here.close()
            _live(there, ready, arguments)
        there.close()
        self._lines = self._here.makefile("r")
        if (told := self.line()) != "ready":
            self.ended()
            raise RuntimeError(f"a child could not make ready: {told['failed'] if told else 'it ended'}")

    def line(self, seconds: float = 120) -> Any:
        """What it tells next; ``None`` where it has ended, or told nothing in time."""
        self._here.settimeout(seconds)
        try:
            told = self._lines.readline()
        except (TimeoutError, ConnectionResetError):
            return None
        return json.loads(told) if told.endswith("\n") else None

    def go(self) -> None:
        """Let it do, or go on."""
        self._here.sendall(b"\n")

    def kill(self) -> None:
        """End it as a power cut would."""
        os.kill(self.pid, signal.SIGKILL)

    def ended(self) -> int:
        """Wait for its end: its exit status, negative where a signal ended it."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self._lines.close()
        self._here.close()
        return code

    def result(self, seconds: float = 120) -> Any:
        """Let it do, and return what comes of it."""
        self.go()
        told = self.line(seconds)
        if told is None:
            self.kill()
        code = self.ended()
        if told is None or "failed" in told:
            raise RuntimeError(told["failed"] if told else f"a child ended with {code}")
        return told["done"]


def _live(here: socket.socket, ready: Callable[..., Act], arguments: tuple[Any, ...]) -> None:
    told = here.makefile("r")

    def tell(what: Any) -> None:
        here.sendall(json.dumps(what).encode() + b"\n")

    def wait() -> None:
        if not told.readline():
            os._exit(3)

    code = 0
    try:
        act = ready(*arguments)
        if getattr(ready, "talks", False):
            act = act(tell, wait)
        tell("ready")
        wait()
        tell({"done": act()})
    except BaseException:  # noqa: BLE001 - told to the parent
        code = 1
        tell({"failed": traceback.format_exc()})
    finally:
        os._exit(code)


def talking(ready: Callable[..., Callable[[Callable[[Any], None], Callable[[], None]], Act]]) -> Callable[..., Act]:
    """Mark what is given to :class:`Child` as one that wants to tell and to wait in between."""
    ready.talks = True
    return ready


@dataclass(frozen=True)
class Call:
    """One system call of a run: the ``nth`` of its name, counted as strace counts."""

    name: str
    nth: int
    told: str

    def __str__(self) -> str:
        return f"{self.name} {self.nth}: {self.told}"


class Strace:
    """strace, attached to a child that waits to go."""

    def __init__(self, child: Child, *options: str) -> None:
        self._process = subprocess.Popen(
            ["strace", "-p", str(child.pid), *options], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        assert self._process.stderr is not None
        said = self._process.stderr.readline()
        if "attached" not in said:
            child.kill()
            child.ended()
            raise RuntimeError(f"strace cannot attach: {said.strip()}")

    def leave(self) -> None:
        """Let the child go on unwatched; returns when it is."""
        self._process.terminate()
        self.ended()

    def ended(self) -> None:
        """Wait for its end, which is the child's."""
        self._process.communicate()


@cache
def untraceable() -> str:
    """Why nothing can be traced here; empty where it can."""
    if not hasattr(os, "fork") or shutil.which("strace") is None:
        return "there is no strace"
    try:
        child = Child(lambda: lambda: None)
        strace = Strace(child, "-e", "trace=none", "-e", "inject=fsync:signal=KILL:when=1", "-o", os.devnull)
    except RuntimeError as error:
        return str(error)
    child.go()
    child.ended()
    strace.ended()
    return ""


_LINE = re.compile(r"(\w+)\((.*)")


def calls(folder: Path, ready: Callable[..., Act], *arguments: Any) -> list[Call]:
    """The calls by which an undisturbed run changes files in ``folder``, in order."""
    child = Child(ready, *arguments)
    log = folder.with_name(f"{folder.name}.calls")
    strace = Strace(child, "-y", "-s", "0", "-e", f"trace={','.join(CALLS)}", "-o", str(log))
    child.result()
    strace.ended()
    counted: Counter[str] = Counter()
    found = []
    for line in log.read_text().splitlines():
        if (match := _LINE.match(line)) is None:
            continue
        name, told = match.groups()
        counted[name] += 1
        if str(folder) in told and (name != "openat" or "O_CREAT" in told):
            found.append(Call(name, counted[name], told.replace(f"{folder}/", "")))
    log.unlink()
    return found


def killed_at(call: Call, ready: Callable[..., Act], *arguments: Any) -> bool:
    """Run and be killed where ``call`` begins; whether it was."""
    child = Child(ready, *arguments)
    inject = f"inject={call.name}:signal=KILL:when={call.nth}"
    strace = Strace(child, "-e", f"trace={call.name}", "-e", inject, "-o", os.devnull)
    child.go()
    told = child.line()
    code = child.ended()
    strace.ended()
    if told is not None and "failed" in told:
        raise RuntimeError(told["failed"])
    return code == -signal.SIGKILL


def killed_after(seconds: float, ready: Callable[..., Act], *arguments: Any) -> bool:
    """Run and be killed so long after the beginning; whether it was."""
    child = Child(ready, *arguments)
    child.go()
    time.sleep(seconds)
    child.kill()
    return child.ended() == -signal.SIGKILL
