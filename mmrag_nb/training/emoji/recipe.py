"""What decides how the small CLIP is trained."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import model as towers
from .augment import Strength


@dataclass(frozen=True)
class Recipe:
    """Everything that decides how training goes."""

    steps: int = 1650
    concepts: int = 192
    """Different things (an emoji, or two or three together) in a batch."""
    views: int = 2
    """Pictures and captions of each, in different styles and words."""
    together: float = 0.15
    """Share of concepts that show two or three emoji."""
    rate: float = 1e-3
    """Highest learning rate of vectors and embeddings (AdamW); matrices (Muon) take ``muon`` times as much."""
    muon: float = 2.0
    warm_up: int = 60
    decay: float = 0.1
    average: float = 0.998
    """Of the moving average of the weights, which is what is kept."""
    keep: int | None = 24
    """Patches of a picture that are looked at, chosen at random; cheaper, and no picture is seen twice."""
    whole: float = 0.05
    """Share of the steps, at the end, that look at all patches."""
    across: float = 0.5
    """Weight of the loss between pictures of the same emoji in different styles."""
    seed: int = 7
    shape: towers.Shape = field(default_factory=towers.Shape)
    strength: Strength = field(default_factory=Strength)
