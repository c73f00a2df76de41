"""Trains the small CLIP on emoji: ``python -m mmrag_nb.training.emoji.train FOLDER``."""

from __future__ import annotations

import argparse
import copy
import json
import math
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from mmrag_nb.training.losses import supervised_contrastive, symmetric_infonce

from . import model as towers
from .batches import Batches, TrainingDrawings
from .captions import CaptionWriter
from .drawings import Drawings, load_drawings
from .names import Emoji, load_emoji
from .packages import cache_folder
from .recipe import Recipe
from .sets import find_set, styles
from .split import record_split

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


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
