"""What makes several items one record."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mmrag_nb.types import Record, Resolved

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def labels(contents: Sequence[tuple[str, Any]], label: str) -> list[str]:
    """How each part is shown: ``{{shoes 3}} image 2``; a single one like the whole."""
    if len(contents) == 1:
        return [label]
    many, seen = Counter(kind for kind, _ in contents), Counter[str]()
    shown = []
    for kind, _ in contents:
        seen[kind] += 1
        shown.append(f"{label} {kind} {seen[kind]}" if many[kind] > 1 else f"{label} {kind}")
    return shown


def record_of(parts: Sequence[Resolved], name: str) -> Record:
    """The record that ``parts`` make, known by what they hold and its order."""
    digest = hashlib.sha256(b"record\n" + "\n".join(part.item.id for part in parts).encode())
    return Record(digest.hexdigest(), name)


def joined(parts: Sequence[Resolved], record: Record) -> Iterator[Resolved]:
    """``parts`` as the parts of ``record``: a caption goes to its pictures; where it has none, to its first part."""
    pictured = any(part.item.modality == "image" for part in parts)
    for place, part in enumerate(parts):
        yield part_of(record, part, caption=not pictured and place == 0)


def part_of(record: Record, part: Resolved, *, caption: bool = False) -> Resolved:
    """``part`` as a part of ``record``, and another item than the same content elsewhere.

    Parameters
    ----------
    caption
        Let it keep a caption though it is no picture.
    """
    item = part.item
    known = hashlib.sha256(f"part\n{item.id}\n{record.id}".encode()).hexdigest()
    kept = caption or item.modality == "image"
    metadata = item.metadata if kept else {key: said for key, said in item.metadata.items() if key != "caption"}
    return replace(part, item=replace(item, id=known, metadata=metadata, record=record))
