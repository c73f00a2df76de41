"""What of an index lies in which table of Milvus."""

from __future__ import annotations

import hashlib

from mmrag_nb.milvus.tables import Field

ITEMS = "items"
CHUNKS = "chunks"
PIECES = "pieces"
NOTES = "notes"

_ID = Field("id", "INT64")
_FILTERED = (
    Field("modality", longest=16, looked_up=True),
    Field("item_modality", longest=16),
    Field("fields", "JSON"),
)
"""What a filter may ask of a chunk, see :mod:`mmrag_nb.corpora.filtering`: beside its text as beside each vector."""

SHAPES = {
    # Written last: what has no row here, or one that says it is only begun, is written again.
    ITEMS: (
        _ID,
        Field("hash", longest=256, looked_up=True),
        Field("uri"),
        Field("name"),
        Field("modality", longest=16, looked_up=True),
        Field("metadata"),
        Field("facts"),
        Field("recipe", longest=1_024),
        Field("record", longest=256, looked_up=True),  # empty: of none
        Field("record_name"),
        Field("chunks", "INT64"),
    ),
    CHUNKS: (
        _ID,
        Field("item", longest=256, looked_up=True),
        Field("ordinal", "INT64"),
        Field("text"),
        Field("start", "DOUBLE", nullable=True),
        Field("end", "DOUBLE", nullable=True),
        Field("page", "INT64", nullable=True),
        Field("described"),  # JSON: by kind, model and text
        Field("views"),  # JSON: pairs of view and key
        Field("places", "ARRAY", longest=512),  # each view, and each space with a view, that it is found by
        Field("words"),
        Field("told"),  # words of what models say of it
        *_FILTERED,
    ),
    # Previews, and whatever else is long: in pieces of what one field takes.
    PIECES: (
        _ID,
        Field("owner", longest=512, looked_up=True),
        Field("kind", longest=64),
        Field("mime", longest=128),
        Field("place", "INT64"),
        Field("of", "INT64"),
        Field("data"),
    ),
    NOTES: (_ID, Field("key", longest=1_024), Field("value")),
}
WORDED = {CHUNKS: ("words", "told")}

VECTORS = (
    _ID,
    Field("chunk", "INT64", looked_up=True),
    Field("item", longest=256, looked_up=True),
    Field("view", longest=32, looked_up=True),
    Field("key", longest=128, looked_up=True),
    *_FILTERED,
)


def table_of(space: str) -> str:
    """The table of a space's vectors."""
    return f"space_{hashlib.sha256(space.encode()).hexdigest()[:16]}"
