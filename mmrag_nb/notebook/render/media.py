"""Pictures and sounds inside the page itself, as far as there is room."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from mmrag_nb.results import Hit

ROOM = 400_000
"""Bytes that one card may have. A notebook of fifty answers stays one that can be mailed, and diffed."""


@dataclass(frozen=True)
class Detail:
    """How much of each hit is shown beside its previews."""

    letters: int
    """Characters of a passage, transcript or remark."""
    bars: int
    """Bars of a waveform."""


DETAILS = (Detail(2_000, 150), Detail(500, 50), Detail(120, 30))
"""The first that leaves room for previews is taken; only a hundred long texts, say, need another."""

KINDS: Mapping[str, frozenset[str]] = {
    "thumbnail": frozenset({"image/webp", "image/jpeg", "image/png", "image/gif"}),
    "clip": frozenset({"audio/mpeg", "audio/mp4", "audio/ogg", "audio/wav", "audio/webm", "audio/flac"}),
}
"""Media types by preview that may stand in a page. No SVG: it can carry scripts and links."""


@dataclass(frozen=True)
class Media:
    """The previews of a card's hits that found room, as data URIs by (rank, kind of preview)."""

    uris: Mapping[tuple[int, str], str]
    left_out: frozenset[tuple[int, str]]
    """Those that are there but would have made the card too large."""
    detail: Detail = DETAILS[0]


def embed(hits: Sequence[Hit], first: Container[int], room: int, detail: Detail = DETAILS[0]) -> Media:
    """Choose the previews that fit into ``room`` bytes.

    Parameters
    ----------
    hits
        Ranked hits.
    first
        Ranks whose previews go before all others: those that the answer cites.
    room
        Bytes, after base64.
    detail
        How much of each hit is shown besides.
    """
    uris: dict[tuple[int, str], str] = {}
    left_out: set[tuple[int, str]] = set()
    for hit in sorted(hits, key=lambda h: (h.rank not in first, h.rank)):
        for kind, allowed in KINDS.items():
            preview = hit.previews.get(kind)
            if preview is None or preview.mime not in allowed or not preview.data:
                continue
            size = len(preview.data) * 4 // 3 + len(preview.mime) + 20
            if size > room:
                left_out.add((hit.rank, kind))
                continue
            uris[hit.rank, kind] = f"data:{preview.mime};base64,{b64encode(preview.data).decode('ascii')}"
            room -= size
    return Media(uris, frozenset(left_out), detail)
