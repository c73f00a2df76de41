"""What prepares a model's inputs: its family's processor, its chat template, the size of picture that it makes use of.

``AutoProcessor`` makes a family's processor only where all that its videos need is installed as well, torchvision
above all, which pictures do without. Here such a processor is made without its part for videos.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import ModelUnavailable
from mmrag_nb.weights.reading import OWN, reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIDE = 1024
"""Pixels of a picture's longer side, at most: five of them then take some thousands of tokens, in any family."""


def processor_of(folder: Path, configuration: Any) -> Any:
    """Make the checkpoint's processor, without the part for videos: that wants torchvision and what else not.

    Raises
    ------
    ModelUnavailable
        It cannot be made of what is there.
    """
    with reading("AutoProcessor"):
        return _without_videos(folder, _processor_kind(folder, configuration))


def _without_videos(folder: Path, kind: Any) -> Any:
    import transformers

    parts = kind.get_attributes() if hasattr(kind, "get_attributes") else []  # since transformers 5
    if "video_processor" not in parts:
        return transformers.AutoProcessor.from_pretrained(folder, **OWN)
    place = parts.index("video_processor")

    class WithoutVideos(kind):  # type: ignore[misc]  # known at run time only
        """A processor as transformers makes it, videos aside."""

        @classmethod
        def get_attributes(cls) -> list[str]:
            return [name for name in super().get_attributes() if name != "video_processor"]

        @classmethod
        def from_args_and_dict(cls, args: list[Any], processor_dict: dict[str, Any], **rest: Any) -> Any:
            return super().from_args_and_dict([*args[:place], None, *args[place:]], processor_dict, **rest)

    with _uncounted(sys.modules[kind.__module__]):
        return WithoutVideos.from_pretrained(folder, **OWN)


@contextlib.contextmanager
def _uncounted(module: Any) -> Iterator[None]:
    """Let SmolVLM's processor be made without num2words, which only tells of how many frames a video has."""
    absent = getattr(module, "num2words", module) is None
    if absent:
        module.num2words = str
    try:
        yield
    finally:
        if absent:
            module.num2words = None


def _processor_kind(folder: Path, configuration: Any) -> Any:
    """Find the class of the processor that the checkpoint names, or that its architecture goes with."""
    import transformers
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    for name in ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            named = json.loads((folder / name).read_text(encoding="utf-8")).get("processor_class")
            if named and hasattr(transformers, named):
                return getattr(transformers, named)
    return PROCESSOR_MAPPING.get(type(configuration), None)


def template_of(processor: Any, tokenizer: Any) -> str:
    """The chat template, as Jinja.

    Raises
    ------
    ModelUnavailable
        There is none.
    """
    for owner in (processor, tokenizer):
        template = getattr(owner, "chat_template", None)
        if isinstance(template, dict):
            template = template.get("default")
        if template:
            return str(template)
    raise ModelUnavailable(
        "it has no chat template, so it cannot hold a conversation; the one made for that is often called "
        "Instruct, Chat or it"
    )


def bounded_side(seeing: Any) -> int:
    """Tell what side of a picture the image processor makes use of, and keep it from blowing small ones up."""
    size: dict[str, int] = dict(getattr(seeing, "size", None) or {})
    tile: int | None = dict(getattr(seeing, "max_image_size", None) or {}).get("longest_edge")
    if tile and "longest_edge" in size:  # Idefics3, SmolVLM: blown up to the longest edge, then cut into tiles
        edge = min(size["longest_edge"], tile * max(1, SIDE // tile))
        seeing.size = type(seeing.size)(**{**size, "longest_edge": edge})
        return edge
    if pinpoints := getattr(seeing, "image_grid_pinpoints", None):  # LLaVA-NeXT, -OneVision
        return min(SIDE, max(int(edge) for pair in pinpoints for edge in pair))
    if getattr(seeing, "merge_size", None) and "longest_edge" in size:  # Qwen-VL: these edges are areas
        return min(SIDE, math.isqrt(size["longest_edge"]))
    if "height" in size and "width" in size:
        return min(SIDE, max(size["height"], size["width"]))
    if "shortest_edge" in size:  # LLaVA: twice that keeps a picture of two to one sharp
        return min(SIDE, 2 * size["shortest_edge"])
    return SIDE
