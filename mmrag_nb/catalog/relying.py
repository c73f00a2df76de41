"""What a writer found in the index before it began to write, looked at again when it does: others write meanwhile."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mmrag_nb.errors import MMRagError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .database import Database
    from .entries import Entry
    from .spaces import Spaces


@dataclass(frozen=True)
class Relied:
    """What vectors of one space are made with, and which were there already."""

    dimension: int
    fingerprint: Mapping[str, str]
    versions: Mapping[str, str]
    there: set[str] = field(default_factory=set)
    """Keys that have a vector, so that none is made."""


class VectorsGoneError(MMRagError):
    """Vectors that were there are not any more: another notebook has removed what they belonged to."""


class TakenOverError(MMRagError):
    """An item of which sections are read here was removed meanwhile, or is read anew by another notebook."""


def rely(catalog: Spaces, db: Database, relied: Mapping[str, Relied]) -> None:
    """Make sure, within a transaction, that spaces (by name) are what they were found to be, and note new ones.

    Raises
    ------
    IndexMismatch
        Another model has filled a space.
    VectorsGoneError
        A vector was there and is not.
    """
    for space, one in relied.items():
        if not catalog.holds(space, one.fingerprint):
            row = (space, one.dimension, json.dumps(dict(one.fingerprint)), json.dumps(dict(one.versions)))
            if db.execute("SELECT * FROM spaces WHERE name = ?", (space,)).fetchone() != row:
                db.execute("DELETE FROM backgrounds WHERE space = ?", (space,))
                db.execute("INSERT OR REPLACE INTO spaces VALUES (?, ?, ?, ?)", row)
        gone = """
            SELECT count(*) FROM json_each(?) WHERE NOT EXISTS (
                SELECT 1 FROM vectors WHERE space = ? AND key = value)"""
        (n,) = db.execute(gone, (json.dumps(sorted(one.there)), space)).fetchone()
        if n:
            raise VectorsGoneError(f"{n} of the vectors in {space} that were there have been removed elsewhere")


def take_section(db: Database, entry: Entry) -> None:
    """Note, within a transaction, whose sections an item consists of; the last one frees it.

    Whoever begins last goes on: sections that two cut in different ways would not fit together.

    Raises
    ------
    TakenOverError
        It is another's now, or was removed.
    """
    if entry.section is None or not entry.run:
        return
    first, is_last = entry.section
    key = _key(entry.item.id)
    if first:
        owner = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        there = db.execute("SELECT 1 FROM items WHERE hash = ?", (entry.item.id,)).fetchone()
        if owner != (entry.run,) or there is None:
            raise TakenOverError(
                "it was removed, or indexed, elsewhere while it was being read here: index it again if it is not there"
            )
    if is_last:
        db.execute("DELETE FROM meta WHERE key = ?", (key,))
    else:
        db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, entry.run))


def forget_sections(db: Database, items: Sequence[str]) -> None:
    """Free, within a transaction, items (by content hash) that are removed."""
    db.executemany("DELETE FROM meta WHERE key = ?", ((_key(item),) for item in items))


def _key(item: str) -> str:
    return f"sections of {item}"
