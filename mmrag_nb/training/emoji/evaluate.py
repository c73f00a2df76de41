"""Measures the small CLIP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from . import model as towers
from .augment import Strength, augment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .drawings import Drawings
    from .names import Emoji


@dataclass(frozen=True)
class Retrieval:
    """How often the right answer came first, and among the first ten."""

    count: int
    shares: dict[str, float]


def retrieval(ranks: NDArray[np.int64]) -> Retrieval:
    """Sum up ``ranks`` (n,), 0 for the best."""
    return Retrieval(len(ranks), {"R@1": float((ranks < 1).mean()), "R@10": float((ranks < 10).mean())})


def embed_drawings(
    model: Any, drawings: Drawings, strength: Strength | None = None, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Embed each emoji's first drawing of a style: its emoji (n,) and vectors (n, d), unit rows."""
    emoji, rows = np.unique(drawings.emoji, return_index=True)
    chance = torch.Generator().manual_seed(seed)
    side = model.config.vision_config.image_size
    vectors = []
    with torch.inference_mode():
        for start in range(0, len(rows), 128):
            part = rows[start : start + 128]
            rasters = torch.from_numpy(drawings.pixels[part]).permute(0, 3, 1, 2).float() / 255
            pictures = augment(rasters, torch.arange(len(part)), len(part), side, chance, strength or Strength.none())
            vectors.append(towers.image_vectors(model, pictures).numpy())
    return emoji, np.concatenate(vectors)


def embed_texts(model: Any, tokenizer: Any, texts: Sequence[str]) -> NDArray[np.float32]:
    """Embed texts: (n, d), unit rows."""
    with torch.inference_mode():
        parts = [towers.text_vectors(model, tokenizer, texts[k : k + 256]).numpy() for k in range(0, len(texts), 256)]
    return np.concatenate(parts)


def text_to_image(
    model: Any, tokenizer: Any, names: Sequence[Emoji], drawings: Drawings, strength: Strength | None = None
) -> NDArray[np.int64]:
    """Rank each emoji's picture by its plain name among all the style's pictures: (n,), 0 for the best."""
    emoji, image = embed_drawings(model, drawings, strength)
    cosine = embed_texts(model, tokenizer, [names[k].name for k in emoji]) @ image.T
    return (cosine > np.diag(cosine)[:, None]).sum(axis=1)
