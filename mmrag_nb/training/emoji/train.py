"""Trains the small CLIP on emoji: ``python -m mmrag_nb.training.emoji.train FOLDER``."""

from __future__ import annotations

import argparse
import copy
import json
import math
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mmrag_nb.training.losses import supervised_contrastive, symmetric_infonce

from . import model as towers
from .augment import Strength, augment
from .captions import Caption, CaptionWriter
from .drawings import Drawings, load_drawings
from .names import Emoji, load_emoji
from .packages import cache_folder
from .sets import find_set, styles
from .split import record_split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray


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


def train(
    drawings: Sequence[Drawings],
    names: Sequence[Emoji],
    recipe: Recipe,
    folder: Path,
    *,
    report: Callable[[int, Any, dict[str, float]], None] | None = None,
    every: int = 100,
    workers: int = 0,
    minutes: float | None = None,
    start: Path | None = None,
) -> tuple[Any, Any]:
    """Train a model and write it to ``folder``.

    Parameters
    ----------
    drawings
        Styles of the role ``train`` only.
    report
        Called with the step, the averaged model and the losses each ``every`` steps and at the end.
    workers
        1: draw batches in a process beside the training.
    minutes
        End by then, the learning rate falling accordingly, even where the recipe's steps are not through.
    start
        Go on from the model in this folder, with its shape and tokenizer, rather than from random weights.

    Returns
    -------
    model, processor
        The averaged `CLIPModel` and its `CLIPProcessor`.
    """
    torch.manual_seed(recipe.seed)
    data = TrainingDrawings(drawings)
    writer = CaptionWriter(names, only=data.rows)
    if start is None:
        tokenizer = towers.build_tokenizer(writer.corpus(), recipe.shape.vocabulary, folder, recipe.shape.tokens)
        model = towers.build_model(recipe.shape, tokenizer).train()
    else:
        tokenizer, model = towers.load(start, folder)
    processor = towers.build_processor(tokenizer, recipe.shape.side)
    average = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)
    optimizers = build_optimizers(model, recipe)
    begin = time.monotonic()
    batches = iter(torch.utils.data.DataLoader(Batches(data, writer, recipe), batch_size=None, num_workers=workers))
    step, done = 0, 0.0
    while done < 1:
        batch = next(batches)
        step += 1
        keep = recipe.keep if done < 1 - recipe.whole else None
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * rate_factor(step, done, recipe)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast_bf16()):
            image = towers.image_vectors(model, batch.pictures, keep)
            text = towers.text_vectors(model, tokenizer, [each.text for each in batch.captions])
        scale = model.logit_scale.exp()
        between = symmetric_infonce(image, text, scale, batch.positive, batch.ignore)
        within = supervised_contrastive(image, scale.detach(), batch.positive, batch.ignore_pictures)
        loss = between + recipe.across * within
        model.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
            weight = min(recipe.average, step / (step + 10))  # so that the random start is soon forgotten
            for kept, new in zip(average.parameters(), model.parameters(), strict=True):
                kept.lerp_(new, 1 - weight)
        done = step / recipe.steps
        if minutes is not None:
            done = max(done, (time.monotonic() - begin) / 60 / minutes)
        if report and (step % every == 0 or done >= 1):
            report(step, average, {"between": between.item(), "within": within.item(), "scale": scale.item()})
    towers.save(average, processor, folder)
    return average, processor


def fast_bf16() -> bool:
    """Tell whether this processor multiplies bfloat16 matrices in hardware; elsewhere float32 is faster."""
    ask = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(ask and ask())


def rate_factor(step: int, done: float, recipe: Recipe) -> float:
    """Learning rate as a share of its highest: a linear start, then half a cosine down to nothing.

    ``done`` is the share of the training that is through.
    """
    return min(1.0, step / recipe.warm_up) * (1 + math.cos(math.pi * min(1.0, done))) / 2


def build_optimizers(model: Any, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the layers' matrices, AdamW for everything else.

    Norms, biases, embeddings and the temperature are left out of weight decay, as in CLIP.
    """
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embedding" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embedding" in n]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(
            matrices, lr=recipe.muon * recipe.rate, weight_decay=recipe.decay, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(others, lr=recipe.rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return optimizers


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on all training styles; write the model, the recorded split and the progress to a folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    for name in ("steps", "seed", "rate", "warm_up", "average", "whole"):
        default = getattr(Recipe, name)
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=type(default), default=default, help=f"{default} by default"
        )
    parser.add_argument("--minutes", type=float, help="end by then, however many steps that is")
    parser.add_argument("--start", type=Path, help="go on from the model in this folder")
    parser.add_argument("--threads", type=int, default=2, help="beside the process that draws the batches")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    from transformers import AutoTokenizer

    from .evaluate import retrieval, text_to_image

    cache = cache_folder()
    names = load_emoji(cache)
    recipe = Recipe(
        steps=options.steps,
        seed=options.seed,
        rate=options.rate,
        warm_up=options.warm_up,
        average=options.average,
        whole=options.whole,
    )
    drawings = [load_drawings(find_set(style), names, cache) for style in styles("train")]
    watched = [load_drawings(find_set(style), names, cache) for style in styles("validation")]
    tested = [load_drawings(find_set(style), names, cache) for style in styles("test")]
    options.folder.mkdir(parents=True, exist_ok=True)
    captioned = {int(index) for each in drawings for index in each.emoji}
    split = record_split(names, [*drawings, *watched, *tested], captioned)
    (options.folder / "split.json").write_text(json.dumps(split), "utf-8")
    (options.folder / "recipe.json").write_text(json.dumps(asdict(recipe), indent=1), "utf-8")
    begin = time.monotonic()

    def report(step: int, model: Any, losses: dict[str, float]) -> None:
        minutes = (time.monotonic() - begin) / 60
        line: dict[str, Any] = {"step": step, "minutes": round(minutes, 2), **losses}
        if step % 250 == 0 or step == recipe.steps or minutes >= (options.minutes or math.inf):
            tokenizer = AutoTokenizer.from_pretrained(options.folder)
            for each in watched:
                line[each.style] = retrieval(text_to_image(model, tokenizer, names, each)).shares
            towers.save(model, towers.build_processor(tokenizer, recipe.shape.side), options.folder)
        text = json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in line.items()})
        with (options.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(text + "\n")
        sys.stderr.write(text + "\n")

    train(
        drawings,
        names,
        recipe,
        options.folder,
        report=report,
        every=50,
        workers=1,
        minutes=options.minutes,
        start=options.start,
    )


if __name__ == "__main__":
    main()
