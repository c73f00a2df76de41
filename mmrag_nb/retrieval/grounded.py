"""Strategy ``grounded``: everything turned to text, then found by a text encoder and by its words.

Of a picture, that is what a captioner sees in it, what OCR reads in it, its caption, name and metadata; of speech, the
transcript. Captions were compared with shared spaces by Chen et al. 2022 ("MuRAG") and are what most multimodal RAG
systems do. What cannot be said in words is lost.
"""

from __future__ import annotations

from mmrag_nb.types import MODALITIES

from .ways import Encoders, Way


def ways(encoders: Encoders) -> list[Way]:
    """One channel: the text encoder, over everything."""
    return [] if encoders.text is None else [Way(encoders.text, "text", "grounded", MODALITIES)]
