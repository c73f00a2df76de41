"""What else makes vectors of texts with CLIP, each as its own documentation shows it: strings to unit vectors."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.bench.apart import threads
from mmrag_nb.bench.ours import embedded
from mmrag_nb.bench.rounds import Entrant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmrag_nb.types import Vectors

_HERE = __name__
REFERENCE = "transformers, one at a time, float32"
"""What the others' vectors are compared with: nothing beside a text touches it."""


def reference(model: str) -> Entrant:
    """The plain pipeline that the vectors are held against."""
    return Entrant(REFERENCE, f"{_HERE}:Transformers", {"model": model, "batch": 1, "save_as": "reference.npy"})


def plain(model: str) -> list[Entrant]:
    """Loops over transformers, which is here always."""

    def loop(name: str, **how: Any) -> Entrant:
        return Entrant(f"transformers, {name}", f"{_HERE}:Transformers", {"model": model, **how})

    return [
        reference(model),
        loop("padded to 77, float32", padded=True),
        loop("bucketed by length, float32", bucketed=True),
        loop("bucketed by length, bf16", bucketed=True, shortened=True, save_as="bf16.npy"),
    ]


def others(model: str) -> list[Entrant]:
    """The libraries one would pick instead."""
    name = "sentence-transformers"
    return [
        Entrant(name, f"{_HERE}:SentenceTransformers", {"model": model}, (name,), peer=True),
        Entrant("Chroma + OpenCLIP", f"{_HERE}:Chroma", {}, ("chromadb", "open-clip-torch"), peer=True),
    ]


class Transformers:
    """CLIP's text tower: tokenise, pad, ``get_text_features``, divide by the norm.

    Parameters
    ----------
    model
        Folder of the checkpoint.
    batch
        Texts at once.
    padded
        To the full width; else to the longest of the batch.
    bucketed
        The texts of a batch are about as long as each other.
    shortened
        In bfloat16, by autocast.
    save_as
        Name of the file that gets the vectors.
    """

    def __init__(
        self,
        model: str,
        batch: int = 32,
        *,
        padded: bool = False,
        bucketed: bool = False,
        shortened: bool = False,
        save_as: str = "",
    ) -> None:
        self._model, self._batch, self._save_as = model, batch, save_as
        self._padding = "max_length" if padded else "longest"
        self._bucketed, self._shortened = bucketed, shortened

    def setup(self) -> Mapping[str, Any]:
        """Load model and tokenizer."""
        import torch
        from transformers import AutoTokenizer, CLIPModel

        torch.set_num_threads(threads())
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._network: Any = CLIPModel.from_pretrained(self._model).eval().to(self._device)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(self._model)
        return {"device": self._device}

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Embed ``texts``."""
        return embedded(task, self._embed, self._save_as)

    def _embed(self, texts: Sequence[str]) -> Vectors:
        import torch

        ids = self._tokenizer(list(texts), truncation=True, max_length=77)["input_ids"]
        order = sorted(range(len(ids)), key=lambda at: -len(ids[at])) if self._bucketed else list(range(len(ids)))
        found = np.empty((len(ids), self._network.config.projection_dim), np.float32)
        short = torch.autocast(self._device, torch.bfloat16) if self._shortened else contextlib.nullcontext()
        with torch.inference_mode(), short:
            for first in range(0, len(order), self._batch):
                rows = order[first : first + self._batch]
                held = {"input_ids": [ids[row] for row in rows]}
                inputs = self._tokenizer.pad(held, padding=self._padding, max_length=77, return_tensors="pt")
                output = self._network.get_text_features(**inputs.to(self._device))
                features = getattr(output, "pooler_output", output)
                found[rows] = torch.nn.functional.normalize(features.float(), dim=-1).cpu().numpy()
        return found


class SentenceTransformers:
    """``SentenceTransformer(folder).encode(texts)``."""

    def __init__(self, model: str) -> None:
        self._model = model

    def setup(self) -> None:
        """Load the model."""
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(threads())
        self._encoder = SentenceTransformer(self._model)

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Embed ``texts``."""
        return embedded(task, self._embed, "")

    def _embed(self, texts: list[str]) -> Any:
        return self._encoder.encode(texts, batch_size=32, normalize_embeddings=True, show_progress_bar=False)


class Chroma:
    """Chroma's embedding function for OpenCLIP, with random weights."""

    def setup(self) -> None:
        """Load OpenCLIP's ViT-B/32."""
        import torch
        from chromadb.utils.embedding_functions import OpenCLIPEmbeddingFunction

        torch.set_num_threads(threads())
        self._clip = OpenCLIPEmbeddingFunction("ViT-B-32", "", "cuda" if torch.cuda.is_available() else "cpu")

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Embed ``texts``."""
        return embedded(task, self._clip, "")
