"""What stores keep in the user's cache folder: files that can always be made again from an index."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

_MAGIC = b"mmrag_nb store 1\n"
_DIGEST = 32
_UNUSED = 30 * 24 * 3600.0
"""Seconds after which what nobody opened is removed: an index that was never saved is never seen again."""


def folder() -> Path:
    """Return where stores keep things: ``stores`` in ``MMRAG_CACHE``, or in ``mmrag_nb`` of the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("MMRAG_CACHE") or Path(home) / "mmrag_nb").expanduser() / "stores"


def place(name: str) -> Path:
    """Return the path of ``name`` there, marked as used; what was used long ago is removed."""
    there = folder()
    with contextlib.suppress(OSError):
        there.mkdir(parents=True, exist_ok=True)
        for old in there.glob("mmrag_*"):
            if old.name == name:
                os.utime(old)
            elif time.time() - old.stat().st_mtime > _UNUSED:
                shutil.rmtree(old) if old.is_dir() else old.unlink()
    return there / name


def write(path: Path, facts: Mapping[str, object], arrays: Mapping[str, Bytes]) -> None:
    """Write bytes by name, and what they are: all of it or nothing, where the folder can be written at all."""
    head = json.dumps({**facts, "arrays": {name: len(array) for name, array in arrays.items()}}).encode() + b"\n"
    digest = hashlib.blake2b(head, digest_size=_DIGEST)
    for array in arrays.values():
        digest.update(array.data)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        number, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".")
        try:
            with os.fdopen(number, "wb") as file:
                file.write(_MAGIC + digest.digest() + head)
                for array in arrays.values():
                    file.write(array.data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)


def read(path: Path, facts: Mapping[str, object]) -> dict[str, Bytes] | None:
    """Return what was written as ``facts`` says; ``None`` where that is not there, or no longer whole.

    The checksum tells damage, not malice. Who can write into this folder can do as the user does anyway; a file that
    came with an index might be a stranger's, and so nothing of a library's own format is ever read from there.
    """
    try:
        content = np.fromfile(path, np.uint8)
        start = len(_MAGIC) + _DIGEST
        if content[: len(_MAGIC)].tobytes() != _MAGIC:
            return None
        if (
            hashlib.blake2b(content[start:].data, digest_size=_DIGEST).digest()
            != content[len(_MAGIC) : start].tobytes()
        ):
            return None
        end = start + int(np.argmax(content[start:] == ord("\n"))) + 1
        head = json.loads(content[start:end].tobytes())
    except (OSError, ValueError):
        return None
    lengths = head.pop("arrays")
    if head != dict(facts):
        return None
    ends = end + np.cumsum(list(lengths.values()))
    return {name: content[stop - n : stop] for (name, n), stop in zip(lengths.items(), ends, strict=True)}
