"""The stage that writes: what workers made, into the index."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import MMRagError, StoreError

from .place import opened
from .rows import Made, joined, unpack

if TYPE_CHECKING:
    from .place import Place

_PAUSES = (1.0, 4.0, 16.0)
"""Seconds to wait before a server that failed is asked again."""


class Writing:
    """A writer. What it is given twice is written once: items and vectors go by hashes."""

    def __init__(self, place: Place) -> None:
        self._index = opened(place)

    def __call__(self, batch: Any) -> Any:
        """Write rows as :func:`~mmrag_nb.scaling.encoding.row` makes them, at once; what is told of them goes on."""
        import pyarrow as pa

        start = time.perf_counter()
        pairs = zip(batch["made"].to_pylist(), batch["blobs"].to_pylist(), strict=True)
        failed = self._written(joined([unpack(said, blobs) for said, blobs in pairs]))
        seconds = (time.perf_counter() - start) / batch.num_rows
        told = [_added(one, failed, seconds) for one in batch["told"].to_pylist()]
        return pa.table({"number": batch["number"], "told": told, "last": batch["last"]})

    def _written(self, made: Made) -> str:
        """Write, again after a pause where the server fails; why it could not be, empty where it was."""
        told = ""
        for pause in (0.0, *_PAUSES):
            time.sleep(pause)
            told, again = self._tried(made)
            if not again:
                break
        return told

    def _tried(self, made: Made) -> tuple[str, bool]:
        """Why it could not be written, and whether that may pass."""
        try:
            self._write(made)
        except StoreError as error:
            return str(error), True
        except MMRagError as error:
            return str(error), False
        return "", False

    def _write(self, made: Made) -> None:
        for space, one in made.relied.items():
            self._index.register(space, one.dimension, one.fingerprint, one.versions)
        if made.entries:
            self._index.add(made.entries, made.vectors, made.meta, made.relied)
        if made.updated:
            self._index.update(*made.updated)


def _added(told: bytes, failed: str, seconds: float) -> bytes:
    """What is ``told`` of a row, with the time that writing it took, or why it could not be written."""
    said = json.loads(told)
    if "failed" in said:
        return told
    if failed:
        return json.dumps({"failed": failed}).encode()
    said["seconds"]["commit"] = said["seconds"].get("commit", 0.0) + seconds
    return json.dumps(said).encode()
