"""Pictures and sounds inside the page itself, as far as there is room."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
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
    "page": frozenset({"image/webp", "image/jpeg", "image/png"}),
    "clip": frozenset({"audio/mpeg", "audio/mp4", "audio/ogg", "audio/wav", "audio/webm", "audio/flac"}),
    "film": frozenset({"video/mp4", "video/webm"}),
}
"""Media types by preview that may stand in a page. No SVG: it can carry scripts and links."""

_TURNS = (("thumbnail", "clip"), ("page",), ("film",))
"""Which go first. The page of a passage is of less use than what is a picture itself; a film is the largest."""


@dataclass(frozen=True)
class Media:
    """The previews of a card's hits that found room, as data URIs by (rank, kind of preview)."""

    uris: Mapping[tuple[int, str], str]
    left_out: frozenset[tuple[int, str]]
    """Those that are there but would have made the card too large."""
    detail: Detail = DETAILS[0]
    pages: Mapping[int, Sequence[Hit]] = field(default_factory=dict)
    """By rank of a hit that shows its page: the others on that page."""


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
    pages: dict[int, list[Hit]] = {}
    standing: dict[tuple[str, int | None], int] = {}
    ordered = sorted(hits, key=lambda h: (h.rank not in first, h.rank))
    for kinds in _TURNS:
        for hit, kind in ((hit, kind) for hit in ordered for kind in kinds):
            preview = hit.previews.get(kind)
            if preview is None or preview.mime not in KINDS[kind] or not preview.data:
                continue
            if kind == "page" and (hit.item.id, hit.chunk.page) in standing:
                pages.setdefault(standing[hit.item.id, hit.chunk.page], []).append(hit)
                continue
            size = len(preview.data) * 4 // 3 + len(preview.mime) + 20
            if kind == "film":  # it has the sound, too
                spared = len(uris.get((hit.rank, "clip"), ""))
                if size <= room + spared:
                    uris.pop((hit.rank, "clip"), None)
                    left_out.discard((hit.rank, "clip"))
                    room += spared
            if size > room:
                left_out.add((hit.rank, kind))
                continue
            if kind == "page":
                standing[hit.item.id, hit.chunk.page] = hit.rank
            uris[hit.rank, kind] = f"data:{preview.mime};base64,{b64encode(preview.data).decode('ascii')}"
            room -= size
    return Media(uris, frozenset(left_out), detail, pages)
