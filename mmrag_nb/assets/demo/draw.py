"""The demo's pictures, drawn."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Ellipse, Polygon, Rectangle
from PIL import Image

SKY = "#0b1026"
COLOURS = 64
"""A palette this small is hardly seen and makes the files a third as large."""


def lorenz_attractor() -> Image.Image:
    """Lorenz's system at sigma 10, rho 28, beta 8/3 (J. Atmos. Sci. 20, 1963), by the fourth-order Runge-Kutta rule."""

    def slope(p: Any) -> Any:
        x, y, z = p
        return np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])

    step, path = 0.006, [np.array([1.0, 1.0, 20.0])]
    for _ in range(6000):
        p = path[-1]
        a = slope(p)
        b = slope(p + step / 2 * a)
        c = slope(p + step / 2 * b)
        d = slope(p + step * c)
        path.append(p + step / 6 * (a + 2 * b + 2 * c + d))
    points = np.array(path)[200:][:, [0, 2]]
    figure, axes = _canvas(6, 5.2, SKY)
    pieces: Any = np.stack([points[:-1], points[1:]], axis=1)  # (n, 2 ends, 2 coordinates)
    lines = LineCollection(pieces, array=np.arange(len(points) - 1), cmap="plasma", linewidths=0.8)
    lines.set_clim(-2000, len(pieces))  # leaves out the darkest colours
    axes.add_collection(lines)
    axes.set(xlim=(-21, 21), ylim=(3, 50))
    return _picture(figure)


def lighthouse_at_night() -> Image.Image:
    """A striped tower on a rock, its beam over the sea."""
    figure, axes = _canvas(6, 4.5, SKY)
    axes.set(xlim=(0, 60), ylim=(0, 45))
    rng = np.random.default_rng(7)
    axes.scatter(rng.uniform(0, 60, 90), rng.uniform(14, 45, 90), s=rng.uniform(0.5, 6, 90), c="white", lw=0)
    axes.add_patch(Circle((50, 40.6), 2.8, color="#f4efd2"))
    axes.add_patch(Circle((51.2, 41.3), 2.5, color=SKY))
    axes.add_patch(Polygon([(16, 34.5), (60, 38.5), (60, 28)], color="#ffe27a", alpha=0.35, lw=0))
    axes.add_patch(Polygon([(16, 34.5), (0, 36.2), (0, 32.4)], color="#ffe27a", alpha=0.35, lw=0))
    axes.add_patch(Rectangle((0, 0), 60, 11, color="#123a5c", lw=0))
    for row, height in enumerate(np.linspace(1, 9.5, 6)):
        x = np.linspace(0, 60, 200)
        axes.plot(x, height + 0.35 * np.sin(0.9 * x + 2 * row), color="#3f78a3", lw=1.2)
    axes.add_patch(Polygon([(2, 6), (7, 12), (12, 14), (21, 14), (26, 10), (31, 6)], color="#2c2a33"))
    left, right = np.array([12.0, 20.0]), np.array([13.8, 18.2])  # the tower's foot and top
    for stripe in range(6):
        low, high = (left + (right - left) * t for t in (stripe / 6, (stripe + 1) / 6))
        y = 13.5 + 3.2 * stripe
        corners = [(low[0], y), (low[1], y), (high[1], y + 3.2), (high[0], y + 3.2)]
        axes.add_patch(Polygon(corners, color="#c8352e" if stripe % 2 == 0 else "#f3f0e8", lw=0))
    axes.add_patch(Rectangle((12.9, 32.7), 6.2, 0.7, color="#22222a"))
    axes.add_patch(Rectangle((14.3, 33.4), 3.4, 2.8, color="#fff3b0"))
    axes.add_patch(Polygon([(13.6, 36.2), (18.4, 36.2), (16, 38.6)], color="#c8352e"))
    return _picture(figure)


def rainfall_by_month() -> Image.Image:
    """Rain of one year, millimetres, of a place that is nowhere."""
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    rain = [88, 61, 67, 49, 52, 43, 38, 57, 74, 112, 103, 95]
    figure = Figure(figsize=(6, 3.9), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    bars = axes.bar(months, rain, color=["#1d4e89" if value == max(rain) else "#7fb2e5" for value in rain])
    axes.bar_label(bars, fontsize=8, color="#444444")
    axes.set_title("Rainfall by month")
    axes.set_ylabel("millimetres")
    axes.spines[["top", "right"]].set_visible(False)
    return _picture(figure)


def sunflower_spiral() -> Image.Image:
    """Vogel's spiral (Math. Biosci. 44, 1979): each seed is turned by the golden angle from the one before."""
    seed = np.arange(420)
    angle, radius = seed * np.pi * (3 - np.sqrt(5)), np.sqrt(seed)
    figure, axes = _canvas(5, 5, "#fbf3dc")
    axes.scatter(
        radius * np.cos(angle), radius * np.sin(angle), s=24 + 3.4 * radius, c=radius, cmap="YlOrBr_r", vmax=30, lw=0
    )
    axes.set(xlim=(-22, 22), ylim=(-22, 22))
    return _picture(figure)


def moon_phases() -> Image.Image:
    """Nine moons from new to new, as seen from the northern half of the Earth: lit on the right while waxing."""
    figure, axes = _canvas(6.6, 1.6, SKY)
    axes.set(xlim=(0, 33), ylim=(0, 8))
    for i in range(9):
        centre = (3.3 + 3.3 * i, 4.0)
        phase = 2 * np.pi * i / 8
        lit, dark = "#f4efd2", "#2a3050"
        axes.add_patch(Circle(centre, 1.4, color=dark, lw=0))
        if i not in (0, 8):
            half = np.linspace(-np.pi / 2, np.pi / 2, 60) + (0 if phase <= np.pi else np.pi)
            arc = np.stack([centre[0] + 1.4 * np.cos(half), centre[1] + 1.4 * np.sin(half)], axis=1)
            axes.add_patch(Polygon(arc, color=lit, lw=0))
            # The border of light and shade is half an ellipse: it takes from the lit half, or adds to it.
            width = 2.8 * abs(np.cos(phase))
            axes.add_patch(Ellipse(centre, width, 2.8, color=dark if np.cos(phase) > 0 else lit, lw=0))
    return _picture(figure)


def _canvas(width: float, height: float, background: str) -> tuple[Figure, Any]:
    """Make a figure of ``width`` x ``height`` hundred pixels, all of it axes without a frame."""
    figure = Figure(figsize=(width, height), dpi=100, facecolor=background)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    return figure, axes


def _picture(figure: Figure) -> Image.Image:
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    return Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)


PICTURES = {
    "lorenz_attractor.png": lorenz_attractor,
    "lighthouse_at_night.png": lighthouse_at_night,
    "rainfall_by_month.png": rainfall_by_month,
    "sunflower_spiral.png": sunflower_spiral,
    "moon_phases.png": moon_phases,
}
