"""When another scene begins, and which scenes are kept.

A cut is told as Yeo and Liu do (Rapid scene analysis on compressed video, 1995): on thumbnails, by a difference that is
several times as large as any other nearby, so that motion does not count as one. What comes slowly (a dissolve, a slide
that fills) is told by how far the picture is from the last one kept.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FLOOR = 1
"""Frames that are kept of each minute, whatever they show."""
CEILING = 12
"""Frames that are kept of each minute at most."""

_CUT, _TIMES = 6.0, 3.0
"""Levels (0..255) that a cut differs by at least, and how many times as much as what was seen just before."""
_OTHER = 4.0
"""Levels by which a picture differs from the last one kept, and is another."""
_STILL = 1.0
"""Levels; a picture that has changed less for `_LASTS` has settled."""
_SETTLES = 0.3
"""Seconds after a cut until its picture is taken."""
_LASTS = 0.5
"""Seconds, some looks of them."""
_RESTLESS = 15.0
"""Seconds after which a picture that is another is kept though it never settles."""
_NEAR = 10
"""Looks, about a second of them."""
_RECENT = 6
"""Looks, about `_LASTS` of them."""
_BLANK = 3.0
"""Levels of deviation; a picture with less shows nothing."""
_WAITS = 5.0
"""Seconds until a blank picture is a scene of its own."""


class Scenes:
    """Told what the film looks like several times a second, it tells when there is something else to see."""

    def __init__(self) -> None:
        self._seen: deque[NDArray[np.float32]] = deque(maxlen=_RECENT)
        self._kept: NDArray[np.float32] | None = None
        self._near: deque[float] = deque(maxlen=_NEAR)
        self._begun = 0.0
        """When the scene that was kept last began, or a blank one did not count."""
        self._cut: float | None = None
        self._other: float | None = None

    def look(self, seconds: float, thumb: NDArray[np.float32], changed: float) -> float | None:
        """Return when the scene began that ``thumb`` is to stand for; ``None`` where it is none, or none yet.

        Parameters
        ----------
        seconds
            When this is seen.
        thumb
            (h, w, 3) levels 0..255, small: 32 by 18, say.
        changed
            When, since the last look, the picture changed most.
        """
        step = difference(thumb, self._seen[-1]) if self._seen else 0.0
        usual = max(sorted(self._near)[len(self._near) // 2], 0.1) if self._near else 0.1
        if not self._seen:
            self._cut = self._begun = seconds
        elif self._cut is None and step > max(_CUT, _TIMES * max(self._near, default=0.0)):
            self._cut = changed
        self._seen.append(thumb)
        self._near.append(step)
        begun = self._decided(seconds, thumb, usual, changed)
        if begun is not None:
            self._kept, self._begun, self._cut, self._other = thumb, begun, None, None
        return begun

    def _decided(self, seconds: float, thumb: NDArray[np.float32], usual: float, changed: float) -> float | None:
        far = float("inf") if self._kept is None else difference(thumb, self._kept)
        blank = float(thumb.std(axis=(0, 1)).max()) < _BLANK
        if self._cut is not None:
            if seconds - self._cut < _SETTLES or (blank and seconds - self._cut < _WAITS):
                return None
            cut, self._cut = self._cut, None
            if far > max(_OTHER, _TIMES * usual):
                return cut
        if far <= max(_OTHER, _TIMES * usual):  # a flash has passed
            self._other = None
        elif self._other is None:
            self._other = changed
        elif not blank or seconds - self._other >= _WAITS:
            settled = len(self._seen) == _RECENT and difference(thumb, self._seen[0]) < _STILL
            if settled or seconds - self._begun >= _RESTLESS:
                return self._other
        return seconds if seconds - self._begun >= 60 / FLOOR else None


def difference(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Root of the mean square, which a small part that changes much tells in, too."""
    import numpy as np

    return float(np.sqrt(np.mean(np.square(one - other))))


def thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """About 32 by 18 means of (h, w, 3) pixels."""
    import numpy as np

    step = max(1, max(pixels.shape[:2]) // 32)
    height, width = (max(1, side // step) for side in pixels.shape[:2])
    step_y, step_x = min(step, pixels.shape[0]), min(step, pixels.shape[1])
    whole = pixels[: height * step_y, : width * step_x]
    blocks = whole.reshape(height, step_y, width, step_x, 3)
    means: NDArray[np.float32] = blocks.mean(axis=(1, 3), dtype=np.float32)
    return means


@dataclass
class Shot:
    """A scene and the picture that stands for it."""

    start: float
    pixels: bytes = field(repr=False)
    """RGB."""
    size: tuple[int, int]
    """Width and height."""
    detail: float
    """How much there is to see, in levels of deviation."""
    end: float = 0.0


class Ration:
    """Keeps no more than `CEILING` scenes a minute: those that are seen longest."""

    def __init__(self) -> None:
        self._minute: list[Shot] = []

    def add(self, shot: Shot) -> list[Shot]:
        """Take a scene; those before it that stay, as far as that is sure."""
        done: list[Shot] = []
        if self._minute and shot.start // 60 != self._minute[-1].start // 60:
            done = self._ended(shot.start)
        self._minute.append(shot)
        if len(self._minute) > CEILING:
            starts = [one.start for one in self._minute]
            lengths = [after - before for before, after in pairwise(starts)]
            self._minute.pop(lengths.index(min(lengths)))
        return done

    def end(self, seconds: float) -> list[Shot]:
        """The rest, once the film ends."""
        return self._ended(seconds)

    def _ended(self, seconds: float) -> list[Shot]:
        done, self._minute = self._minute, []
        for shot, after in zip(done, [*done[1:], None], strict=True):
            shot.end = after.start if after else seconds
        return done
