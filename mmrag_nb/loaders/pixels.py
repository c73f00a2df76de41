"""Pictures of any mode to 8-bit RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmrag_nb.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

_BAND = 4_000_000
"""Pixels that are converted at once: of a large picture only what was decoded is in memory as a whole."""


def rgb(image: Image, factor: int = 1) -> tuple[Image, list[str]]:
    """Return RGB, reduced ``factor`` times, and notes.

    16-bit, integer and floating-point greys are stretched from their darkest..brightest to 0..255, which is noted:
    Pillow's own conversion keeps 2 of 100 levels of 16-bit greys. What is transparent is laid on white.
    """
    scale = _Scale(image) if image.mode in {"I", "F"} or image.mode.startswith("I;") else None
    notes = [scale.note] if scale else []
    if image.width * image.height <= _BAND:
        whole = _on_white(scale.applied(image) if scale else image)
        return whole.reduce(factor) if factor > 1 else whole, notes
    from PIL import Image

    small = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
    for top, band in _bands(image, factor):
        part = _on_white(scale.applied(band) if scale else band)
        small.paste(part.reduce(factor) if factor > 1 else part, (0, top // factor))
    return small, notes


def of_bytes(size: object, data: bytes, what: str, *, most: int | None = None) -> Image:
    """An RGB picture as another process, which may be in the hands of its file, sends it.

    Parameters
    ----------
    size
        Its width and height in pixels.
    data
        (height, width, 3) bytes.
    what
        Names it in the error.
    most
        Pixels it may have.

    Raises
    ------
    LoadError
        It is not of that size.
    """
    from PIL import Image

    match size:
        case [int(width), int(height)] if width > 0 and height > 0 and len(data) == 3 * width * height:
            if most is None or width * height <= most:
                return Image.frombytes("RGB", (width, height), data)
    raise LoadError(f"damaged: {what} is not what it should be")


def _bands(image: Image, factor: int = 1) -> Iterator[tuple[int, Image]]:
    """Stripes of a multiple of ``factor`` rows, with the place of their first."""
    rows = factor * max(_BAND // (image.width * factor), 1)
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


class _Scale:
    """The range of a picture's greys."""

    def __init__(self, image: Image) -> None:
        ranges = [(float(levels.min()), float(levels.max())) for levels in map(_levels, self._parts(image))]
        self._low, self._high = min(low for low, _ in ranges), max(high for _, high in ranges)
        self.note = f"greys {self._low:g}..{self._high:g} stretched to 0..255"

    @staticmethod
    def _parts(image: Image) -> Iterator[Image]:
        if image.width * image.height <= _BAND:
            yield image
        else:
            yield from (band for _, band in _bands(image))

    def applied(self, image: Image) -> Image:
        """``image`` in 256 greys."""
        import numpy as np
        from PIL import Image

        levels = _levels(image)
        if self._high > self._low:
            levels -= self._low
            levels *= 255 / (self._high - self._low)
        else:
            levels[:] = 255 if self._high > 0 else 0
        return Image.fromarray(levels.round().astype(np.uint8))


def _levels(image: Image) -> NDArray[np.float32]:
    import numpy as np

    levels: NDArray[np.float32] = np.nan_to_num(np.asarray(image), posinf=0, neginf=0).astype(np.float32)
    return levels


def _on_white(image: Image) -> Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    from PIL import Image

    picture = image.convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(paper, picture).convert("RGB")
