"""A picture beside the map of what in it carries the cosine."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from .escape import escape, one_line
from .evidence import framed

if TYPE_CHECKING:
    from mmrag_nb.insight.why import Heat

STYLE = """
.mmrag .mm-heat {display:flex;flex-wrap:wrap;gap:12px;margin:0 0 10px}
.mmrag .mm-heat figure {flex:0 1 360px;min-width:0;margin:0}
.mmrag .mm-carries {margin:0 0 8px}
.mmrag .mm-heat figcaption {color:var(--mm-soft);font-size:12px}
.mmrag .mm-heat .mm-framed {display:block;float:none;margin:0 0 4px}
.mmrag .mm-heat img {display:block;width:100%;height:auto;border-radius:4px;background:#fff}
@media print {.mmrag .mm-heat figure {break-inside:avoid}}
"""
_SHADES = " ░▒▓█"


def html(heat: Heat, name: str, picture: str | None, *, counted: bool) -> str:
    """Return the picture, framed where it matches, and the map.

    ``picture`` is its data URI, where it found room; ``counted``: whether the score rests on the pixels.
    """
    uri = f"data:{heat.overlay.mime};base64,{b64encode(heat.overlay.data).decode('ascii')}"
    alt = f"heat map of {one_line(name)}: {told(heat)}"
    maps = f'<img src="{uri}" alt="{escape(alt)}">'
    besides = "" if counted else " The score does not rest on the pixels."
    plain = ""
    if picture is not None:
        lies = f"; what matches lies in the {heat.where}" if heat.where else ""
        shown = f'<img src="{picture}" alt="{escape(f"picture {one_line(name)}{lies}")}">'
        shown = framed(shown, heat.region) if heat.region else f'<span class="mm-framed">{shown}</span>'
        plain = (
            f"<figure>{shown}<figcaption>{'framed: what matches' if heat.region else 'as it is'}</figcaption></figure>"
        )
    finding = told(heat)
    return (
        f'<p class="mm-carries">{escape(finding[:1].upper() + finding[1:])}.{besides}</p>'
        f'<div class="mm-heat">{plain}<figure><span class="mm-framed">{maps}</span>'
        "<figcaption>the darker, the more of the cosine is lost where it is covered; the line is at half of the most"
        "</figcaption></figure></div>"
    )


def told(heat: Heat) -> str:
    """Return where the cosine comes from, and how much of it."""
    most = max(max(row) for row in heat.cells)
    if heat.where:
        return f"the {heat.where} carries most, up to {most:.3f} of the cosine {heat.cosine:.3f}"
    if most > 0:
        return f"no part stands out: covering any costs at most {most:.3f} of the cosine {heat.cosine:.3f}"
    return f"no part carries the cosine {heat.cosine:.3f}: covering any raises it"


def text(heat: Heat) -> str:
    """Return the map in blocks, a cell two columns wide."""
    most = max(max(row) for row in heat.cells)
    if most <= 0:
        return ""
    shades = ["".join(2 * _SHADES[max(0, min(4, round(4 * fall / most)))] for fall in row) for row in heat.cells]
    edge = "─" * len(shades[0])
    return "\n".join([f"    ┌{edge}┐", *(f"    │{row}│" for row in shades), f"    └{edge}┘"])
