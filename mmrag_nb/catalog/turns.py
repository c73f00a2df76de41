"""One writer at a time: a turn at an index that other notebooks write, too."""

from __future__ import annotations

import ctypes
import random
import time
from typing import TYPE_CHECKING

import apsw

from mmrag_nb.errors import IndexFileError

if TYPE_CHECKING:
    from pathlib import Path

    from .database import Database

PATIENCE = 60.0
"""Seconds that a writer waits for its turn. A batch takes another notebook well under one to commit; seven of them at a
time, each as often as it can, have let an eighth wait for a few."""
MOMENT = 0.1
"""Seconds that are waited to write what only saves time: whoever asks a question waits for nobody who writes."""
_SHORTEST, _LONGEST = 0.0005, 0.004
"""Seconds between two tries. SQLite's own, which come up to 0.1 seconds apart, lose against whoever writes without a
pause, and Ctrl-C waits for them."""


class Turn:
    """A writer's wait for its turn, for ``patience`` seconds at most."""

    def __init__(self, path: Path | None, patience: float | None = None) -> None:
        self._path = path
        self._patience = PATIENCE if patience is None else patience
        self._since = time.monotonic()

    def wait(self) -> None:
        """Let a moment pass, each time another one, so that of several who wait none is always the last.

        Raises
        ------
        IndexFileError
            The others have not come to an end.
        """
        if time.monotonic() - self._since > self._patience:
            raise IndexFileError(
                f"{self._path} is being written elsewhere, and has been for {self._patience:g} s: what was written "
                "here before stays, this was not; run it again when that is done, or close the index there"
            )
        time.sleep(random.uniform(_SHORTEST, _LONGEST))  # noqa: S311  # nothing secret


def begun(db: Database) -> bool:
    """Begin to write at once, unless another writes now.

    Raises
    ------
    IndexFileError
        The file is no longer the one that was opened: what is written would go nowhere.
    """
    patience = db.execute("PRAGMA busy_timeout").fetchone()[0]
    db.set_busy_timeout(0)
    try:
        db.execute("BEGIN IMMEDIATE")
    except IndexFileError as error:
        if isinstance(error.__cause__, apsw.BusyError):
            return False
        raise
    finally:
        db.set_busy_timeout(patience)
    if _has_moved(db):
        raise IndexFileError(
            f"{db.path} was moved, removed or replaced elsewhere while it was open here: open it again, or save under "
            "another name"
        )
    return True


def _has_moved(db: Database) -> bool:
    if db.path is None:
        return False
    answer = ctypes.c_int(0)
    db.file_control("main", apsw.SQLITE_FCNTL_HAS_MOVED, ctypes.addressof(answer))
    return bool(answer.value)
