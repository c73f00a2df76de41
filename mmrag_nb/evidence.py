"""A hit as what a generator is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .generation.media import taken
from .generation.pictured import told
from .types import Evidence, page_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from .catalog.catalog import Catalog
    from .results import Hit

_SENT = ("proxy", "clip")
_SENT_AS = ("image", "audio")


def evidence(hit: Hit, catalog: Catalog, takes: Collection[str] = _SENT_AS, side: int = 0) -> Evidence:
    """The hit's text and what models say of it, with its picture or sound as the catalog keeps it for sending.

    Parameters
    ----------
    hit
        What was found.
    catalog
        The index.
    takes
        Media that go along, ``image`` and ``audio``; of others there are words alone.
    side
        Longest side of pictures, in pixels; 0 leaves them as they are.
    """
    kept = catalog.previews(hit.item.id, hit.chunk.ordinal, _SENT)
    media = taken((kept[kind] for kind in _SENT if kind in kept), takes, side)
    record = f"{hit.item.record.name}: " if hit.item.record is not None else ""
    title = f"{record}{hit.item.name}{_place(hit)}"
    return Evidence(hit.rank, title, hit.chunk.modality, told(hit.chunk.text, hit.described), media, hit.score)


def _place(hit: Hit) -> str:
    chunk = hit.chunk
    if chunk.start is not None and chunk.end is not None:
        return f", {chunk.start:.1f}-{chunk.end:.1f} s"
    if chunk.page is not None:
        return f", {page_of(hit.item.uri, chunk.page)}"
    return f", passage {chunk.ordinal + 1}" if hit.item.modality == "text" else ""
