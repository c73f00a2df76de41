"""A heat map as a picture that needs nothing to be seen: grey pixels, warm where the cosine comes from."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from mmrag_nb.types import Preview

from .occlusion import smooth

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

# From pale yellow to dark red: each step is darker than the one before, so that the order is seen without colours, too.
_STOPS = (0.0, 0.35, 0.7, 1.0)
_COLOURS = ((255, 236, 150), (252, 172, 62), (226, 84, 32), (138, 10, 40))
_STRONGEST = 0.78
"""Opacity of the highest fall."""
_SIDE = 320
"""Pixels, least long side: a map over an icon needs room."""


def overlay(picture: Image, cells: NDArray[np.float32], least: float) -> Preview:
    """WebP of the RGB ``picture`` in grey, with the map (n, n) over it and a line where it reaches half its height.

    ``least`` is the fall that counts as full heat where all are smaller: noise must not glow.
    """
    import numpy as np
    from PIL import Image

    if (longest := max(picture.size)) < _SIDE:
        width, height = (max(1, round(side * _SIDE / longest)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    fine = smooth(cells, *picture.size)
    hot = np.clip(fine / max(float(fine.max()), least), 0, 1)
    grey = np.asarray(picture.convert("L"), np.float32)[..., None]
    grey = 70 + grey * (185 / 255)  # lighter, so that the heat stands out on dark pictures as well
    colour = np.stack([np.interp(hot, _STOPS, [c[i] for c in _COLOURS]) for i in range(3)], axis=-1)
    opacity = (_STRONGEST * hot**0.7)[..., None]
    mixed = grey * (1 - opacity) + colour * opacity
    mixed[_border(hot >= 0.5)] = (90, 0, 30)
    out = io.BytesIO()
    Image.fromarray(mixed.round().astype(np.uint8)).save(out, "WEBP", quality=80, method=2)
    return Preview("image/webp", out.getvalue())


def _border(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where ``inside`` ends, about two pixels wide."""
    import numpy as np

    edge = np.zeros_like(inside)
    across = inside[:, 1:] != inside[:, :-1]
    down = inside[1:] != inside[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge
