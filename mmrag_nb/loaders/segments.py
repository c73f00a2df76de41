"""Sound in memory, as pydub has it."""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import LoadError

from .container import damage_told
from .resampling import BATCH, RATE, Power, regular, resampled

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from pydub import AudioSegment

    from .sound import Block


def as_segment(pcm: NDArray[np.int16]) -> AudioSegment:
    """Samples, 16 kHz mono, as the sound in memory that loaders make and take."""
    segment: AudioSegment = segment_class()(pcm.tobytes(), sample_width=2, frame_rate=RATE, channels=1)
    return segment


@cache
def segment_class() -> Any:
    """The ``AudioSegment`` of pydub."""
    with warnings.catch_warnings():  # nothing here runs the program that pydub looks for on import
        warnings.filterwarnings("ignore", "Couldn't find ffmpeg or avconv", RuntimeWarning)
        from pydub import AudioSegment
    return AudioSegment


def segment_blocks(segment: AudioSegment, *, channel: int | None = None) -> Iterator[Block]:
    """As :func:`mmrag_nb.loaders.sound.blocks`, of a sound in memory.

    Raises
    ------
    LoadError
        It has no samples.
    """
    import av
    import numpy as np

    whole = np.frombuffer(segment.raw_data, np.dtype(f"i{segment.sample_width}")).reshape(-1, segment.channels)
    if not len(whole):
        raise LoadError("no sound in it: zero samples")
    power = Power()

    def frames() -> Iterator[Any]:
        scale = np.float32(2.0 ** (8 * segment.sample_width - 1))
        for start in range(0, len(whole), BATCH):
            part = whole[start : start + BATCH]
            if segment.channels == 2:
                power.add(part.T)
            mono = (part.mean(axis=1, dtype=np.float32) if channel is None else part[:, channel]) / scale
            frame = av.AudioFrame.from_ndarray(mono[None].astype(np.float32), format="flt", layout="mono")
            frame.sample_rate = segment.frame_rate
            yield frame

    with damage_told("sound"):
        yield {"rate": segment.frame_rate, "channels": segment.channels, "claimed": 0.0}, ()
        for block in regular(resampled(frames()), None):
            yield {}, (block,)
        yield {"damaged": 0, "channel": None if channel is not None or segment.channels != 2 else power.chosen}, ()
