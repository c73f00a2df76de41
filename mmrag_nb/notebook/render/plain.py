"""Results as plain text, for terminals and for notebooks that show no HTML."""

from __future__ import annotations

import textwrap
import unicodedata
from typing import TYPE_CHECKING

from . import besides, moves, quantities, waveform
from . import table as similarity
from .escape import one_line, visible
from .evidence import metadata
from .highlight import excerpt, marked_text
from .place import part, place, title

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mmrag_nb.results import Hit

WIDTH = 96
"""Columns."""
LONGEST = 600
"""Characters of a passage or transcript that are shown."""
_INDENT = "    "
_RERANKED = ("rank", "before", "evidence", "cosine", "raw rank", "calibrated", "words", "score", "reranked")
"""Headings where a reranker looked a second time: what a hit is stands with its evidence, here is no room for it."""


def joined(*blocks: str) -> str:
    """Return the blocks that are not empty, a blank line between each."""
    return "\n\n".join(block for block in blocks if block)


def columns(text: str) -> int:
    """Return how many columns ``text`` takes in a terminal."""
    seen = (c for c in text if unicodedata.category(c) not in {"Mn", "Me", "Cf"})
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in seen)


def padded(text: str, width: int) -> str:
    """Return ``text`` filled with blanks up to ``width`` columns."""
    return text + " " * (width - columns(text))


def wrapped(text: str, indent: str = "", hanging: str | None = None) -> str:
    """Return ``text`` in lines of at most :data:`WIDTH` columns, its own line ends kept."""
    rest = indent if hanging is None else hanging
    lines: list[str] = []
    for line in visible(text).strip().split("\n"):
        lines += _lines(line, rest if lines else indent, rest)
    return "\n".join(lines).rstrip()


def _lines(line: str, first: str, rest: str) -> list[str]:
    width = WIDTH
    while True:
        lines = textwrap.wrap(line, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
        widest = max(map(columns, lines), default=0)
        if widest <= WIDTH:
            return lines or [""]
        width -= (widest - WIDTH + 1) // 2  # textwrap counts characters, and some take two columns


def gap(sentence: str) -> str:
    """Return why a picture won or lost."""
    return wrapped(f"Gap. {sentence}") if sentence else ""


def facts(parts: Iterable[str]) -> str:
    """Return the line of facts, broken between facts; within one only where it is long."""
    told = [one_line(part) for part in parts if part]
    kept = [part if len(part) > WIDTH // 2 else part.replace(" ", besides.GLUE) for part in told]
    return wrapped(f"{besides.GLUE}· ".join(kept)).replace(besides.GLUE, " ")


def item(hit: Hit, remark: str = "") -> str:
    """Return one piece of evidence: number, name, place, waveform, text."""
    head = [f"[{hit.rank}] {one_line(title(hit))}", _what(hit), place(hit), remark]
    wave = waveform.sparkline(hit, WIDTH - len(_INDENT)) if hit.chunk.modality == "audio" else ""
    own = excerpt(hit.chunk.text, hit.matches, LONGEST, [passage.span for passage in hit.cited])
    body = [
        wrapped(" · ".join(p for p in head if p), hanging=_INDENT),
        _INDENT + wave if wave else "",
        wrapped(marked_text(own), _INDENT),
        *(wrapped(line, _INDENT) for line in besides.text(hit, LONGEST)),
        wrapped(metadata(hit), _INDENT),
    ]
    return "\n".join(line for line in body if line).replace(besides.GLUE, " ")


def _what(hit: Hit) -> str:
    """The modality; of a record, which of its parts matched."""
    modality, record = one_line(hit.chunk.modality), hit.item.record
    if record is None:
        return modality
    own = f" ({quantities.score(besides.own_score(hit), hit.unit)})" if besides.is_pooled(hit) else ""
    return f"{one_line(part(hit.item.name, modality, record.name))} matched{own}"


def table(hits: Sequence[Hit]) -> str:
    """Return the similarity table, numbers aligned; empty where there are no hits."""
    if not hits:
        return ""
    again = similarity.is_reranked(hits)
    heads = list(_RERANKED if again else similarity.HEADINGS)
    heads = ["words" if head == "words (BM25)" else head for head in heads]
    cells = []
    for hit in hits:
        row = similarity.row(hit)
        modality = f"{row.modality} as {row.seen_as}" if row.seen_as else row.modality
        what = f"{row.name}, {row.place}" if row.place else row.name
        first = [row.before + moves.arrow(row.moved).rjust(4), what] if again else [modality, what]
        last = [row.reranked] if again else []
        cells.append([row.rank, *first, row.cosine, row.raw_rank, row.calibrated, row.words, row.score, *last])
    names = heads.index("evidence")
    widths = [max(columns(r[i]) for r in [heads, *cells]) for i in range(len(heads))]
    widths[names] = min(widths[names], max(len("evidence"), WIDTH - sum(widths) + widths[names] - 2 * (len(heads) - 1)))
    lines = []
    for line in [heads, *cells]:
        line[names] = shortened(line[names], widths[names])
        padding = [
            padded(cell, width) if heads[i] in {"modality", "evidence"} else " " * (width - columns(cell)) + cell
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        lines.append("  ".join(padding).rstrip())
    return "\n".join(lines)


def shortened(text: str, width: int) -> str:
    """Return ``text`` in at most ``width`` columns, its middle left out: names differ at their ends."""
    if columns(text) <= width:
        return text
    tail = text[-(width // 2 - 1) :]
    while columns(tail) > width // 2:
        tail = tail[1:]
    head = text[: width - columns(tail) - 1]
    while columns(head) + columns(tail) + 1 > width:
        head = head[:-1]
    return f"{head}…{tail}"
