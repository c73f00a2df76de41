"""A map of an index as one drawing: points by modality, the gap, the question with lines to its hits."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from mmrag_nb.insight.comparison import called
from mmrag_nb.insight.embedding_map import scattered
from mmrag_nb.types import MODALITIES

from .escape import escape, one_line
from .media import KINDS
from .plain import columns, shortened
from .style import LIGHT

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from mmrag_nb.insight.embedding_map import EmbeddingMap

WIDTH = 856
"""Of the drawing, in its own units: pixels where a card has its full width."""
_LOWEST, _HIGHEST = 300, 520
_MARGIN = 44
_FEW = 300
"""Points up to which each is large, and no name is written over one."""
_NAMED = 14
"""Points that are named, at most."""
_SIDE = 38
"""Of a small picture on the map."""
_TITLES = 130_000
"""Bytes for what is told when the mouse rests on a point; the hits, then those nearest to the question, go first."""
_PICTURES = 100_000
"""Bytes for small pictures."""
_LETTER, _LINE = 6.9, 17
"""Mean width of a letter, and the height of a line."""

STYLE = """
.mmrag .mm-map {display:block;width:100%;height:auto;margin:4px 0 8px;font-size:12.5px}
.mmrag .mm-map .mm-ground {fill:var(--mm-wash)}
.mmrag .mm-map g[class] {fill:var(--mm-m);stroke:var(--mm-m)}
.mmrag .mm-map text {fill:var(--mm-ink);stroke:var(--mm-wash);stroke-width:3.5px;stroke-linejoin:round;
  paint-order:stroke}
.mmrag .mm-map .mm-ray {stroke:var(--mm-soft)}
.mmrag .mm-map .mm-apart {stroke:var(--mm-ink)}
.mmrag .mm-map .mm-asked {fill:var(--mm-ink);stroke:var(--mm-wash)}
.mmrag .mm-map .mm-frame {fill:none;stroke:var(--mm-m)}
@container (max-width:640px) {
  .mmrag .mm-map text {font-size:25px;stroke-width:6px}
  .mmrag .mm-map .mm-wide {display:none}
  .mmrag .mm-map .mm-narrow {display:inline}
  .mmrag .mm-map .mm-dots path {stroke-width:5}
  .mmrag .mm-map .mm-ray, .mmrag .mm-map .mm-apart {stroke-width:3}
}
"""


class _Room:
    """What of the drawing is taken."""

    def __init__(self, width: float, height: float) -> None:
        self._width, self._height = width, height
        self._boxes: list[tuple[float, float, float, float]] = []

    def add(self, x: float, y: float, width: float, height: float) -> None:
        """Take the box whose upper left corner is (x, y)."""
        self._boxes.append((x, y, x + width, y + height))

    def take(self, x: float, y: float, width: float, height: float) -> bool:
        """Take it where it is free and inside; tell whether it was."""
        if x < 2 or y < 2 or x + width > self._width - 2 or y + height > self._height - 2:
            return False
        right, low = x + width, y + height
        if any(x < b[2] and right > b[0] and y < b[3] and low > b[1] for b in self._boxes):
            return False
        self.add(x, y, width, height)
        return True


def svg(drawn: EmbeddingMap, label: str) -> str:
    """Return the drawing; ``label`` is what a screen reader says of it.

    Colours come from the card's style, and stand in attributes too, for pages that drop styles.
    """
    places, query, ends, height = _placed(drawn)
    room = _Room(WIDTH, height)
    half = 5.0 if len(places) <= _FEW else 3.0 if len(places) <= 5 * _FEW else 2.2
    if len(places) <= _FEW:
        for x, y in places.tolist():
            room.add(x - half, y - half, 2 * half, 2 * half)
    pictures, pictured = _pictures(drawn, places, room, height)
    asked = _asked(query, room) if query is not None else ""
    gap = _gap(drawn, ends, room) if ends is not None else ""
    rays = _rays(drawn, places, query) if query is not None else ""
    names = _names(drawn, places, room, pictured)
    return (
        f'<svg class="mm-map" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" role="img" font-size="12.5" '
        f'aria-label="{escape(label)}"><rect class="mm-ground" width="{WIDTH}" height="{height:.0f}" rx="6" '
        f'fill="{LIGHT["wash"]}"/>\n{rays}{_dots(drawn, places, half)}\n{pictures}{gap}{asked}{names}</svg>'
    )


def shape(modality: str, half: float) -> str:
    """Return the mark of a modality as a path around its starting point: told apart without colour."""
    if modality == "image":
        return f"m{-half:g} 0a{half:g} {half:g} 0 1 0 {2 * half:g} 0a{half:g} {half:g} 0 1 0 {-2 * half:g} 0"
    if modality == "audio":
        reach = half * 1.35
        return f"m0 {-reach:g}l{reach:g} {reach:g}l{-reach:g} {reach:g}l{-reach:g} {-reach:g}z"
    if modality == "video":
        return f"m0 {-half:g}l{half:g} {2 * half:g}h{-2 * half:g}z"
    side = half * 0.9
    return f"m{-side:g} {-side:g}h{2 * side:g}v{2 * side:g}h{-2 * side:g}z"


def _placed(
    drawn: EmbeddingMap,
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None, NDArray[np.float64] | None, float]:
    """Points, question and centroids in the drawing's units, of one scale in both directions, and its height."""
    import numpy as np

    parts = [drawn.points, *([] if drawn.query is None else [drawn.query[None]])]
    everything = np.vstack(parts).astype(np.float64)
    low, high = everything.min(axis=0), everything.max(axis=0)
    wide, tall = np.maximum(high - low, 1e-9)
    room = WIDTH - 2 * _MARGIN
    height = float(np.clip(room * tall / wide, _LOWEST - 2 * _MARGIN, _HIGHEST - 2 * _MARGIN)) + 2 * _MARGIN
    scale = min(room / wide, (height - 2 * _MARGIN) / tall)
    middle = (low + high) / 2

    def to_page(points: NDArray[np.float32]) -> NDArray[np.float64]:
        page: NDArray[np.float64] = (points - middle) * (scale, -scale) + (WIDTH / 2, height / 2)
        return page

    return (
        to_page(drawn.points),
        None if drawn.query is None else to_page(drawn.query),
        None if drawn.gap is None else to_page(drawn.gap.ends),
        height,
    )


