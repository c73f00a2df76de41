"""What the machine could do at most: each stage alone, with all that it needs lying ready."""

# ruff: noqa: SLF001  # a stage alone is not what the encoder offers its users
from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.models.clip import MICRO, TOKENS

from .apart import cores
from .ours import Pictures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from PIL.Image import Image

    from mmrag_nb.models.clip import ClipEncoder

SIDE = 224
"""Pixels that CLIP sees in either direction; a JPEG is decoded at the smallest scale that has twice as many."""


def both(decoding: float, forward: float) -> float:
    """Rate at which the same cores do one after the other."""
    return 1 / (1 / decoding + 1 / forward) if decoding and forward else 0.0


class Decoding:
    """Pictures decoded, JPEGs at reduced scale, by as many threads as there are cores, and thrown away."""

    def setup(self) -> Mapping[str, Any]:
        """Nothing to load."""
        return {"threads": cores()}

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Decode what is in ``folder``."""
        files = sorted(Path(task["folder"]).iterdir())
        start = time.perf_counter()
        with ThreadPoolExecutor(cores()) as pool:
            seen = sum(1 for _ in pool.map(_size, files, chunksize=1))
        return {"seconds": time.perf_counter() - start, "n": seen}


class Forward:
    """The encoder over pixels that are decoded, resized and cropped already, on all cores, or on the GPU and in it."""

    def __init__(self, model: str, precision: str = "auto") -> None:
        self._how = (model, precision)
        self._ready: dict[str, Any] = {}

    def setup(self) -> Mapping[str, Any]:
        """Load the model."""
        self._encoder: Any = _encoder(*self._how)
        self._gpu = self._encoder._placement.kind == "cuda"
        return {"model": self._encoder.description, "gpu": self._gpu}

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Embed what is in ``folder``; decoding it is not measured."""
        import torch

        encoder, folder = self._encoder, task["folder"]
        if encoder._framing is None:
            raise RuntimeError("this checkpoint's pictures are prepared in no other way than by its own processor")
        if folder not in self._ready:
            seen = [encoder._framing.pixels(_scaled(path)) for path in sorted(Path(folder).iterdir())]
            self._ready = {folder: self._there(np.stack(seen))}
        pixels = self._ready[folder]
        size = encoder._batch_size if self._gpu else MICRO
        batches = [range(first, min(first + size, len(pixels))) for first in range(0, len(pixels), size)]
        start = time.perf_counter()
        if self._gpu:
            with encoder._computing():
                for batch in batches:
                    encoder._network.get_image_features(pixel_values=pixels[batch.start : batch.stop])
            torch.cuda.synchronize()
        else:
            encoder._embed(len(pixels), batches, lambda batch: self._features(pixels[batch.start : batch.stop]))
        return {"seconds": time.perf_counter() - start, "n": len(pixels)}

    def _there(self, pixels: NDArray[np.uint8]) -> Any:
        import torch

        if not self._gpu:
            return pixels
        return self._encoder._framing.normalised(torch.from_numpy(pixels).to(self._encoder._network.device))

    def _features(self, pixels: NDArray[np.uint8]) -> Any:
        import torch

        if self._encoder._fused:
            return self._encoder._fused[0](pixels)
        return self._encoder._forward({"pixel_values": torch.from_numpy(pixels)}, "get_image_features")


class ForwardTexts:
    """The text tower over tokens that lie ready, by length."""

    def __init__(self, model: str, precision: str = "auto") -> None:
        self._how = (model, precision)

    def setup(self) -> Mapping[str, Any]:
        """Load the model."""
        self._encoder: Any = _encoder(*self._how)
        return {"model": self._encoder.description}

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Embed ``texts``; tokenising them is not measured."""
        from mmrag_nb.models.buckets import buckets

        encoder = self._encoder
        encoded = encoder._encoded(list(task["texts"]))
        lengths = [len(ids) for ids in encoded["input_ids"]]
        batches = buckets(lengths, texts=TOKENS, tokens=TOKENS)
        start = time.perf_counter()
        encoder._embed(len(lengths), batches, lambda batch: encoder._text_features(encoded, batch))
        return {"seconds": time.perf_counter() - start, "n": len(lengths)}


class Busy:
    """``rag.index(folder)`` on a GPU, and for how much of it the GPU computes."""

    def __init__(self, model: str) -> None:
        self._ours = Pictures(model)

    def setup(self) -> Mapping[str, Any]:
        """Make an empty index."""
        return self._ours.setup()

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Index ``folder`` under torch's profiler, which slows it: compare its seconds with themselves alone."""
        from torch.profiler import ProfilerActivity, profile

        with profile(activities=[ProfilerActivity.CUDA]) as watched:
            found = dict(self._ours.run(task))
        computing = sum(event.self_device_time_total for event in watched.key_averages()) / 1e6
        return found | {"computing": computing, "idle": max(0.0, 1 - computing / found["seconds"])}


def _encoder(model: str, precision: str) -> ClipEncoder:
    """Make the encoder in a process that waits as an index's does."""
    import mmrag_nb.parts  # noqa: F401  # says how OpenMP's threads wait, before torch is loaded
    from mmrag_nb.models.clip import ClipEncoder

    return ClipEncoder(model, precision=precision)


def _size(path: Path) -> tuple[int, int]:
    return _scaled(path).size


def _scaled(path: Path) -> Image:
    from PIL import Image

    with Image.open(path) as picture:
        picture.draft("RGB", (2 * SIDE, 2 * SIDE))
        picture.load()
        return picture if picture.mode == "RGB" else picture.convert("RGB")
