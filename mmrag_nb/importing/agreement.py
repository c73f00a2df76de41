"""Whether vectors are what they are said to be: a few are made again, and compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.errors import LoadError, MMRagError
from mmrag_nb.truncation import truncated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmrag_nb.protocols import Encoder
    from mmrag_nb.types import Vectors

SAMPLES = 8
"""Vectors that are made again of each kind."""
LEAST = 0.98
"""Mean cosine from which on two programs ran the same model. Half precision costs 0.001, another way to resize or to
decode a JPEG up to 0.02; another checkpoint, another order of the rows, or texts in place of pictures lie below 0.8."""


@dataclass(frozen=True)
class Agreement:
    """Cosines of vectors with those made again."""

    cosines: tuple[float, ...]
    kind: str
    """``image`` or ``text``."""

    @property
    def mean(self) -> float:
        """Of the cosines."""
        return float(np.mean(self.cosines))

    def __str__(self) -> str:
        what = {"image": "picture", "text": "text"}[self.kind] + "s" * (len(self.cosines) != 1)
        return f"mean cosine {self.mean:.3f} of {len(self.cosines)} {what}, lowest {min(self.cosines):.3f}"


def of_contents(encoder: Encoder, kind: str, contents: Sequence[Any], vectors: Vectors) -> Agreement:
    """Embed texts or RGB pictures and compare with ``vectors`` (n, d), unit rows."""
    if kind == "image":
        made = encoder.embed_images(contents)
    else:
        made = encoder.embed_texts([truncated(text, encoder) for text in contents])
    return Agreement(tuple(np.einsum("nd,nd->n", made, vectors).tolist()), kind)


def must_agree(agreement: Agreement, encoder: Encoder, least: float = LEAST) -> None:
    """Raise an `MMRagError` where vectors are not the model's."""
    if agreement.mean >= least:
        return
    raise MMRagError(
        f"these are not vectors of {encoder.description}: {agreement} with what it makes itself, {least} would do. "
        "Another checkpoint or preprocessing, rows in another order, or vectors of something else? "
        "check=False (--no-check) takes them all the same"
    )


def must_fit(dimension: int, expected: int, name: str) -> None:
    """Raise a `LoadError` where vectors are not as long as a model's."""
    if dimension != expected:
        raise LoadError(
            f"the vectors have {dimension:,} numbers each, those of {name} {expected:,}: another checkpoint "
            "(model=, --model), or features from before the projection (get_image_features makes projected ones)?"
        )
