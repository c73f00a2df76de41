"""A sentence about a picture, by networks that look and write: BLIP, GIT, ViT-GPT2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import ModelUnavailable
from mmrag_nb.weights.device import checked, choose, computing
from mmrag_nb.weights.reading import quiet

from . import checkpoint
from .resizing import without_ends

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

PREPROCESSING = "pillow-1"
"""Changes when the same picture would reach the network differently, or be described in another way."""

LONGEST = 30
"""Tokens of a caption; COCO's, of which these networks learned, have about a dozen."""

_EYES = {"blip": "vision_model", "git": "git.image_encoder", "vision-encoder-decoder": "encoder"}
"""The part that looks, by the kind of network. These write about a picture unasked; others want a question with it."""


class BlipCaptioner:
    """Caption pictures with an encoder-decoder network, deterministically (greedy search).

    Li et al., "BLIP: Bootstrapping Language-Image Pre-training for Unified Vision-Language Understanding and
    Generation", 2022; Wang et al., "GIT: A Generative Image-to-text Transformer for Vision and Language", 2022.

    Parameters
    ----------
    model
        Hub id or folder.
    device, precision
        As for :func:`mmrag_nb.weights.device.choose`.
    batch_size
        Pictures that go through the network at once.

    Raises
    ------
    ModelUnavailable
        The checkpoint cannot be had, or does not caption pictures.
    InvalidSetting
        The device is not there.
    """

    def __init__(
        self,
        model: str = "Salesforce/blip-image-captioning-base",
        *,
        device: str = "auto",
        precision: str = "auto",
        batch_size: int = 8,
    ) -> None:
        wanted = choose(device, precision)
        loaded = checkpoint.load(
            model, "AutoModelForImageTextToText", "AutoTokenizer", "AutoImageProcessor", setting="captioner"
        )
        self._network = loaded.network
        self._tokenizer, self._pixels = loaded.parts
        kind = self._network.config.model_type
        if kind not in _EYES:
            raise ModelUnavailable(
                f"{model!r} is of the kind {kind!r}, which wants a question with its picture: name a BLIP, GIT or "
                'ViT-GPT2 model, %config MMRag.captioner = "Salesforce/blip-image-captioning-base"'
            )
        self._eyes = self._network.get_submodule(_EYES[kind])
        self._batch_size = batch_size
        self._placement = wanted
        self._placement = checked(wanted, self._probe)
        self._network.to(self._placement.device)
        self.fingerprint: Mapping[str, str] = {
            "model": loaded.id,
            "revision": loaded.revision,
            "preprocessing": PREPROCESSING,
        }
        self.description = f"{loaded.name} ({self._placement.instead_of(wanted)})"

    def describe(self, pictures: Sequence[Image]) -> list[str]:
        """One caption per picture of any size: ``two cats sleeping on a couch``."""
        texts: list[str] = []
        with computing(self._placement), quiet():
            for start in range(0, len(pictures), self._batch_size):
                tokens = self._network.generate(
                    pixel_values=self._looked_at(pictures[start : start + self._batch_size]),
                    max_new_tokens=LONGEST,
                    num_beams=1,
                    do_sample=False,
                )
                texts += self._tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [" ".join(text.split()) for text in texts]

    def _looked_at(self, pictures: Sequence[Image]) -> Any:
        """(n, 3, height, width), as the network sees them."""
        crops = getattr(self._pixels, "do_center_crop", False)
        rgb = [picture if picture.mode == "RGB" else picture.convert("RGB") for picture in pictures]
        framed = [without_ends(picture) if crops else picture for picture in rgb]
        # 4.x takes a picture that is 3 pixels high for one whose channels come first, unless it is told.
        inputs = self._pixels(images=framed, return_tensors="pt", input_data_format="channels_last")
        return inputs["pixel_values"].to(self._network.device)

    def _probe(self, device: str) -> NDArray[np.float32]:
        """Move to ``device`` and look at a picture there, (patches, d)."""
        from PIL import Image

        self._network.to(device)
        with computing(self._placement):
            states = self._eyes(self._looked_at([Image.linear_gradient("L")])).last_hidden_state[0]
        vectors: NDArray[np.float32] = states.float().cpu().numpy()
        return vectors
