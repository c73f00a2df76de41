"""A film's frames and its film in small, as the other process tells them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import LoadError
from mmrag_nb.types import LoadedChunk

from .pixels import of_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image

    from mmrag_nb.types import Preview

    from .film import Reel


@dataclass
class Frame:
    """A scene's picture, as the other process tells it."""

    start: float
    end: float
    detail: float
    pixels: Image = field(repr=False)

    def chunk(self, film: Preview | None) -> LoadedChunk:
        """The chunk it makes, with the film from its second."""
        from .previews import picture_previews

        previews = {**picture_previews(self.pixels), **({"film": film} if film else {})}
        return LoadedChunk("image", start=self.start, end=self.end, pixels=self.pixels, previews=previews)


class Pictures:
    """What the other process sees, as far as it has been asked."""

    def __init__(self, pieces: Iterator[tuple[dict[str, Any], tuple[bytes, ...]]]) -> None:
        self._pieces = pieces
        self._frames: list[Frame] = []
        self._reached = 0.0
        self.head: dict[str, Any] = {}
        self.facts: dict[str, Any] = {}
        self.reel: Reel | None = None
        self.ended = False
        self.end = 0.0
        """Seconds, once it is known."""
        self.notes: list[str] = []
        self.broken: LoadError | None = None

    def begin(self) -> None:
        """Take the head."""
        self.head = next(self._pieces)[0]["head"]
        self.ended = not self.head["pictures"]
        if self.ended:
            self.notes.append("no pictures in it: taken for its sound alone")

    def until(self, seconds: float) -> None:
        """Watch until all frames that begin before ``seconds`` are known, and their films."""
        from .film import SECONDS

        while not self.ended and (
            self._reached < seconds or (self.reel is not None and self.reel.reached < seconds + SECONDS)
        ):
            self._next()

    def _next(self) -> None:
        try:
            self._take(*next(self._pieces))
        except StopIteration:
            self._over()
        except LoadError as error:
            self.broken = error
            self._over()

    def _over(self) -> None:
        self.ended = True
        self.end = self.end or max([self._reached, *(frame.end for frame in self._frames)])

    def _take(self, said: dict[str, Any], blobs: tuple[bytes, ...]) -> None:
        from .film import Reel

        if "frame" in said:
            pixels = of_bytes(said["size"], blobs[0], "a frame")
            self._frames.append(Frame(said["frame"], said["end"], said["detail"], pixels))
        elif "marks" in said:
            if self.reel is not None:
                self.reel.add(said["marks"], blobs)
        elif "width" in said:
            self.facts |= {"width": said["width"], "height": said["height"]}
            if self.head["fps"]:
                self.facts["fps"] = self.head["fps"]
            if said["film"]:
                self.reel = Reel(*said["film"], sound=self.head["sound"])
        elif "reached" in said:
            self._reached = said["reached"]
        else:
            self.end = said["end"]
            if said["damaged"]:
                self.notes.append(f"damaged: {said['damaged']} packets of its pictures left out")

    def before(self, seconds: float) -> list[Frame]:
        """The frames that begin earlier, which are let go here."""
        some = [frame for frame in self._frames if frame.start < seconds]
        self._frames = self._frames[len(some) :]
        return some
