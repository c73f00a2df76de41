"""A chat model of transformers on this machine: found, placed and loaded."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import ModelUnavailable
from mmrag_nb.weights.device import PRECISIONS, choose
from mmrag_nb.weights.folder import weight
from mmrag_nb.weights.hub import find
from mmrag_nb.weights.reading import network, part, reading

from .local_processor import bounded_side, processor_of, template_of

if TYPE_CHECKING:
    from pathlib import Path

    from mmrag_nb.weights.device import Placement

_WAYS = 'a local folder (%config MMRag.generator = "local:/path/to/folder"), or %config MMRag.generator = "extractive"'


@dataclass(frozen=True)
class LocalModel:
    """A network in evaluation mode, ready to write."""

    network: Any
    processor: Any
    """Makes inputs of a laid-out text and its pictures; a plain tokenizer where the model sees none."""
    tokenizer: Any
    template: str
    """Jinja; lays out a conversation."""
    id: str
    """The hub's id, or the folder's name."""
    device: str
    precision: str
    """For people: ``bf16``, ``4-bit``."""
    side: int
    """Longest side of a picture that it makes use of, in pixels; 0 where it takes none."""
    longest: int | None
    """Tokens that it can keep in mind, its own included."""

    @property
    def description(self) -> str:
        """For people: ``Qwen3-VL-2B-Instruct (bf16, cuda)``."""
        return f"{self.id.rsplit('/', 1)[-1]} ({self.precision}, {self.device})"


def load(model: str, device: str = "auto", precision: str = "auto") -> LocalModel:
    """Load a checkpoint by hub id or from a folder, downloading what is not on this machine yet.

    Only safetensors are read, and no code that comes with a model is run.

    Parameters
    ----------
    model
        ``Qwen/Qwen3-VL-2B-Instruct``, or a folder as ``save_pretrained`` writes it. One that reads text alone will do.
    device
        ``auto``, ``cpu``, ``cuda`` (or ``cuda:1``), ``mps``.
    precision
        ``auto``, ``float32``, ``bfloat16``, ``float16`` (or ``fp32``, ``bf16``, ``fp16``). ``auto`` on an NVIDIA GPU
        whose memory the weights would fill by more than half is 4 bits (NF4), where bitsandbytes is installed.

    Raises
    ------
    ModelUnavailable
        The hub cannot be reached, or the model is not there, incomplete, pickled, or cannot hold a conversation.
    InvalidSetting, UnknownName
        The device is not there, or no device or precision is called that.
    """
    placement = choose(device, precision)
    try:
        found = find(model)
        small = precision == "auto" and _shrinks(weight(found.folder), placement)
        made, processor = _build(found.folder, placement, small=small)
        tokenizer = getattr(processor, "tokenizer", processor)
        template = template_of(processor, tokenizer)
    except ModelUnavailable as error:
        raise ModelUnavailable(f"cannot load {model!r}: {error}. Two ways on: {_WAYS}") from error.__cause__
    seeing = getattr(processor, "image_processor", None)
    return LocalModel(
        made,
        processor,
        tokenizer,
        template,
        found.id,
        placement.device,
        "4-bit" if small else PRECISIONS[placement.dtype],
        0 if seeing is None else bounded_side(seeing),
        getattr(made.config.get_text_config(), "max_position_embeddings", None),
    )


def _shrinks(weights: int, placement: Placement) -> bool:
    """Whether ``weights`` (bytes of 16-bit numbers) are too many for the GPU, and can be had in 4 bits."""
    import torch

    if placement.kind != "cuda" or not all(find_spec(name) for name in ("bitsandbytes", "accelerate")):
        return False
    return bool(2 * weights > torch.cuda.get_device_properties(placement.device).total_memory)


def _build(folder: Path, placement: Placement, *, small: bool) -> tuple[Any, Any]:
    """Make the network where it is to run, and what prepares its inputs."""
    import torch
    import transformers

    configuration = part(folder, "AutoConfig")
    sees = type(configuration) in transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
    processor = processor_of(folder, configuration) if sees else part(folder, "AutoTokenizer")
    # The weights themselves are shortened, unlike an encoder's (autocast): all of them are read for each token.
    dtype = getattr(torch, placement.dtype)
    shrinking = _four_bits(dtype, placement.device) if small else {}
    kind = "AutoModelForImageTextToText" if sees else "AutoModelForCausalLM"
    try:
        made = network(folder, kind, dtype=dtype, **shrinking)
        with reading(kind):
            return made if small else made.to(placement.device), processor
    except ModelUnavailable as error:
        if not isinstance(error.__cause__, (MemoryError, torch.cuda.OutOfMemoryError)):
            raise
        raise ModelUnavailable(
            f"the memory of {placement.device} does not hold it, choose a smaller one (with bitsandbytes and "
            "accelerate installed, large ones take 4 bits a weight)"
        ) from error.__cause__


def _four_bits(dtype: Any, device: str) -> dict[str, Any]:
    import transformers

    with reading("BitsAndBytesConfig"):
        how = transformers.BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
        )
    return {"quantization_config": how, "device_map": {"": device}}
