"""Vectors that people have already, with a table that says of what: into the index, as if it had made them."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.errors import LoadError
from mmrag_nb.indexing import model_specs
from mmrag_nb.reports import ImportReport, Skipped

from .agreement import SAMPLES, must_agree, of_contents
from .items import Items, picture_of
from .model import Model, model_of, prepare
from .settling import must_be_settled, settle
from .table import Row, Table, Wrong
from .vectors import opened, unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from mmrag_nb.catalog.catalog import Catalog
    from mmrag_nb.catalog.entries import Entry
    from mmrag_nb.catalog.relying import Relied
    from mmrag_nb.parts import Parts
    from mmrag_nb.protocols import Progress
    from mmrag_nb.settings import Settings
    from mmrag_nb.types import Item, Vectors

BATCH = 512
"""Rows that are committed together: what a kill can lose."""
_LISTED = 100
"""Rows that a report names; the rest is counted."""


class Importing:
    """One run of ``import_vectors``.

    Parameters
    ----------
    parts, catalog, settings
        The index's, by strategy ``shared``.
    progress
        Told of each step.
    """

    def __init__(self, parts: Parts, catalog: Catalog, settings: Settings, progress: Progress | None) -> None:
        self._parts, self._catalog, self._settings = parts, catalog, settings
        self._progress: Progress = progress or (lambda *_: None)
        self._items: Counter[str] = Counter()
        self._added = self._reused = self._repeated = self._captions = 0
        self._spaces: Counter[str] = Counter()
        self._agreement = ""
        self._relied: dict[str, Relied] = {}
        self._skipped: list[Skipped] = []
        self._unlisted = 0
        self._notes: dict[tuple[str, str], None] = {}
        self._models: tuple[str, ...] = ()
        self._seconds: Counter[str] = Counter()
        self._seen: set[str] = set()

    def run(
        self,
        vectors: Any,
        table: Any,
        *,
        columns: Mapping[str, str] | None = None,
        thumbnails: bool = True,
        check: bool = True,
    ) -> None:
        """Import; see :meth:`mmrag_nb.MultimodalRAG.import_vectors`. Each batch is committed as it is through."""
        with self._clock("read"):
            array, rows = opened(vectors), Table(table, columns)
            chosen = self._looked_through(rows, array)
        with self._clock("models"):
            model = model_of(self._parts, self._settings, self._progress)
            must_be_settled(self._catalog, model.fingerprint)
            if model.encoder is not None:
                settle(self._parts, self._catalog, self._progress)
        with self._clock("check"):
            self._relied = {model.space: prepare(self._catalog, model, array.shape[1], check=check)}
            self._agreement = self._compared(model, chosen, array) if check else "not compared, as you asked"
        self._models = (model.name,)
        items = Items(self._settings, model.encoder, thumbnails=thumbnails)
        for first, batch in _batches(rows):
            self._progress("importing vectors", first, len(array))
            self._batch(batch, array[first : first + len(batch)], items, model, rows.name)
        self._progress("importing vectors", len(array), len(array))
        self._remark(model, rows.name)

    def report(self) -> ImportReport:
        """What has come in so far."""
        rest = [Skipped("", f"{self._unlisted:,} more rows are left out")] if self._unlisted else []
        return ImportReport(
            items=dict(self._items),
            added=self._added,
            reused=self._reused,
            spaces=dict(self._spaces),
            agreement=self._agreement,
            skipped=(*self._skipped, *rest),
            notes=tuple(self._notes),
            models=self._models,
            seconds=dict(self._seconds),
        )

    # -- before anything is kept -----------------------------------------------------------------------------------

    def _looked_through(self, rows: Table, array: NDArray[Any]) -> list[Row]:
        """Some of the rows whose content is at hand, spread over the table, which has as many rows as the array."""
        chosen: dict[str, list[Row]] = {"image": [], "text": []}
        steps = {"image": 1, "text": 1}
        seen: Counter[str] = Counter()
        count = 0
        for row in rows.rows():
            count += 1
            if isinstance(row, Wrong) or (row.modality == "image" and row.file is None):
                continue
            kind = row.modality
            if seen[kind] % steps[kind] == 0:
                chosen[kind].append(row)
            seen[kind] += 1
            if len(chosen[kind]) > 2 * SAMPLES:
                chosen[kind], steps[kind] = chosen[kind][::2], 2 * steps[kind]
        if count != len(array):
            raise LoadError(
                f"{rows.name} has {count:,} rows, the vectors are {len(array):,}: one row a vector, in the same order"
            )
        return [row for some in chosen.values() for row in _spread(some)]

    def _compared(self, model: Model, chosen: list[Row], array: NDArray[Any]) -> str:
        encoder = model.encoder
        if encoder is None:
            return f"not compared yet: {model.absent}; they are compared when the model is first at hand"
        told = []
        for kind in ("image", "text"):
            contents: list[Any] = []
            places: list[int] = []
            for row in (row for row in chosen if row.modality == kind):
                content = picture_of(row.file) if row.file is not None else row.text.strip()
                if content is not None:
                    contents.append(content)
                    places.append(row.number - 1)
            if not places:
                continue
            made, wrong = unit(array[places])
            kept = [place for place in range(len(places)) if place not in wrong]
            if kept:
                self._progress("comparing with the model", 0, None)
                agreement = of_contents(encoder, kind, [contents[place] for place in kept], made[kept])
                must_agree(agreement, encoder)
                told.append(str(agreement))
        return "; ".join(told) or "not compared: none of the files can be read here, and there are no texts"

    # -- batch by batch --------------------------------------------------------------------------------------------

    def _batch(self, rows: list[Row | Wrong], block: NDArray[Any], items: Items, model: Model, table: str) -> None:
        with self._clock("read"):
            vectors, wrong = unit(block)
            taken: list[tuple[Row, Item, Vectors]] = []
            for place, row in enumerate(rows):
                why = row.reason if isinstance(row, Wrong) else wrong.get(place)
                if why is not None or isinstance(row, Wrong):
                    self._skip(f"{table}, row {row.number}", why or "")
                    continue
                item = items.item(row, vectors[place])
                if item.id in self._seen:
                    self._repeated += 1
                    continue
                self._seen.add(item.id)
                taken.append((row, item, vectors[place]))
        with self._clock("load"):
            known = self._catalog.found([item.id for _, item, _ in taken])
            entries, made, changed = self._entries(taken, known, items, model)
        with self._clock("commit"):
            if entries:
                self._catalog.add(entries, {model.space: made}, model_specs(self._settings), self._relied)
            if changed:
                self._catalog.update(*changed)
        for row, item, _ in taken:
            self._items[item.modality] += 1
            self._captions += row.modality == "image" and bool(row.text)
        self._spaces[model.space] += len(taken)
        self._added += len(entries)
        self._reused += len(taken) - len(entries)

    def _entries(
        self,
        taken: list[tuple[Row, Item, Vectors]],
        known: Mapping[str, tuple[Item, str]],
        items: Items,
        model: Model,
    ) -> tuple[list[Entry], dict[str, Vectors], list[Item]]:
        """What is to be kept of rows: new entries with their vectors, and known items of which more is said."""
        entries: list[Entry] = []
        made: dict[str, Vectors] = {}
        changed: list[Item] = []
        lacking = set(self._catalog.lacking_items(model.space, ("image", "text"), list(known)))
        for row, item, vector in taken:
            before = known[item.id][0] if item.id in known else None
            if before is not None and item.id not in lacking and not _says_otherwise(before, item):
                said = {**before.metadata, **item.metadata}
                if said != dict(before.metadata):
                    changed.append(replace(before, metadata=said))
                continue
            kept = (
                item
                if before is None
                else replace(item, metadata={**before.metadata, **item.metadata}, record=before.record)
            )
            entry, key, remark = items.entry(row, kept, vector)
            if remark:
                self._notes.setdefault((kept.name, remark))
            entries.append(entry)
            made[key] = vector
        return entries, made, changed

    def _skip(self, where: str, why: str) -> None:
        if len(self._skipped) < _LISTED:
            self._skipped.append(Skipped(where, why))
        else:
            self._unlisted += 1

    def _remark(self, model: Model, table: str) -> None:
        if self._repeated:
            self._notes.setdefault((table, f"of {self._repeated:,} more, the content came before: it is kept once"))
        if not self._items:
            return
        own = model.encoder is not None and self._settings.chosen("text") != "none"
        if own and self._items["text"]:
            reader = self._settings.chosen("text")
            told = f"texts are searched by {reader} here, not by these vectors: set text to 'none' to search by them"
            self._notes.setdefault((table, told))
        if self._captions and not own:
            told = f"{self._captions:,} captions have no vectors of their own: they are embedded at the first question"
            self._notes.setdefault((table, told))

    @contextmanager
    def _clock(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[stage] += time.perf_counter() - start  # type: ignore[assignment]


def _says_otherwise(known: Item, item: Item) -> bool:
    """Whether a picture has another caption now, which is its chunk's text."""
    return "caption" in item.metadata and known.metadata.get("caption") != item.metadata["caption"]


def _spread(rows: list[Row]) -> list[Row]:
    places = np.linspace(0, len(rows) - 1, min(SAMPLES, len(rows))).astype(int)
    return [rows[place] for place in places]


def _batches(table: Table) -> Iterator[tuple[int, list[Row | Wrong]]]:
    batch: list[Row | Wrong] = []
    first = 0
    for row in table.rows():
        batch.append(row)
        if len(batch) == BATCH:
            yield first, batch
            first, batch = first + len(batch), []
    if batch:
        yield first, batch
