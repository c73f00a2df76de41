"""Texts and pictures in one space: any checkpoint of the CLIP family (CLIP, SigLIP, Chinese-CLIP)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import ModelUnavailable
from mmrag_nb.weights.device import checked, choose, computing

from . import checkpoint
from .lengths import all_fit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from PIL.Image import Image

    from mmrag_nb.types import Modality, Vectors

PREPROCESSING = "pillow-1"
"""Changes when the same picture or text would reach the network differently."""

_WHOLE_WIDTH = ("siglip", "siglip2")  # trained on texts padded to the full width, the padding attended to
_LONG = 32  # ratio of the sides beyond which a picture's ends, which centre-cropping drops anyway, are cut beforehand


class ClipEncoder:
    """Embed texts and pictures with a network that was trained to bring the two together.

    Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021; Zhai et al.,
    "Sigmoid Loss for Language Image Pre-Training", 2023; Yang et al., "Chinese CLIP", 2022.

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
    ModelUnavailable
        The checkpoint cannot be had, or is not of the CLIP family.
    InvalidSetting
        The device is not there.
    """

    modalities: frozenset[Modality] = frozenset({"text", "image"})
    background: Sequence[str] = ()
    least_deviation = 1e-3

    def __init__(
        self,
        model: str = "openai/clip-vit-base-patch32",
        *,
        device: str = "auto",
        precision: str = "auto",
        batch_size: int = 32,
    ) -> None:
        wanted = choose(device, precision)
        loaded = checkpoint.load(model, "AutoModel", "AutoTokenizer", "AutoImageProcessor", setting="clip")
        self._network = loaded.network
        self._tokenizer, self._pixels = loaded.parts
        config = self._network.config
        if not hasattr(self._network, "get_image_features"):
            raise ModelUnavailable(
                f"{model!r} is of the kind {config.model_type!r}, which does not bring texts and pictures together: "
                'name a CLIP, SigLIP or Chinese-CLIP model, %config MMRag.clip = "openai/clip-vit-base-patch32"'
            )
        self._whole_width = config.model_type in _WHOLE_WIDTH
        self._batch_size = batch_size
        self.max_tokens: int = min(config.text_config.max_position_embeddings, self._tokenizer.model_max_length)
        self._placement = wanted
        self._placement = checked(wanted, self._probe)
        self.dimension: int = self._probe(self._placement.device).shape[1]
        self.space = f"clip:{loaded.id}"
        self.fingerprint: Mapping[str, str] = {
            "model": loaded.id,
            "revision": loaded.revision,
            "preprocessing": PREPROCESSING,
        }
        self.description = f"{loaded.name} ({self._placement.instead_of(wanted)})"

    def count_tokens(self, text: str) -> int:
        """Count ``text``'s tokens, start and end included."""
        return self._lengths([text])[0]

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit rows.

        Raises
        ------
        ValueError
            A text is longer than ``max_tokens``: nothing is cut silently.
        """
        lengths = self._lengths(texts)
        all_fit(texts, lengths, self.max_tokens)
        by_length = sorted(range(len(texts)), key=lengths.__getitem__)  # so that a batch holds little padding
        return self._embed(by_length, lambda batch: self._tokens([texts[i] for i in batch]), "get_text_features")

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        """(n, dimension) float32, unit rows, of pictures of any size and mode."""
        order = range(len(images))
        return self._embed(order, lambda batch: self._pictures([images[i] for i in batch]), "get_image_features")

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        return [len(ids) for ids in self._tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]]

    def _tokens(self, texts: list[str]) -> dict[str, Any]:
        if not self._whole_width:
            return dict(self._tokenizer(texts, padding="longest", return_tensors="pt"))
        inputs = self._tokenizer(texts, padding="max_length", max_length=self.max_tokens, return_tensors="pt")
        return {"input_ids": inputs["input_ids"]}

    def _pictures(self, images: list[Image]) -> dict[str, Any]:
        crops = getattr(self._pixels, "do_center_crop", False)
        rgb = [image if image.mode == "RGB" else image.convert("RGB") for image in images]
        framed = [_without_ends(image) if crops else image for image in rgb]
        # 4.x takes a picture that is 3 pixels high for one whose channels come first, unless it is told.
        return dict(self._pixels(images=framed, return_tensors="pt", input_data_format="channels_last"))

    def _embed(self, order: Sequence[int], prepare: Callable[[Sequence[int]], dict[str, Any]], method: str) -> Vectors:
        """Embed the numbered inputs in batches of ``order``; row i is number i's."""
        import numpy as np

        vectors = np.zeros((len(order), self.dimension), dtype=np.float32)
        batches = [order[start : start + self._batch_size] for start in range(0, len(order), self._batch_size)]
        with computing(self._placement, alone=len(order) == 1 and method == "get_text_features"):
            for batch in batches:
                vectors[list(batch)] = self._features(prepare(batch), method)
        return vectors

    def _features(self, inputs: Mapping[str, Any], method: str) -> Vectors:
        from torch.nn.functional import normalize

        on_device = {name: tensor.to(self._network.device) for name, tensor in inputs.items()}
        if method == "get_text_features" and self._network.config.model_type == "chinese_clip":
            # Some of transformers 4 project the output of a pooler that this network does not have.
            first = self._network.text_model(**on_device).last_hidden_state[:, 0]
            features = self._network.text_projection(first)
        else:
            output = getattr(self._network, method)(**on_device)
            features = getattr(output, "pooler_output", output)  # transformers 4 returns the tensor itself
        vectors: Vectors = normalize(features.float(), dim=-1).cpu().numpy()
        return vectors

    def _probe(self, device: str) -> Vectors:
        """Move to ``device`` and embed a text and a picture there, (2, dimension)."""
        import numpy as np
        from PIL import Image

        self._network.to(device)
        picture = Image.linear_gradient("L")
        with computing(self._placement):
            text = self._features(self._tokens(["a photo of a cat"]), "get_text_features")
            return np.concatenate([text, self._features(self._pictures([picture]), "get_image_features")])


def _without_ends(image: Image) -> Image:
    """Cut the ends of a very long picture, of which centre-cropping sees the middle only.

    Resized whole, so that its short side fits, a picture of 1 x 4,000 pixels would take half a gigabyte.
    """
    width, height = image.size
    longest = _LONG * min(width, height)
    if max(width, height) <= longest:
        return image
    left, top = max(0, (width - longest) // 2), max(0, (height - longest) // 2)
    return image.crop((left, top, min(width, left + longest), min(height, top + longest)))
