"""What else makes vectors of a folder of pictures, each as its own documentation shows it.

Files on disk to unit vectors in something that can be searched. Those that load the checkpoint at hand get it; OpenCLIP
and OpenAI's own code have the same network with random weights, as no download is wanted.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
import types
from abc import ABC, abstractmethod
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.bench.apart import threads
from mmrag_nb.bench.rounds import Entrant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmrag_nb.types import Vectors

_HERE = __name__
REFERENCE = "transformers, one at a time, float32"
"""What the others' vectors are compared with."""


def reference(model: str) -> Entrant:
    """The plain pipeline that the vectors are held against."""
    return Entrant(REFERENCE, f"{_HERE}:Transformers", {"model": model, "batch": 1, "save_as": "reference.npy"})


def plain(model: str) -> list[Entrant]:
    """Loops over transformers, which is here always."""
    loop = f"{_HERE}:Transformers"
    return [
        reference(model),
        Entrant("transformers, batches of 32, float32", loop, {"model": model, "batch": 32}),
        Entrant(
            "transformers, batches of 32, bf16",
            loop,
            {"model": model, "batch": 32, "shortened": True, "save_as": "bf16.npy"},
        ),
    ]


def others(model: str) -> list[Entrant]:
    """The libraries one would pick instead."""
    return [
        Entrant(
            "sentence-transformers",
            f"{_HERE}:SentenceTransformers",
            {"model": model},
            ("sentence-transformers",),
            peer=True,
        ),
        Entrant("Chroma + OpenCLIP", f"{_HERE}:Chroma", {}, ("chromadb", "open-clip-torch"), peer=True),
        Entrant(
            "LlamaIndex",
            f"{_HERE}:LlamaIndex",
            {},
            ("llama-index-core", "llama-index-embeddings-clip", "open-clip-torch"),
            peer=True,
        ),
        Entrant("Pixeltable", f"{_HERE}:Pixeltable", {"model": model}, ("pixeltable",), peer=True),
    ]


class _Embedding(ABC):
    """Vectors of files, in scikit-learn's neighbours: what a notebook does without a database."""

    save_as = ""

    @abstractmethod
    def embed(self, files: Sequence[Path]) -> Vectors:
        """(n, d) float32, unit rows."""

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        from sklearn.neighbors import NearestNeighbors

        files = sorted(Path(task["folder"]).iterdir())
        start = time.perf_counter()
        made = self.embed(files)
        self._found = NearestNeighbors(n_neighbors=min(10, len(files)), metric="cosine").fit(made)
        seconds = time.perf_counter() - start
        if task.get("save") and self.save_as:
            np.save(Path(task["save"]) / self.save_as, made)
        return {"seconds": seconds, "n": len(made)}


class Transformers(_Embedding):
    """CLIP as articles have it: open, preprocess, ``get_image_features``, divide by the norm."""

    def __init__(self, model: str, batch: int, *, shortened: bool = False, save_as: str = "") -> None:
        self._model, self._batch, self._shortened, self.save_as = model, batch, shortened, save_as

    def setup(self) -> Mapping[str, Any]:
        """Load model and processor."""
        import torch
        from transformers import AutoImageProcessor, CLIPModel

        torch.set_num_threads(threads())
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._network: Any = CLIPModel.from_pretrained(self._model).eval().to(self._device)
        # Pillow resizes as in the training; torchvision, the default where it is installed, is faster and differs.
        how: dict[str, Any] = {"backend": "pil", "use_fast": False} if self._batch == 1 else {}
        self._processor: Any = AutoImageProcessor.from_pretrained(self._model, **how)
        return {"device": self._device}

    def embed(self, files: Sequence[Path]) -> Vectors:
        """(n, d) unit vectors."""
        import torch
        from PIL import Image

        short = torch.autocast(self._device, torch.bfloat16) if self._shortened else contextlib.nullcontext()
        rows = []
        with torch.inference_mode(), short:
            for first in range(0, len(files), self._batch):
                images = [Image.open(file).convert("RGB") for file in files[first : first + self._batch]]
                inputs = self._processor(images=images, return_tensors="pt").to(self._device)
                output = self._network.get_image_features(**inputs)
                features = getattr(output, "pooler_output", output)
                rows.append(torch.nn.functional.normalize(features.float(), dim=-1).cpu().numpy())
        found: Vectors = np.concatenate(rows)
        return found


