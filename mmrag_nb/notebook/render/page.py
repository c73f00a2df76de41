"""The page of a document that a passage stands on, with the words marked that match the question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmrag_nb.loaders.pdf_words import PLACED, placed

from .escape import escape, one_line
from .media import ROOM
from .place import kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mmrag_nb.loaders.pdf_words import Placed
    from mmrag_nb.results import Hit

    from .media import Media

STYLE = """
.mmrag .mm-page summary {display:inline-block;list-style:none;cursor:zoom-in}
.mmrag .mm-page summary::-webkit-details-marker {display:none}
.mmrag .mm-page details {margin:0;max-width:100%}
.mmrag .mm-page img {max-height:320px;border:1px solid var(--mm-line)}
.mmrag .mm-page [open] summary {display:block;cursor:zoom-out}
.mmrag .mm-page [open] .mm-framed {display:block}
.mmrag .mm-page [open] img {width:100%;max-height:none}
.mmrag .mm-page .mm-hit, .mmrag .mm-page .mm-from {position:absolute;pointer-events:none}
.mmrag .mm-page .mm-hit {border-radius:2px;background:#ffc400;mix-blend-mode:multiply}
.mmrag .mm-page .mm-from {border-inline-start:2px solid #2a7247;background:rgb(42 114 71/8%)}
.mmrag .mm-pictured:has(.mm-page [open]) {display:flex}
@media print {.mmrag .mm-page span {-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""
"""What a card that shows a page needs beside the rules that all share."""
_WIDTH = 240
"""Pixels where no style applies."""
_MARKS = 200
"""Words that are marked on a page."""
_NAMED = 8
"""Marked words that a picture's description tells."""
_BACK = 0.02
"""Share of the page by which a word stands above the one before where a passage goes on in the next column."""


def html(hit: Hit, prefix: str, media: Media) -> str:
    """Return the page of a passage; empty where the hit is none, or has no page.

    A page is shown once, with the marks of all hits on it; the others point there. A click enlarges it.
    """
    number = hit.chunk.page
    if kind(hit) != "text" or number is None:
        return ""
    for other, beside in media.pages.items():
        if any(one.rank == hit.rank for one in beside):
            return f'<p class="mm-none">page {number} is shown at <a href="#{prefix}{other}">{other}</a></p>'
    uri = media.uris.get((hit.rank, "page"))
    if uri is None:
        left_out = (hit.rank, "page") in media.left_out
        return f'<p class="mm-none">page left out: the card would exceed {ROOM // 1000} kB</p>' * left_out
    marks = "".join(_marks(one) for one in (hit, *media.pages.get(hit.rank, ())))
    picture = f'<img src="{uri}" alt="{escape(_told(hit))}" width="{_WIDTH}">'
    return (
        f'<div class="mm-stage mm-page"><details><summary title="larger, smaller">'
        f'<span class="mm-framed">{picture}{marks}</span></summary></details></div>'
    )


def _marks(hit: Hit) -> str:
    """Where the passage stands, and over it the words that match."""
    words = placed(hit.previews.get(PLACED))
    stretches = "".join(_box("mm-from", *stretch) for stretch in _stretches(words))
    return stretches + "".join(_box("mm-hit", *box) for _, _, *box in _matching(hit, words)[:_MARKS])


def _matching(hit: Hit, words: Iterable[Placed]) -> list[Placed]:
    return [one for one in words if any(one[0] < end and one[1] > start for start, end in hit.matches)]


def _stretches(words: Iterable[Placed]) -> list[tuple[float, float, float, float]]:
    """Boxes around the words of a passage, one for each column that it runs through."""
    found: list[tuple[float, float, float, float]] = []
    top = 1.0
    for word in words:
        box = word[2:]
        if found and box[1] > top - _BACK:
            last = found[-1]
            found[-1] = min(last[0], box[0]), min(last[1], box[1]), max(last[2], box[2]), max(last[3], box[3])
        else:
            found.append(box)
        top = box[1]
    return found


def _box(css: str, left: float, top: float, right: float, bottom: float) -> str:
    place = f"left:{100 * left:.2f}%;top:{100 * top:.2f}%"
    size = f"width:{100 * (right - left):.2f}%;height:{100 * (bottom - top):.2f}%"
    return f'<span class="{css}" style="{place};{size}"></span>'


def _told(hit: Hit) -> str:
    """What the picture shows, for who does not see it."""
    told = f"page {hit.chunk.page} of {one_line(hit.item.name)}"
    marked = dict.fromkeys(one_line(hit.chunk.text[start:end]) for start, end in hit.matches)
    return f"{told}; marked: {', '.join(list(marked)[:_NAMED])}" if marked else told
