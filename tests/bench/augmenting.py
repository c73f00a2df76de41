"""What the setting ``augment`` brings and costs: ``python tests/bench/augmenting.py``.

The shipped emoji model, plain and augmented, finds drawings by their names: the demo's twelve, and where the system has
Noto's font, emoji drawn with it; each as it is, mirrored, turned a little, and cut at two edges. The model was trained
on drawings of that style. Then photographs by the captions that people wrote, for which it was not made, where
../shared/cases has them. Prints R@1, the mean reciprocal rank and milliseconds a picture.
"""

from __future__ import annotations

import csv
import os
import time
import unicodedata
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.loaders.image import ImageLoader
from mmrag_nb.models.augmented import AugmentedEncoder
from mmrag_nb.models.emoji import EmojiEncoder

ROOT = Path(__file__).parents[2]
CASES = Path(os.environ.get("MMRAG_CASES", ROOT.parent / "shared" / "cases"))
FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
CHANGED = {
    "as they are": lambda one: one,
    "mirrored": ImageOps.mirror,
    "turned by 15 degrees": lambda one: one.rotate(15, fillcolor="white"),
    "cut at two edges": lambda one: one.crop((one.width // 10, one.height // 10, one.width, one.height)),
}


def loaded(path):
    return ImageLoader().load(path, path.name).chunks[0].pixels


def demo():
    table = files("mmrag_nb.assets").joinpath("demo_drawings.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| drawing_")]
    return [loaded(demo_folder() / "emoji" / f"{name}.png") for name, _ in rows], [shows for _, shows in rows]


def noto():
    font = ImageFont.truetype(str(FONT), 109)
    drawn, names = [], []
    for code in range(0x1F300, 0x1F650, 2):
        name = unicodedata.name(chr(code), "")
        picture = Image.new("RGB", (136, 128), "white")
        ImageDraw.Draw(picture).text((0, 0), chr(code), font=font, embedded_color=True)
        if name and picture.getcolors(1) is None:
            drawn.append(picture)
            names.append(name.lower())
    return drawn, names


def measured(encoder, pictures, texts, right):
    start = time.perf_counter()
    vectors = encoder.embed_images(pictures)
    seconds = (time.perf_counter() - start) / len(pictures)
    cosines = encoder.embed_texts(texts) @ vectors.T
    ranks = (cosines > cosines[np.arange(len(texts)), right][:, None]).sum(axis=1) + 1
    return f"R@1 {(ranks == 1).mean():.3f}  MRR {(1 / ranks).mean():.3f}  {1000 * seconds:6.1f} ms a picture"


def compared(title, encoders, pictures, texts, right):
    for name, encoder in encoders.items():
        print(f"{title:44}{name:11}{measured(encoder, pictures, texts, right)}")


def main() -> None:
    plain = EmojiEncoder(device="cpu")
    encoders = {"plain": plain, "augmented": AugmentedEncoder(plain)}
    plain.embed_images([Image.new("RGB", (64, 64))])
    sets = {"the demo's": demo()}
    if FONT.is_file():
        sets["Noto's"] = noto()
    else:
        print(f"Noto's emoji are left out: there is no {FONT}")
    for name, (pictures, names) in sets.items():
        for how, change in CHANGED.items():
            title = f"{name} {len(pictures)} drawings, {how}"
            compared(title, encoders, [change(one) for one in pictures], names, np.arange(len(names)))
    table = CASES / "coco9" / "captions.tsv"
    if not table.is_file():
        print(f"photographs are left out: there is no {table}")
        return
    with table.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened, delimiter="\t", quoting=csv.QUOTE_NONE))
    photos = sorted({row["image"] for row in rows})
    pictures = [loaded(next((CASES / "coco9").glob(f"*{Path(photo).stem}.jpg"))) for photo in photos]
    right = np.array([photos.index(row["image"]) for row in rows])
    compared(
        f"{len(photos)} photographs, {len(rows)} captions", encoders, pictures, [row["caption"] for row in rows], right
    )


if __name__ == "__main__":
    main()
