"""An index of any size without models: unit vectors in clusters, words as frequent as words are, and an encoder."""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from functools import cache
from itertools import count, islice
from typing import TYPE_CHECKING

import numpy as np

from mmrag_nb import registry
from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.catalog.entries import Entry
from mmrag_nb.presets import NONE
from mmrag_nb.settings import Settings
from mmrag_nb.types import Chunk, Item, Preview

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL.Image import Image

    from mmrag_nb.types import Modality, Vectors

NAME = "synthetic"
_CLUSTERS = 256
_SPREAD = 1.0
"""Length of what is random in a vector beside its cluster's centre of length 1: cosines in a cluster are about 0.5."""
_WORDS, _WORDS_OF_PASSAGE, _WORDS_OF_CAPTION, _WORDS_OF_QUESTION = 30_000, 40, 10, 5
_FUNCTION_WORDS = 100
"""The most frequent words of any language: questions are looked up without them."""
_BATCH = 4_000
"""Chunks that are added at once."""
_PASSAGES = 10
"""Of one text."""


class SyntheticEncoder:
    """An :class:`~mmrag_nb.protocols.Encoder` without weights: a text's hash is its cluster and its place there."""

    modalities: frozenset[Modality] = frozenset({"text", "image"})
    max_tokens = 77
    fingerprint: Mapping[str, str] = {"model": NAME, "revision": "1", "preprocessing": ""}
    description = "synthetic vectors (no model)"
    background: Sequence[str] = ()
    least_deviation = 1e-3

    def __init__(self, dimension: str) -> None:
        self.dimension = int(dimension)
        self.space = f"{NAME}:{dimension}"

    def count_tokens(self, text: str) -> int:
        """Count the words."""
        return len(text.split())

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit rows."""
        each = [drawn(np.random.default_rng(zlib.crc32(text.encode())), 1, self.dimension) for text in texts]
        return np.concatenate(each) if each else np.empty((0, self.dimension), np.float32)

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        """(n, dimension) float32, unit rows."""
        return self.embed_texts([image.tobytes().hex() for image in images])


@contextmanager
def settings(dimension: int) -> Iterator[Settings]:
    """Settings that choose the encoder, which is registered as the built-in ones are, for as long as this lasts."""
    entries = registry._ENTRIES  # noqa: SLF001  # an encoder for measuring is nothing to choose otherwise
    entries["encoder", NAME] = registry.Entry(f"{__name__}:{SyntheticEncoder.__name__}", takes_model=True)
    try:
        yield Settings(preset="offline", clip=f"{NAME}:{dimension}", text=NONE, speech=NONE)
    finally:
        del entries["encoder", NAME]


def fill(path: Path, vectors: int, dimension: int, *, seed: int = 0) -> None:
    """Make an index of about ``vectors`` vectors at ``path``, in one space.

    Of four chunks, two are passages, one is a picture, one a picture with a caption, which has a vector of its own.
    """
    rng = np.random.default_rng(seed)
    encoder = SyntheticEncoder(str(dimension))
    catalog = Catalog(path)
    try:
        catalog.register(encoder.space, dimension, encoder.fingerprint, {})
        entries = _entries(rng)
        chunks = max(4, vectors * 4 // 5)
        while chunks > 0:
            batch: list[Entry] = []
            while sum(len(entry.chunks) for entry in batch) < min(_BATCH, chunks):
                batch += islice(entries, 1 + _PASSAGES)
            chunks -= sum(len(entry.chunks) for entry in batch)
            keys = [key for entry in batch for views in entry.views for _, key in views]
            made = drawn(rng, len(keys), dimension)
            catalog.add(batch, {encoder.space: dict(zip(keys, made, strict=True))}, {"preset": "offline"})
    finally:
        catalog.close()


def questions(n: int, *, seed: int = 1) -> list[str]:
    """``n`` questions of content words."""
    rng = np.random.default_rng(seed)
    return [_text(rng, _WORDS_OF_QUESTION, rarer_than=_FUNCTION_WORDS) for _ in range(n)]


def drawn(rng: np.random.Generator, n: int, dimension: int) -> Vectors:
    """(n, dimension) float32, unit rows, each near the centre of a cluster."""
    made = rng.standard_normal((n, dimension), np.float32) * np.float32(_SPREAD / dimension**0.5)
    made += _centres(dimension)[rng.integers(_CLUSTERS, size=n)]
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


@cache
def _centres(dimension: int) -> Vectors:
    centres = np.random.default_rng(7).standard_normal((_CLUSTERS, dimension), np.float32)
    return centres / np.linalg.norm(centres, axis=1, keepdims=True)  # type: ignore[no-any-return]


def _entries(rng: np.random.Generator) -> Iterator[Entry]:
    """A text of ten passages, then ten pictures, and so on."""
    thumbnail = Preview("image/webp", bytes(300))
    for number in count():
        item = Item(f"{number:064x}", f"/texts/text_{number}.txt", "text")
        passages = [Chunk(item.id, i, "text", _text(rng, _WORDS_OF_PASSAGE)) for i in range(_PASSAGES)]
        views = [[("text", f"{number:060x}{i:04x}")] for i in range(_PASSAGES)]
        yield Entry(item, passages, views, NAME)
        for i in range(_PASSAGES):
            key = f"{number:060x}{_PASSAGES + i:04x}"
            caption = _text(rng, _WORDS_OF_CAPTION) if i % 2 else ""
            said = {"price": number % 97} | ({"caption": caption} if caption else {})
            item = Item(key[::-1], f"/pictures/IMG_{number}_{i}.jpg", "image", said)
            seen = [("image", key), *[("text", f"{key[:-4]}{2 * _PASSAGES + i:04x}")] * bool(caption)]
            previews = {(-1, "thumbnail"): thumbnail}
            yield Entry(item, [Chunk(item.id, 0, "image", caption)], [seen], NAME, previews=previews)


def _text(rng: np.random.Generator, length: int, *, rarer_than: int = 0) -> str:
    chosen: NDArray[np.int64] = np.searchsorted(_shares(rarer_than), rng.random(length)) + rarer_than
    return " ".join(_word(number) for number in chosen.tolist())


@cache
def _shares(rarer_than: int) -> NDArray[np.float64]:
    """Cumulative shares of the words, after Zipf (1949) and Mandelbrot (1953): the r-th word is 1 / (r + 2.7)."""
    weights = 1 / (np.arange(rarer_than, _WORDS) + 2.7)
    return np.cumsum(weights) / weights.sum()  # type: ignore[no-any-return]


def _word(number: int) -> str:
    """Each of its own, also after stemming: consonant, vowel, and so on."""
    letters = []
    number += 20
    while number:
        number, sound = divmod(number, 80)
        letters.append("bdfgjklmnprtvzhw"[sound % 16] + "aoiue"[sound // 16])
    return "".join(letters) + "k"
