"""Prints the model card's figures of a small CLIP: ``python -m mmrag_nb.training.emoji.evaluate [FOLDER]``."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mmrag_nb.assets.background import of_drawings

from . import model as towers
from .augment import Strength, augment
from .captions import fill
from .drawings import load_drawings
from .mixed import MixedRanking, mixed_rankings
from .names import load_emoji
from .packages import cache_folder
from .sets import find_set, styles

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
            pictures = augment(
                rasters, torch.arange(len(part)), len(part), side=side, rng=chance, strength=strength or Strength.none()
            )
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
    ranks: NDArray[np.int64] = (cosine > np.diag(cosine)[:, None]).sum(axis=1)
    return ranks


def image_to_image(model: Any, queries: Drawings, pool: Drawings) -> NDArray[np.int64]:
    """Rank each emoji's picture in ``pool`` by its drawing in another style, over the emoji that both draw: (n,)."""
    emoji, query = embed_drawings(model, queries)
    others, target = embed_drawings(model, pool)
    _, left, right = np.intersect1d(emoji, others, return_indices=True)
    cosine = query[left] @ target.T
    ranks: NDArray[np.int64] = (cosine > cosine[np.arange(len(left)), right][:, None]).sum(axis=1)
    return ranks


def paired_vectors(
    model: Any, tokenizer: Any, names: Sequence[Emoji], drawings: Drawings, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Embed a style's pictures and a sentence of each, in random order: two (n, d), row by row the same emoji."""
    emoji, image = embed_drawings(model, drawings)
    order = np.random.default_rng(seed).permutation(len(emoji))
    sentences = [fill("there is {a} in the picture", names[k].name) for k in emoji[order]]
    return image[order], embed_texts(model, tokenizer, sentences)


def pictures_per_second(
    model: Any, processor: Any, drawings: Drawings, *, bfloat16: bool, count: int = 512, batch: int = 32
) -> float:
    """Time the way from PIL pictures to unit vectors, in batches, as an index of a folder does it."""
    from PIL import Image

    pictures = [Image.fromarray(pixels).convert("RGB").resize((128, 128)) for pixels in drawings.pixels[:count]]
    begin = 0.0
    for start in range(-batch, len(pictures), batch):  # the first batch only warms up
        if start == 0:
            begin = time.perf_counter()
        part = pictures[max(start, 0) : max(start, 0) + batch]
        inputs = processor(images=part, return_tensors="pt")
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
            model.get_image_features(pixel_values=inputs["pixel_values"])
    return len(pictures) / (time.perf_counter() - begin)


def _fairness(title: str, outcomes: Sequence[MixedRanking]) -> list[str]:
    """Rows of the table of mixed rankings, and the shares of the bound."""
    lines = [
        "",
        f"{title}:",
        "",
        "| pictures + sentences | queries | raw R@1 | calibrated R@1 | bound | share of the bound |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {each.pictures} + {each.sentences} | {each.queries:,} | {each.raw:.3f} | {each.calibrated:.3f} "
        f"| {each.bound:.3f} | {each.calibrated / each.bound:.3f} |"
        for each in outcomes
    ]
    shares = [each.calibrated / each.bound for each in outcomes]
    raw = [each.raw / each.bound for each in outcomes]
    lines += [
        "",
        f"Share of the bound: mean over pools {np.mean(shares):.3f}, worst {min(shares):.3f}.",
        f"By raw cosines: mean {np.mean(raw):.3f}, worst {min(raw):.3f}.",
    ]
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Print, as Markdown, how well a trained model finds pictures by words and by pictures, and what it costs."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parents[2] / "assets" / "emoji_clip")
    parser.add_argument(
        "--vectors", type=Path, help="also write the mixed ranking's image and text vectors to this npz file"
    )
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    from transformers import AutoModel, AutoProcessor

    begin = time.perf_counter()
    model = AutoModel.from_pretrained(options.folder).float().eval()
    processor = AutoProcessor.from_pretrained(options.folder)
    seconds = time.perf_counter() - begin
    tokenizer = processor.tokenizer

    cache = cache_folder()
    names = load_emoji(cache)
    sets = {style: load_drawings(find_set(style), names, cache) for style in ("noto", "twemoji", "fluent-flat")}
    unseen = {style: load_drawings(find_set(style), names, cache) for style in (*styles("validation"), *styles("test"))}
    openmoji = unseen["openmoji"]
    table = ["| what | queries | R@1 | R@10 |", "|---|---|---|---|"]

    def row(what: str, ranks: NDArray[np.int64]) -> None:
        found = retrieval(ranks)
        table.append(f"| {what} | {found.count:,} | {found.shares['R@1']:.3f} | {found.shares['R@10']:.3f} |")

    for style, drawings in sets.items():
        fresh = text_to_image(model, tokenizer, names, drawings, Strength())
        row(f"text to image, {style} (trained on), fresh augmentation", fresh)
    for style, drawings in sets.items():
        row(f"text to image, {style} (trained on), plain on white", text_to_image(model, tokenizer, names, drawings))
    for style, drawings in unseen.items():
        row(f"text to image, {style} (**never seen**)", text_to_image(model, tokenizer, names, drawings))
    for left, right in (("noto", "twemoji"), ("twemoji", "fluent-flat")):
        row(f"image to image, {left} to {right} (both trained on)", image_to_image(model, sets[left], sets[right]))
    for style, drawings in sets.items():
        row(f"image to image, {style} to openmoji (**never seen**)", image_to_image(model, drawings, openmoji))
    image, text = paired_vectors(model, tokenizer, names, openmoji)
    if options.vectors:
        np.savez(options.vectors, image=image, text=text)
    own = embed_texts(model, tokenizer, of_drawings())
    table += _fairness("Calibrated by the preset's own background", mixed_rankings(image, text, own))
    table += _fairness(
        "Calibrated by 100 sentences of other pictures, of the pool's own form", mixed_rankings(image, text)
    )
    size = sum(path.stat().st_size for path in options.folder.rglob("*") if path.is_file()) / 1e6
    rates = [pictures_per_second(model, processor, openmoji, bfloat16=low) for low in (False, True)]
    table += [
        "",
        f"- Names: {len(names):,}; OpenMoji pictures: {len(openmoji.emoji):,}",
        f"- Parameters: {sum(p.numel() for p in model.parameters()):,}; on disk: {size:.1f} MB",
        f"- Load time (model and processor, libraries already imported): {seconds:.1f} s",
        f"- Pictures per second, {options.threads} threads, from PIL pictures of 128 pixels to vectors:",
        f"  {rates[0]:.0f} in float32, as the preset computes; {rates[1]:.0f} in bfloat16",
    ]
    sys.stdout.write("\n".join(table) + "\n")


if __name__ == "__main__":
    main()
