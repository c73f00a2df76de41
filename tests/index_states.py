"""What an index holds, written so that two can be compared, and what of it does not fit together."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.errors import IndexFileError
from mmrag_nb.rag import MultimodalRAG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

State = dict[str, str]
"""A digest of each item by its hash, of all that belongs to it."""

ABSENT: State = {"no file": ""}

_ITEMS = "SELECT id, hash, uri, modality, metadata, facts, recipe, record, record_name FROM items"
_OF_AN_ITEM = {
    "chunks": 'SELECT ordinal, modality, text, start, "end", page FROM chunks WHERE item = ?',
    "views": "SELECT ordinal, view, key FROM views JOIN chunks ON chunks.id = chunk WHERE item = ?",
    "vectors": "SELECT ordinal, view, space, vector FROM views JOIN chunks ON chunks.id = chunk "
    "JOIN vectors USING (key) WHERE item = ?",
    "words": "SELECT ordinal, words.text, name, described FROM words JOIN chunks ON chunks.id = words.rowid "
    "WHERE item = ?",
    "descriptions": "SELECT ordinal, kind, model, descriptions.text FROM descriptions "
    "JOIN chunks ON chunks.id = chunk WHERE item = ?",
    "previews": "SELECT ordinal, kind, mime, data FROM previews WHERE item = ?",
}
_NONE_OF = {
    "chunks without words": "SELECT count(*) FROM chunks WHERE id NOT IN (SELECT rowid FROM words)",
    "words without a chunk": "SELECT count(*) FROM words WHERE rowid NOT IN (SELECT id FROM chunks)",
    "chunks without a view": "SELECT count(*) FROM chunks WHERE id NOT IN (SELECT chunk FROM views)",
    "views without a vector": "SELECT count(*) FROM views WHERE key NOT IN (SELECT key FROM vectors)",
    "vectors without a view": "SELECT count(*) FROM vectors WHERE key NOT IN (SELECT key FROM views)",
    "vectors without a space": "SELECT count(*) FROM vectors WHERE space NOT IN (SELECT name FROM spaces)",
    "items without a chunk": "SELECT count(*) FROM items WHERE id NOT IN (SELECT item FROM chunks)",
    "gaps between chunks": "SELECT count(*) FROM (SELECT max(ordinal) + 1 - count(*) AS gap FROM chunks GROUP BY item) "
    "WHERE gap <> 0",
    "items without a preview": "SELECT count(*) FROM items WHERE modality = 'image' "
    "AND id NOT IN (SELECT item FROM previews)",
}


def state(catalog: Catalog) -> State:
    """What is in ``catalog``, by item."""
    db = catalog._db
    found = {}
    for number, item, *facts in list(db.execute(_ITEMS)):
        held = hashlib.sha256(repr(facts).encode())
        for name, query in _OF_AN_ITEM.items():
            held.update(repr((name, sorted(map(repr, db.execute(query, (number,)))))).encode())
        found[item] = held.hexdigest()[:16]
    return dict(sorted(found.items()))


def digest(of: State) -> str:
    """Stands for a whole state."""
    return hashlib.sha256(json.dumps(of).encode()).hexdigest()[:16]


def faults(catalog: Catalog) -> list[str]:
    """What does not fit together in ``catalog``."""
    db = catalog._db
    found = [f"integrity_check: {told}" for (told,) in list(db.execute("PRAGMA integrity_check")) if told != "ok"]
    found += [f"foreign key: {row}" for row in list(db.execute("PRAGMA foreign_key_check"))]
    if not catalog.read_only:
        try:
            db.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        except IndexFileError as error:
            found.append(f"full-text index: {error}")
    for what, query in _NONE_OF.items():
        (number,) = db.execute(query).fetchone()
        if number:
            found.append(f"{number} {what}")
    return found


@contextmanager
def commits_noted(noted: Callable[[Catalog], None]) -> Iterator[None]:
    """Within the block, ``noted`` is told of the catalog after each commit."""
    write = Catalog._write

    @contextmanager
    def watched(self: Catalog, **how: bool) -> Iterator[Any]:
        with write(self, **how) as db:
            yield db
        noted(self)

    Catalog._write = watched
    try:
        yield
    finally:
        Catalog._write = write


def searched(rag: MultimodalRAG, question: str) -> list[str]:
    """A question put to an index, unless it is empty: what is wrong with what comes."""
    items = rag.items()
    if not items:
        return []
    hits = rag.search(question, k=5)
    known = {item.id for item in items}
    wrong = [f"a hit in {hit.item.uri}, which is not in the index" for hit in hits if hit.item.id not in known]
    return wrong if len(hits) else ["a search finds nothing"]


def look(path: Path) -> dict[str, Any]:
    """What is found when an index is opened."""
    if not path.exists():
        return {"state": ABSENT, "wrong": []}
    try:
        with MultimodalRAG.open(path) as rag:
            found = {"state": state(rag._catalog), "wrong": faults(rag._catalog)}
            found["wrong"] += searched(rag, "what of the lantern and the harbour?")
    except IndexFileError as error:
        return {"state": {"unreadable": ""}, "wrong": [f"cannot be opened: {error}"]}
    return found


def difference(found: State, known: list[State]) -> str:
    """How a state differs from the nearest of those that may be."""
    near = min(known, key=lambda one: len(set(one.items()) ^ set(found.items())))
    missing, more = set(near) - set(found), set(found) - set(near)
    other = [item for item in set(near) & set(found) if near[item] != found[item]]
    told = {"items": len(found), "expected": len(near), "missing": len(missing), "more": len(more)}
    return json.dumps({**told, "other": [item[:8] for item in other]})
