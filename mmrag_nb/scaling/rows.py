"""What travels between the stages of a pipeline: rows of plain bytes, which Arrow carries without pickling anything.

What is small and has names is JSON, with the places of the rest (vectors, previews) in a list of blobs beside it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.catalog.entries import Described, Entry
from mmrag_nb.catalog.relying import Relied
from mmrag_nb.reports import Skipped
from mmrag_nb.types import Chunk, Item, Preview, Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mmrag_nb.workload import Tally

_LITTLE = np.dtype("<f4")


@dataclass(frozen=True)
class Made:
    """What a worker made of some items: what one commit of the plain path would write."""

    entries: Sequence[Entry] = ()
    vectors: Mapping[str, Mapping[str, NDArray[np.float32]]] = field(default_factory=dict)
    """By space, then key: (d,) float32."""
    meta: Mapping[str, str] = field(default_factory=dict)
    relied: Mapping[str, Relied] = field(default_factory=dict)
    """By space: what made the vectors."""
    updated: Sequence[Item] = ()
    """Items that are in the index already, and of which something else is said now."""


def joined(parts: Sequence[Made]) -> Made:
    """What several workers made, as one commit."""
    vectors: dict[str, dict[str, NDArray[np.float32]]] = {}
    for one in parts:
        for space, by_key in one.vectors.items():
            vectors.setdefault(space, {}).update(by_key)
    return Made(
        [entry for one in parts for entry in one.entries],
        vectors,
        {key: value for one in parts for key, value in one.meta.items()},
        {space: relied for one in parts for space, relied in one.relied.items()},
        [item for one in parts for item in one.updated],
    )


def pack(made: Made) -> tuple[bytes, list[bytes]]:
    """Write ``made`` as (JSON, blobs)."""
    blobs: list[bytes] = []

    def blob(data: bytes) -> int:
        blobs.append(data)
        return len(blobs) - 1

    def entry(one: Entry) -> dict[str, Any]:
        return {
            "item": asdict(one.item),
            "chunks": [asdict(chunk) for chunk in one.chunks],
            "views": [list(seen) for seen in one.views],
            "recipe": one.recipe,
            "facts": dict(one.facts),
            "previews": [[*place, shown.mime, blob(shown.data)] for place, shown in one.previews.items()],
            "described": [
                [ordinal, {kind: asdict(told) for kind, told in said.items()}]
                for ordinal, said in one.described.items()
            ],
            "section": one.section,
            "run": one.run,
        }

    vectors = {}
    for space, by_key in made.vectors.items():
        rows = np.asarray(list(by_key.values()), _LITTLE)
        vectors[space] = [list(by_key), rows.shape[-1] if by_key else 0, blob(rows.tobytes())]
    said = {
        "entries": [entry(one) for one in made.entries],
        "vectors": vectors,
        "meta": dict(made.meta),
        "relied": {
            space: [one.dimension, *map(dict, (one.fingerprint, one.versions))] for space, one in made.relied.items()
        },
        "updated": [asdict(item) for item in made.updated],
    }
    return json.dumps(said).encode(), blobs


def unpack(said: bytes, blobs: Sequence[bytes]) -> Made:
    """Read what :func:`pack` wrote."""
    told = json.loads(said)

    def entry(one: dict[str, Any]) -> Entry:
        return Entry(
            _item(one["item"]),
            [Chunk(**chunk) for chunk in one["chunks"]],
            [[(view, key) for view, key in seen] for seen in one["views"]],
            one["recipe"],
            one["facts"],
            {(ordinal, kind): Preview(mime, blobs[at]) for ordinal, kind, mime, at in one["previews"]},
            {ordinal: {kind: Described(**words) for kind, words in said.items()} for ordinal, said in one["described"]},
            None if one["section"] is None else (one["section"][0], one["section"][1]),
            one["run"],
        )

    vectors = {}
    for space, (keys, dimension, at) in told["vectors"].items():
        rows = np.frombuffer(blobs[at], _LITTLE).astype(np.float32).reshape(len(keys), dimension)
        vectors[space] = dict(zip(keys, rows, strict=True))
    return Made(
        [entry(one) for one in told["entries"]],
        vectors,
        told["meta"],
        {space: Relied(*one) for space, one in told["relied"].items()},
        [_item(item) for item in told["updated"]],
    )


def _item(told: dict[str, Any]) -> Item:
    record = told["record"]
    return Item(**{**told, "record": None if record is None else Record(**record)})


def pack_tally(tally: Tally) -> dict[str, Any]:
    """Write what of ``tally`` is told in the end, as JSON values."""
    return {
        "items": dict(tally.items),
        "chunks": tally.chunks,
        "embedded": tally.embedded,
        "reused": tally.reused,
        "skipped": [asdict(one) for one in tally.skipped],
        "notes": [list(note) for note in tally.notes],
        "models": list(tally.models),
        "seconds": dict(tally.seconds),
    }


def add_tally(tally: Tally, told: Mapping[str, Any]) -> None:
    """Add to ``tally`` what :func:`pack_tally` wrote. Seconds add up over all workers."""
    tally.items.update(told["items"])
    tally.chunks += told["chunks"]
    tally.embedded += told["embedded"]
    tally.reused += told["reused"]
    tally.skipped += [Skipped(**one) for one in told["skipped"]]
    for item, remark in told["notes"]:
        tally.note(item, remark)
    tally.models |= dict.fromkeys(told["models"])
    tally.seconds.update(told["seconds"])
