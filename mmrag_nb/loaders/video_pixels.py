"""Frames of a film to upright 8-bit RGB, whatever their shape, range and transfer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fractions import Fraction

    import numpy as np
    from numpy.typing import NDArray

_BT709, _UNSAID = 1, 2  # code points of ITU-T H.273, as FFmpeg has them
_PQ, _HLG, _BT2020 = 16, 18, 9
_HD = 576
"""Lines; films of more that do not say how their colours are coded use BT.709, others BT.601."""
_WHITE = 203.0
"""Candela a square metre of white paper in HDR films, by ITU-R BT.2408."""
_BRIGHTEST = 1000.0
_TO_BT709 = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))
"""Linear BT.2020 to BT.709, by ITU-R BT.2087."""


def shown_size(width: int, height: int, aspect: Fraction | float | None) -> tuple[int, int]:
    """Width and height where pixels are not square: ``aspect`` is the width of one by its height."""
    stretch = float(aspect or 1)
    if not 0.1 <= stretch <= 10:
        return width, height
    return (round(width * stretch), height) if stretch >= 1 else (width, round(height / stretch))


def within(size: tuple[int, int], side: int) -> tuple[int, int]:
    """A size of the same shape whose longer side is at most ``side`` pixels."""
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def turns(frame: Any) -> int:
    """Quarter turns, counter-clockwise, that set a frame upright."""
    return round(getattr(frame, "rotation", 0) / 90) % 4


def rgb(frame: Any, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(height, width, 3) of a frame scaled to ``size``, its width and height once it is upright."""
    import numpy as np

    quarter = turns(frame)
    width, height = size if quarter % 2 == 0 else size[::-1]
    bright = getattr(frame, "color_trc", 0) in {_PQ, _HLG}
    coded = getattr(frame, "colorspace", _UNSAID)
    scaled = frame.reformat(
        width=width,
        height=height,
        format="rgb48le" if bright else "rgb24",
        src_colorspace=_BT709 if coded == _UNSAID and frame.height > _HD else None,
        interpolation="AREA" if width < frame.width else "BICUBIC",
    )
    pixels = scaled.to_ndarray()
    if bright:
        wide = getattr(frame, "color_primaries", _UNSAID) == _BT2020
        pixels = _sdr(pixels.astype(np.float32) / 65535, pq=frame.color_trc == _PQ, wide=wide)
    return np.ascontiguousarray(np.rot90(pixels, quarter))


def _sdr(coded: NDArray[np.float32], *, pq: bool, wide: bool) -> NDArray[np.uint8]:
    """High dynamic range to what a screen shows: decoded by ITU-R BT.2100, tone-mapped by Reinhard et al. (2002)."""
    import numpy as np

    if pq:
        root = np.power(coded, 1 / 78.84375)
        light = np.power(np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root), 1 / 0.1593017578125)
        light *= 10_000 / _WHITE
    else:
        low, high = np.square(coded) / 3, (np.exp((coded - 0.55991073) / 0.17883277) + 0.28466892) / 12
        light = np.power(np.where(coded <= 0.5, low, high), 1.2) * (_BRIGHTEST / _WHITE)
    if wide:
        light = np.maximum(light @ np.array(_TO_BT709, np.float32).T, 0)
    most = _BRIGHTEST / _WHITE
    mapped = np.minimum(light * (1 + light / most**2) / (1 + light), 1)
    shown: NDArray[np.uint8] = (255 * np.power(mapped, 1 / 2.2)).round().astype(np.uint8)
    return shown
