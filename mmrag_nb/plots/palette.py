"""Colours and markers of the figures: the cards' own, for light and dark grounds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from mmrag_nb.types import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from matplotlib.axes import Axes

LIGHT = {
    "ink": "#1d2127",
    "soft": "#5a626e",
    "faint": "#aab1bb",
    "line": "#e1e4ea",
    "bg": "#ffffff",
    "wash": "#f5f6f8",
    "audio": "#b34e14",
    "image": "#2563a8",
    "text": "#2a7247",
    "video": "#7a12e2",
    "band": "#fbeee5",
}
DARK = {
    "ink": "#e6e8ec",
    "soft": "#a0a9b7",
    "faint": "#5f6877",
    "line": "#333a45",
    "bg": "#15181d",
    "wash": "#1e2229",
    "audio": "#f0955c",
    "image": "#74aef0",
    "text": "#73c796",
    "video": "#c29bef",
    "band": "#38281d",
}
MARKERS = {"text": "o", "image": "s", "audio": "^", "video": "D"}
"""One shape a modality: colour alone tells nothing to one reader in twelve."""

_OTHERS = (("image", "o"), ("audio", "s"), ("text", "^"), ("video", "D"), ("soft", "v"), ("ink", "P"))
_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))
_WORD = re.compile(r"[a-z]+")


class Look(NamedTuple):
    """How one series is drawn."""

    colour: str
    marker: str
    dashes: Any


def palette(ax: Axes) -> Mapping[str, str]:
    """Return the colours for the ground that ``ax`` lies on: a user's dark style keeps its ground."""
    from matplotlib.colors import to_hex, to_rgba

    ground = to_rgba(ax.figure.get_facecolor())
    if ground[3] < 0.5:  # a notebook's older manner: it shows a transparent figure on white
        return LIGHT
    return {**(LIGHT if is_light(ground) else DARK), "bg": to_hex(ground)}


def is_light(colour: tuple[float, float, float, float]) -> bool:
    """Whether dark ink reads better on ``colour`` (red, green, blue, alpha) than light ink."""
    red, green, blue, _ = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue > 0.5


def looks(labels: Iterable[str], colours: Mapping[str, str]) -> list[Look]:
    """Return one look a label, all different: a label that ends in a modality's name has that modality's."""
    names = [_modality(label) for label in labels]
    spare = [look for look in _OTHERS if look[0] not in names] or list(_OTHERS)
    drawn: list[Look] = []
    n = 0
    for i, name in enumerate(names):
        if name and name not in names[:i]:
            drawn.append(Look(colours[name], MARKERS[name], _DASHES[0]))
            continue
        colour, marker = spare[n % len(spare)]
        drawn.append(Look(colours[colour], marker, _DASHES[n // len(spare) % len(_DASHES)]))
        n += 1
    return drawn


def _modality(label: str) -> str:
    """``image`` of ``text–image``, ``images``; empty where the last word is no modality."""
    words = _WORD.findall(str(label).lower())
    last = words[-1].removesuffix("s") if words else ""
    return last if last in MODALITIES else ""
