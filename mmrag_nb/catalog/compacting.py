"""An index made as small as what is in it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from mmrag_nb.errors import IndexFileError

from .database import PAGE
from .removal import ORPHANS

if TYPE_CHECKING:
    from .database import Database

_LEFT_OVER = (
    """DELETE FROM previews WHERE ordinal >= 0 AND NOT EXISTS (
        SELECT 1 FROM chunks WHERE (chunks.item, chunks.ordinal) = (previews.item, previews.ordinal))""",
    "DELETE FROM words WHERE rowid NOT IN (SELECT id FROM chunks)",
    "INSERT INTO words (words) VALUES ('optimize')",
)


def drop_orphans(db: Database) -> int:
    """Delete, within the open transaction, what nothing refers to; number of vectors among it."""
    (before,) = db.execute("SELECT count(*) FROM vectors").fetchone()
    for query in (*ORPHANS, *_LEFT_OVER):
        db.execute(query)
    (after,) = db.execute("SELECT count(*) FROM vectors").fetchone()
    return int(before) - int(after)


def rewrite(db: Database) -> None:
    """Write an index anew, page after page, so that no room is left between.

    A file that was made with pages of another size gets those of now, unless it is open elsewhere.

    Raises
    ------
    IndexFileError
        It is being written elsewhere, or there is no room for a second copy of it.
    """
    (size,) = db.execute("PRAGMA page_size").fetchone()
    if db.path is not None and size != PAGE:
        with suppress(IndexFileError):  # pages of another size cannot go by way of the log
            db.execute("PRAGMA journal_mode = DELETE")
            db.execute(f"PRAGMA page_size = {PAGE}")
    try:
        db.execute("VACUUM")
    finally:
        if db.path is not None:
            db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
