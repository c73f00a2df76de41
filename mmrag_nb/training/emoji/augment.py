"""Augmentation in batches: one drawing, as many other houses might have drawn and placed it.

Everything works on float tensors (n, channels, side, side) in [0, 1] and takes its chance from one torch generator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Strength:
    """How far augmentation may go; ``Strength.none()`` shows drawings as they are."""

    turn: float = 0.3
    """Radians, standard deviation 0.5 of it."""
    zoom: tuple[float, float] = (0.55, 1.02)
    """Longest side of the drawing as a share of the picture's."""
    stretch: float = 0.15
    colour: float = 1.0
    restyle: float = 1.0
    """Multiplies the chances of outlines, greys, line art, flat colours."""
    background: float = 0.5
    """Share of pictures that do not stand on white."""

    @classmethod
    def none(cls) -> Strength:
        """Nothing but a drawing centred on white with a narrow margin."""
        return cls(0.0, (0.9, 0.9), 0.0, 0.0, 0.0, 0.0)


def augment(
    rasters: torch.Tensor, picture: torch.Tensor, total: int, *, side: int, rng: torch.Generator, strength: Strength
) -> torch.Tensor:
    """Make pictures of one to three drawings each.

    Parameters
    ----------
    rasters : (m, 4, s, s) float
        The drawings, RGBA with straight alpha.
    picture : (m,) int
        Which picture each drawing goes into; a picture's drawings are placed side by side.
    total : int
        Number of pictures.

    Returns
    -------
    (total, 3, side, side) float, RGB in [0, 1].
    """
    layers = restyle(rasters, rng, strength)
    layers = torch.cat([layers[:, :3] * layers[:, 3:], layers[:, 3:]], dim=1)  # premultiplied, so that edges blend
    layers = place(layers, picture, side, rng, strength)
    canvas = torch.zeros(total, 4, side, side)
    slot = slots(picture)
    for number in range(int(slot.max()) + 1):
        chosen = slot == number
        over = layers[chosen]
        canvas[picture[chosen]] = over + canvas[picture[chosen]] * (1 - over[:, 3:])
    ink = (canvas[:, :3].mean(dim=1) / canvas[:, 3].clamp(min=1e-3)).mul(canvas[:, 3]).sum((1, 2)) / canvas[:, 3].sum(
        (1, 2)
    )
    return finish(canvas[:, :3] + backgrounds(ink, side, rng, strength) * (1 - canvas[:, 3:]), rng, strength).clamp(
        0, 1
    )


def slots(picture: torch.Tensor) -> torch.Tensor:
    """Number the drawings of each picture from 0, in order."""
    same = picture[:, None] == picture[None, :]
    return same.tril(-1).sum(dim=1)


def uniform(shape: tuple[int, ...], low: float, high: float, rng: torch.Generator) -> torch.Tensor:
    """Draw evenly from [low, high)."""
    return torch.rand(shape, generator=rng) * (high - low) + low


