"""A connection to an index: SQLite by apsw, of which every failure is told as an :class:`IndexFileError`."""

from __future__ import annotations

import ctypes
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

import apsw

from mmrag_nb.errors import IndexFileError

from .checksums import RESERVED, checked, damaged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = 16_384
"""Bytes of a page. Vectors of 512 dimensions lie in it by sevens, where one of 4,096 bytes holds one."""

_WAIT = 5_000
"""Milliseconds that one writer waits for another."""

OF_THE_DISK = (apsw.FullError, apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError)
"""What is the matter where SQLite fails through no fault of ours."""
_OF_READING = (apsw.SQLITE_IOERR_READ, apsw.SQLITE_IOERR_SHORT_READ)


class Cursor(apsw.Cursor):
    """A cursor whose failures are told as of the index.

    Parameters
    ----------
    database
        What it runs statements on.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._path = database.path

    def execute(self, *args: Any, **kwargs: Any) -> Cursor:
        """Run statements; see :meth:`apsw.Cursor.execute`."""
        with told(self._path):
            super().execute(*args, **kwargs)
        return self

    def executemany(self, *args: Any, **kwargs: Any) -> Cursor:
        """Run a statement for each row; see :meth:`apsw.Cursor.executemany`."""
        with told(self._path):
            super().executemany(*args, **kwargs)
        return self

    def fetchone(self) -> Any:
        """The next row; ``None`` after the last."""
        with told(self._path):
            return super().fetchone()

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        with told(self._path):
            return super().fetchall()

    def fetchmany(self, n: int) -> list[Any]:
        """The next ``n`` rows, fewer at the end."""
        with told(self._path):
            return list(islice(self, n))


class Database(apsw.Connection):
    """A database that may be used from any thread, by one at a time.

    Parameters
    ----------
    path
        The file, created where absent; ``None`` keeps it in memory.
    frozen
        It cannot be written, and is taken as it lies there: no lock is taken, and no log made beside it. A log that is
        there, since another program writes the file or was killed at that, is read.
    """

    def __init__(self, path: Path | None = None, *, frozen: bool = False) -> None:
        self.path, self.frozen = path, frozen
        self._taken = _stamp(path) if path is not None and frozen else None
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        if path is None:
            super().__init__(":memory:", flags)
        elif frozen:
            flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
            super().__init__(f"{path.resolve().as_uri()}?immutable={int(not logged(path))}", flags, checked())
        else:
            super().__init__(str(path), flags, checked())
        self.set_busy_timeout(_WAIT)

    def execute(self, *args: Any, **kwargs: Any) -> Cursor:
        """Run statements; see :meth:`apsw.Cursor.execute`."""
        return Cursor(self).execute(*args, **kwargs)

    def executemany(self, *args: Any, **kwargs: Any) -> Cursor:
        """Run a statement for each row; see :meth:`apsw.Cursor.executemany`."""
        return Cursor(self).executemany(*args, **kwargs)

    def reserve(self) -> None:
        """Leave room for a checksum in each page, from the first table on or after the next ``VACUUM``."""
        wanted = ctypes.c_int(RESERVED)
        self.file_control("main", apsw.SQLITE_FCNTL_RESERVE_BYTES, ctypes.addressof(wanted))

    @property
    def stale(self) -> bool:
        """Whether a file that is taken as it lies there has been written since, by who may: it must be opened anew."""
        return self.path is not None and self.frozen and _stamp(self.path) != self._taken

    def close(self, force: bool = False) -> None:
        """Close it. What SQLite cannot tidy up then, on a disk that is full say, stays in the log and is read there."""
        with suppress(*OF_THE_DISK):
            super().close(force)

    def copy_to(self, other: Database) -> None:
        """Make ``other`` a copy of this database."""
        with told(other.path or self.path), other.backup("main", self, "main") as copying:
            copying.step()


def _stamp(path: Path) -> list[tuple[int, int, int]]:
    """Differs once a file or its log is written."""
    found = [one.stat() for one in (path, log_of(path)) if one.is_file()]
    return [(one.st_ino, one.st_size, one.st_mtime_ns) for one in found]


def log_of(path: Path) -> Path:
    """Where the log of a file lies."""
    return path.with_name(f"{path.name}-wal")


def logged(path: Path) -> bool:
    """Whether some of what is in a file still lies in the log beside it."""
    log = log_of(path)
    return log.is_file() and log.stat().st_size > 0


@contextmanager
def told(path: Path | None) -> Iterator[None]:
    """Tell what SQLite says of a file, or of the disk it is on, as an :class:`IndexFileError`."""
    where = path or "the index"
    try:
        yield
    except apsw.NotADBError as error:
        raise IndexFileError(f"{where} cannot be read as an index: {_said(error)}") from error
    except apsw.CorruptError as error:
        raise damaged(where, _said(error)) from error
    except UnicodeDecodeError as error:
        raise damaged(where, f"a text in it is none: {error}") from error
    except (apsw.BusyError, apsw.LockedError, apsw.ProtocolError) as error:
        raise IndexFileError(f"{where} is being written elsewhere ({_said(error)}): try again") from error
    except apsw.CantOpenError as error:
        raise IndexFileError(f"{where} cannot be opened: {_said(error)}") from error
    except (apsw.FullError, apsw.ReadOnlyError, apsw.IOError) as error:
        if getattr(error, "extendedresult", None) in _OF_READING:
            raise IndexFileError(f"{where} cannot be read ({_said(error)}): copy it to another disk") from error
        raise IndexFileError(f"{where} cannot be written ({_said(error)}): make room, or save elsewhere") from error


def _said(error: apsw.Error) -> str:
    return str(error).removeprefix(f"{type(error).__name__}: ")  # earlier versions of apsw begin with it
