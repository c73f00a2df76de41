"""An index as a map: the drawing, what is nearest to the question, and the gap between the modalities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmrag_nb.insight.embedding_map import scattered
from mmrag_nb.types import MODALITIES

from . import facts, hits, map_drawing, plain, quantities
from .escape import escape, name, one_line
from .style import LIGHT, section

if TYPE_CHECKING:
    from mmrag_nb.insight.embedding_map import EmbeddingMap

_NEAREST = 10
"""Points of the table, the hits that are not among them besides."""
_KINDS = {
    "text": ("text", "texts", "■"),
    "image": ("picture", "pictures", "●"),
    "audio": ("recording", "recordings", "◆"),
    "video": ("video", "videos", "▲"),
}

STYLE = (
    """
.mmrag .mm-near bdi {display:-webkit-box;overflow:hidden;-webkit-box-orient:vertical;-webkit-line-clamp:2}
.mmrag .mm-legend {margin:0 0 6px;font-size:13px}
.mmrag .mm-legend span {display:inline-block;margin-inline-end:14px}
.mmrag .mm-legend b {color:var(--mm-m)}
"""
    + map_drawing.STYLE
)


def html(drawn: EmbeddingMap) -> str:
    """Return a self-contained section; of at most :data:`~mmrag_nb.notebook.render.media.ROOM` bytes."""
    parts = [
        hits.question(drawn.question).rstrip(),
        map_drawing.svg(drawn, _label(drawn)),
        _legend(drawn),
        f'<p class="mm-gap"><b>Gap.</b> {escape(drawn.gap.sentence)}</p>' if drawn.gap is not None else "",
        _nearest(drawn) if drawn.question else _some(drawn),
        *(f'<p class="mm-meta">{escape(line)}</p>' for line in _below(drawn)),
        facts.html([drawn.space, *drawn.facts, *facts.times(drawn.timings)]),
    ]
    return section("map of the index", "\n".join(part for part in parts if part), STYLE)


def text(drawn: EmbeddingMap) -> str:
    """Return the same for a terminal of 80 to 100 columns."""
    lines = [
        f"{place:>4}  {quantities.cosine(cosine):>6}  {plain.shortened(what, 60)}{f'  (hit {rank})' if rank else ''}"
        for place, what, cosine, rank in _rows(drawn)
    ]
    return plain.joined(
        plain.wrapped(drawn.question),
        f"map of {_counted(drawn)}",
        plain.wrapped(f"Gap. {drawn.gap.sentence}") if drawn.gap is not None else "",
        "\n".join(["nearest to the question, by raw cosine", *lines]) if lines else "",
        "\n".join(plain.wrapped(line) for line in _below(drawn)),
        plain.facts([drawn.space, *drawn.facts, *facts.times(drawn.timings)]),
    )


def _counts(drawn: EmbeddingMap) -> list[tuple[str, int]]:
    present = drawn.modalities
    return [(kind, n) for kind in MODALITIES if (n := present.count(kind))]


def _counted(drawn: EmbeddingMap) -> str:
    each = ", ".join(quantities.count(n, *_KINDS[kind][:2]) for kind, n in _counts(drawn))
    return f"{quantities.count(len(drawn.chunks), 'chunk')}: {each}"


def _label(drawn: EmbeddingMap) -> str:
    """What a screen reader says of the drawing."""
    near = ", ".join(f"{what} ({quantities.cosine(cosine)})" for _, what, cosine, _ in _rows(drawn)[:5])
    return " ".join(
        part
        for part in (
            f"Map of {_counted(drawn)}.",
            drawn.gap.sentence if drawn.gap is not None else "",
            f"Nearest to the question: {plain.shortened(near, 400)}." if near else "",
        )
        if part
    )


def _legend(drawn: EmbeddingMap) -> str:
    parts = [
        f'<span class="mm-{kind}"><b style="color:{LIGHT[kind]};color:var(--mm-m)" aria-hidden="true">{_KINDS[kind][2]}'
        f"</b> {quantities.count(n, *_KINDS[kind][:2])}</span>"
        for kind, n in _counts(drawn)
    ]
    if drawn.query is not None:
        parts.append('<span><b aria-hidden="true">★</b> the question, lines to its hits</span>')
    if drawn.gap is not None:
        parts.append('<span><b aria-hidden="true">✕╌✕</b> centroids, and the gap between them</span>')
    return f'<p class="mm-legend">{"".join(parts)}</p>'


def _rows(drawn: EmbeddingMap) -> list[tuple[int, str, float, int]]:
    """Place by raw cosine, name, cosine and rank among the hits (0 for none): the nearest, then the other hits."""
    if drawn.cosines is None:
        return []
    ranks = {index: rank for rank, index in drawn.hits.items()}
    order = drawn.nearest(len(drawn.chunks))
    return [
        (place, map_drawing.name_of(drawn, index), float(drawn.cosines[index]), ranks.get(index, 0))
        for place, index in enumerate(order, 1)
        if place <= _NEAREST or index in ranks
    ]


def _nearest(drawn: EmbeddingMap) -> str:
    order = drawn.nearest(len(drawn.chunks))
    rows = "\n".join(
        f'<tr class="mm-{_kind(drawn, order[place - 1])}"><td>{place:,}</td>'
        f'<td class="mm-kind">{escape(one_line(drawn.chunks[order[place - 1]].modality))}</td>'
        f'<th scope="row">{name(what, drawn.items[order[place - 1]].uri)}</th>'
        f'<td class="mm-n">{quantities.cosine(cosine)}</td>'
        f'<td class="mm-n mm-rank">{rank or ""}</td></tr>'
        for place, what, cosine, rank in _rows(drawn)
    )
    return (
        "<details open><summary>Nearest to the question by raw cosine, and where its hits lie</summary>"
        '<div class="mm-scroll" role="region" aria-label="nearest to the question" tabindex="0">'
        '<table class="mm-table mm-near" aria-label="nearest to the question">\n'
        '<thead><tr><th scope="col">place</th><th scope="col">modality</th><th scope="col">evidence</th>'
        '<th scope="col" class="mm-n">raw cosine</th><th scope="col" class="mm-n">hit</th></tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table></div></details>"
    )


def _some(drawn: EmbeddingMap) -> str:
    """Names from all over the map, for who cannot see it."""
    chosen = scattered(drawn.points, (), 20)
    items = "".join(
        f"<li>{name(map_drawing.name_of(drawn, index))} "
        f"<small>{escape(one_line(drawn.chunks[index].modality))}</small></li>"
        for index in chosen
    )
    of = f"{len(chosen)} of {len(drawn.chunks):,} " if len(chosen) < len(drawn.chunks) else ""
    return f'<details><summary>{of}chunks from all over the map</summary><ul class="mm-near">{items}</ul></details>'


def _kind(drawn: EmbeddingMap, index: int) -> str:
    modality = drawn.chunks[index].modality
    return modality if modality in MODALITIES else "text"


def _below(drawn: EmbeddingMap) -> list[str]:
    return [f"{line}." for line in (drawn.axes, *drawn.notes) if line]
