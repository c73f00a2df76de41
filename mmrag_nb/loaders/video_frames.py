"""The frames that stand for the scenes of a film, and the film in small; it runs in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import LoadError

from .container import decoded, opened, seconds
from .film import PER_SECOND, RATE, SIDE, Camera, can_film, small
from .video_pixels import rgb, shown_size, turns, within
from .video_scenes import Ration, Scenes, Shot, thumbnail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    import numpy as np
    from numpy.typing import NDArray

    Piece = tuple[dict[str, Any], tuple[bytes, ...]]

CONTAINERS = "mov,mp4,m4a,matroska,webm,ogg,asf,avi"
SIDE_KEPT = 1000
"""Pixels, longer side of the frames that are kept."""
_LARGE = 2_500_000
"""Pixels; of larger films, frames that no other refers to are not decoded."""
_TELLS = 5.0
"""Seconds of film between two pieces."""
_STEP = 0.1
"""Seconds by which sound may be out of step before it is put right."""


def watch(handle: BinaryIO, *, max_seconds: float, max_pixels: int) -> Iterator[Piece]:
    """Go through the pictures of a film once.

    Yields ``head``: ``seconds`` and ``fps`` by the header, 0 where it does not say; whether there are ``pictures`` and
    ``sound``; ``subtitles``, a dict a stream. With the first picture ``width`` and ``height`` in pixels as it is shown,
    and ``film``, the size of the film in small, if any. Then, as they come: ``frame``, seconds, with ``end``, ``size``
    and ``detail``, and its RGB bytes; ``marks`` with packets for a :class:`~mmrag_nb.loaders.film.Reel`; ``reached``:
    all frames that begin before it have been told. Last ``end``, seconds, and ``damaged``, packets left out.

    Parameters
    ----------
    handle
        The file.
    max_seconds, max_pixels
        Longest film, largest frame.

    Raises
    ------
    LoadError
        It is damaged from its beginning, too large or too long.
    """
    with opened(handle, CONTAINERS, "video") as container:
        head = _head(container)
        if head["seconds"] > max_seconds:
            raise _too_long(max_seconds)
        yield {"head": head}, ()
        if head["pictures"]:
            yield from _Watching(container, max_seconds, max_pixels).pieces()


def _pictures(container: Any) -> Any:
    """The first stream of pictures that is no cover and that can be decoded; ``None`` where there is none."""
    for stream in container.streams.video:
        cover = "attached_pic" in str(getattr(stream, "disposition", ""))
        if not cover and stream.codec_context is not None:
            return stream
    return None


def _head(container: Any) -> dict[str, Any]:
    stream = _pictures(container)
    rate = stream.average_rate if stream is not None else None
    subtitles = [
        {
            "stream": place,
            "codec": one.codec_context.name if one.codec_context is not None else "",
            "language": str(one.metadata.get("language", "")),
            "forced": "forced" in str(getattr(one, "disposition", "")),
        }
        for place, one in enumerate(container.streams.subtitles)
    ]
    return {
        "seconds": max(0.0, seconds(container.duration)),
        "fps": round(float(rate), 3) if rate else 0,
        "pictures": stream is not None,
        "sound": _sound(container) is not None,
        "subtitles": subtitles,
    }


def _sound(container: Any) -> Any:
    found = container.streams.audio
    return found[0] if found and found[0].codec_context is not None else None


class _Watching:
    """One way through a film."""

    def __init__(self, container: Any, max_seconds: float, max_pixels: int) -> None:
        self._container, self._max_seconds, self._max_pixels = container, max_seconds, max_pixels
        self._stream, self._heard = _pictures(container), _sound(container)
        self._begins = seconds(container.start_time)
        codec = self._stream.codec_context
        self._stream.thread_type = "AUTO"
        codec.thread_count = 2
        if codec.width * codec.height > _LARGE:
            codec.skip_frame = "NONREF"
        self._camera: Camera | None = None
        self._scenes, self._ration = Scenes(), Ration()
        self._size = self._small = (0, 0)
        self._at, self._frame_seconds = -1.0, 1 / 25
        self._looked = -1
        self._last: NDArray[np.float32] | None = None
        self._most, self._changed = -1.0, 0.0
        self._damaged = 0
        self._dubbed = 0
        self._resampler: Any = None
        self._told = 0.0
        self._kept = 0
        self._shown: Shot | None = None

    def pieces(self) -> Iterator[Piece]:
        """All that is seen; see :func:`watch`."""
        for frame in self._frames():
            yield from self._seen(frame)
        if self._at < 0:
            yield {"end": 0.0, "damaged": self._damaged}, ()
            return
        if self._camera is not None:
            self._camera.end()
        end = self._at + self._frame_seconds
        if not self._kept and self._shown is not None:  # shorter than a scene takes to settle
            self._ration.add(self._shown)
        yield from self._told_of(self._ration.end(end), end)
        yield {"end": end, "damaged": self._damaged}, ()

    # -- decoding --------------------------------------------------------------------------------------------------

    def _frames(self) -> Iterator[Any]:
        """The pictures; the sound between them goes to the camera."""
        streams = [self._stream] if self._heard is None else [self._stream, self._heard]
        for index, frames in decoded(self._container, *streams):
            pictures = index == self._stream.index
            if frames is None:
                self._damaged += pictures
            elif pictures:
                yield from frames
            elif self._camera is not None:
                for frame in frames:
                    self._dub(frame)

    def _dub(self, frame: Any) -> None:
        """Give the camera the sound of ``frame``, in step with the pictures."""
        import av
        import numpy as np

        if not frame.samples:
            return
        if self._resampler is None:
            self._resampler = av.AudioResampler(format="s16p", layout="mono", rate=RATE)
        try:
            parts = [out.to_ndarray()[0] for out in self._resampler.resample(frame)]
        except (ValueError, av.FFmpegError):  # it has changed its rate or layout
            self._resampler = None
            return
        pcm = np.concatenate(parts) if parts else np.zeros(0, np.int16)
        due = self._dubbed if frame.time is None else round((frame.time - self._begins) * RATE)
        late = due - self._dubbed
        if abs(late) > _STEP * RATE and due < self._max_seconds * RATE:
            while late > 0:
                self._record(np.zeros(min(late, 60 * RATE), np.int16))
                late -= 60 * RATE
            pcm = pcm[max(0, -late) if late < -_STEP * RATE else 0 :]
        self._record(pcm)

    def _record(self, pcm: NDArray[np.int16]) -> None:
        if len(pcm) and self._camera is not None:
            self._camera.sound(pcm)
            self._dubbed += len(pcm)

    def _time(self, frame: Any) -> float:
        """Seconds from the beginning, never less than before."""
        time = frame.time
        if time is None and frame.dts is not None:
            time = float(frame.dts * self._stream.time_base)
        if time is None:
            return self._at + self._frame_seconds if self._at >= 0 else 0.0
        return float(max(self._at, time - self._begins, 0.0))

    # -- seeing ----------------------------------------------------------------------------------------------------

    def _seen(self, frame: Any) -> Iterator[Piece]:
        if frame.width * frame.height > self._max_pixels:
            shape = f"{frame.width} x {frame.height} pixels"
            raise LoadError(f"too large: frames of {shape}, at most {self._max_pixels / 1e6:g} million")
        time = self._time(frame)
        if time > self._max_seconds:
            raise _too_long(self._max_seconds)
        if self._at < 0:
            yield from self._began(frame)
        elif time > self._at:
            self._frame_seconds = min(time - self._at, 1.0)
        self._at = time
        self._compare(frame, time)
        look = int(time * PER_SECOND + 0.05)
        if look <= self._looked:
            return
        self._looked = look
        pixels = rgb(frame, self._small)
        if self._camera is not None:
            self._camera.picture(pixels, time)
        thumb = thumbnail(pixels)
        begun = self._scenes.look(time, thumb, self._changed)
        self._most = -1.0
        if begun is not None and not frame.is_corrupt:
            yield from self._told_of(self._ration.add(self._shot(begun, frame, thumb)), begun)
            self._kept += 1
        elif not self._kept:
            self._shown = self._shot(time if self._shown is None else self._shown.start, frame, thumb)
        if time - self._told >= _TELLS:
            self._told = time
            yield from self._told_of([], None)

    def _began(self, frame: Any) -> Iterator[Piece]:
        size = shown_size(frame.width, frame.height, self._stream.sample_aspect_ratio)
        self._size = size if turns(frame) % 2 == 0 else size[::-1]
        self._small = small(*within(self._size, SIDE))
        if can_film():
            self._camera = Camera(*self._small, sound=self._heard is not None)
        film = list(self._small) if self._camera is not None else []
        yield {"width": self._size[0], "height": self._size[1], "film": film}, ()

    def _compare(self, frame: Any, time: float) -> None:
        """Note when between two looks the picture changes most, by some points of its first plane."""
        points = _points(frame)
        if self._last is not None and points.shape == self._last.shape:
            step = float(abs(points - self._last).mean())
            if step > self._most:
                self._most, self._changed = step, time
        else:
            self._changed = time
        self._last = points

    def _shot(self, begun: float, frame: Any, thumb: NDArray[np.float32]) -> Shot:
        size = within(self._size, SIDE_KEPT)
        return Shot(begun, rgb(frame, size).tobytes(), size, float(thumb.std()))

    def _told_of(self, shots: list[Shot], reached: float | None) -> Iterator[Piece]:
        for shot in shots:
            yield {"frame": shot.start, "end": shot.end, "size": shot.size, "detail": shot.detail}, (shot.pixels,)
        if shots and reached is not None:
            yield {"reached": reached}, ()
        if self._camera is not None:
            marks, packets = self._camera.taken()
            yield {"marks": marks}, tuple(packets)
        else:
            yield {"marks": []}, ()


def _points(frame: Any) -> NDArray[np.float32]:
    """Some levels of a frame, of its brightness as a rule."""
    import numpy as np

    plane = frame.planes[0]
    deep = frame.format.components[0].bits > 8
    rows = np.frombuffer(plane, np.uint8)[: plane.line_size * plane.height].reshape(plane.height, plane.line_size)
    levels = rows.view("<u2") if deep and plane.line_size % 2 == 0 else rows
    width = min(levels.shape[1], plane.width)
    return levels[:: max(1, plane.height // 36), : width : max(1, width // 64)].astype(np.float32)


def _too_long(max_seconds: float) -> LoadError:
    return LoadError(f"too long: at most {max_seconds / 3600:g} hours: cut it into parts")
