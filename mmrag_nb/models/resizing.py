"""A picture as a CLIP network takes it: its middle, resized with antialiasing by torch's kernel for bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from PIL.Image import Image

_BICUBIC = 3  # Pillow's number for it, which the configs hold
_LONG = 32  # ratio of the sides beyond which a picture's ends, which centre-cropping drops anyway, are cut beforehand


@dataclass(frozen=True)
class Framing:
    """How the plain kind of CLIP's image processors prepares a picture.

    Its short side is resized to ``edge`` pixels, bicubic with antialiasing; the middle is cut out; levels from 0 to 1
    are normalised by channel.
    """

    edge: int
    height: int
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def pixels(self, image: Image) -> NDArray[np.uint8]:
        """(height, width, 3) uint8 of a picture of any size and mode.

        Within one level of Pillow's on photographs, two here and there on white noise, in under half of its time.
        """
        import numpy as np
        import torch

        rgb = without_ends(image if image.mode == "RGB" else image.convert("RGB"))
        levels = torch.from_numpy(np.array(rgb))[None].permute(0, 3, 1, 2)
        size = self._resized(rgb.width, rgb.height)
        if size != (rgb.height, rgb.width):
            levels = torch.nn.functional.interpolate(levels, size=size, mode="bicubic", antialias=True)
        top, left = (size[0] - self.height) // 2, (size[1] - self.width) // 2
        middle = levels[0, :, top : top + self.height, left : left + self.width]
        return np.asarray(middle.permute(1, 2, 0).numpy())

    def normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, height, width) float32, where the pixels are, of (n, height, width, 3) uint8."""
        import torch

        mean, std = (torch.tensor(value, device=pixels.device)[:, None, None] for value in (self.mean, self.std))
        return (pixels.permute(0, 3, 1, 2).float().div_(255) - mean) / std

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """Height and width once the short side is ``edge``; the processor cuts the long one's fraction off."""
        if width <= height:
            return int(self.edge * height / width), self.edge
        return self.edge, int(self.edge * width / height)


def framing(processor: Any) -> Framing | None:
    """Read an image processor's settings; None where it is of another kind than :class:`Framing` describes."""
    settings = processor.to_dict()
    size, crop = settings.get("size") or {}, settings.get("crop_size") or {}
    steps = ("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb")
    mean, std = (tuple(settings.get(name) or ()) for name in ("image_mean", "image_std"))
    plain = (
        all(settings.get(step) for step in steps)
        and not settings.get("do_pad")
        and {name for name, value in size.items() if value} == {"shortest_edge"}
        and {name for name, value in crop.items() if value} == {"height", "width"}
        and max(crop["height"], crop["width"]) <= size["shortest_edge"]
        and settings.get("resample") == _BICUBIC
        and abs(settings.get("rescale_factor", 0) * 255 - 1) < 1e-6
        and len(mean) == len(std) == 3
    )
    return Framing(size["shortest_edge"], crop["height"], crop["width"], mean, std) if plain else None


def without_ends(image: Image) -> Image:
    """Cut the ends of a very long picture, of which centre-cropping sees the middle only.

    Resized whole, so that its short side fits, a picture of 1 x 4,000 pixels would take half a gigabyte.
    """
    width, height = image.size
    longest = _LONG * min(width, height)
    if max(width, height) <= longest:
        return image
    left, top = max(0, (width - longest) // 2), max(0, (height - longest) // 2)
    return image.crop((left, top, min(width, left + longest), min(height, top + longest)))
