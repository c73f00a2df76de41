"""An index: items, chunks, vectors, previews and words, in one SQLite database, in memory or in a file."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from mmrag_nb.errors import IndexFileError

from .schema import connect, read_only
from .writing import Writing

if TYPE_CHECKING:
    from pathlib import Path


class Catalog(Writing):
    """One index. Safe to use from several threads of one process.

    Parameters
    ----------
    path
        The file to keep it in, created where absent; ``None`` keeps it in memory until :meth:`save`.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path = None if path is None else path.resolve()  # the notebook may change its folder
        super().__init__(connect(path))
        self.read_only = read_only(path)

    # -- the file --------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write the whole index to ``path`` and go on there.

        The copy is made beside ``path`` and moved over it, so that a failure leaves what was there.

        Raises
        ------
        IndexFileError
            The folder is missing or cannot be written; ``path`` is no index, or one that is open elsewhere.
        """
        path = path.resolve()  # a link stays a link
        if path.is_dir():
            raise IndexFileError(f"{path} is a folder: name a file in it, such as {path / 'lesson.mmrag'}")
        if not path.parent.is_dir():
            raise IndexFileError(f"there is no folder {path.parent} to keep {path.name} in: make it, or name another")
        with self._lock:
            if self.path is not None and self.path.exists() and path.exists() and path.samefile(self.path):
                return
            temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            try:
                with closing(sqlite3.connect(temporary)) as target:
                    self._db.backup(target)
                if path.exists():
                    _settle(path)
                temporary.replace(path)
            except (OSError, sqlite3.Error) as error:
                raise IndexFileError(f"cannot save to {path}: {error}") from error
            finally:
                temporary.unlink(missing_ok=True)
            self._db.close()
            self._db = connect(path)
            self.path, self.read_only = path, False
            self._changes += 1  # what another connection has counted there must not look like a state of ours

    def become(self, other: Catalog) -> None:
        """Go on as ``other``, which is of no use by itself afterwards; the file that was open is closed and stays."""
        with self._lock:
            self._db.close()
            self._db, self.path, self.read_only = other._db, other.path, other.read_only
            self._changes += 1

    def close(self) -> None:
        """Close the database; the catalog is of no use afterwards."""
        with self._lock:
            self._db.close()


def _settle(path: Path) -> None:
    """Make sure that the index at ``path`` can be replaced.

    What its last writer left in the write-ahead log would be played over any file that takes its place.

    Raises
    ------
    IndexFileError
        It is no index, or is open elsewhere.
    """
    with closing(connect(path)) as old:
        try:
            old.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:
            raise IndexFileError(f"{path} is open elsewhere: close it there, or save under another name") from error
