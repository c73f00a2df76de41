"""An index: items, chunks, vectors, previews and words, in one SQLite database, in memory or in a file."""

from __future__ import annotations

import os
import re
import secrets
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from mmrag_nb.errors import IndexFileError
from mmrag_nb.verification import Compaction

from .compacting import drop_orphans, rewrite
from .database import Database, log_of, told
from .rows import Rows
from .schema import connect
from .verifying import verify, verify_file

if TYPE_CHECKING:
    from pathlib import Path

    from mmrag_nb.verification import Verification

_ABANDONED = 3600.0
"""Seconds for which nothing was written to the copy that saving makes, after which whoever made it is dead."""


class Catalog(Rows):
    """One index. Safe to use from several threads of one process.

    Parameters
    ----------
    path
        The file to keep it in, created where absent; ``None`` keeps it in memory until :meth:`save`.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path = None if path is None else path.resolve()  # the notebook may change its folder
        super().__init__(connect(path))
        self.read_only = self._db.frozen

    @property
    def place(self) -> str:
        """Where it is kept, to be shown; empty while it is in memory."""
        return str(self.path or "")

    @property
    def generation(self) -> tuple[int, int]:
        """Differs after every change of what is in the index, here or by another connection."""
        with self._lock:
            if self.path is not None and self._db.stale and not self._db.in_transaction:
                self._go_on(connect(self.path), self.path)
            return super().generation

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
            token = secrets.token_hex(4)
            temporary = path.with_name(f".{path.name}.{token}")
            try:
                _clear_away(path, older_than=_ABANDONED)
                with told(path), closing(Database(temporary)) as target:
                    target.path = path  # the name that is told where it fails
                    self._db.copy_to(target)
                if path.exists():
                    _settle(path)
                temporary.replace(path)
                _settled_on_disk(path.parent)
            except OSError as error:
                raise IndexFileError(f"cannot save to {path}: {error}") from error
            finally:
                _clear_away(path, token)
            self._go_on(connect(path), path)

    def verify(self) -> Verification:
        """Look at all of the index: whether each page is what was written, and whether its parts fit together."""
        if self.path is not None and self.path.is_file():
            return verify_file(self.path)
        with self._lock:
            return verify(self._db)

    def compact(self) -> Compaction:
        """Make the index as small as what is in it.

        Raises
        ------
        IndexFileError
            It may only be read, is being written elsewhere, or there is no room for a second copy of it.
        """
        start, before = time.perf_counter(), self._bytes()
        with self._write() as db:
            orphans = drop_orphans(db)
        with self._lock:
            rewrite(self._db)
            self._changes += 1
        return Compaction(str(self.path or ""), before, self._bytes(), orphans, time.perf_counter() - start)

    def _bytes(self) -> int:
        if self.path is None:
            return self.size()
        return sum(one.stat().st_size for one in (self.path, log_of(self.path)) if one.is_file())

    def become(self, other: Catalog) -> None:
        """Go on as ``other``, which is of no use by itself afterwards; the file that was open is closed and stays."""
        with self._lock:
            before = self._db
            changes = self._changes + other._changes + 1
            state = {**vars(other), "_lock": self._lock, "_changes": changes}
            # Whoever holds this object goes on with the other index, of whatever kind that is.
            self.__class__, self.__dict__ = type(other), state
            before.close()

    def _go_on(self, db: Database, path: Path | None) -> None:
        before = self._db
        self._db, self.path, self.read_only = db, path, db.frozen  # at once: Ctrl-C may come after any line
        self._changes += 1  # what another connection has counted there must not look like a state of ours
        before.close()

    def close(self) -> None:
        """Close the database; the catalog is of no use afterwards."""
        with self._lock:
            self._db.close()


def _settled_on_disk(folder: Path) -> None:
    """Have the new name in ``folder`` outlive a power failure, as the file that SQLite has closed does."""
    with suppress(OSError):  # some systems open no folders
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _clear_away(path: Path, name: str = "[0-9a-f]{8}", older_than: float | None = None) -> None:
    """Delete the copies that saving to ``path`` has made beside it: the one of that ``name``, or abandoned ones."""
    ours = re.compile(rf"\.{re.escape(path.name)}\.{name}(-journal|-wal|-shm)?")
    with suppress(OSError):
        for one in path.parent.iterdir():
            if ours.fullmatch(one.name) and (older_than is None or time.time() - one.stat().st_mtime > older_than):
                one.unlink(missing_ok=True)


def _settle(path: Path) -> None:
    """Make sure that the index at ``path`` can be replaced.

    What its last writer left in the write-ahead log would be played over any file that takes its place.

    Raises
    ------
    IndexFileError
        It is no index, or is open elsewhere.
    """
    with closing(connect(path)) as old:
        if old.frozen:
            raise IndexFileError(f"{path} may only be read: save under another name")
        try:
            old.execute("PRAGMA journal_mode = DELETE")
        except IndexFileError as error:
            raise IndexFileError(f"{path} is open elsewhere: close it there, or save under another name") from error
    # SQLite says nothing of a disk that failed just then; and a journal is played back over whatever takes the place.
    if any(path.with_name(path.name + end).exists() for end in ("-journal", "-wal")):
        raise IndexFileError(f"{path} cannot be written: make room, or save under another name")
