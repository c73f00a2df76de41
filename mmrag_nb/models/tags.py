"""Names of what a picture shows, chosen from a list by an image-text encoder: a captioner that writes nothing."""

from __future__ import annotations

import hashlib
import math
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING

from mmrag_nb.errors import InvalidSetting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PIL.Image import Image

    from mmrag_nb.protocols import Encoder
    from mmrag_nb.types import Vectors

MOST = 5
"""Names of a picture at most."""
NEAR = 0.4
"""How far behind the best name another may lie and still be told, in standard deviations of the picture's cosines."""
STANDS_OUT = 0.777
"""How far above their mean a name's cosine has to lie, as a share of what the best of as many normal deviates reaches,
``sqrt(2 ln n)`` standard deviations: 3.0 of them with the shipped names, 1.9 with twenty."""

_BATCH = 256  # names that are embedded at once, whatever the encoder makes of it


class TagCaptioner:
    """Name what a picture shows: the few of many names whose vectors come nearest to it.

    Zero-shot classification (Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
    2021) into as many classes as there are names. Cosines of one picture compare among each other only, so each is
    measured in standard deviations from that picture's mean over all names; a name is told where it stands out, and
    comes near to the best. ``MOST``, ``NEAR`` and ``STANDS_OUT`` were chosen with the shipped model on Emoji One 1.5,
    a style that it was not trained on: of that, 5% of the drawings get no name, of photographs, which it cannot read,
    two fifths; its figures are in MODEL_CARD.md beside it.

    Parameters
    ----------
    encoder
        One of texts and pictures; the emoji model for the shipped names.
    vocabulary
        The names; where ``None``, the shipped ones: 1,713 of emoji.

    Raises
    ------
    InvalidSetting
        The encoder does not embed both texts and pictures, or there are no names.
    """

    def __init__(self, encoder: Encoder, vocabulary: Sequence[str] | None = None) -> None:
        if not {"text", "image"} <= encoder.modalities:
            raise InvalidSetting(
                f"captioner 'tags' compares pictures with names, but the encoder {encoder.space!r} embeds only "
                f"{' and '.join(sorted(encoder.modalities))}: set clip to 'emoji' or a CLIP model, "
                "or captioner to 'none'"
            )
        names = shipped_names() if vocabulary is None else vocabulary
        self._names = tuple(dict.fromkeys(filter(None, map(str.strip, names))))
        if not self._names:
            raise InvalidSetting("captioner 'tags' has no names to choose from: give it at least one")
        self._encoder = encoder
        listed = hashlib.sha256("\n".join(self._names).encode()).hexdigest()[:16]
        self.fingerprint: Mapping[str, str] = {
            **encoder.fingerprint,
            "vocabulary": listed,
            "choice": f"{MOST} {NEAR} {STANDS_OUT}",
        }
        self.description = f"{len(self._names):,} names by {encoder.description}"

    def describe(self, pictures: Sequence[Image]) -> list[str]:
        """Names joined with commas, best first: ``elephant, wolf``; empty where none stands out."""
        if not pictures:
            return []
        cosines = self._encoder.embed_images(pictures) @ self._vectors.T  # (pictures, names)
        spread = cosines.std(axis=1, keepdims=True).clip(min=1e-6)
        deviations = (cosines - cosines.mean(axis=1, keepdims=True)) / spread
        least = STANDS_OUT * math.sqrt(2 * math.log(len(self._names)))
        texts = []
        for row in deviations:
            best = (-row).argsort(kind="stable")[:MOST]
            enough = max(least, float(row[best[0]]) - NEAR)
            texts.append(", ".join(self._names[name] for name in best if row[name] >= enough))
        return texts

    @cached_property
    def _vectors(self) -> Vectors:
        """(names, dimension) float32, unit rows."""
        import numpy as np

        starts = range(0, len(self._names), _BATCH)
        return np.concatenate([self._encoder.embed_texts(self._names[start : start + _BATCH]) for start in starts])


def shipped_names() -> tuple[str, ...]:
    """Unicode's names of emoji, where there is one regardless of sex and direction, that one only."""
    text = files("mmrag_nb.assets").joinpath("emoji_clip", "names.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())
