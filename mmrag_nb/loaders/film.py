"""A film in small: encoded once while it goes by, then cut wherever a chunk begins.

H.264 with MP3 in MP4 plays in every browser; Visual Studio Code plays no AAC.
"""

from __future__ import annotations

import io
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

from mmrag_nb.types import Preview

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Mark = tuple[str, int, bool]
    """Of a packet: ``v`` for pictures or ``a`` for sound, its time in milliseconds, whether a film may begin here."""

SIDE = 320
"""Pixels, longest side."""
PER_SECOND = 10
"""Pictures a second."""
SECONDS = 6.0
"""Length of a cut."""
RATE = 16_000
"""Hz, mono."""

_BIT_RATE = 24_000
_MS = Fraction(1, 1000)
_PICTURES = {
    "preset": "superfast",
    "crf": "33",
    "maxrate": "70k",
    "bufsize": "140k",
    # A key every second, and at each cut: there a film may begin. Nothing refers to what comes later.
    "x264-params": f"keyint={PER_SECOND}:min-keyint=1:bframes=0:threads=1",
}
_SOUND = {"reservoir": "0"}  # so that a packet needs none before it


@cache
def can_film() -> bool:
    """Whether the encoders are there; some builds of FFmpeg lack them."""
    import av

    try:
        return all(av.codec.Codec(name, "w") is not None for name in ("libx264", "libmp3lame"))
    except (ValueError, av.FFmpegError):
        return False


def small(width: int, height: int) -> tuple[int, int]:
    """Width and height of the film of pictures of this size: even, at most `SIDE`."""
    scale = min(1.0, SIDE / max(width, height))
    return max(2, 2 * round(width * scale / 2)), max(2, 2 * round(height * scale / 2))


def _streams(width: int, height: int, *, sound: bool) -> tuple[Any, io.BytesIO, Any, Any]:
    import av

    body = io.BytesIO()
    out: Any = av.open(body, "w", format="mp4")
    pictures = out.add_stream("libx264", rate=PER_SECOND, options=dict(_PICTURES))
    pictures.width, pictures.height, pictures.pix_fmt = width, height, "yuv420p"
    pictures.time_base = pictures.codec_context.time_base = _MS
    heard = None
    if sound:
        heard = out.add_stream(
            "libmp3lame", rate=RATE, layout="mono", format="s16p", bit_rate=_BIT_RATE, options=dict(_SOUND)
        )
    return out, body, pictures, heard


class Camera:
    """Encodes pictures and sound as they come; where a film is decoded, so in the other process."""

    def __init__(self, width: int, height: int, *, sound: bool) -> None:
        self._out, _, self._pictures, self._sound = _streams(width, height, sound=sound)
        self._heard = 0
        self._marks: list[Mark] = []
        self._packets: list[bytes] = []

    def picture(self, pixels: NDArray[np.uint8], seconds: float) -> None:
        """Take (height, width, 3) RGB at a time, later than the one before."""
        import av

        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = round(seconds * 1000), _MS
        self._keep("v", self._pictures.encode(frame))

    def sound(self, pcm: NDArray[np.int16]) -> None:
        """Take (n,) samples, which follow on those before; the first is that of second 0."""
        import av

        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16p", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._heard, Fraction(1, RATE)
        self._heard += len(pcm)
        self._keep("a", self._sound.encode(frame))

    def end(self) -> None:
        """Finish both."""
        self._keep("v", self._pictures.encode(None))
        if self._sound is not None and self._heard:
            self._keep("a", self._sound.encode(None))

    def taken(self) -> tuple[list[Mark], list[bytes]]:
        """What was encoded since it was last asked."""
        marks, packets = self._marks, self._packets
        self._marks, self._packets = [], []
        return marks, packets

    def _keep(self, kind: str, packets: Sequence[Any]) -> None:
        for packet in packets:
            time = 0 if packet.pts is None else int(packet.pts * packet.time_base * 1000)
            self._marks.append((kind, time, kind == "v" and bool(packet.is_keyframe)))
            self._packets.append(bytes(packet))


class Reel:
    """What a :class:`Camera` has taken, as far as it may still be wanted."""

    def __init__(self, width: int, height: int, *, sound: bool) -> None:
        self._size, self._sound = (width, height), sound
        self._kept: list[tuple[Mark, bytes]] = []
        self.reached = 0.0
        """Seconds up to which there are pictures."""

    def add(self, marks: Sequence[Sequence[Any]], packets: Sequence[bytes]) -> None:
        """Take over what a camera took."""
        for (kind, time, key), packet in zip(marks, packets, strict=True):
            self._kept.append(((str(kind), int(time), bool(key)), packet))
            if kind == "v":
                self.reached = max(self.reached, time / 1000)

    def forget(self, before: float) -> None:
        """Let go what no film that begins at ``before`` seconds or later needs."""
        first = self._begin(before)
        self._kept = [one for one in self._kept if one[0][1] >= first]

    def cut(self, start: float) -> Preview | None:
        """MP4 of at most `SECONDS`, from the last key at or before ``start``; ``None`` where there is no picture."""
        import av

        begin = self._begin(start)
        until = max(begin, round(start * 1000)) + round(SECONDS * 1000)
        some = sorted((one for one in self._kept if begin <= one[0][1] < until), key=lambda one: one[0][1])
        if not any(mark[2] for mark, _ in some):
            return None
        out, body, pictures, heard = _streams(*self._size, sound=self._sound)
        base = {"v": _MS, "a": Fraction(1, RATE)}
        for (kind, time, key), data in some:
            packet: Any = av.Packet(data)
            packet.stream = pictures if kind == "v" else heard
            packet.time_base = base[kind]
            packet.pts = packet.dts = int(Fraction(time - begin, 1000) / base[kind])
            packet.is_keyframe = key or kind == "a"
            out.mux(packet)
        out.close()
        return Preview("video/mp4", body.getvalue())

    def _begin(self, start: float) -> int:
        """Milliseconds of the last key that is at or before ``start``, or of the first there is."""
        keys = [time for (_, time, key), _ in self._kept if key]
        return max((time for time in keys if time <= round(start * 1000)), default=keys[0] if keys else 0)
