"""The stage that works: opens sources, leaves what is in the index already, loads and embeds the rest."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.errors import MMRagError
from mmrag_nb.indexing import BATCH, Indexing
from mmrag_nb.loading import up_to_date
from mmrag_nb.parts import Parts, loader_name
from mmrag_nb.registry import entry, modality_of
from mmrag_nb.reports import Skipped
from mmrag_nb.settings import Settings
from mmrag_nb.sources.redaction import brief
from mmrag_nb.sources.resolve import resolve
from mmrag_nb.types import Resolved, Source
from mmrag_nb.workload import Tally

from .place import opened
from .rows import Made, pack, pack_tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from mmrag_nb.catalog.entries import Entry
    from mmrag_nb.catalog.relying import Relied
    from mmrag_nb.types import Item

    from .place import Place


@dataclass(frozen=True)
class Task:
    """What every worker of a run goes by: plain values, as they go to other machines."""

    place: Place
    """Where the index lies."""
    settings: Mapping[str, Any]
    base: str
    """The folder that relative names begin at."""
    columns: Mapping[str, str] | None = None
    ignore: tuple[str, ...] = ()


class Encoding:
    """A worker: makes of a batch of named sources what is to be written, with the models loaded once.

    Parameters
    ----------
    task
        What the run goes by.
    threads
        Processors that it has for itself.
    """

    def __init__(self, task: Task, threads: int) -> None:
        os.environ["OMP_NUM_THREADS"] = str(threads)  # read when torch is first imported: with the first model
        self._task = task
        self._settings = Settings(**task.settings)
        self._parts = Parts(self._settings)
        self._index = opened(task.place)

    def __call__(self, batch: Any) -> Iterator[Any]:
        """Yield a row for each sixteen items of each row of ``batch``, see :func:`row`."""
        import pyarrow as pa

        for number, told in zip(batch["number"].to_pylist(), batch["sources"].to_pylist(), strict=True):
            for one in self._rows(number, json.loads(told)):
                yield pa.table(one)

    def _rows(self, number: int, named: Sequence[tuple[str, dict[str, Any]]]) -> Iterator[dict[str, list[Any]]]:
        sources = [Source(os.fsdecode(bytes.fromhex(name)), metadata) for name, metadata in named]
        task, private = self._task, self._settings.allow_private_urls
        how: dict[str, Any] = {"modality_of": modality_of, "columns": task.columns, "ignore": task.ignore}
        found = resolve(sources, allow_private=private, base=Path(task.base), **how)
        last = False
        while not last:
            try:
                made, tally, last = self._some(found)
            except MMRagError as error:  # a model that cannot be had, say: it would fail for every batch
                yield row(number, Made(), {"failed": str(error)}, last=True)
                return
            except Exception as error:  # noqa: BLE001 - one of millions is not to cost the others
                told = f"broke while it was indexed ({type(error).__name__}: {error}): index it by itself to see where"
                tally = Tally(skipped=[Skipped(brief(source.value), told) for source in sources])
                yield row(number, Made(), pack_tally(tally), last=True)
                return
            yield row(number, made, pack_tally(tally), last=last)

    def _some(self, found: Iterator[Resolved | Skipped]) -> tuple[Made, Tally, bool]:
        """Up to sixteen of what is ``found``, indexed into a catalog of this worker's own."""
        noted = _Noted()
        indexing = Indexing(self._parts, noted, self._settings, None)
        tally = indexing.tally
        with tally.clock("resolve"):
            some = list(islice(found, BATCH))
        tally.skipped += [one for one in some if isinstance(one, Skipped)]
        new, updated = self._missing([one for one in some if isinstance(one, Resolved)], tally)
        indexing.batch(new)
        made = Made(noted.entries, noted.vectors, noted.told, noted.relied, updated)
        noted.close()
        return made, tally, len(some) < BATCH

    def _missing(self, items: Sequence[Resolved], tally: Tally) -> tuple[list[Resolved], list[Item]]:
        """Those that the index lacks; of the others, those of which something else is said now."""
        new: list[Resolved] = []
        updated: list[Item] = []
        for _, some in groupby(items, lambda one: entry("loader", loader_name(one)).makes):
            part = list(some)
            kinds = {kind for one in part for kind in entry("loader", loader_name(one)).makes}
            with tally.clock("models"):
                ways = self._parts.ways(pictures="image" in kinds, sounds="audio" in kinds)
            with tally.clock("load"):
                ready = up_to_date(part, self._index, self._parts, self._settings, ways)
            for one in part:
                if one.item.id not in ready:
                    new.append(one)
                    continue
                tally.count(one.item, fresh=False)
                if ready[one.item.id] != one.item:
                    updated.append(one.item)
        return new, updated


class _Noted(Catalog):
    """An empty index in memory that notes what goes into it."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self.vectors: dict[str, dict[str, NDArray[np.float32]]] = {}
        self.told: dict[str, str] = {}
        self.relied: dict[str, Relied] = {}

    def add(
        self,
        entries: Iterable[Entry],
        vectors: Mapping[str, Mapping[str, NDArray[np.float32]]],
        meta: Mapping[str, str] | None = None,
        relied: Mapping[str, Relied] | None = None,
    ) -> dict[str, str]:
        """Keep them as any index does, and note them for the writer."""
        entries = list(entries)
        known = super().add(entries, vectors, meta, relied)
        self.entries += entries
        for space, by_key in vectors.items():
            self.vectors.setdefault(space, {}).update(by_key)
        self.told |= meta or {}
        # What is there already is there in this catalog: the writer gets it with the rest.
        self.relied |= {space: replace(one, there=set()) for space, one in (relied or {}).items()}
        return known


def row(number: int, made: Made, told: Mapping[str, Any], *, last: bool) -> dict[str, list[Any]]:
    """A row for the writers: ``number`` of the batch, ``made`` (JSON), its ``blobs``, and what is ``told`` of it."""
    said, blobs = pack(made)
    return {
        "number": [number],
        "made": [said],
        "blobs": [blobs],
        "told": [json.dumps(dict(told)).encode()],
        "last": [last],
    }
