"""Texts in a space of their own: any checkpoint of the sentence-transformers family."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import InvalidSetting, ModelUnavailable
from mmrag_nb.weights.device import checked, choose, computing, shorten

from . import sentence_hub
from .lengths import all_fit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PIL.Image import Image

    from mmrag_nb.types import Modality, Vectors

PREPROCESSING = "sentences-1"
"""Changes when the same text or picture would reach the network differently."""

_REMEDY = 'a local folder (%config MMRag.text = "sbert:/path/to/folder"), or none at all (%config MMRag.text = "words")'
# The names that checkpoints give to their prompts. Version 6 of the library adds an empty "document", so that its own
# encode_document never comes to the other two.
_PROMPTS = {"query": ("query",), "document": ("document", "passage", "corpus")}


class SentenceEncoder:
    """Embed texts with a network that was trained to bring a question and its answer together.

    Reimers and Gurevych, "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks", 2019. Embeds pictures as
    well where the checkpoint does. Models trained with a prompt before questions or passages (E5, BGE) get the one
    that they declare: :meth:`embed_texts` is for passages, :meth:`embed_questions` for questions. May be called from
    several threads, of which one at a time computes, on all cores; a batch holds texts of about the same length.

    Parameters
    ----------
    model
        Hub id or folder.
    device, precision
        As for :func:`mmrag_nb.weights.device.choose`.
    batch_size
        Texts or pictures that go through the network at once.

    Raises
    ------
    NotInstalled
        sentence-transformers is absent.
    ModelUnavailable
        The checkpoint cannot be had, or does not embed texts.
    InvalidSetting
        The device is not there.
    """

    background: Sequence[str] = ()
    least_deviation = 1e-3

    def __init__(
        self,
        model: str = "sentence-transformers/all-MiniLM-L6-v2",
        *,
        device: str = "auto",
        precision: str = "auto",
        batch_size: int = 32,
    ) -> None:
        wanted = choose(device, precision)
        loaded = sentence_hub.load(model, "SentenceTransformer", remedy=_REMEDY)
        self._network = loaded.network
        kinds = frozenset(getattr(self._network, "modalities", ("text",)))  # sentence-transformers 5 knows texts only
        if "text" not in kinds:
            raise ModelUnavailable(f"{model!r} embeds {', '.join(sorted(map(str, kinds)))}, no texts: {_REMEDY}")
        self.modalities: frozenset[Modality] = frozenset({"text", "image"} if "image" in kinds else {"text"})
        self._batch_size = batch_size
        self._one_at_a_time = threading.Lock()  # a tokenizer that pads cannot be lent to two threads
        self._marks = sentence_hub.marks(self._network)
        declared = self._network.prompts
        self._prompts = {
            task: next((declared[name] for name in known if declared.get(name)), "") for task, known in _PROMPTS.items()
        }
        self._placement = wanted
        probed = sentence_hub.tried(model, lambda: self._probe(wanted.device))
        self._placement = checked(wanted, self._probe)
        self._network.to(self._placement.device)
        shorten(self._network, self._placement)
        self.dimension: int = probed.shape[1]
        self.max_tokens: int = self._network.max_seq_length
        frames = [self._framed(task) for task in _PROMPTS]
        self._prompt, self._frame = max(frames, key=lambda frame: self._bare([frame[0]])[0] + frame[1])
        self.space = f"text:{loaded.id}"
        self.fingerprint: Mapping[str, str] = {
            "model": loaded.id,
            "revision": loaded.revision,
            "preprocessing": PREPROCESSING,
        }
        self.description = f"{loaded.name} ({self._placement.instead_of(wanted)})"

    def count_tokens(self, text: str) -> int:
        """Count ``text``'s tokens with what goes before and after it, the longest of the model's prompts included."""
        with self._one_at_a_time:
            return self._lengths([text])[0]

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit rows, of texts to be found.

        Raises
        ------
        ValueError
            A text is longer than ``max_tokens``: nothing is cut silently.
        """
        return self._embed_texts(texts, "document")

    def embed_questions(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit rows, of texts that look for those of :meth:`embed_texts`.

        Raises
        ------
        ValueError
            A text is longer than ``max_tokens``: nothing is cut silently.
        """
        return self._embed_texts(texts, "query")

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        """(n, dimension) float32, unit rows, of pictures of any size and mode, where the model sees.

        Raises
        ------
        InvalidSetting
            It does not.
        """
        if "image" not in self.modalities:
            raise InvalidSetting(
                f"{self.description} embeds texts only, not {len(images)} picture(s): "
                "choose a CLIP model for pictures, or give them captions"
            )
        with self._one_at_a_time, computing(self._placement):
            return self._embed([image.convert("RGB") for image in images], "document")

    def _embed_texts(self, texts: Sequence[str], task: str) -> Vectors:
        numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}  # equal texts are embedded once
        with self._one_at_a_time:
            all_fit(list(numbers), self._lengths(list(numbers)), self.max_tokens)
            with computing(self._placement, alone=len(numbers) == 1):
                vectors = self._embed([sentence_hub.plain(text, self._marks) for text in numbers], task)
        return vectors[[numbers[text] for text in texts]]

    def _embed(self, inputs: list[Any], task: str) -> Vectors:
        import numpy as np

        if not inputs:
            return np.zeros((0, self.dimension), np.float32)
        encode = self._network.encode_query if task == "query" else self._network.encode_document
        with sentence_hub.quiet():
            made = encode(inputs, prompt=self._prompts[task], batch_size=self._batch_size, show_progress_bar=False)
        vectors = np.asarray(made, dtype=np.float32)
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float32)

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        framed = [self._prompt + sentence_hub.plain(text, self._marks) for text in texts]
        return [bare + self._frame for bare in self._bare(framed)]

    def _framed(self, task: str) -> tuple[str, int]:
        """Return ``task``'s prompt, and how many tokens a chat template adds to it and to the tokenizer's own."""
        prompt = self._prompts[task]
        if "message" not in getattr(self._network, "modalities", ()):
            return prompt, 0
        with sentence_hub.quiet():
            whole = self._network.preprocess(["a"], prompt=prompt, task=task)["input_ids"].shape[-1]
        return prompt, max(0, whole - self._bare([prompt + "a"])[0])

    def _bare(self, texts: list[str]) -> list[int]:
        if not texts:
            return []
        found = self._network.tokenizer(texts, truncation=False, padding=False, verbose=False)
        return [len(ids) for ids in found["input_ids"]]

    def _probe(self, device: str) -> Vectors:
        """Move to ``device`` and embed a text, and a picture where the model sees, (n, dimension)."""
        import numpy as np
        from PIL import Image

        self._network.to(device)
        with computing(self._placement):
            text = self._embed(["a photo of a cat"], "document")
            if "image" not in self.modalities:
                return text
            picture = Image.linear_gradient("L").convert("RGB")
            return np.concatenate([text, self._embed([picture], "document")])
