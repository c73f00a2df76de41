"""Pictures of any mode to 8-bit RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


def eight_bit(image: Image) -> tuple[Image, list[str]]:
    """Stretch 16-bit, integer and floating-point greys from their darkest..brightest to 0..255, and say so.

    Pillow's own conversion keeps 2 of 100 levels of 16-bit greys. Other modes are returned as they are.
    """
    if image.mode not in {"I", "F"} and not image.mode.startswith("I;"):
        return image, []
    import numpy as np
    from PIL import Image

    levels = np.nan_to_num(np.asarray(image), posinf=0, neginf=0).astype(np.float32)
    low, high = float(levels.min()), float(levels.max())
    if high > low:
        levels -= low
        levels *= 255 / (high - low)
    else:
        levels[:] = 255 if high > 0 else 0
    return Image.fromarray(levels.round().astype(np.uint8)), [f"greys {low:g}..{high:g} stretched to 0..255"]


def on_white(image: Image) -> Image:
    """Return RGB, what is transparent laid on white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    from PIL import Image

    picture = image.convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(paper, picture).convert("RGB")
