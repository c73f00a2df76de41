"""Texts and pictures in one space: any checkpoint of the CLIP family (CLIP, SigLIP, Chinese-CLIP)."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import ModelUnavailable
from mmrag_nb.weights.device import agree, checked, choose, computing, cores, on_one_thread, shorten

from . import checkpoint
from .buckets import buckets
from .clip_fused import UNABLE, fuse
from .lanes import spread
from .lengths import all_fit
from .resizing import framing, without_ends

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from PIL.Image import Image

    from mmrag_nb.types import Modality, Vectors

    from .clip_fused import FusedText, FusedVision

PREPROCESSING = "pillow-1"
"""Changes when the same picture or text would reach the network differently."""

MICRO = 8
"""Pictures that one core of a CPU takes at once: enough for its matrix unit, few enough for its cache."""

TOKENS = 640
"""Tokens of texts that one core of a CPU takes at once."""

_WHOLE_WIDTH = ("siglip", "siglip2")  # trained on texts padded to the full width, the padding attended to


class ClipEncoder:
    """Embed texts and pictures with a network that was trained to bring the two together.

    Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021; Zhai et al.,
    "Sigmoid Loss for Language Image Pre-Training", 2023; Yang et al., "Chinese CLIP", 2022.

    May be called from several threads at once, by :attr:`lanes` with profit. On a CPU with AMX a process with a CLIP
    ViT-B/32 takes 0.9 GB, torch and transformers included, and 1.5 to 1.9 GB for a moment while it is loaded, of which
    the file's own pages are the greater part.

    Parameters
    ----------
    model
        Hub id or folder.
    device, precision
        As for :func:`mmrag_nb.weights.device.choose`. ``exact`` takes texts and pictures one by one, with the
        checkpoint's own processor on Pillow: bit for bit what transformers gives. All others resize with torch's
        kernel, within a level of 255 of Pillow's.
    batch_size
        Texts or pictures that go through a GPU at once.

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
        batch_size: int = 64,
    ) -> None:
        wanted = choose(device, precision)
        loaded = checkpoint.load(model, "AutoModel", "AutoTokenizer", "AutoImageProcessor", setting="clip")
        self._network = loaded.network
        self._tokenizer, self._processor = loaded.parts
        config = self._network.config
        if not hasattr(self._network, "get_image_features"):
            raise ModelUnavailable(
                f"{model!r} is of the kind {config.model_type!r}, which does not bring texts and pictures together: "
                'name a CLIP, SigLIP or Chinese-CLIP model, %config MMRag.clip = "openai/clip-vit-base-patch32"'
            )
        self._family: str = config.model_type
        self._framing = None if wanted.exact else framing(self._processor)
        self._batch_size = batch_size
        self.max_tokens: int = min(config.text_config.max_position_embeddings, self._tokenizer.model_max_length)
        self._placement = wanted
        self._fused: tuple[FusedVision, FusedText] | None = None
        self._one_at_a_time = threading.Lock()
        self._placement = checked(wanted, self._probe)
        self.dimension: int = self._probe(self._placement.device).shape[1]
        self.lanes: int = 1 if wanted.exact or self._placement.kind != "cpu" else cores()
        """How many threads may embed side by side: a CPU's cores, 1 on a GPU, whose forward is one at a time."""
        self._fuse_or_shorten()
        self.space = f"clip:{loaded.id}"
        self.fingerprint: Mapping[str, str] = {
            "model": loaded.id,
            "revision": loaded.revision,
            "preprocessing": PREPROCESSING,
        }
        self.description = f"{loaded.name} ({self._placement.instead_of(wanted)})"

    def count_tokens(self, text: str) -> int:
        """Count ``text``'s tokens, start and end included."""
        return len(self._encoded([text])["input_ids"][0])

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit rows.

        Equal texts are embedded once, texts of about the same length together, on as many threads as there are cores.

        Raises
        ------
        ValueError
            A text is longer than ``max_tokens``: nothing is cut silently.
        """
        numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        encoded = self._encoded(list(numbers))
        lengths = [len(ids) for ids in encoded["input_ids"]]
        all_fit(list(numbers), lengths, self.max_tokens)
        if self._placement.exact:
            batches = [[number] for number in range(len(lengths))]
        elif self._placement.kind == "cpu":
            batches = buckets(lengths, texts=TOKENS, tokens=TOKENS)
        else:
            batches = buckets(lengths, texts=self._batch_size, tokens=self._batch_size * self.max_tokens)
        vectors = self._embed(len(numbers), batches, lambda batch: self._text_features(encoded, batch))
        return vectors[[numbers[text] for text in texts]]

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        """(n, dimension) float32, unit rows, of pictures of any size and mode.

        On a CPU up to ``MICRO`` pictures are resized and embedded in the calling thread, more on as many threads as
        there are cores. On a GPU threads prepare pictures while it computes.
        """
        if self._placement.exact:
            size = 1
        elif self._placement.kind == "cpu":
            size = min(MICRO, self._batch_size)
        else:
            size = self._batch_size
        starts = range(0, len(images), size)
        batches = [range(start, min(start + size, len(images))) for start in starts]
        return self._embed(len(images), batches, lambda batch: self._image_features([images[i] for i in batch]))

    def _embed(self, n: int, batches: Sequence[Sequence[int]], features: Callable[[Sequence[int]], Any]) -> Vectors:
        """(n, dimension): row i from the batch that holds i, the rows of ``features(batch)`` brought to length 1."""
        import numpy as np

        vectors = np.zeros((n, self.dimension), dtype=np.float32)

        def embed(batch: Sequence[int]) -> None:
            with self._computing():
                vectors[list(batch)] = _unit(features(batch))

        spread(embed, batches, 1 if self._placement.exact else cores())
        return vectors

    @contextlib.contextmanager
    def _computing(self) -> Iterator[None]:
        import torch

        with contextlib.ExitStack() as stack:
            if not self._placement.exact:
                stack.enter_context(on_one_thread())
            stack.enter_context(torch.inference_mode() if self._fused else computing(self._placement))
            yield

    def _encoded(self, texts: list[str]) -> dict[str, list[list[int]]]:
        """Tokens, and what else the network takes beside them, each a list for each text."""
        return dict(self._tokenizer(texts, truncation=False, verbose=False)) if texts else {"input_ids": []}

    def _text_features(self, encoded: Mapping[str, list[list[int]]], batch: Sequence[int]) -> Any:
        if self._fused:
            return self._fused[1]([encoded["input_ids"][i] for i in batch])
        import torch

        whole = self._family in _WHOLE_WIDTH
        width = self.max_tokens if whole else max(len(encoded["input_ids"][i]) for i in batch)
        inputs = {}
        for name in ("input_ids",) if whole else encoded:
            padding = self._tokenizer.pad_token_id if name == "input_ids" else 0
            rows = [encoded[name][i] for i in batch]
            inputs[name] = torch.tensor([[*row, *[padding] * (width - len(row))] for row in rows])
        return self._forward(inputs, "get_text_features")

    def _image_features(self, images: list[Image]) -> Any:
        import numpy as np
        import torch

        if self._framing:
            pixels = np.stack([self._framing.pixels(image) for image in images])
            if self._fused:
                return self._fused[0](pixels)
            return self._forward({"pixel_values": torch.from_numpy(pixels)}, "get_image_features")
        rgb = [image if image.mode == "RGB" else image.convert("RGB") for image in images]
        if getattr(self._processor, "do_center_crop", False) and not self._placement.exact:
            rgb = [without_ends(image) for image in rgb]
        # 4.x takes a picture that is 3 pixels high for one whose channels come first, unless it is told.
        inputs = self._processor(images=rgb, return_tensors="pt", input_data_format="channels_last")
        return self._forward(dict(inputs), "get_image_features")

    def _forward(self, inputs: Mapping[str, Any], method: str) -> Any:
        """Features (n, dimension) of what was prepared on the CPU; on a GPU one batch at a time."""
        gpu = self._placement.kind == "cuda"
        ready = {name: tensor.pin_memory() if gpu else tensor for name, tensor in inputs.items()}
        with contextlib.nullcontext() if self._placement.kind == "cpu" else self._one_at_a_time:
            there = {name: tensor.to(self._network.device, non_blocking=gpu) for name, tensor in ready.items()}
            if self._framing and "pixel_values" in there:
                there["pixel_values"] = self._framing.normalised(there["pixel_values"])
            if method == "get_text_features" and self._family == "chinese_clip":
                # Some of transformers 4 project the output of a pooler that this network does not have.
                return self._network.text_projection(self._network.text_model(**there).last_hidden_state[:, 0])
            output = getattr(self._network, method)(**there)
            return getattr(output, "pooler_output", output)  # transformers 4 returns the tensor itself

    def _fuse_or_shorten(self) -> None:
        """Put the network into the precision chosen: fused on a CPU, where that gives float32's vectors."""
        if self._placement.kind == "cpu" and self._placement.dtype == "bfloat16":
            fused = fuse(self._network, self._framing, pictures=MICRO, tokens=TOKENS)
            if fused and self._believed(fused):
                self._fused, self._network = fused, None  # and float32's weights go
                return
        shorten(self._network, self._placement)

    def _believed(self, fused: tuple[FusedVision, FusedText]) -> bool:
        """Tell whether the fused towers give the float32 network's vectors."""
        placement, self._placement = self._placement, replace(self._placement, dtype="float32")
        exact = self._probed()
        self._placement, self._fused = placement, fused
        try:
            return agree(self._probed(), exact)
        except UNABLE:
            return False
        finally:
            self._fused = None

    def _probe(self, device: str) -> Vectors:
        """Move to ``device`` and embed a few texts and pictures there, (n, dimension)."""
        self._network.to(device)
        return self._probed()

    def _probed(self) -> Vectors:
        import numpy as np
        from PIL import Image

        texts = ["a photo of a cat", "one two three four five six seven eight nine"]
        pictures = [Image.linear_gradient("L"), Image.effect_mandelbrot((90, 60), (-2, -1, 1, 1), 50)]
        with self._computing():
            encoded = self._encoded(texts)
            made = [self._text_features(encoded, [0, 1]), self._image_features(pictures)]
            return np.concatenate([_unit(features) for features in made])


def _unit(features: Any) -> Vectors:
    """float32, each row brought to length 1."""
    from torch.nn.functional import normalize

    vectors: Vectors = normalize(features.float(), dim=-1).cpu().numpy()
    return vectors
