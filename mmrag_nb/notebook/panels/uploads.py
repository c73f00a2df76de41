"""Files that a reader drops into a panel, put together again from the messages that bring them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LARGEST = 2_000_000_000
"""Bytes of one file; a larger one is better named by its path than sent through a browser."""
_LONGEST = 180
"""Bytes of a file name: file systems take 255, some less."""


@dataclass(frozen=True)
class Dropped:
    """A file as it came from the page."""

    name: str
    """As it was called there, without any folder."""
    path: Path
    """Where it lies now, under its own name, in a folder that goes with the panel."""


class Uploads:
    """The files on their way to one panel, and those that have arrived."""

    def __init__(self) -> None:
        self._folder: TemporaryDirectory[str] | None = None
        self._coming: dict[str, list[tuple[Dropped, int]]] = {}
        self._taken = 0

    def take(self, part: Mapping[str, Any], buffers: Sequence[Any]) -> tuple[Dropped, ...] | None:
        """Take one message; the files of an upload when its last one has come, else ``None``.

        Raises
        ------
        SourceError
            A file is too large, or its parts do not fit together.
        """
        upload = str(part.get("upload"))
        files = self._coming.pop(upload, [])
        if part.get("end"):
            for file, size in files:
                _check(file, size)
            return tuple(file for file, _ in files)
        self._add(files, part, bytes(buffers[0]) if buffers else b"")
        self._coming[upload] = files
        return None

    def _add(self, files: list[tuple[Dropped, int]], part: Mapping[str, Any], data: bytes) -> None:
        index, size, offset = (_whole(part.get(key)) for key in ("index", "size", "offset"))
        if index == len(files) and offset == 0:
            if files:
                _check(*files[-1])
            file = self._new(str(part.get("name", "")))
            if size > LARGEST:
                raise SourceError(
                    f"{file.name} has {size / 1e9:.1f} GB, over {LARGEST / 1e9:.0f} GB: give its path to %mmrag_index"
                )
            files.append((file, size))
        elif index != len(files) - 1 or offset != files[index][0].path.stat().st_size:
            raise SourceError("the parts of a dropped file came in disorder: drop it again")
        file, size = files[index]
        if offset + len(data) > size:
            raise SourceError(f"{file.name} is longer than it said: drop it again")
        with file.path.open("ab") as out:
            out.write(data)

    def _new(self, name: str) -> Dropped:
        """Make a place for a file; each has a folder of its own, as two can have one name."""
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="mmrag-dropped-")
        self._taken += 1
        folder = Path(self._folder.name) / str(self._taken)
        folder.mkdir()
        name = _safe(name)
        path = folder / name
        path.touch()
        return Dropped(name, path)


def _safe(name: str) -> str:
    """The last part of ``name`` without what a file system refuses; its extension is kept, as it tells the kind."""
    tail = name.replace("\\", "/").rsplit("/", 1)[-1]
    tail = "".join("_" if ord(c) < 0x20 or 0xD800 <= ord(c) < 0xE000 or c in '<>:"|?*\x7f' else c for c in tail).strip()
    stem, dot, extension = tail.rpartition(".")
    if len(tail.encode()) > _LONGEST and dot and len(extension) < 10:
        room = _LONGEST - len(extension.encode()) - 1
        tail = f"{stem.encode()[:room].decode(errors='ignore')}.{extension}"
    tail = tail.encode()[:_LONGEST].decode(errors="ignore")
    return tail if tail.strip(".") else "unnamed"


def _check(file: Dropped, size: int) -> None:
    if file.path.stat().st_size != size:
        raise SourceError(f"{file.name} did not arrive whole: drop it again")


def _whole(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else -1
