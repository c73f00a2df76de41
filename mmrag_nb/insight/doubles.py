"""Whether two pictures are the same one, saved again in another size, format or brightness."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from mmrag_nb.errors import NotInstalled

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

BITS = 6
"""Of the 64 of two pictures' perceptual hashes, that differ at most in doubles."""
DIFFERENT = 0.16
"""Mean squared difference, in standard deviations, at most, of the part in which two doubles differ most. Of slides
that differ in one word alone it is 0.18 and more, though their hashes may be equal; of photographs and slides saved
again at half their size, at most 0.15."""

_SIDE = 128  # pixels at which two pictures are compared, at most
_FINEST = 32
_PARTS = 16  # along each side


def perceptual_hash(picture: Image) -> str:
    """64 bits, as 16 hexadecimal digits, which change little with a picture's size, format and brightness.

    They tell the signs of a picture's lowest frequencies: Zauner, "Implementation and Benchmarking of Perceptual Image
    Hash Functions", 2010.

    Raises
    ------
    NotInstalled
        imagehash is absent.
    """
    if find_spec("imagehash") is None:
        raise NotInstalled("imagehash", extra="clean")
    from imagehash import phash

    return str(phash(picture))


def distances(one: str, others: Sequence[str]) -> NDArray[np.int64]:
    """(n,) bits in which the hash of one picture differs from each of ``others``."""
    import numpy as np

    rows = np.array([int(other, 16) for other in others], np.uint64) ^ np.uint64(int(one, 16))
    apart: NDArray[np.int64] = np.unpackbits(rows[:, None].view(np.uint8), axis=1).sum(axis=1, dtype=np.int64)
    return apart


def difference(one: Image, other: Image) -> float:
    """How far two pictures lie apart where they do most: a word on a slide tells it from the next.

    Mean squared difference of the greys of a 16th by a 16th, in standard deviations of the whole; 0 for the same.
    """
    import numpy as np

    side = max(_FINEST, min(_SIDE, min(*one.size, *other.size) // 2 // _PARTS * _PARTS))
    a, b = (_standard(picture, side) for picture in (one, other))
    parts = np.square(a - b).reshape(_PARTS, side // _PARTS, _PARTS, side // _PARTS)
    return float(parts.mean(axis=(1, 3)).max())


def _standard(picture: Image, side: int) -> NDArray[np.float32]:
    import numpy as np
    from PIL import Image

    grey = np.asarray(picture.convert("L").resize((side, side), Image.Resampling.BOX), np.float32)
    standard: NDArray[np.float32] = (grey - grey.mean()) / (grey.std() + 2)
    return standard
