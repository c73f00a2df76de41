"""Which parts of a picture carry its cosine, found by covering them one after another.

Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks": what the answer needs cannot be covered
without changing it. Nothing is asked of the encoder but vectors, so it works with any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from .why import Box

FINE = (8, 3)
"""Cells along each side, and how many of them are covered at once: 36 pictures."""
COARSE = (4, 2)
"""The same for a region alone: 9 pictures."""
MOST = 0.7
"""Share of a picture from which on a region tells nothing."""
_SIDE = 256
"""Pixels, longest side of the pictures that are covered: about what encoders see."""
_SMOOTH = 8
"""Steps to a cell in which the map is smoothed before a region is taken from it."""


def shrunk(picture: Image) -> Image:
    """The picture as RGB, no larger than encoders look at."""
    small = picture.convert("RGB")
    small.thumbnail((_SIDE, _SIDE))
    return small


def covered(picture: Image, cells: int, window: int) -> list[Image]:
    """RGB pictures, in each of which another ``window`` x ``window`` of ``cells`` x ``cells`` is filled.

    The filling is the picture's median colour: in a drawing that is its ground, to cover which changes nothing. Windows
    overlap: each begins one cell further, row by row from the top.
    """
    import numpy as np
    from PIL import Image

    pixels = np.asarray(picture.convert("RGB"))
    ground = np.median(pixels.reshape(-1, 3), axis=0).astype(np.uint8)
    rows, columns = (np.linspace(0, side, cells + 1).round().astype(int) for side in pixels.shape[:2])
    pictures = []
    for top in range(cells - window + 1):
        for left in range(cells - window + 1):
            copy = pixels.copy()
            copy[rows[top] : rows[top + window], columns[left] : columns[left + window]] = ground
            pictures.append(Image.fromarray(copy))
    return pictures


def heat(falls: NDArray[np.float32], cells: int, window: int) -> NDArray[np.float32]:
    """(cells, cells): how much is lost where a cell is covered, the mean over the windows that hold it.

    Parameters
    ----------
    falls
        (n,) fall of the cosine for each of the pictures that :func:`covered` returns.
    """
    import numpy as np

    across = cells - window + 1
    total, windows = np.zeros((cells, cells)), np.zeros((cells, cells))
    for number, fall in enumerate(falls):
        top, left = divmod(number, across)
        total[top : top + window, left : left + window] += fall
        windows[top : top + window, left : left + window] += 1
    return (total / windows).astype(np.float32)


def smooth(cells: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """(height, width): the map without its steps, by bicubic interpolation."""
    import numpy as np
    from PIL import Image

    return np.asarray(Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC))


def region(cells: NDArray[np.float32], least: float = 0.0) -> Box | None:
    """The box around the highest fall, as far as half of it is reached without a gap.

    ``None`` where no fall exceeds ``least``, where covering other parts *raises* the cosine by more than half as much
    (then falls are noise), or where the box is nearly all of the picture.
    """
    import numpy as np
    from scipy.ndimage import find_objects, label

    side = _SMOOTH * len(cells)
    fine = smooth(cells, side, side)
    highest = float(fine.max())
    if highest <= max(least, -2 * float(cells.min()), 0.0):
        return None
    parts, _ = label(fine >= highest / 2)
    number = int(parts[np.unravel_index(int(fine.argmax()), fine.shape)])
    rows, columns = find_objects(parts)[number - 1]
    box = (columns.start / side, rows.start / side, columns.stop / side, rows.stop / side)
    return box if (box[2] - box[0]) * (box[3] - box[1]) <= MOST else None


def where(box: Box) -> str:
    """Name the part of the picture in which the middle of ``box`` lies: ``upper left``, ``middle``, ``right``."""
    left, top, right, bottom = box
    across = _third((left + right) / 2, ("left", "", "right"))
    down = _third((top + bottom) / 2, ("upper", "", "lower"))
    if not across:
        return f"{down} middle".strip()
    return f"{down} {across}".strip()


def _third(at: float, names: tuple[str, str, str]) -> str:
    return names[min(2, max(0, int(at * 3)))]
