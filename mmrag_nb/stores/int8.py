"""Vectors as int8 codes: a quarter of the bytes to read, and a bound on how far a score by codes can be off.

A vector ``x`` is ``m + s c + e``: the mean ``m`` of all, which would take most of the codes' range (the cone that
CLIP's vectors lie in: Liang et al. 2022), the scale ``s``, the codes ``c`` and what they leave, ``e``. A query ``q`` is
``t u + f`` likewise. So ``q . x = q . m + s t (u . c) + q . e + f . s c``, and by Cauchy and Schwarz the last two are
at most ``|q| |e| + |f| |s c|``, whatever the vectors are: the lengths of ``e`` and ``s c`` are measured when a block is
encoded, not assumed. What scores within that bound of the best is looked at again as it was before
(:mod:`mmrag_nb.stores.scanning`), so nothing is lost.

The products are NumKong's (https://github.com/ashvardanian/NumKong, Apache-2.0): AMX, VNNI, NEON's and SVE's, whatever
is there when it runs, one thread a call. NumPy's own products of int8 use none of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from .scanning import BLOCK, Scores, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmrag_nb.types import Vectors

_MOST = 127
_SAMPLE = 16_384
"""Vectors of which the mean and the scale are taken."""
_AT_ONCE = 512
"""Vectors that are encoded at once: they stay in a core's cache meanwhile."""
_WIDENED = 1.0001
"""What the bounds are multiplied by, since their parts are float32 sums themselves, which are off by less."""
_ROUNDING = 1e-6
"""What the rounding of a float32 vector of length 1 can come to, and of its difference from the mean."""
_OUTGROWN = 2
"""Growth from which on the mean and the scale are taken anew."""


@cache
def available() -> bool:
    """Whether there is something to multiply codes with."""
    return find_spec("numkong") is not None


@dataclass(frozen=True, eq=False)
class Codes:
    """The codes of ``n`` vectors, in blocks of :data:`~.scanning.BLOCK`, the last of which is filled up with zeros."""

    n: int
    mean: NDArray[np.float32]
    """(d,)"""
    scale: float
    made_of: int
    """How many vectors there were when the mean and the scale were taken."""
    packed: tuple[Any, ...] = ()
    """By block, as the product takes them."""
    left: tuple[float, ...] = ()
    """By block, the greatest length of what the codes leave of a vector."""
    lengths: tuple[float, ...] = ()
    """By block, the greatest length of what they say."""

    @classmethod
    def of(cls, vectors: Vectors) -> Codes | None:
        """Encode ``vectors`` (n, d); ``None`` where they are not finite, or all the same: there is no scale then."""
        sample = vectors[:: max(1, len(vectors) // _SAMPLE)]
        mean = sample.mean(0, dtype=np.float64).astype(np.float32)
        scale = float(np.abs(sample - mean).max()) / _MOST
        if not np.isfinite(scale) or not scale:
            return None
        return cls(0, mean, scale, len(vectors)).grown(vectors)

    def grown(self, vectors: Vectors) -> Codes | None:
        """The codes of ``vectors`` (n, d), of which the first were encoded here; this stays what it is."""
        if len(vectors) > _OUTGROWN * self.made_of:
            return Codes.of(vectors)
        whole = self.n // BLOCK  # the last block is encoded again, with what has come to it
        blocks = [vectors[start : start + BLOCK] for start in range(whole * BLOCK, len(vectors), BLOCK)]
        made = list(spread(self._encoded, blocks, vectors.shape[1] * (len(vectors) - self.n)))
        packed, left, lengths = zip(*made, strict=True) if made else ((), (), ())
        if not np.isfinite(left).all():
            return None
        return Codes(
            len(vectors),
            self.mean,
            self.scale,
            self.made_of,
            self.packed[:whole] + packed,
            self.left[:whole] + left,
            self.lengths[:whole] + lengths,
        )

    @property
    def nbytes(self) -> int:
        """Bytes of the codes."""
        return sum(int(block.nbytes) for block in self.packed)

    def _encoded(self, vectors: Vectors) -> tuple[Any, float, float]:
        """A block: what the product takes, and the two lengths."""
        import numkong

        codes = np.zeros((BLOCK, vectors.shape[1]), np.int8)
        left = length = np.float32(0)
        with np.errstate(invalid="ignore"):  # what is not finite shows in what is left
            for start in range(0, len(vectors), _AT_ONCE):
                exact = (vectors[start : start + _AT_ONCE] - self.mean) * np.float32(1 / self.scale)
                near = np.rint(exact).clip(-_MOST, _MOST)
                codes[start : start + len(near)] = near
                exact -= near
                left = np.maximum(left, np.einsum("nd,nd->n", exact, exact).max())
                length = np.maximum(length, np.einsum("nd,nd->n", near, near).max())
        widened = self.scale * _WIDENED
        return numkong.dots_pack(codes, dtype="int8"), float(left) ** 0.5 * widened, float(length) ** 0.5 * widened

    def asked(self, queries: Vectors) -> CodedQueries:
        """Scores of ``queries`` (q, d) by the codes."""
        return CodedQueries(self, queries)


class CodedQueries(Scores):
    """Scores of some queries by int8 codes; see :class:`~mmrag_nb.stores.scanning.Scores`.

    Parameters
    ----------
    codes
        Of the vectors.
    queries
        (q, d)
    """

    lowest = -(1 << 30)

    def __init__(self, codes: Codes, queries: Vectors) -> None:
        exact = queries.astype(np.float64)
        scales = np.abs(exact).max(1, initial=0.0) / _MOST
        scales[scales == 0] = 1.0
        near = np.rint(exact / scales[:, None])
        self._codes, self._queries = codes, np.ascontiguousarray(near, np.int8)
        self._lengths = np.linalg.norm(exact, axis=1)
        self._left = np.linalg.norm(exact - near * scales[:, None], axis=1)
        self.n = codes.n
        self.factor = scales * codes.scale
        self.offset = exact @ codes.mean.astype(np.float64)

    def error(self, block: int) -> NDArray[np.float64]:
        """(q,) how far a score in a block can be off."""
        codes = self._codes
        bound: NDArray[np.float64] = self._lengths * (codes.left[block] + _ROUNDING) + self._left * codes.lengths[block]
        return bound

    def room(self) -> Any:
        """What the product writes into."""
        import numkong

        return numkong.zeros((len(self._queries), BLOCK), dtype="int32")

    def block(self, block: int, room: Any) -> NDArray[Any]:
        """(q, BLOCK) scores of a block, in units of :attr:`factor`."""
        import numkong

        numkong.dots_packed(self._queries, self._codes.packed[block], out=room)
        scores = np.asarray(room)
        scores[:, self.n - block * BLOCK :] = self.lowest  # nothing, unless it is the last
        return scores
