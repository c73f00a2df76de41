"""A checkpoint of transformers as the encoders take it: network, tokenizer and preprocessing, in float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmrag_nb.errors import ModelUnavailable
from mmrag_nb.weights.hub import find
from mmrag_nb.weights.reading import network, part

# Pillow's resampling, with which the checkpoints were trained, whether torchvision is there or not; 4.x knows the
# second name, 5.x the first.
_PILLOW = {"AutoImageProcessor": {"backend": "pil", "use_fast": False}}


@dataclass(frozen=True)
class Loaded:
    """A network with what prepares its inputs."""

    network: Any
    """In float32, in evaluation mode, on the CPU."""
    parts: tuple[Any, ...]
    """What was asked for beside it, in that order: tokenizer, image processor, feature extractor."""
    id: str
    """The hub's id, or the folder's name."""
    revision: str
    """The hub's commit, or a hash of a folder's contents."""

    @property
    def name(self) -> str:
        """For people: ``clip-vit-base-patch32``."""
        return self.id.rsplit("/", 1)[-1]


def load(model: str, architecture: str, *parts: str, setting: str) -> Loaded:
    """Load a checkpoint by hub id or from a folder, downloading what is not on this machine yet.

    Parameters
    ----------
    model
        ``openai/clip-vit-base-patch32``, or a folder as ``save_pretrained`` writes it.
    architecture
        The class of transformers that makes the network: ``AutoModel``.
    parts
        The classes that make what prepares its inputs: ``AutoTokenizer``, ``AutoImageProcessor``.
    setting
        The setting that holds ``model``, for the error's remedy: ``clip``.

    Raises
    ------
    ModelUnavailable
        The hub cannot be reached, or the model is not there, incomplete, pickled or of another kind; one line.
    """
    ways = f'a local folder (%config MMRag.{setting} = "/path/to/folder"), or %config MMRag.preset = "offline"'
    try:
        found = find(model)
        made = network(found.folder, architecture)
        tools = tuple(part(found.folder, kind, **_PILLOW.get(kind, {})) for kind in parts)
    except ModelUnavailable as error:
        raise ModelUnavailable(f"cannot load {model!r}: {error}. Two ways on: {ways}") from error.__cause__
    return Loaded(made.float(), tools, found.id, found.revision)
