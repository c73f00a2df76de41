"""The columns of an exported index, and its chunks as rows of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.catalog.rows import FORMAT, LAYOUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmrag_nb.catalog.catalog import Catalog
    from mmrag_nb.catalog.entries import Stored
    from mmrag_nb.catalog.rows import Channel
    from mmrag_nb.types import Preview

_PLAIN = {
    "item": "string",
    "uri": "string",
    "name": "string",
    "item_modality": "string",
    "modality": "string",
    "ordinal": "int32",
    "text": "string",
    "start": "float64",
    "end": "float64",
    "page": "int32",
    "record": "string",
    "record_name": "string",
    "recipe": "string",
    "metadata": "string",
    "facts": "string",
    "caption": "string",
    "caption_by": "string",
    "ocr": "string",
    "ocr_by": "string",
    "views": "string",
}
"""Columns that every export has, with their types as Arrow and ``datasets`` call them."""
_DESCRIBED = ("caption", "ocr")
THUMBNAIL = "thumbnail"
SAID = "meta_"
"""Begins the names of columns of metadata."""
_MOST_SAID = 200
"""Columns of metadata; what is beyond them is in ``metadata`` alone."""
_TYPES = {
    frozenset({"integer"}): "int64",
    frozenset({"real"}): "float64",
    frozenset({"integer", "real"}): "float64",
    frozenset({"text"}): "string",
    frozenset({"true"}): "bool",
    frozenset({"false"}): "bool",
    frozenset({"true", "false"}): "bool",
}
_SUFFIXES = {"image/webp": "webp", "image/jpeg": "jpg", "image/png": "png", "image/gif": "gif"}


@dataclass(frozen=True)
class Columns:
    """What columns an export has."""

    said: Mapping[str, str]
    """Names of metadata whose values are all of one type, each with that type."""
    channels: Mapping[str, Channel]
    """By the name of their column: ``vector_image``."""
    thumbnails: bool
    models: Mapping[str, str]
    """What made the index."""

    @property
    def told(self) -> dict[str, Any]:
        """What the columns of vectors are, as the file's metadata tells it."""
        vectors = {name: channel._asdict() for name, channel in self.channels.items()}
        return {"format": FORMAT, "version": version("mmrag-nb"), "vectors": vectors, "models": dict(self.models)}

    @property
    def description(self) -> str:
        """The same for people, as a dataset's description."""
        made = (
            f"{name}: {one.view} in {one.space} ({', '.join(f'{k} {v}' for k, v in one.fingerprint.items())})"
            for name, one in self.channels.items()
        )
        return "\n".join([f"An index of mmrag_nb {version('mmrag-nb')}, one row a chunk.", *made])

    def schema(self) -> Any:
        """The Arrow schema; its metadata tell ``datasets`` what the features are, and us what the vectors are."""
        import pyarrow as pa

        types = {**_PLAIN, **{SAID + name: kind for name, kind in self.said.items()}}
        fields = [pa.field(name, getattr(pa, kind + "_" * (kind == "bool"))()) for name, kind in types.items()]
        features: dict[str, Any] = {name: {"dtype": kind, "_type": "Value"} for name, kind in types.items()}
        if self.thumbnails:
            fields.append(pa.field(THUMBNAIL, pa.struct([("bytes", pa.binary()), ("path", pa.string())])))
            features[THUMBNAIL] = {"_type": "Image"}
        for name, channel in self.channels.items():
            fields.append(pa.field(name, pa.list_(pa.float32(), channel.dimension)))
            number = {
                "dtype": "float32",
                "_type": "Value",
            }  # "Sequence" is what older releases know, and newer still do
            features[name] = {"feature": number, "length": channel.dimension, "_type": "Sequence"}
        said = {"huggingface": {"info": {"features": features}}, LAYOUT: self.told}
        return pa.schema(fields, metadata={key: json.dumps(value) for key, value in said.items()})


