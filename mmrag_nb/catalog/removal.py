"""What goes with an item: its chunks, words and previews, and the vectors that nothing else refers to."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from mmrag_nb.errors import IndexFileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .database import Database

ORPHANS = (
    # A view's key is the hash of what is embedded, so content that other items share keeps its vector.
    "DELETE FROM vectors WHERE NOT EXISTS (SELECT 1 FROM views WHERE views.key = vectors.key)",
    # A space without vectors is open to any model again.
    "DELETE FROM backgrounds WHERE space NOT IN (SELECT space FROM vectors)",
    "DELETE FROM spaces WHERE name NOT IN (SELECT space FROM vectors)",
)
"""What deletes all that nothing refers to any more."""


def remove_items(db: Database, hashes: Sequence[str]) -> None:
    """Delete the items of these content hashes with all that only they refer to, within the open transaction."""
    # Views and previews cascade from the tables' own rules, words go by a trigger.
    db.execute("DELETE FROM items WHERE hash IN (SELECT value FROM json_each(?))", (json.dumps(list(hashes)),))
    for query in ORPHANS:
        db.execute(query)
    # Deletion only marks a text's words; merged into one segment, they are gone.
    db.execute("INSERT INTO words (words) VALUES ('optimize')")


def give_back(db: Database) -> None:
    """Shrink a file of which more than half lies free; less is filled again by what comes next."""
    waits = int(db.execute("PRAGMA busy_timeout").fetchone()[0])
    db.execute("PRAGMA busy_timeout = 0")  # a reader elsewhere is not waited for
    with suppress(IndexFileError):  # the room is given back, or filled, another time
        _shrink(db)
    db.execute(f"PRAGMA busy_timeout = {waits}")


def _shrink(db: Database) -> None:
    free = int(db.execute("PRAGMA freelist_count").fetchone()[0])
    if 2 * free > int(db.execute("PRAGMA page_count").fetchone()[0]):
        db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
