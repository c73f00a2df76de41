"""Small stand-ins for pictures: a thumbnail for cards, a proxy for generators."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from mmrag_nb.types import Preview

if TYPE_CHECKING:
    from PIL.Image import Image

THUMBNAIL_SIDE = 560
"""Pixels of the longer side, at most. A card shows 210 of the height."""
PROXY_SIDE = 1024


def picture_previews(pixels: Image) -> dict[str, Preview]:
    """``proxy`` (at most 1,024 pixels a side) and ``thumbnail`` (280 to 560, or smaller) of an RGB picture, as JPEG.

    A thumbnail is smaller by a whole factor, which takes a tenth of the time of resampling to a given size; JPEG is
    written ten times as fast as WebP. Of a folder of photographs these two would else take as long as embedding.
    """
    proxy = pixels
    if max(pixels.size) > PROXY_SIDE:
        proxy = pixels.copy()
        proxy.thumbnail((PROXY_SIDE, PROXY_SIDE))
    factor = -(-max(proxy.size) // THUMBNAIL_SIDE)
    shown = Preview("image/jpeg", _encoded(proxy, 85 if factor > 1 else 80))
    small = shown if factor == 1 else Preview("image/jpeg", _encoded(proxy.reduce(factor), 80))
    return {"thumbnail": small, "proxy": shown}


def _encoded(pixels: Image, quality: int) -> bytes:
    out = io.BytesIO()
    pixels.save(out, "JPEG", quality=quality)
    return out.getvalue()