def luminance(rgb: torch.Tensor) -> torch.Tensor:
    """(n, 3, h, w) to (n, 1, h, w)."""
    red, green, blue = rgb[:, 0:1], rgb[:, 1:2], rgb[:, 2:3]
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def place(
    layers: torch.Tensor, picture: torch.Tensor, side: int, rng: torch.Generator, strength: Strength
) -> torch.Tensor:
    """Turn, scale, stretch and shift each drawing; the drawings of one picture share its width."""
    count = len(layers)
    slot = slots(picture)
    crowd = torch.bincount(picture)[picture]
    zoom = uniform((count,), *strength.zoom, rng)
    zoom = torch.where(crowd == 1, zoom, zoom * torch.where(crowd == 2, 0.6, 0.48))
    angle = torch.randn(count, generator=rng).clamp(-2, 2) * strength.turn * 0.5
    stretch = torch.exp(uniform((count, 2), -strength.stretch, strength.stretch, rng))
    room = (1 - zoom).clamp(min=0)
    shift = uniform((count, 2), -0.8, 0.8, rng) * room[:, None] * (strength.turn > 0)
    # two stand left and right of the middle, three in a triangle
    many = crowd > 1
    shift[many, 0] = (slot[many] * 2.0 - 1.0).clamp(max=1.0) * 0.45 + shift[many, 0] * 0.12
    shift[many, 1] = shift[many, 1] * 0.5
    third = crowd == 3
    shift[third, 1] = torch.where(slot[third] == 2, 0.48, -0.45)
    shift[third & (slot == 2), 0] = 0.0
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = cos * stretch[:, 0], sin * stretch[:, 0]
    theta[:, 1, 0], theta[:, 1, 1] = -sin * stretch[:, 1], cos * stretch[:, 1]
    theta[:, :, 2] = -(theta[:, :, :2] @ shift[:, :, None])[:, :, 0]
    grid = functional.affine_grid(theta, [count, 4, side, side], align_corners=False)
    return functional.grid_sample(layers, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def restyle(rasters: torch.Tensor, rng: torch.Generator, strength: Strength) -> torch.Tensor:
    """Colours, greys, flat fills, outlines and line art, each on some of the drawings."""
    rgb, alpha = rasters[:, :3], rasters[:, 3:]
    count = len(rgb)
    if strength.colour:
        rgb = recolour(rgb, rng, strength.colour)
    if not strength.restyle:
        return torch.cat([rgb, alpha], dim=1)
    chance = torch.rand(count, generator=rng)
    share = strength.restyle
    grey = chance < 0.08 * share
    rgb = torch.where(grey[:, None, None, None], luminance(rgb).expand_as(rgb), rgb)
    flat = torch.rand(count, generator=rng) < 0.15 * share
    if flat.any():
        smooth = functional.avg_pool2d(rgb[flat], 3, 1, 1)
        rgb = rgb.clone()
        rgb[flat] = (smooth * 4).round() / 4
    drawn = torch.rand(count, generator=rng) < 0.3 * share
    if drawn.any():
        rgb, alpha = rgb.clone(), alpha.clone()
        rgb[drawn], alpha[drawn] = outline(rgb[drawn], alpha[drawn], rng)
    return torch.cat([rgb, alpha], dim=1)


def recolour(rgb: torch.Tensor, rng: torch.Generator, strength: float) -> torch.Tensor:
    """Turn hues a little, more or less saturation, contrast, brightness."""
    count = len(rgb)
    hue = torch.randn(count, generator=rng) * 0.18 * strength
    saturation = torch.exp(uniform((count,), -0.9, 0.4, rng) * strength)
    cos, sin = saturation * torch.cos(hue), saturation * torch.sin(hue)
    # rotation about the grey axis (1, 1, 1), scaled by the saturation across it
    grey = torch.full((3, 3), 1 / 3)
    cross = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3)
    matrix = grey + cos[:, None, None] * (torch.eye(3) - grey) + sin[:, None, None] * cross
    contrast = torch.exp(uniform((count, 1, 1, 1), -0.35, 0.3, rng) * strength)
    brightness = uniform((count, 1, 1, 1), -0.15, 0.15, rng) * strength
    turned = torch.bmm(matrix, rgb.flatten(2)).view_as(rgb)
    return ((turned - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)


def grow(pictures: torch.Tensor) -> torch.Tensor:
    """Maximum over each pixel's 3 by 3 neighbourhood: ``max_pool2d(pictures, 3, 1, 1)``, several times as fast."""
    rows = pictures.clone()
    torch.maximum(rows[..., 1:, :], pictures[..., :-1, :], out=rows[..., 1:, :])
    torch.maximum(rows[..., :-1, :], pictures[..., 1:, :], out=rows[..., :-1, :])
    both = rows.clone()
    torch.maximum(both[..., 1:], rows[..., :-1], out=both[..., 1:])
    torch.maximum(both[..., :-1], rows[..., 1:], out=both[..., :-1])
    return both


def outline(rgb: torch.Tensor, alpha: torch.Tensor, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw dark lines round the shape and where its colours meet; on some, leave nothing but the lines on white."""
    count = len(rgb)
    wide = (torch.rand(count, generator=rng) < 0.5)[:, None, None, None]
    grown, shrunk = grow(alpha), -grow(-alpha)
    grown, shrunk = torch.where(wide, grow(grown), grown), torch.where(wide, -grow(-shrunk), shrunk)
    light = luminance(rgb)
    spread = grow(light) + grow(-light)
    inner = ((spread - uniform((count, 1, 1, 1), 0.1, 0.3, rng)) * 6).clamp(0, 1)
    line = torch.maximum(grown - shrunk, inner * alpha).clamp(0, 1)
    empty = (torch.rand(count, generator=rng) < 0.3)[:, None, None, None]
    filled = torch.where(empty, torch.ones_like(rgb), rgb)
    ink = uniform((count, 3, 1, 1), 0.0, 0.25, rng)
    return filled * (1 - line) + ink * line, grown


def backgrounds(ink: torch.Tensor, side: int, rng: torch.Generator, strength: Strength) -> torch.Tensor:
    """White, plain colours and gradients; never dark ones behind dark drawings.

    Parameters
    ----------
    ink : (n,) float
        Mean brightness of each picture's drawings.
    """
    count = len(ink)
    colours = torch.rand(count, 2, 3, generator=rng)
    light = torch.rand(count, generator=rng) < 0.5
    colours = torch.where((light | (ink < 0.45))[:, None, None], 1 - 0.4 * colours, colours)
    plain = torch.rand(count, generator=rng) < 0.6
    colours[plain, 1] = colours[plain, 0]
    white = torch.rand(count, generator=rng) >= strength.background
    colours[white] = 1.0
    angle = uniform((count, 1, 1), 0, 2 * math.pi, rng)
    line = torch.linspace(-0.5, 0.5, side)
    ramp = (torch.cos(angle) * line[None, None, :] + torch.sin(angle) * line[None, :, None] + 0.5).clamp(0, 1)[:, None]
    return colours[:, 0, :, None, None] * (1 - ramp) + colours[:, 1, :, None, None] * ramp


def finish(pictures: torch.Tensor, rng: torch.Generator, strength: Strength) -> torch.Tensor:
    """Some blur, some noise, some holes: what scanners, screens and small sizes do."""
    if not strength.restyle:
        return pictures
    count, _, side, _ = pictures.shape
    pictures = pictures.clone()
    blurred = torch.rand(count, generator=rng) < 0.15
    if blurred.any():
        pictures[blurred] = functional.avg_pool2d(pictures[blurred], 3, 1, 1, count_include_pad=False)
    noisy = torch.rand(count, generator=rng) < 0.15
    if noisy.any():
        pictures[noisy] += torch.randn(pictures[noisy].shape, generator=rng) * 0.06
    for row in torch.nonzero(torch.rand(count, generator=rng) < 0.15).flatten().tolist():
        width, height = torch.randint(side // 8, side // 3, (2,), generator=rng).tolist()
        left, top = (int(torch.randint(0, side - size, (1,), generator=rng)) for size in (width, height))
        pictures[row, :, top : top + height, left : left + width] = torch.rand(3, 1, 1, generator=rng)
    return pictures