def _dots(drawn: EmbeddingMap, places: NDArray[np.float64], half: float) -> str:
    """All points: one path for each modality, and for as many as there is room for one of its own, with a title."""
    first = dict.fromkeys([*drawn.hits.values(), *drawn.nearest(len(places)), *range(len(places))])
    room = _TITLES
    titled: dict[str, list[str]] = {}
    plain: dict[str, list[str]] = {}
    for index in first:
        kind = _kind(drawn, index)
        x, y = places[index].tolist()
        at = f"M{x:.1f} {y:.1f}{shape(kind, half)}"
        dot = f'<path d="{at}"><title>{escape(_title(drawn, index))}</title></path>' if room > 0 else ""
        room -= len(dot.encode())
        (titled if dot and room >= 0 else plain).setdefault(kind, []).append(dot if dot and room >= 0 else at)
    opacity = "" if len(places) <= _FEW else ' opacity="0.6"'
    groups = []
    for kind in MODALITIES:
        marks = "".join(titled.get(kind, ()))
        rest = f'<path d="{"".join(plain[kind])}"/>' if kind in plain else ""
        if marks or rest:
            css = f'class="mm-dots mm-{kind}" fill="{LIGHT[kind]}" stroke-width="0"{opacity}'
            groups.append(f"<g {css}>{rest}{marks}</g>")
    return "\n".join(groups)


def _title(drawn: EmbeddingMap, index: int) -> str:
    text = one_line(drawn.chunks[index].text)
    excerpt = f": {text[:60]}{'…' * (len(text) > 60)}" if text else ""
    return shortened(name_of(drawn, index), 60) + excerpt


def name_of(drawn: EmbeddingMap, index: int) -> str:
    """Return what a point is called, with what tells it from its item's others."""
    return one_line(called(drawn.items[index].name, drawn.chunks[index]))


def _kind(drawn: EmbeddingMap, index: int) -> str:
    modality = drawn.chunks[index].modality
    return modality if modality in MODALITIES else "text"


def _pictures(drawn: EmbeddingMap, places: NDArray[np.float64], room: _Room, height: float) -> tuple[str, set[int]]:
    """Small pictures where they do not cover each other, those of hits first; and whose they are."""
    parts: list[str] = []
    shown: set[int] = set()
    frames = _Room(WIDTH, height)
    left = _PICTURES
    for index, preview in drawn.thumbnails.items():
        if preview.mime not in KINDS["thumbnail"] or len(preview.data) * 4 // 3 > left:
            continue
        x, y = (places[index] - _SIDE / 2).tolist()
        if not frames.take(x - 3, y - 3, _SIDE + 6, _SIDE + 6):
            continue
        left -= len(preview.data) * 4 // 3
        uri = f"data:{preview.mime};base64,{b64encode(preview.data).decode('ascii')}"
        box = f'x="{x:.1f}" y="{y:.1f}" width="{_SIDE}" height="{_SIDE}"'
        kind = _kind(drawn, index)
        wide = 3 if index in drawn.hits.values() else 1.5
        parts.append(
            f'<g class="mm-{kind}" stroke="{LIGHT[kind]}"><title>{escape(_title(drawn, index))}</title>'
            f'<image href="{uri}" {box} preserveAspectRatio="xMidYMid slice"/>'
            f'<rect class="mm-frame" {box} fill="none" stroke-width="{wide}"/></g>'
        )
        room.add(x, y, _SIDE, _SIDE)
        shown.add(index)
    return "\n".join(parts), shown


