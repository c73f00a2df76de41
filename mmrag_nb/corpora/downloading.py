"""A corpus as a file."""

from __future__ import annotations

import secrets
from contextlib import closing
from typing import TYPE_CHECKING

from mmrag_nb.catalog.catalog import Catalog

from .whole import batches, whole

if TYPE_CHECKING:
    from pathlib import Path

    from mmrag_nb.protocols import Progress

    from .asked import Asked

LARGEST = 200_000
"""Chunks that a file is made of: some gigabytes."""


def write_down(corpus: Asked, path: Path, progress: Progress | None = None) -> None:
    """Write all of ``corpus`` to an index file at ``path``.

    Raises
    ------
    IndexFileError
        The file cannot be written; what was there stays.
    StoreError
        Milvus failed meanwhile.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    done, total = 0, corpus.chunk_count()
    try:
        with closing(Catalog(temporary)) as file:
            for space, told in corpus.spaces_noted().items():
                file.register(space, told["dimension"], told["fingerprint"], told["versions"])
            for batch in batches(whole(corpus)):
                file.add(batch.entries, batch.vectors, corpus.meta())
                done += batch.chunks
                if progress is not None:
                    progress("saving", done, total)
            file.save(path)
    finally:
        for left in path.parent.glob(f"{temporary.name}*"):
            left.unlink(missing_ok=True)
