"""Small stand-ins for pictures: a thumbnail for cards, a proxy for generators."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from mmrag_nb.types import Preview

if TYPE_CHECKING:
    from PIL.Image import Image

THUMBNAIL_SIDE = 480
PROXY_SIDE = 1024


def picture_previews(pixels: Image) -> dict[str, Preview]:
    """``thumbnail`` (WebP, at most 480 pixels a side) and ``proxy`` (JPEG, at most 1,024) of an RGB picture."""
    proxy = _within(pixels, PROXY_SIDE)
    return {
        "thumbnail": Preview("image/webp", _encoded(_within(proxy, THUMBNAIL_SIDE), "WEBP", quality=80, method=2)),
        "proxy": Preview("image/jpeg", _encoded(proxy, "JPEG", quality=85)),
    }


def _within(pixels: Image, side: int) -> Image:
    if max(pixels.size) <= side:
        return pixels
    small = pixels.copy()
    small.thumbnail((side, side))
    return small


def _encoded(pixels: Image, kind: str, **options: int) -> bytes:
    out = io.BytesIO()
    pixels.save(out, kind, **options)
    return out.getvalue()
