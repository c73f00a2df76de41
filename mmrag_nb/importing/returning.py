"""An exported index, in again: items, chunks, words, vectors and thumbnails; what made them is in the file."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.catalog.entries import Described, Entry
from mmrag_nb.catalog.relying import Relied
from mmrag_nb.errors import SourceError
from mmrag_nb.indexing import model_specs
from mmrag_nb.isolation.calling import Limits, stream
from mmrag_nb.parts import library_versions
from mmrag_nb.presets import MODELS
from mmrag_nb.reports import ImportReport, Skipped
from mmrag_nb.sources.metadata import plain_metadata
from mmrag_nb.types import MODALITIES, Chunk, Item, Preview, Record

from .settling import must_be_settled
from .vectors import unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mmrag_nb.catalog.catalog import Catalog
    from mmrag_nb.protocols import Progress
    from mmrag_nb.settings import Settings
    from mmrag_nb.types import Vectors

_LIMITS = Limits(seconds=60, memory=1_500_000_000)
_HASH = re.compile(r"[0-9a-f]{64}")
_VIEWS = frozenset({"image", "audio", "text", "titled", "grounded"})
_BY = " by import"
_SOME = 256
"""Items that are committed together."""
_STARTS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png", b"GIF8": "image/gif"}


def layout(path: Path) -> dict[str, Any] | None:
    """What an exported Parquet file says of itself; ``None`` where it is another's.

    Raises
    ------
    LoadError
        It is damaged.
    """
    for told, _ in stream("mmrag_nb.importing.exported:layout_of", path, _LIMITS):
        return dict(told["layout"]) if told["layout"] is not None else None
    return None


class Returning:
    """One run that brings an export in.

    Parameters
    ----------
    catalog, settings
        The index's.
    progress
        Told of each step.
    """

    def __init__(self, catalog: Catalog, settings: Settings, progress: Progress | None) -> None:
        self._catalog, self._settings = catalog, settings
        self._progress: Progress = progress or (lambda *_: None)
        self._items: Counter[str] = Counter()
        self._spaces: Counter[str] = Counter()
        self._added = self._reused = 0
        self._skipped: list[Skipped] = []
        self._agreement = ""
        self._relied: dict[str, Relied] = {}

    def run(self, path: Path, told: Mapping[str, Any]) -> None:
        """Bring in the file at ``path``, of which :func:`layout` told this."""
        vectors = told["vectors"]
        self._relied = {
            one["space"]: Relied(int(one["dimension"]), one["fingerprint"], library_versions())
            for one in vectors.values()
        }
        must_be_settled(self._catalog, *(one.fingerprint for one in self._relied.values()))
        for space, one in self._relied.items():
            self._catalog.register(space, one.dimension, one.fingerprint, one.versions)
        self._agreement = "; ".join(
            dict.fromkeys(
                f"{one['space']} by {' '.join(one['fingerprint'].values())[:60]}, as the file says"
                for one in vectors.values()
            )
        )
        meta = self._meta(told.get("models", {}))
        done, batch = 0, []
        self._progress("importing", 0, int(told["rows"]))
        for item in _items(path, vectors):
            batch.append(item)
            done += len(item[1])
            if len(batch) == _SOME:
                self._progress("importing", done, int(told["rows"]))
                self._keep(batch, vectors, meta)
                batch = []
        self._keep(batch, vectors, meta)
        self._progress("importing", int(told["rows"]), int(told["rows"]))

    def report(self, seconds: float) -> ImportReport:
        """What has come in so far."""
        return ImportReport(
            items=dict(self._items),
            added=self._added,
            reused=self._reused,
            spaces=dict(self._spaces),
            agreement=self._agreement,
            skipped=tuple(self._skipped),
            seconds={"import": seconds},
        )

    def _meta(self, models: Mapping[str, Any]) -> dict[str, str]:
        """What an empty index is said to be made with: what the exported one was."""
        if self._catalog.chunk_count():
            return dict(model_specs(self._settings))
        return {name: str(models[name]) for name in ("preset", "augment", *MODELS) if name in models}

    def _keep(self, batch: list[_Whole], vectors: Mapping[str, Any], meta: Mapping[str, str]) -> None:
        known = self._catalog.found([item_id for item_id, _ in batch if _HASH.fullmatch(item_id)])
        entries: list[Entry] = []
        made: dict[str, dict[str, Vectors]] = {}
        for item_id, rows in batch:
            try:
                entry, keyed = _entry(item_id, rows, vectors)
            except (SourceError, ValueError, TypeError, KeyError) as error:
                told = str(error) if isinstance(error, SourceError) else "its row is damaged"
                self._skipped.append(Skipped(str(rows[0][0].get("uri") or item_id)[:200], told))
                continue
            self._items[entry.item.modality] += 1
            keys = {(space, key) for space, by_key in keyed.items() for key in by_key}
            for space, by_key in keyed.items():
                self._spaces[space] += len(by_key)
            if item_id in known and not any(self._catalog.missing(space, [key]) for space, key in keys):
                self._reused += 1
                continue
            self._added += 1
            if item_id in known and known[item_id][1].removesuffix(_BY) == entry.recipe.removesuffix(_BY):
                self._add_views(entry, keyed)  # read in full here, perhaps for another strategy
                continue
            entries.append(entry)
            for space, by_key in keyed.items():
                made.setdefault(space, {}).update(by_key)
        if entries:
            self._catalog.add(entries, made, meta, self._relied)

    def _add_views(self, entry: Entry, made: Mapping[str, Mapping[str, Vectors]]) -> None:
        ids = self._catalog.chunk_ids(entry.item.id)
        there = self._catalog.records(ids)
        places = {stored.chunk.ordinal: one for one, stored in there.items()}
        seen = {
            places[chunk.ordinal]: list(views)
            for chunk, views in zip(entry.chunks, entry.views, strict=True)
            if chunk.ordinal in places
        }
        self._catalog.add_views(seen, made, {}, self._relied, there)


_Part = tuple[dict[str, Any], dict[str, Any], "bytes | None"]
"""A row, its vectors by column, and its thumbnail."""
_Whole = tuple[str, list[_Part]]


def _items(path: Path, vectors: Mapping[str, Any]) -> Iterator[_Whole]:
    """The rows of each item, which stand together."""
    for item_id, parts in groupby(_parts(path, vectors), lambda part: str(part[0].get("item"))):
        yield item_id, list(parts)


def _parts(path: Path, vectors: Mapping[str, Any]) -> Iterator[_Part]:
    for told, blobs in stream("mmrag_nb.importing.exported:rows_of", path, _LIMITS):
        rows = told["rows"]
        columns: dict[str, Vectors] = {}
        for name, blob in zip(vectors, blobs, strict=False):
            made, wrong = unit(np.frombuffer(blob, "<f4").reshape(len(rows), -1))
            lacking = {*told["lacking"][name], *wrong}
            columns[name] = made
            told["lacking"][name] = lacking
        pictures = dict(zip(told["pictures"], blobs[len(vectors) :], strict=True))
        for place, row in enumerate(rows):
            mine = {name: made[place] for name, made in columns.items() if place not in told["lacking"][name]}
            yield row, mine, pictures.get(place)


def _entry(item_id: str, parts: list[_Part], vectors: Mapping[str, Any]) -> tuple[Entry, dict[str, dict[str, Vectors]]]:
    """An item of its rows, as it was when it was exported, and its vectors by space and key."""
    first = parts[0][0]
    modality = first.get("item_modality") or first["modality"]
    if not _HASH.fullmatch(item_id) or modality not in MODALITIES:
        raise ValueError(item_id)
    metadata = plain_metadata(_json(first.get("metadata")))
    record = None
    if first.get("record") and _HASH.fullmatch(str(first["record"])):
        record = Record(str(first["record"]), _clean(first.get("record_name") or ""))
    item = Item(item_id, _clean(first["uri"]), modality, metadata, record)
    chunks: list[Chunk] = []
    views: list[list[tuple[str, str]]] = []
    previews: dict[tuple[int, str], Preview] = {}
    described: dict[int, dict[str, Described]] = {}
    keyed: dict[str, dict[str, Vectors]] = {}
    for row, mine, picture in parts:
        if row["modality"] not in MODALITIES:
            raise ValueError(row["modality"])
        ordinal = int(row["ordinal"])
        page = None if row.get("page") is None else int(row["page"])
        start, end = (None if row.get(name) is None else float(row[name]) for name in ("start", "end"))
        chunks.append(Chunk(item_id, ordinal, row["modality"], _clean(row.get("text") or ""), start, end, page))
        seen = {
            str(view): str(key)
            for view, key in _json(row["views"]).items()
            if view in _VIEWS and _HASH.fullmatch(str(key))
        }
        views.append(list(seen.items()))
        for name, vector in mine.items():
            channel = vectors[name]
            if channel["view"] in seen:
                keyed.setdefault(channel["space"], {})[seen[channel["view"]]] = vector
        if picture is not None and (kind := _kind(picture)):
            place = -1 if modality == "image" and len(parts) == 1 else ordinal
            previews[place, "thumbnail"] = Preview(kind, picture)
        told = {kind: row.get(kind) for kind in ("caption", "ocr") if row.get(f"{kind}_by")}
        described[ordinal] = {
            kind: Described(_clean(row[f"{kind}_by"]), _clean(text or "")) for kind, text in told.items()
        }
    made = _clean(row.get("recipe") or "imported-1")
    if modality != "text" or any(chunk.page is not None for chunk in chunks):
        made = f"{made.removesuffix(_BY)}{_BY}"  # its clips and proxies are not in the file: indexing reads it again
    return Entry(item, chunks, views, made, _json(first.get("facts")), previews, described), keyed


def _json(text: Any) -> dict[str, Any]:
    found = json.loads(text or "{}")
    if not isinstance(found, dict):
        raise TypeError(type(found).__name__)
    return found


def _clean(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(type(text).__name__)
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def _kind(picture: bytes) -> str:
    """A picture's media type, by how it begins; empty of what is none that is shown."""
    if picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _STARTS.items() if picture.startswith(start)), "")