class SentenceTransformers(_Embedding):
    """``SentenceTransformer(folder).encode(pictures)``."""

    def __init__(self, model: str) -> None:
        self._model = model

    def setup(self) -> None:
        """Load the model."""
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(threads())
        self._encoder = SentenceTransformer(self._model)

    def embed(self, files: Sequence[Path]) -> Vectors:
        """(n, d) unit vectors."""
        from PIL import Image

        pictures = [Image.open(file) for file in files]
        found: Any = self._encoder.encode(pictures, batch_size=32, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(found, np.float32)


class Chroma:
    """A collection with OpenCLIP, to which files are added by their paths."""

    def setup(self) -> None:
        """Load OpenCLIP's ViT-B/32, random weights."""
        import chromadb
        import torch
        from chromadb.utils.data_loaders import ImageLoader
        from chromadb.utils.embedding_functions import OpenCLIPEmbeddingFunction

        torch.set_num_threads(threads())
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._client = chromadb.EphemeralClient()
        self._clip = OpenCLIPEmbeddingFunction("ViT-B-32", "", device)  # an empty checkpoint: nothing is downloaded
        self._loader = ImageLoader()

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add what is in ``folder`` to a new collection."""
        files = sorted(map(str, Path(task["folder"]).iterdir()))
        collection = self._client.create_collection("bench", embedding_function=self._clip, data_loader=self._loader)
        try:
            start = time.perf_counter()
            collection.add(ids=files, uris=files)  # at once: each call makes the network anew
            return {"seconds": time.perf_counter() - start, "n": collection.count()}
        finally:
            self._client.delete_collection("bench")


class LlamaIndex:
    """``MultiModalVectorStoreIndex`` with ``ClipEmbedding``, which calls OpenAI's ``clip``.

    Where that package is not installed (it is on GitHub alone), the same network and preprocessing are OpenCLIP's.
    """

    def setup(self) -> Mapping[str, Any]:
        """Load the embedding."""
        import torch

        torch.set_num_threads(threads())
        own = find_spec("clip") is not None
        if not own:
            sys.modules["clip"] = _openai_clip()
        from llama_index.embeddings.clip import ClipEmbedding

        self._clip = ClipEmbedding()
        return {"clip": "OpenAI's" if own else "OpenCLIP's network of the same size, random weights"}

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Index what is in ``folder``."""
        from llama_index.core import MockEmbedding
        from llama_index.core.indices import MultiModalVectorStoreIndex
        from llama_index.core.schema import ImageNode

        files = sorted(map(str, Path(task["folder"]).iterdir()))
        start = time.perf_counter()
        nodes = [ImageNode(image_path=file, metadata={"file_path": file}) for file in files]
        index: Any = MultiModalVectorStoreIndex(
            nodes, embed_model=MockEmbedding(embed_dim=512), image_embed_model=self._clip
        )
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "n": len(index.storage_context.vector_stores["image"].data.embedding_dict)}


class Pixeltable:
    """A table with an embedding index on its column of pictures, its database in a temporary folder."""

    def __init__(self, model: str) -> None:
        self._model = model

    def setup(self) -> None:
        """Start the database and make the embedding function."""
        self._home = tempfile.TemporaryDirectory(prefix="mmrag-pxt-", ignore_cleanup_errors=True)
        os.environ |= {"PIXELTABLE_HOME": self._home.name, "PIXELTABLE_DISABLE_STDOUT": "1"}
        import pixeltable
        from pixeltable.functions.huggingface import clip

        self._tables, self._embedding = pixeltable, clip.using(model_id=self._model)

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Insert what is in ``folder`` into a new table."""
        files = sorted(map(str, Path(task["folder"]).iterdir()))
        table = self._tables.create_table("bench", {"image": self._tables.Image})
        try:
            table.add_embedding_index("image", embedding=self._embedding)
            start = time.perf_counter()
            table.insert([{"image": file} for file in files])
            return {"seconds": time.perf_counter() - start, "n": table.count()}
        finally:
            self._tables.drop_table("bench", force=True)


def _openai_clip() -> Any:
    """A module with the two functions of OpenAI's ``clip`` that LlamaIndex calls."""
    import open_clip

    name = "ViT-B-32-quickgelu"

    def load(_name: str, device: str = "cpu") -> tuple[Any, Any]:
        network, _, preprocess = open_clip.create_model_and_transforms(name, pretrained=None, device=device)
        return network.eval(), preprocess

    module: Any = types.ModuleType("clip")
    module.load, module.tokenize = load, open_clip.get_tokenizer(name)
    return module