def _asked(query: NDArray[np.float64], room: _Room) -> str:
    """The question: a star, and the word."""
    x, y = query.tolist()
    room.add(x - 11, y - 11, 22, 22)
    star = "m0 -12l3.2 8.4 9 .4-7 5.6 2.4 8.6-7.6-4.9-7.6 4.9 2.4-8.6-7-5.6 9-.4z"
    mark = (
        f'<path class="mm-asked" fill="{LIGHT["ink"]}" stroke="{LIGHT["wash"]}" stroke-width="1.5" '
        f'd="M{x:.1f} {y:.1f}{star}"/>'
    )
    return mark + (_beside(room, x, y, 13, "question", "", bold=True) or "")


def _rays(drawn: EmbeddingMap, places: NDArray[np.float64], query: NDArray[np.float64]) -> str:
    """Lines from the question to its hits."""
    x, y = query.tolist()
    lines = "".join(
        f"M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}" for to_x, to_y in places[list(drawn.hits.values())].tolist()
    )
    return f'<path class="mm-ray" fill="none" stroke="{LIGHT["soft"]}" stroke-width="1" d="{lines}"/>' if lines else ""


def _gap(drawn: EmbeddingMap, ends: NDArray[np.float64], room: _Room) -> str:
    """A line from centroid to centroid, with the distance and what lies at its ends."""
    assert drawn.gap is not None
    (x, y), (to_x, to_y) = ends.tolist()
    cross = "m-7 -7l14 14m0 -14l-14 14"
    line = (
        f'<path class="mm-apart" fill="none" stroke="{LIGHT["ink"]}" stroke-width="2" '
        f'd="M{x:.1f} {y:.1f}{cross}M{to_x:.1f} {to_y:.1f}{cross}"/>'
        f'<path class="mm-apart" fill="none" stroke="{LIGHT["ink"]}" stroke-width="2" stroke-dasharray="6 4" '
        f'd="M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}"/>'
    )
    for end in ((x, y), (to_x, to_y)):
        room.add(end[0] - 8, end[1] - 8, 16, 16)
    middle = ((x + to_x) / 2, (y + to_y) / 2)
    told = (
        (x, y, "pictures", ""),
        (to_x, to_y, "texts", ""),
        (*middle, f"gap {drawn.gap.distance:.2f}", ' class="mm-wide"'),
    )
    return line + "".join(_beside(room, a, b, 9, what, css, bold=True, anyway=True) or "" for a, b, what, css in told)


def _names(drawn: EmbeddingMap, places: NDArray[np.float64], room: _Room, pictured: set[int]) -> str:
    """Names beside the hits and some others, where there is room; on a narrow page the hits' ranks only."""
    ranks = {index: rank for rank, index in drawn.hits.items()}
    tried = scattered(drawn.points, list(ranks), 60)
    written: list[str] = []
    for index in tried:
        x, y = places[index].tolist()
        off = _SIDE / 2 + 3 if index in pictured else 8
        rank = ranks.get(index)
        what = shortened(name_of(drawn, index), 32)
        css = ' class="mm-wide"'
        told = _beside(room, x, y, off, what if rank is None else f"{rank} {what}", css, bold=rank is not None)
        if told is None and rank is not None:  # no room for the name; the table below has it
            told = _beside(room, x, y, off, str(rank), css, bold=True, anyway=True)
        if told and len(written) < _NAMED:
            written.append(told)
        if rank is not None:
            at = f'x="{x + off:.1f}" y="{y + 9:.1f}"'
            written.append(f'<text class="mm-narrow" display="none" {at} font-weight="600">{rank}</text>')
    return "\n".join(written)


def _beside(  # noqa: PLR0917 - the order of a drawing
    room: _Room, x: float, y: float, off: float, text: str, css: str, *, bold: bool = False, anyway: bool = False
) -> str | None:
    """``text`` beside (x, y), on the first side that is free."""
    width = columns(text) * _LETTER * (1.08 if bold else 1.0)
    sides: Iterable[tuple[float, float, str]] = (
        (x + off, y, "start"),
        (x - off, y, "end"),
        (x, y - off - _LINE / 2, "middle"),
        (x, y + off + _LINE / 2, "middle"),
        (x + off, y - off, "start"),
        (x + off, y + off, "start"),
        (x - off, y - off, "end"),
        (x - off, y + off, "end"),
    )
    weight = ' font-weight="600"' if bold else ""
    for at, middle, anchor in sides:
        left = at - {"start": 0.0, "end": width, "middle": width / 2}[anchor]
        if room.take(left, middle - _LINE / 2, width, _LINE):
            break
    else:
        if not anyway:
            return None
        at, middle, anchor = x + off, y - off, "start"
        room.add(at, middle - _LINE / 2, width, _LINE)
    return (
        f'<text{css} x="{at:.1f}" y="{middle + 4.5:.1f}" text-anchor="{anchor}" fill="{LIGHT["ink"]}"{weight}>'
        f"{escape(text)}</text>"
    )
