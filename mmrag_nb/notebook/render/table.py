"""The similarity table: how each hit scored, raw and calibrated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import besides, moves, quantities
from .escape import escape, name, one_line
from .place import kind, short_place, title

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mmrag_nb.results import Hit

HEADINGS = ("rank", "modality", "evidence", "raw cosine", "raw rank", "calibrated", "words (BM25)", "score")
RERANKED = ("rank", "before", *HEADINGS[1:], "reranked")
"""Headings where a reranker looked a second time."""
_CHANCE = (
    f"how far the raw cosine lies above {quantities.CHANCE} among its kind, in standard deviations "
    f"({quantities.SIGMA}); from 0 down, it may be chance"
)
CAPTION = f"Calibrated: {_CHANCE}. Score: calibrated plus the words' share."
RAW = f"Ranked by raw cosine alone: the score is the raw cosine. Calibrated, not used here: {_CHANCE}."
BY_RANKS = (
    "Score: {}, one for the first place in each list (vectors, words), less for each place below it. Calibrated, which "
    f"makes the lists: {_CHANCE}."
)
_CLASSES = {
    "modality": "mm-seen",
    **dict.fromkeys(("before", "raw cosine", "raw rank", "calibrated", "words (BM25)", "score", "reranked"), "mm-n"),
}
"""Of headings, as their columns have them."""
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
    """What the words add to the score, in standard deviations; empty where nothing, or where ranks are fused."""
    score: str
    before: str
    """The rank before reranking."""
    moved: int
    """Places won by reranking, lost below 0."""
    reranked: str


def row(hit: Hit) -> Row:
    """Return the cells of ``hit``. What only its words found has neither cosine nor calibrated score."""
    return Row(
        rank=str(hit.rank),
        modality=one_line(hit.chunk.modality),
        seen_as="" if hit.seen_as == hit.chunk.modality else one_line(hit.seen_as),
        name=one_line(title(hit)),
        place=short_place(hit),
        cosine=quantities.cosine(hit.cosine),
        raw_rank=quantities.NONE if hit.raw_rank is None else str(hit.raw_rank),
        calibrated=quantities.deviations(None if hit.cosine is None else hit.calibrated),
        words=f"{hit.lexical:.2f}",
        brought=_brought(hit),
        score=quantities.plain_score(hit.score, "" if is_raw(hit) else hit.unit),
        before=quantities.NONE if hit.before is None else str(hit.before),
        moved=0 if hit.before is None else hit.before - hit.rank,
        reranked=quantities.reranked(hit.reranked),
    )


def _brought(hit: Hit) -> str:
    if hit.lexical <= 0 or is_raw(hit) or hit.unit != quantities.SIGMA:
        return ""
    return quantities.deviations(besides.own_score(hit) - hit.calibrated)


def is_reranked(hits: Iterable[Hit]) -> bool:
    """Tell whether a reranker put any of ``hits`` where it stands."""
    return any(hit.before is not None or hit.reranked is not None for hit in hits)


def caption(hits: Sequence[Hit]) -> str:
    """Return what the numbers are."""
    if all(map(is_raw, hits)):
        told = RAW
    else:
        unit = next(hit.unit for hit in hits if not is_raw(hit))
        told = CAPTION if unit == quantities.SIGMA else BY_RANKS.format(unit)
    if any(map(besides.is_pooled, hits)):
        told += " A record's score is made of all its parts'."
    if is_reranked(hits):
        by = one_line(getattr(hits, "reranker", "")) or "a second model"
        told += f" Reranked by {by}: its scores make the order, and compare in this table alone."
    return told


def is_raw(hit: Hit) -> bool:
    """Tell whether the hit's score is its raw cosine, neither calibrated nor helped by words."""
    return not hit.unit


def html(hits: Sequence[Hit]) -> str:
    """Return the table; empty where there are no hits."""
    if not hits:
        return ""
    again = is_reranked(hits)
    head = "".join(
        f'<th scope="col"{f" class={_CLASSES[text]}" if text in _CLASSES else ""}>{escape(text)}</th>'
        for text in (RERANKED if again else HEADINGS)
    )
    full = max([_FULL_BAR, *(hit.calibrated for hit in hits)])
    body = "\n".join(_row(hit, full, again=again) for hit in hits)
    return (
        '<div class="mm-scroll" role="region" aria-label="similarity table" tabindex="0">'
        f'<table class="mm-table mm-scored{" mm-again" * again}">'
        f"<caption>{escape(caption(hits))}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _row(hit: Hit, full: float, *, again: bool) -> str:
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
    arrow = moves.html(cells.moved) or '<span class="mm-move"></span>'  # so that all ranks stand below each other
    before = f'<td class="mm-n mm-before">{cells.before}{arrow}</td>' if again else ""
    reranked = f'<td class="mm-n mm-score">{cells.reranked}</td>' if again else ""
    return (
        f'<tr class="mm-{kind(hit)}"><td class="mm-rank">{cells.rank}</td>{before}'
        f'<td class="mm-kind mm-seen">{escape(cells.modality)}{as_what}</td>'
        f'<th scope="row" data-mm-kind="{seen}">{name(cells.name, hit.item.uri)}{where}</th>'
        f'<td class="mm-n"{space}>{raw_bar}<span>{cells.cosine}</span></td><td class="mm-n">{cells.raw_rank}</td>'
        f'<td class="mm-n">{bar}<span>{cells.calibrated}</span></td><td class="mm-n">{words}</td>'
        f'<td class="mm-n mm-score">{cells.score}</td>{reranked}</tr>'
    )


def _bar(share: float, css: str) -> str:
    filled = min(1.0, max(0.0, share)) if share == share else 0.0  # noqa: PLR0124 -- not a number fills nothing
    return f'<i class="{css}"><i style="width:{filled:.0%}"></i></i>'
