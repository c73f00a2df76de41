"""Pictures as a generator takes them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from mmrag_nb.types import Preview

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from PIL.Image import Image

_TAKEN = {"JPEG": "image/jpeg", "PNG": "image/png"}
"""What every provider and every local server reads; WebP and GIF only some do."""


def fitting(preview: Preview, side: int) -> Preview:
    """A picture as JPEG or PNG of at most ``side`` pixels a side (0: of any size); another medium as it is.

    One that fits already is not decoded. One that cannot be read comes back without data: it is not sent, as a provider
    would refuse the whole request for it.
    """
    if not preview.mime.startswith("image/") or not preview.data:
        return preview
    from PIL import Image

    try:
        with Image.open(io.BytesIO(preview.data)) as picture:
            small = not side or max(picture.size) <= side
            if small and picture.format in _TAKEN:
                return Preview(_TAKEN[picture.format], preview.data)
            return jpeg(picture, side)
    except Exception:  # noqa: BLE001 - Pillow raises a dozen classes over damaged pictures, MemoryError among them
        return Preview(preview.mime, b"")


def taken(media: Iterable[Preview], takes: Collection[str], side: int) -> tuple[Preview, ...]:
    """Return those of ``media`` that a generator takes, ``image`` or ``audio``, pictures :func:`fitting`."""
    fitted = (fitting(one, side) for one in media if one.mime.split("/")[0] in takes)
    return tuple(one for one in fitted if one.data)


def jpeg(picture: Image, side: int) -> Preview:
    """A picture, upright and on white, as JPEG of at most ``side`` pixels a side (0: of any size)."""
    from PIL import Image, ImageOps

    if side:
        picture.draft("RGB", (side, side))  # decodes a JPEG at a reduced scale that is still large enough
    upright = ImageOps.exif_transpose(picture)
    if upright.has_transparency_data:
        shown = upright.convert("RGBA")
        upright = Image.new("RGB", shown.size, "white")
        upright.paste(shown, mask=shown.getchannel("A"))
    small = upright.convert("RGB")
    if side:
        small.thumbnail((side, side))
    out = io.BytesIO()
    small.save(out, "JPEG", quality=85)
    return Preview("image/jpeg", out.getvalue())
