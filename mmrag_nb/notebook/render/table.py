"""The similarity table: how each hit scored, raw and calibrated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import quantities
from .escape import escape, name, one_line
from .place import kind, short_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmrag_nb.results import Hit

HEADINGS = ("rank", "modality", "evidence", "raw cosine", "raw rank", "calibrated", "words (BM25)", "score")
CAPTION = (
    "Calibrated: how unusual the raw cosine is for its kind, in standard deviations "
    f"({quantities.SIGMA}). Score: calibrated plus the words' share."
)
RAW = (
    "Ranked by raw cosine alone: the score is the raw cosine. Calibrated, not used here: how unusual it is for its "
    f"kind, in standard deviations ({quantities.SIGMA})."
)
_FULL_BAR = 5.0
"""Standard deviations that fill a bar, where no hit has more."""


@dataclass(frozen=True)
class Row:
    """One hit's cells, as they are to be read."""

    rank: str
    modality: str
    seen_as: str
    """Another modality by whose view the hit was found; empty where it was its own."""
    name: str
    place: str
    cosine: str
    raw_rank: str
    calibrated: str
    words: str
    brought: str
    """What the words add to the score, in standard deviations; empty where nothing."""
    score: str


def row(hit: Hit) -> Row:
    """Return the cells of ``hit``. What only its words found has neither cosine nor calibrated score."""
    return Row(
        rank=str(hit.rank),
        modality=one_line(hit.chunk.modality),
        seen_as="" if hit.seen_as == hit.chunk.modality else one_line(hit.seen_as),
        name=one_line(hit.item.name),
        place=short_place(hit),
        cosine=quantities.cosine(hit.cosine),
        raw_rank=quantities.NONE if hit.raw_rank is None else str(hit.raw_rank),
        calibrated=quantities.deviations(None if hit.cosine is None else hit.calibrated),
        words=f"{hit.lexical:.2f}",
        brought=quantities.deviations(hit.score - hit.calibrated) if hit.lexical > 0 and not is_raw(hit) else "",
        score=quantities.cosine(hit.score) if is_raw(hit) else f"{round(hit.score, 2) + 0.0:.2f}",  # no -0.00
    )


def is_raw(hit: Hit) -> bool:
    """Tell whether the hit's score is its raw cosine, neither calibrated nor helped by words."""
    return hit.score == hit.cosine


def html(hits: Sequence[Hit]) -> str:
    """Return the table; empty where there are no hits."""
    if not hits:
        return ""
    numeric = HEADINGS.index("raw cosine")
    head = "".join(
        f'<th scope="col"{" class=mm-n" if i >= numeric else ""}>{escape(text)}</th>' for i, text in enumerate(HEADINGS)
    )
    full = max([_FULL_BAR, *(hit.calibrated for hit in hits)])
    body = "\n".join(_row(hit, full) for hit in hits)
    return (
        '<div class="mm-scroll" role="region" aria-label="similarity table" tabindex="0">'
        '<table class="mm-table mm-scored">'
        f"<caption>{escape(RAW if all(map(is_raw, hits)) else CAPTION)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _row(hit: Hit, full: float) -> str:
    cells = row(hit)
    as_what = f" <small>as {escape(cells.seen_as)}</small>" if cells.seen_as else ""
    where = f" <small>{escape(cells.place)}</small>" if cells.place else ""
    space = f' title="{escape(hit.space)}"' if hit.space else ""
    seen = escape(f"{cells.modality} as {cells.seen_as}" if cells.seen_as else cells.modality)
    words = f"{cells.brought} <small>({cells.words})</small>" if cells.brought else cells.words
    if not hit.lexical:
        words = quantities.NONE
    raw_bar = _bar(hit.cosine or 0.0, "mm-bar mm-raw")
    bar = _bar(hit.calibrated / full if hit.cosine is not None else 0.0, "mm-bar")
    return (
        f'<tr class="mm-{kind(hit)}"><td class="mm-rank">{cells.rank}</td>'
        f'<td class="mm-kind">{escape(cells.modality)}{as_what}</td>'
        f'<th scope="row" data-mm-kind="{seen}">{name(cells.name, hit.item.uri)}{where}</th>'
        f'<td class="mm-n"{space}>{raw_bar}<span>{cells.cosine}</span></td><td class="mm-n">{cells.raw_rank}</td>'
        f'<td class="mm-n">{bar}<span>{cells.calibrated}</span></td><td class="mm-n">{words}</td>'
        f'<td class="mm-n mm-score">{cells.score}</td></tr>'
    )


def _bar(share: float, css: str) -> str:
    filled = min(1.0, max(0.0, share)) if share == share else 0.0  # noqa: PLR0124 -- not a number fills nothing
    return f'<i class="{css}"><i style="width:{filled:.0%}"></i></i>'
