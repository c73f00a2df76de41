"""The first way through a recording: how loud it is all along, which of its channels serves, what is wrong with it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import LoadError
from mmrag_nb.isolation.calling import stream

from .resampling import RATE
from .segments import segment_blocks, segment_class

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from mmrag_nb.types import Content, Preview

    from .sound import Block

HELD = 40_000_000
"""Bytes of samples in memory at a time (40 MB, 20 minutes); what is longer is decoded a second time to be cut."""
_OFFSET = 0.3
"""Of the sound's deviation; a mean that is further from zero would drown the pauses, and is taken off."""
_BLOCKS = "mmrag_nb.loaders.sound:blocks"


@dataclass(frozen=True)
class Source:
    """Where samples come from, as often as they are wanted."""

    content: Content
    film: bool
    """Whether times are those of its pictures; it may have no sound, then."""

    def blocks(self, channel: int | None, until: float | None = None) -> Generator[Block, None, None]:
        """As :func:`mmrag_nb.loaders.sound.blocks`, with the same errors."""
        if isinstance(self.content, Path | bytes):
            yield from stream(_BLOCKS, self.content, film=self.film, channel=channel, until=until)
        elif isinstance(self.content, segment_class()):
            yield from segment_blocks(self.content, channel=channel)
        else:
            raise LoadError(f"not a sound but an object of type {type(self.content).__name__}")


@dataclass
class Measured:
    """What is known of a recording once it has gone by."""

    channel: int | None = None
    """The only one that is taken."""
    offset: int = 0
    """Taken off each sample."""
    said: dict[str, Any] = field(default_factory=dict)
    samples: int = 0
    total: int = 0
    """Sum of all samples."""
    levels: list[NDArray[np.float32]] = field(default_factory=list)
    extremes: list[NDArray[np.int16]] = field(default_factory=list)
    held: list[NDArray[np.int16]] | None = field(default_factory=list)
    """All of the sound; ``None`` where it is too long."""
    broken: LoadError | None = None
    """What ended it before its time."""

    @property
    def seconds(self) -> float:
        """Its length, as far as it has gone by."""
        return self.samples / RATE

    def mean(self) -> int:
        """What all samples are to be lowered by: their mean where it is far from zero, else 0."""
        import numpy as np

        mean = self.total / self.samples
        power = float(np.mean(10 ** (self.level() / 10))) * 32768**2
        far = abs(mean) > max(32, _OFFSET * max(0.0, power - mean**2) ** 0.5)  # 32: the loudness of silence
        return round(mean) if far else 0

    def level(self) -> NDArray[np.float32]:
        """See :func:`~mmrag_nb.loaders.utterances.loudness`."""
        import numpy as np

        return np.concatenate(self.levels)

    def peaks(self) -> Preview:
        """Its shape, as a picture of it is drawn from."""
        import numpy as np

        from .clips import peaks

        return peaks(np.concatenate(self.extremes if self.held is None else self.held))

    def notes(self, *, film: bool) -> Iterator[str]:
        """What was wrong with it; ``film`` as for :class:`Source`."""
        if self.said.get("damaged"):
            yield f"damaged: {self.said['damaged']} packets left out"
        short = not film and self.seconds < 0.95 * self.said["claimed"]  # a film may go on without a sound
        if self.broken is None and short:  # decoders skip damage in silence, too
            yield f"{self.seconds:.1f} s decoded of the {self.said['claimed']:.1f} s that its header claims"
        if self.channel is not None:
            yield f"only channel {self.channel + 1} of 2 is heard: the other is its reverse, and would cancel it"

    def facts(self) -> dict[str, Any]:
        """``seconds``; ``rate`` in Hz and ``channels`` of the original."""
        return {"seconds": round(self.seconds, 3), "rate": self.said["rate"], "channels": self.said["channels"]}

    def add(self, block: NDArray[np.int16]) -> None:
        """Take in the next samples."""
        import numpy as np

        from .utterances import loudness

        self.samples += len(block)
        self.total += int(block.sum(dtype=np.int64))
        block = _centred(block, self.offset)
        self.levels.append(loudness(block, RATE))
        starts = np.arange(0, len(block), RATE // 50)
        highest, lowest = np.maximum.reduceat(block, starts), np.minimum.reduceat(block, starts)
        self.extremes.append(np.stack([highest, lowest], axis=1).ravel())
        if self.held is not None:
            self.held.append(block)
            if 2 * self.samples > HELD:
                self.held = None


def _centred(pcm: NDArray[np.int16], offset: int) -> NDArray[np.int16]:
    """Samples without a constant ``offset``."""
    import numpy as np

    if not offset:
        return pcm
    return np.clip(pcm.astype(np.int32) - offset, -32768, 32767).astype(np.int16)


def measure(source: Source, max_seconds: float) -> Measured | None:
    """Go through a recording; once more where a channel spoils it, or a mean off zero. ``None``: no sound in a film."""
    channel, offset = None, 0
    while True:
        measured = _through(source, max_seconds, channel, offset)
        if measured is None:
            return None
        only = measured.said.get("channel")
        mean = 0 if offset else measured.mean()
        if only is None and not mean:
            return measured
        channel, offset = (only, 0) if only is not None else (channel, mean)


def _through(source: Source, max_seconds: float, channel: int | None = None, offset: int = 0) -> Measured | None:
    import numpy as np

    from .sound import too_long

    measured = Measured(channel, offset)
    said: dict[str, Any]
    samples: tuple[bytes, ...] | None
    with closing(source.blocks(channel)) as blocks:
        while True:
            try:
                said, samples = next(blocks, ({}, None))
            except LoadError as error:
                if not measured.samples:
                    raise
                measured.broken = error
                return measured
            if samples is None:
                break
            measured.said |= said
            for one in samples:
                measured.add(np.frombuffer(one, np.int16))
            if measured.seconds > max_seconds:
                raise too_long(max_seconds)
    return measured if measured.said["channels"] else None


def played(measured: Measured, source: Source) -> Generator[NDArray[np.int16], None, None]:
    """The samples once more, in blocks."""
    import numpy as np

    if measured.held is not None:
        yield from measured.held
        return
    with closing(source.blocks(measured.channel, measured.seconds)) as blocks:
        for _, samples in blocks:
            for one in samples:
                yield _centred(np.frombuffer(one, np.int16), measured.offset)
