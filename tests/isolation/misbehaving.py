"""Targets of isolated calls that do what decoders do at their worst."""

import ctypes
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from mmrag_nb.errors import LoadError


def sizes(handle, *, parts=1):
    """What is in the file, in so many pieces."""
    data = handle.read()
    for part in range(parts):
        yield {"size": len(data), "part": part}, (data,)


def told(handle, *, what):
    yield {"told": what, "pid": os.getpid()}, ()


def environment(handle):
    yield dict(os.environ) | {"argv": sys.argv, "path": sys.path}, ()


def hangs(handle, *, after=0):
    for part in range(after):
        yield {"part": part}, ()
    while True:
        time.sleep(0.05)


def hangs_in_c(handle, *, first=True):
    """Hold the interpreter's lock for ever, as a loop in a C library that does not let go of it."""
    if first:
        yield {"pid": os.getpid()}, ()
    ctypes.PyDLL(None).sleep(600)
    yield {}, ()


def busy(handle):
    while True:
        pass
    yield {}, ()


def grows(handle, *, step=20_000_000):
    kept = []
    while True:
        kept.append(bytearray(step))
    yield {}, ()


def crashes(handle, *, after=0):
    for part in range(after):
        yield {"part": part}, ()
    ctypes.string_at(0)


def exits(handle):
    os._exit(7)
    yield {}, ()


def quits(handle):
    raise SystemExit(0)
    yield {}, ()


def noisy(handle):
    print("a banner")  # noqa: T201
    print("a complaint", file=sys.stderr)  # noqa: T201
    os.write(1, b"\x00\xff" * 100_000)
    os.write(2, b"!" * 1_000_000)
    yield {"heard": sys.stdin.read() if sys.stdin else ""}, ()


def nonsense(handle):
    """Write on every open descriptor."""
    for number in range(3, 20):
        with suppress(OSError):
            os.write(number, b"\xff" * 5000)
    yield {}, ()


def refuses(handle, *, why):
    raise LoadError(why)
    yield {}, ()


def fails(handle, *, how):
    raise {"value": ValueError("two\nlines " + "x" * 500), "syntax": SyntaxError("not so"), "none": KeyError()}[how]
    yield {}, ()


def stuttering(handle, *, before=3):
    """Fail after pieces of some size, while the caller may still be busy."""
    for part in range(before):
        yield {"part": part}, (bytes(3_000_000),)
    raise ValueError("no further")


def starts_a_program(handle):
    subprocess.run([sys.executable, "-c", "0"], check=False)
    yield {}, ()


def connects(handle):
    import socket

    socket.create_connection(("127.0.0.1", 9), timeout=1)
    yield {}, ()


def writes(handle, *, path):
    Path(path).write_bytes(b"x" * 10)
    yield {}, ()


def huge(handle, *, size):
    yield {"size": size}, (bytes(size), b"", b"end")


def late_begin(handle):
    time.sleep(1.5)
    yield {"done": True}, ()
