"""A checksum in every page of an index file, checked whenever the page is read.

The checksum and its place are those of SQLite's own checksum VFS (https://sqlite.org/cksumvfs.html), so that other
programs can check such a file, too: the last 8 bytes of each page, which the header (byte 20) tells SQLite to leave
alone. The write-ahead log has checksums of its own, and other files do not outlive a crash.
"""

from __future__ import annotations

import _thread
import functools
import time
from typing import TYPE_CHECKING, Any

import apsw
import numpy as np

from mmrag_nb.errors import IndexFileError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

RESERVED = 8
"""Bytes at the end of each page that hold its checksum."""
FORMAT = 3
"""``PRAGMA user_version`` of the files in which every page has one."""

_A_WRITE = 0.2
"""Seconds in which another process has written a page that was read when it was half there."""
_SMALLEST, _LARGEST = 512, 65_536
_HEADER = 100
_LOCKED_AT = 1 << 30
"""SQLite's locks stand for bytes from here on, so that this page is never written."""
_IS_DATABASE = b"SQLite format 3\0"
_SIZE_AT = slice(16, 18)
_RESERVED_AT = 20
_VERSION_AT = slice(60, 64)


class DamagedError(IndexFileError):
    """A page of an index file is not what was written."""

    # what SQLite makes of an exception while it reads
    result = apsw.SQLITE_IOERR
    extendedresult = apsw.SQLITE_IOERR_DATA


def damaged(path: object, what: str) -> DamagedError:
    """The error that tells of a damaged file, and what to do."""
    return DamagedError(
        f"{path} is damaged ({what}): take a copy of it that is whole, or index the sources again into a new file; "
        f"mmrag-nb verify {path} tells how much of it is damaged"
    )


def checksum(page: bytes) -> bytes:
    """The checksum (8 bytes) of a page, of which the last 8 bytes do not count.

    SQLite's recurrence, from ``a = b = 0`` and for each pair of words ``a += word + b; b += next word + a``, is linear
    modulo 2^32: word by word from the last to the first, ``a`` counts it by the Fibonacci numbers 0, 1, 1, 2, ...,
    and ``b`` by those one further on.
    """
    weights = _weights(len(page))
    words: NDArray[np.uint32] = np.frombuffer(page, "<u4", weights.shape[1])
    return (weights @ words).astype("<u4", copy=False).tobytes()


def is_whole(page: bytes) -> bool:
    """Whether a page is what was written."""
    return checksum(page) == page[-RESERVED:]


def damaged_pages(path: Path) -> tuple[int, tuple[int, ...]]:
    """Number of pages of a file that have checksums, and which of them (from 1) are not what was written."""
    # By SQLite's own hand: a file that this process has open elsewhere would lose its locks if Python closed it.
    file = apsw.VFSFile("", str(path), [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY, 0])
    try:
        header = file.xRead(_HEADER, 0)
        if not header.startswith(_IS_DATABASE) or header[_RESERVED_AT] != RESERVED:
            return 0, ()
        size = int.from_bytes(header[_SIZE_AT], "big") or _SMALLEST
        size = _LARGEST if size == 1 else size
        if not _is_page(size):
            return 1, (1,)
        count = -(-file.xFileSize() // size)
        numbers = [n for n in range(1, count + 1) if n != _LOCKED_AT // size + 1]
        wrong = [n for n in numbers if not _is_sound(file, size, n)]
        if wrong:
            time.sleep(_A_WRITE)
        return len(numbers), tuple(n for n in wrong if not _is_sound(file, size, n))
    finally:
        file.xClose()


def _is_sound(file: apsw.VFSFile, size: int, number: int) -> bool:
    page = file.xRead(size, (number - 1) * size)
    return len(page) == size and is_whole(page)


@functools.cache
def _weights(size: int) -> NDArray[np.uint32]:
    words = (size - RESERVED) // 4
    numbers = [0, 1]
    while len(numbers) <= words:
        numbers.append((numbers[-2] + numbers[-1]) & 0xFFFFFFFF)
    return np.array([numbers[words - 1 :: -1], numbers[words:0:-1]], np.uint32)


@functools.cache
def checked() -> str:
    """Name of the VFS by which index files are opened."""
    return _Checked().name


class _Checked(apsw.VFS):
    name = "mmrag-checked"

    def __init__(self) -> None:
        super().__init__(self.name, "")
        _REGISTERED.append(self)

    def excepthook(self, kind: Any, error: Any, trace: Any) -> bool:  # noqa: ARG002
        return _passed_over(kind)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        if flags[0] & apsw.SQLITE_OPEN_MAIN_DB:
            return _Pages(name, flags)
        return _Beside("", name, flags)


_REGISTERED: list[apsw.VFS] = []  # SQLite knows a VFS as long as somebody holds it


class _Beside(apsw.VFSFile):
    """A log or journal, as SQLite writes it."""

    def excepthook(self, kind: Any, error: Any, trace: Any) -> bool:  # noqa: ARG002
        return _passed_over(kind)


class _Pages(_Beside):
    """The database itself. What SQLite reads and writes there are whole pages, and now and then bits of the header."""

    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else name
        header = super().xRead(_HEADER, 0)
        # A new file gets checksums from its first page on, whichever is written first.
        self._is_database = self._checked = not header
        self._learn(header)

    def _learn(self, page: bytes) -> None:
        """See from the first page whether the others have checksums: those of earlier formats have none."""
        if len(page) < _HEADER or not page.startswith(_IS_DATABASE):
            return
        self._is_database = True
        self._checked = page[_RESERVED_AT] == RESERVED
        if not self._checked and int.from_bytes(page[_VERSION_AT], "big") == FORMAT:
            raise damaged(self._path, "page 1 does not say that there are checksums")

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        data = super().xRead(amount, offset)
        if not _is_page(amount):
            return data
        number = offset // amount + 1
        if self._is_database and 0 < len(data) < amount:
            raise damaged(self._path, f"page {number} ends too early")
        if number == 1:
            self._learn(data)
        if self._checked and data and not is_whole(data):
            raise damaged(self._path, f"page {number} does not match its checksum")
        return data

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        if _is_page(len(data)):
            if offset == 0:
                self._learn(data)
            elif not self._checked:  # another process may have given this file its checksums in the meantime
                self._learn(super().xRead(_HEADER, 0))
            if self._checked:
                data = bytes(data[:-RESERVED]) + checksum(bytes(data))
        super().xWrite(data, offset)


def _passed_over(kind: type[BaseException]) -> bool:
    """Print nothing of an error that SQLite knows of and goes on without; Ctrl-C comes a second time, elsewhere."""
    if issubclass(kind, KeyboardInterrupt):
        _thread.interrupt_main()
    return True


def _is_page(size: int) -> bool:
    return _SMALLEST <= size <= _LARGEST and size & (size - 1) == 0
