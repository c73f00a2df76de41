"""A question or a picture to its vector in each space."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .parts import truncated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .protocols import Encoder, Loader
    from .types import Vectors


def embed_question(encoders: Mapping[str, Encoder], question: str) -> tuple[dict[str, Vectors], list[str]]:
    """The question's unit vector (d,) by space, and what had to be cut to fit."""
    vectors: dict[str, Vectors] = {}
    cut = []
    for space, encoder in encoders.items():
        seen = truncated(question, encoder)
        if len(seen) < len(question):
            cut.append(f"question cut to its first {len(seen):,} of {len(question):,} characters for {space}")
        vectors[space] = encoder.embed_texts([seen])[0]
    return vectors, cut


def embed_picture(encoders: Mapping[str, Encoder], loader: Loader, image: Any) -> dict[str, Vectors]:
    """The unit vector (d,) by space of a path or ``PIL.Image``.

    Raises
    ------
    LoadError
        It cannot be read as a picture.
    """
    path = Path(image).expanduser() if isinstance(image, (str, os.PathLike)) else None
    (chunk,) = loader.load(path or image, path.name if path else "").chunks
    assert chunk.pixels is not None
    return {space: encoder.embed_images([chunk.pixels])[0] for space, encoder in encoders.items()}