def columns_of(catalog: Catalog, *, thumbnails: bool) -> Columns:
    """Tell what columns the export of an index has."""
    kinds = {name: _TYPES.get(frozenset(found - {"null"})) for name, found in catalog.kinds_said().items()}
    said = {name: kind for name, kind in sorted(kinds.items()) if kind is not None}
    channels: dict[str, Channel] = {}
    for channel in catalog.channels():
        name, count = f"vector_{channel.view}", 1
        while name in channels:
            count += 1
            name = f"vector_{channel.view}_{count}"
        channels[name] = channel
    return Columns(dict(list(said.items())[:_MOST_SAID]), channels, thumbnails, catalog.meta())


def batch_of(catalog: Catalog, chunk_ids: Sequence[int], columns: Columns, schema: Any) -> Any:
    """The rows (an Arrow table) of these chunks; of one that has gone meanwhile there is none."""
    import pyarrow as pa

    stored = catalog.records(chunk_ids)
    recipes, views = catalog.recipes(chunk_ids), catalog.views(chunk_ids)
    ids = [one for one in chunk_ids if one in stored and one in recipes]
    rows = [_plain(stored[one], recipes[one], views.get(one, ())) for one in ids]
    made = {name: [row[name] for row in rows] for name in _PLAIN}
    for name, kind in columns.said.items():
        made[SAID + name] = [_typed(stored[one].item.metadata.get(name), kind) for one in ids]
    if columns.thumbnails:
        pictures = [one for one in ids if stored[one].chunk.modality == "image"]
        there = catalog.thumbnails(pictures)
        made[THUMBNAIL] = [_picture(there.get(one), stored[one]) for one in ids]
    arrays = [pa.array(made[name], schema.field(name).type) for name in made]
    for name, channel in columns.channels.items():
        arrays.append(_vectors(catalog.vectors_of(ids, channel.space, channel.view), ids, channel, schema.field(name)))
    return pa.Table.from_arrays(arrays, schema=schema)


def _plain(stored: Stored, recipe: str, views: Sequence[tuple[str, str]]) -> dict[str, Any]:
    chunk, item, record = stored.chunk, stored.item, stored.item.record
    row: dict[str, Any] = {
        "item": item.id,
        "uri": item.uri,
        "name": item.name,
        "item_modality": item.modality,
        "modality": chunk.modality,
        "ordinal": chunk.ordinal,
        "text": chunk.text,
        "start": chunk.start,
        "end": chunk.end,
        "page": chunk.page,
        "record": record and record.id,
        "record_name": record and record.name,
        "recipe": recipe,
        "metadata": json.dumps(item.metadata, ensure_ascii=False),
        "facts": json.dumps(stored.facts, ensure_ascii=False),
        "views": json.dumps(dict(views)),
    }
    for kind in _DESCRIBED:
        told = stored.described.get(kind)
        row[kind], row[f"{kind}_by"] = told and told.text, told and told.model
    return row


def _typed(value: Any, kind: str) -> Any:
    return float(value) if kind == "float64" and value is not None else value


def _picture(preview: Preview | None, stored: Stored) -> dict[str, Any] | None:
    """As ``datasets`` keeps a picture: its bytes, and a file name of which the ending tells the format."""
    if preview is None:
        return None
    place = f"{stored.item.id[:16]}-{stored.chunk.ordinal}.{_SUFFIXES.get(preview.mime, 'bin')}"
    return {"bytes": preview.data, "path": place}


def _vectors(there: Mapping[int, Any], ids: Sequence[int], channel: Channel, field: Any) -> Any:
    import pyarrow as pa

    block = np.zeros((len(ids), channel.dimension), np.float32)
    lacking = np.ones(len(ids), bool)
    for row, one in enumerate(ids):
        if one in there:
            block[row], lacking[row] = there[one], False
    mask = pa.array(lacking) if lacking.any() else None
    return pa.FixedSizeListArray.from_arrays(pa.array(block.reshape(-1)), type=field.type, mask=mask)
