"""What stays of an item that is read again, and what makes room."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .entries import BEGUN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mmrag_nb.types import Chunk, Item, Metadata

    from .database import Database
    from .entries import Described, Entry
    from .reading import Reading

_BEHIND_ALL = 1 << 60
_LAST = "last chunk"
"""What the index notes the highest id under that a chunk has had."""
_OF_CONTENT = ("image", "audio")
"""Views that hold whatever is said of an item."""


def other_views(catalog: Reading, entry: Entry) -> dict[int, tuple[list[tuple[str, str]], Mapping[str, Described]]]:
    """What other strategies have of the same chunks, made by the same recipe: it stays, where it still holds."""
    known = catalog.find(entry.item.id)
    if known is None or known[1].removesuffix(BEGUN) != entry.recipe.removesuffix(BEGUN):
        return {}
    ids = catalog.chunk_ids(entry.item.id)
    stored = catalog.records(ids)
    views = catalog.views(ids)
    said = said_of(known[0]) == said_of(entry.item)
    fresh = _placed(entry.chunks)
    kept = {}
    for place, one in zip(_placed([stored[one].chunk for one in ids]), ids, strict=True):
        if (now := fresh.get(place)) is None:
            continue
        chunk = stored[one].chunk
        holds = now.text == chunk.text and (said or chunk.modality == "text")
        seen = [view for view in views.get(one, []) if holds or view[0] in _OF_CONTENT]
        kept[now.ordinal] = seen, stored[one].described
    return kept


def make_room(db: Database, entry: Entry, *, anew: bool) -> None:
    """Delete what stands where the section ``entry`` goes, and behind the last one.

    Where an item is made ``anew`` by another recipe, its words go at once: a run that goes on where this one is stopped
    would take what another listened to or read for its own. Pictures are what they were, and what was said of them is
    kept with who said it.
    """
    assert entry.section is not None
    first, is_last = entry.section
    until = _BEHIND_ALL if is_last else first + len(entry.chunks)
    number = "(SELECT id FROM items WHERE hash = ?)"
    if anew:
        left = f"SELECT ordinal FROM chunks WHERE item = {number}"  # noqa: S608
        db.execute(f"DELETE FROM chunks WHERE item = {number} AND modality <> 'image'", (entry.item.id,))  # noqa: S608
        gone = f"DELETE FROM previews WHERE item = {number} AND ordinal >= 0 AND ordinal NOT IN ({left})"  # noqa: S608
        db.execute(gone, (entry.item.id, entry.item.id))
    for table in ("chunks", "previews"):
        place = f"DELETE FROM {table} WHERE item = {number} AND ordinal >= ? AND ordinal < ?"  # noqa: S608
        db.execute(place, (entry.item.id, first, until))


def fresh_ids(db: Database, n: int) -> Iterator[int]:
    """``n`` ids for chunks that none has ever had, within the open transaction.

    SQLite would give those of what was removed again, and whoever is searching meanwhile would take one for the other.
    """
    (last,) = db.execute(
        "SELECT max(ifnull((SELECT max(id) FROM chunks), 0), "
        "ifnull((SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?1), 0))",
        (_LAST,),
    ).fetchone()
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_LAST, str(last + n)))
    return iter(range(last + 1, last + n + 1))


def said_of(item: Item) -> tuple[str, Metadata]:
    """What of an item can be embedded besides its content."""
    return item.words, item.metadata


def _placed(chunks: Iterable[Chunk]) -> dict[tuple[object, ...], Chunk]:
    """Chunks by their kind and place, and by which of several there they are, in their order.

    Ordinals alone do not tell which is which: another encoder's passages between pictures are more, or fewer.
    """
    found: dict[tuple[object, ...], Chunk] = {}
    several: Counter[tuple[object, ...]] = Counter()
    for chunk in chunks:
        place = (chunk.start, chunk.end, chunk.page)
        kind = (chunk.modality, *place, chunk.ordinal if place == (None, None, None) else None)
        found[(*kind, several[kind])] = chunk
        several[kind] += 1
    return found
