"""Pictures as a generator takes them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from mmrag_nb.types import Preview

if TYPE_CHECKING:
    from PIL.Image import Image


def fitting(preview: Preview, side: int) -> Preview:
    """A picture scaled down to at most ``side`` pixels a side (0: as it is); another medium as it is."""
    if not side or not preview.mime.startswith("image/"):
        return preview
    from PIL import Image

    with Image.open(io.BytesIO(preview.data)) as picture:
        return preview if max(picture.size) <= side else jpeg(picture, side)


def jpeg(picture: Image, side: int) -> Preview:
    """A picture as JPEG of at most ``side`` pixels a side."""
    small = picture.convert("RGB")
    small.thumbnail((side, side))
    out = io.BytesIO()
    small.save(out, "JPEG", quality=85)
    return Preview("image/jpeg", out.getvalue())
