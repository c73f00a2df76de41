"""What one step of the training learns from: pictures, captions, and which belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from .augment import augment
from .sets import find_set

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from .captions import Caption, CaptionWriter
    from .drawings import Drawings
    from .recipe import Recipe


class TrainingDrawings:
    """The pictures that may be learned from, by emoji."""

    def __init__(self, drawings: Sequence[Drawings]) -> None:
        for each in drawings:
            if find_set(each.style).role != "train":
                raise ValueError(f"the style {each.style!r} is held out and may not be trained on")
        self.pixels = np.concatenate([each.pixels for each in drawings])
        self.emoji = np.concatenate([each.emoji for each in drawings])
        self.rows: dict[int, NDArray[np.int64]] = {
            int(index): np.flatnonzero(self.emoji == index) for index in np.unique(self.emoji)
        }

    def pick(self, emoji: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Choose ``count`` drawings of an emoji, different ones as far as there are."""
        rows = self.rows[emoji]
        return rng.permutation(rows)[:count] if len(rows) >= count else rng.choice(rows, count)


@dataclass(frozen=True)
class Batch:
    """What one step learns from: n = concepts * views pictures, and as many texts."""

    pictures: torch.Tensor
    captions: list[Caption]
    positive: torch.Tensor
    """(n, n) bool: picture i and text j have the same concept."""
    ignore: torch.Tensor
    """(n, n) bool: the text fits a part of the picture, or another emoji of it."""
    ignore_pictures: torch.Tensor
    """(n, n) bool: two pictures share a part only."""


def make_batch(
    data: TrainingDrawings, writer: CaptionWriter, recipe: Recipe, rng: np.random.Generator, chance: torch.Generator
) -> Batch:
    """Choose concepts, draw their pictures, write their captions, and say which belong together."""
    known = np.fromiter(data.rows, dtype=np.int64)
    order = rng.permutation(known)[: recipe.concepts]
    rows: list[int] = []
    picture: list[int] = []
    captions: list[Caption] = []
    for index, first in enumerate(order.tolist()):
        shown = [first]
        if rng.random() < recipe.together:
            shown += rng.choice(known, int(rng.integers(1, 3)), replace=False).tolist()
        picked = [data.pick(each, recipe.views, rng) for each in shown]
        for view in range(recipe.views):
            rows += [int(each[view]) for each in picked]
            picture += [index * recipe.views + view] * len(shown)
            captions.append(writer.write(shown, rng, plain=view == 0))
    of_picture = torch.tensor(picture)
    parts = []
    for start in range(0, len(captions), 32):  # a few at a time stay in the processor's cache, which triples the speed
        chosen = (of_picture >= start) & (of_picture < start + 32)
        rasters = torch.from_numpy(data.pixels[np.array(rows)[chosen.numpy()]]).permute(0, 3, 1, 2).float() / 255
        total = min(32, len(captions) - start)
        parts.append(
            augment(
                rasters, of_picture[chosen] - start, total, side=recipe.shape.side, rng=chance, strength=recipe.strength
            )
        )
    return Batch(torch.cat(parts), captions, *relations(captions))


class Batches(torch.utils.data.IterableDataset):  # type: ignore[type-arg]
    """An endless row of batches, the same for the same seed; a `DataLoader` may draw them in a process of their own."""

    def __init__(self, data: TrainingDrawings, writer: CaptionWriter, recipe: Recipe) -> None:
        self.data, self.writer, self.recipe = data, writer, recipe

    def __iter__(self) -> Iterator[Batch]:
        rng = np.random.default_rng(self.recipe.seed)
        chance = torch.Generator().manual_seed(self.recipe.seed)
        while True:
            yield make_batch(self.data, self.writer, self.recipe, rng, chance)


def relations(captions: Sequence[Caption]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tell which picture (row) and text (column) belong together, and which pairs say nothing.

    Picture i is the one that ``captions[i]`` was written for. Returns ``positive``, ``ignore`` and ``ignore_pictures``
    of `Batch`.
    """
    size = 1 + max(max(each.fits | each.shown) for each in captions)
    shown = torch.zeros(len(captions), size)
    fits = torch.zeros(len(captions), size)
    for row, each in enumerate(captions):
        shown[row, list(each.shown)] = 1
        fits[row, list(each.fits | each.shown)] = 1
    shared = shown @ shown.T
    count = shown.sum(dim=1)
    same = (shared == count[:, None]) & (shared == count[None, :])
    return same, (shown @ fits.T > 0) & ~same, (shared > 0) & ~same
