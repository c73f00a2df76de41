"""Strategy ``shared``: everything in one space.

Pictures are seen by the image-text encoder. Texts, transcripts and captions go to the same encoder, or to a text
encoder of their own where the preset names one; calibrated scores compare across spaces as across modalities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmrag_nb.protocols import Encoder
    from mmrag_nb.types import Modality


@dataclass(frozen=True)
class Way:
    """Chunks embedded as ``modality`` by ``encoder``."""

    encoder: Encoder
    modality: Modality


def ways(image: Encoder | None, text: Encoder | None) -> list[Way]:
    """How chunks are embedded and found, by the encoders at hand."""
    reached = []
    if image is not None:
        reached.append(Way(image, "image"))
    if (reader := text or image) is not None:
        reached.append(Way(reader, "text"))
    return reached
