"""Strategy ``separate``: each modality by the encoder that knows it best, in a store of its own, then fused.

Passages, transcripts and captions are read by the text encoder, each kind with a yardstick of its own; pictures are
seen by the image-text encoder, sounds heard by the sound encoder where the settings name one.
"""

from __future__ import annotations

from mmrag_nb.types import MODALITIES

from .ways import Encoders, Way


def ways(encoders: Encoders) -> list[Way]:
    """A channel for each modality and each way of looking at it."""
    found = []
    if encoders.image is not None:
        found.append(Way(encoders.image, "image", "image", ("image",)))
    if encoders.sound is not None:
        found.append(Way(encoders.sound, "audio", "audio", ("audio",)))
    if encoders.text is not None:
        found += [Way(encoders.text, "text", "titled", (kind,), kind) for kind in MODALITIES]
    return found
