"""What belongs to a hit besides its content: what models say of it, its record's other parts, its near-duplicates."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .escape import escape, middle_cut, name, one_line
from .highlight import excerpt, marked_html, marked_text
from .place import part
from .quantities import SIGMA, count, deviations, plain_score

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmrag_nb.results import Hit

    _Ranges = tuple[tuple[int, int], ...]

PARTS = 6
"""Other parts of a record that are named."""
ALIKE = 3
"""Near-duplicates that are named."""
_NAME = 60
"""Characters of a name in a list of names."""
_BEGIN = 160
"""Characters of a description that are shown before it is opened."""
_GLANCE = 80
"""Characters of a description in a table."""
GLUE = "\N{NO-BREAK SPACE}"
"""Between what stands on one line of a terminal."""
_LABELS = {"caption": "caption (model-made):", "ocr": "reads:"}


def html(hit: Hit, longest: int) -> str:
    """Return all of it, a paragraph each; at most ``longest`` characters of a description."""
    lines = [_description(label, said, ranges, longest) for label, said, ranges in _described(hit)]
    if others := _parts(hit):
        listed = " · ".join(
            f"<span>{name(which, most=_NAME)} {escape(scored)}</span>" if scored else f"<span>{which}</span>"
            for which, scored in others
        )
        lines.append(f'<p class="mm-meta mm-parts">{escape(_others(hit))}: {listed}</p>')
    if hit.alike:
        alike = Counter(hit.alike)
        names = ", ".join(name(one, most=_NAME) + _times(n) for one, n in list(alike.items())[:ALIKE])
        lines.append(f'<p class="mm-meta mm-alike">{_alike(hit)}: {names}{_more(len(alike) - ALIKE)}</p>')
    return "\n".join(lines)


def text(hit: Hit, longest: int) -> list[str]:
    """Return the same for a terminal, a line each, to be wrapped."""
    lines = [_line(label, said, ranges, longest) for label, said, ranges in _described(hit)]
    if others := _parts(hit):
        listed = (
            f"{middle_cut(one_line(which), _NAME)} {scored}".rstrip().replace(" ", GLUE) for which, scored in others
        )
        lines.append(f"{_others(hit)}: {f'{GLUE}· '.join(listed)}")
    if hit.alike:
        alike = Counter(hit.alike)
        names = ", ".join(middle_cut(one_line(one), _NAME) + _times(n) for one, n in list(alike.items())[:ALIKE])
        lines.append(f"{_alike(hit)}: {names}{_more(len(alike) - ALIKE)}")
    return lines


def glance(hit: Hit) -> list[str]:
    """Return what models say of the hit, each so short that it fits a table."""
    return [_line(label, said, ranges, _GLANCE) for label, said, ranges in _described(hit)]


def own_score(hit: Hit) -> float:
    """Return the hit's score before its record's parts were made one."""
    return hit.parts[_place(hit)].score if hit.parts else hit.score


def is_pooled(hit: Hit) -> bool:
    """Tell whether the hit's score is its record's, made of all parts, and not its own."""
    return own_score(hit) != hit.score


def _described(hit: Hit) -> Iterator[tuple[str, str, _Ranges]]:
    """Label, text, and the ranges of it that share words with the question."""
    for kind, label in _LABELS.items():
        if (said := hit.described.get(kind, "")).strip():
            yield label, said, hit.described_matches.get(kind, ())


def _line(label: str, said: str, ranges: _Ranges, longest: int) -> str:
    return f"{label} {marked_text(excerpt(*_on_one_line(said, ranges), longest))}"


def _on_one_line(said: str, ranges: _Ranges) -> tuple[str, _Ranges]:
    def moved(place: int) -> int:
        before = " ".join(said[:place].split())
        return len(before) + bool(before and said[place - 1].isspace())

    return one_line(said), tuple((moved(start), moved(end)) for start, end in ranges)


def _description(label: str, said: str, ranges: _Ranges, longest: int) -> str:
    """One that is long is opened by a click, or a key."""
    begin = excerpt(*_on_one_line(said, ranges), min(_BEGIN, longest))
    shown = f"<span>{label}</span> <bdi>{marked_html(begin)}</bdi>"
    if not (begin.cut_before or begin.cut_after) or longest <= _BEGIN:
        return f'<p class="mm-said">{shown}</p>'
    whole = marked_html(excerpt(said, ranges, longest))
    return f'<details class="mm-said"><summary>{shown}</summary><p class="mm-body" dir="auto">{whole}</p></details>'


def _parts(hit: Hit) -> list[tuple[str, str]]:
    """Name and score of the other parts; at the end, without a score, how many more there are."""
    own = _place(hit)
    others = hit.parts[:own] + hit.parts[own + 1 :]
    record = hit.item.record.name if hit.item.record else ""
    scores = [deviations(one.score) if hit.unit == SIGMA else plain_score(one.score, hit.unit) for one in others]
    names = [part(one.name, one.modality, record) for one in others]
    named = list(zip(names, scores, strict=True))[:PARTS]
    more = len(others) - PARTS
    return named + [(f"and {more:,} more", "")] * (more > 0)


def _place(hit: Hit) -> int:
    """Of the hit among its record's parts: the best of them, but where another was asked about."""
    names = [(one.name, one.modality) for one in hit.parts]
    own = (hit.item.name, hit.chunk.modality)
    return names.index(own) if own in names else 0


def _others(hit: Hit) -> str:
    return f"other parts ({hit.unit})" if hit.unit not in {"", SIGMA} else "other parts"


def _alike(hit: Hit) -> str:
    return f"and {count(len(hit.alike), 'near-duplicate')}"


def _times(n: int) -> str:
    """Pages of one PDF, frames of one film."""
    return f" ({n:,} times)" if n > 1 else ""


def _more(n: int) -> str:
    return f" and {n:,} more" if n > 0 else ""
