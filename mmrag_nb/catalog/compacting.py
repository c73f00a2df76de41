"""An index made as small as what is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

    The pages stay as large as they were: SQLite writes pages of another size in pieces, which have no checksums.

    Raises
    ------
    IndexFileError
        It is being written elsewhere, or there is no room for a second copy of it.
    """
    db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
