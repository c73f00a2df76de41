"""Strategy ``shared``: everything in one space.

Pictures are seen by the image-text encoder. Texts, transcripts and captions go to the same encoder, or to a text
encoder of their own where the preset names one; calibrated scores compare across spaces as across modalities.
"""

from __future__ import annotations

from mmrag_nb.types import MODALITIES

from .ways import Encoders, Way


def ways(encoders: Encoders) -> list[Way]:
    """How chunks are embedded and found, by the encoders at hand."""
    found = []
    if encoders.image is not None:
        found.append(Way(encoders.image, "image", "image", ("image",)))
    if encoders.text is not None:
        found.append(Way(encoders.text, "text", "titled", MODALITIES))
    elif encoders.image is not None:  # to CLIP, a name such as "IMG 2034" would be noise
        found.append(Way(encoders.image, "text", "text", MODALITIES))
    return found
