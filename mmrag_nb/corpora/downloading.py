"""A corpus as a file."""

from __future__ import annotations

import secrets
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.catalog.entries import Entry

from .holding import owner_of
from .keys import chunk_number

if TYPE_CHECKING:
    from pathlib import Path

    from mmrag_nb.types import Preview

    from .asked import Asked
    from .working import KeptItem

LARGEST = 200_000
"""Chunks that a file is made of: some gigabytes."""
KINDS = ("thumbnail", "proxy", "peaks", "clip", "film", "page", "words", "placed")
"""Previews, see :attr:`mmrag_nb.types.LoadedChunk.previews`."""
_BATCH = 50


def write_down(corpus: Asked, path: Path) -> None:
    """Write all of ``corpus`` to an index file at ``path``.

    Raises
    ------
    IndexFileError
        The file cannot be written; what was there stays.
    StoreError
        Milvus failed meanwhile.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with closing(Catalog(temporary)) as file:
            spaces = corpus.spaces_noted()
            for space, told in spaces.items():
                file.register(space, told["dimension"], told["fingerprint"], told["versions"])
            items = corpus.holding.every_item()
            while batch := list(islice(items, _BATCH)):
                entries = [_entry(corpus, kept) for kept in batch]
                keys = {key for entry in entries for seen in entry.views for _, key in seen}
                file.add(
                    entries, {space: corpus.holding.vectors_of_keys(space, keys) for space in spaces}, corpus.meta()
                )
            file.save(path)
    finally:
        for left in path.parent.glob(f"{temporary.name}*"):
            left.unlink(missing_ok=True)


def _entry(corpus: Asked, kept: KeptItem) -> Entry:
    item = kept.item.id
    chunks = sorted(
        corpus.holding.chunks(chunk_number(item, ordinal) for ordinal in range(kept.chunks)),
        key=lambda one: one.chunk.ordinal,
    )
    previews: dict[tuple[int, str], Preview] = {}
    for ordinal in range(-1, kept.chunks):
        for kind, shown in corpus.holding.pieces(owner_of(item, ordinal), KINDS).items():
            previews[ordinal, kind] = shown
    described = {one.chunk.ordinal: one.described for one in chunks if one.described}
    views = [list(one.views) for one in chunks]
    return Entry(kept.item, [one.chunk for one in chunks], views, kept.recipe, kept.facts, previews, described)
