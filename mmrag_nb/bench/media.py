"""Photographs and texts to measure with, made on this machine, the same in every run, and kept for the next one."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmrag_nb.errors import MMRagError, UnknownName

from .corpus import photograph

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image


@dataclass(frozen=True)
class Kind:
    """How pictures of one kind are made, so that their files are as large as those of cameras and screens."""

    width: int
    height: int
    suffix: str
    soft: float = 1.0
    """How many pixels wide the finest detail is: a telephone's picture is soft when looked at pixel by pixel."""
    grain: float = 2.0
    """Standard deviation of the sensor's noise, of 255 levels."""
    factor: int = 1
    """So many pictures where one of 12 megapixels is asked for."""
    about: str = ""


KINDS = {
    "12mp": Kind(4000, 3000, "jpg", 4.0, 3.0, 1, "JPEGs of 12 megapixels, as telephones make them"),
    "0.3mp": Kind(640, 480, "jpg", 1.0, 3.5, 4, "JPEGs of 640 x 480"),
    "png512": Kind(512, 512, "png", 1.0, 3.0, 2, "PNGs of 512 x 512"),
    "small": Kind(320, 240, "jpg", 1.0, 2.0, 1, "JPEGs of 320 x 240"),
}
_DETAIL = 0.4
"""Share of a field of random detail in a picture, without which all would be crops of two photographs."""


def cache() -> Path:
    """Return the folder that keeps what was made: ``$MMRAG_BENCH_CACHE``, or one in the user's cache."""
    folder = Path(os.environ.get("MMRAG_BENCH_CACHE") or Path.home() / ".cache" / "mmrag_nb" / "bench")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def kept(name: str, write: Callable[[Path], None]) -> Path:
    """Folder ``name`` of :func:`cache`, made by ``write`` where it is not there: all of it or nothing."""
    folder = cache() / name
    if not folder.exists():
        part = folder.with_name(f"{name}.{os.getpid()}")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        try:
            write(part)
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def pictures(which: str, n: int, folder: Path) -> Path:
    """Put ``n`` pictures of a kind, or the first ``n`` of somebody's folder, into a folder of their own in ``folder``.

    Raises
    ------
    UnknownName
        It is neither the name of a kind nor a folder.
    MMRagError
        The folder has no pictures.
    """
    files = made(which, n) if which in KINDS else _first(which, n)
    place = folder / which.replace(os.sep, "_").strip("_.")
    place.mkdir()
    for file in files:
        _link(file, place / file.name)
    return place


def made(which: str, n: int) -> list[Path]:
    """``n`` pictures of a kind in the cache; what is not there yet is drawn."""
    place = cache() / "pictures" / which
    place.mkdir(parents=True, exist_ok=True)
    kind = KINDS[which]
    files = [place / f"{number:05}.{kind.suffix}" for number in range(n)]
    for number, file in enumerate(files):
        if not file.exists():
            part = file.with_name(f".{os.getpid()}.{file.name}")
            picture = _varied(number) if which == "small" else photo(np.random.default_rng([number, 1]), kind)
            picture.save(part, quality=90)  # which a PNG has not, and ignores
            part.replace(file)  # whole, or not there
    return files


def photo(rng: np.random.Generator, kind: Kind) -> Image:
    """A picture with edges of one of scikit-learn's two photographs, and with colours, shapes and noise of its own."""
    from PIL import Image
    from sklearn.datasets import load_sample_image

    width, height = round(kind.width / kind.soft), round(kind.height / kind.soft)
    seen = Image.fromarray(load_sample_image(("china.jpg", "flower.jpg")[int(rng.integers(2))]))
    across = min(seen.width, seen.height * width / height) * rng.uniform(0.55, 1)
    down = across * height / width
    left, top = rng.uniform(0, seen.width - across), rng.uniform(0, seen.height - down)
    part = seen.resize((width, height), Image.Resampling.BICUBIC, box=(left, top, left + across, top + down))
    if rng.integers(2):
        part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    mixed = Image.blend(part, photograph(rng, width, height), _DETAIL)
    whole = np.asarray(mixed.resize((kind.width, kind.height), Image.Resampling.BICUBIC), np.float32)
    grain = rng.standard_normal((kind.height, kind.width, 1), np.float32) * kind.grain
    return Image.fromarray(np.clip(whole * rng.uniform(0.8, 1.2) + grain, 0, 255).astype(np.uint8))


def _varied(number: int) -> Image:
    """A part of one of 50 pictures, in a light of its own: ten thousand are made in a minute."""
    from PIL import Image, ImageEnhance

    rng = np.random.default_rng([number, 2])
    kind = KINDS["small"]
    with Image.open(made("0.3mp", number % 50 + 1)[-1]) as whole:
        left, top = int(rng.integers(whole.width - kind.width)), int(rng.integers(whole.height - kind.height))
        part = whole.crop((left, top, left + kind.width, top + kind.height))
    return ImageEnhance.Brightness(part).enhance(float(rng.uniform(0.7, 1.3)))


def _link(file: Path, there: Path) -> None:
    try:
        os.link(file, there)
    except OSError:  # another file system, or one without links
        shutil.copyfile(file, there)


def _first(folder: str, n: int) -> list[Path]:
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise UnknownName("set of pictures", folder, (*KINDS, "FOLDER"))
    suffixes = {".jpg", ".jpeg", ".png", ".webp"}
    if not (found := sorted(path for path in place.iterdir() if path.suffix.lower() in suffixes)):
        raise MMRagError(f"there are no pictures in {folder}: JPEG, PNG or WebP")
    return found[:n]


# -- texts -------------------------------------------------------------------------------------------------------------


def english() -> list[str]:
    """Sentences people wrote: Python's own help topics, which come with it."""
    from pydoc_data.topics import topics

    pieces = re.split(r"(?<=[.!?])\s+|\n{2,}", "\n\n".join(topics[name] for name in sorted(topics)))
    lines = [" ".join(piece.split()) for piece in pieces]
    return [line for line in lines if len(line.split()) >= 5 and _prose(line)]


def _prose(line: str) -> bool:
    return sum(letter.isalpha() or letter == " " for letter in line) > 0.85 * len(line)


def passages(n: int, count: Callable[[list[str]], list[int]], most: int) -> list[str]:
    """``n`` passages of whole words, each as many of them as fit into ``most`` tokens by ``count``."""
    rng = np.random.default_rng(3)
    words = " ".join(english()).split()
    distinct = sorted(set(words))
    marks = count([""])[0]
    tokens = dict(zip(distinct, (length - marks for length in count(distinct)), strict=True))
    found = []
    for _ in range(n):
        first = end = int(rng.integers(len(words) - most))
        room = most - marks
        while end < len(words) and tokens[words[end]] <= room:
            room -= tokens[words[end]]
            end += 1
        found.append(" ".join(words[first:end]))
    return found
