"""An index as a corpus: written into Milvus, where it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmrag_nb.catalog.entries import BEGUN
from mmrag_nb.errors import MMRagError

from .keys import chunk_number
from .shapes import ITEMS
from .whole import batches, whole

if TYPE_CHECKING:
    from mmrag_nb.catalog.catalog import Catalog
    from mmrag_nb.catalog.entries import Entry
    from mmrag_nb.protocols import Progress

    from .corpus import Corpus
    from .whole import Batch

_BEGUN = "saving of"
"""Key of the note that an index is being written there: its identity, empty when all is there."""
_OF_PLACES = frozenset({"base", "copies"})
"""Notes on where files are, which is not followed in a corpus."""


def write_up(index: Catalog, corpus: Corpus, progress: Progress | None = None) -> None:
    """Write all of ``index`` into ``corpus``, a batch at a time. Where that was interrupted, it goes on.

    Raises
    ------
    MMRagError
        Something else is there already, or vectors were imported and not compared with their model yet.
    StoreError
        Milvus failed meanwhile.
    """
    if spaces := index.unsettled():
        raise MMRagError(f"the vectors imported into {spaces[0]} are not compared with their model yet: ask first")
    source, identity = whole(index), index.identity
    begun = _may_go_there(index, corpus, identity)
    corpus.holding.note({"identity": identity, _BEGUN: identity})
    for space, told in source.spaces().items():
        corpus.register(space, told["dimension"], told["fingerprint"], told["versions"])
    meta = {key: value for key, value in index.meta().items() if " " not in key and key not in _OF_PLACES}
    corpus.holding.note(meta)
    done, total = 0, index.chunk_count()
    tell = progress or (lambda *_: None)
    tell("saving", 0, total)
    for batch in batches(source):
        entries = _lacking(corpus, batch) if begun else batch.entries
        if entries:
            corpus.add(entries, batch.vectors)
        done += batch.chunks
        tell("saving", done, total)
    corpus.note(_BEGUN, "")


def _may_go_there(index: Catalog, corpus: Corpus, identity: str) -> bool:
    """Whether some of ``index`` is there already.

    Raises
    ------
    MMRagError
        Something else is.
    """
    notes, n = corpus.holding.notes(), corpus.count(ITEMS)
    items = f"{n:,} item{'s' * (n != 1)}"
    if n and notes.get("identity") != identity:
        raise MMRagError(
            f"{corpus.place} has another index already, of {items}: %mmrag_open {corpus.place} goes on with it, or "
            "name another place"
        )
    more = [one.item.id for one in corpus.holding.every_item() if index.find(one.item.id) is None] if n else []
    if more and notes.get(_BEGUN) != identity:
        raise MMRagError(
            f"{corpus.place} has this index already, and {len(more):,} of its {items} only there: %mmrag_open "
            f"{corpus.place} goes on with it, or name another place"
        )
    corpus.remove(more)  # they were taken out since
    return n > 0


def _lacking(corpus: Corpus, batch: Batch) -> list[Entry]:
    """What of a batch is not there as it is."""
    known = corpus.holding.items([entry.item.id for entry in batch.entries])
    ids = [chunk_number(chunk.item_id, chunk.ordinal) for entry in batch.entries for chunk in entry.chunks]
    there = {(one.chunk.item_id, one.chunk.ordinal): one for one in corpus.holding.chunks(ids)}
    absent = {key for space, vectors in batch.vectors.items() for key in corpus.missing(space, list(vectors))}
    lacking = []
    for entry in batch.entries:
        kept = known.get(entry.item.id)
        same = (
            kept is not None
            and entry.section is None
            and not entry.recipe.endswith(BEGUN)
            and (kept.item, kept.recipe, kept.facts) == (entry.item, entry.recipe, entry.facts)
            and kept.chunks == len(entry.chunks)
        )
        for chunk, views in zip(entry.chunks, entry.views, strict=True):
            one = there.get((chunk.item_id, chunk.ordinal))
            same = (
                same
                and one is not None
                and one.chunk == chunk
                and set(map(tuple, one.views)) == set(map(tuple, views))
                and one.described == entry.described.get(chunk.ordinal, {})
                and absent.isdisjoint(key for _, key in views)
            )
        if not same:
            lacking.append(entry)
    return lacking
