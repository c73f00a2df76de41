"""What a strategy decides: which encoder sees which chunks as what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmrag_nb.protocols import Encoder
    from mmrag_nb.types import Modality


@dataclass(frozen=True)
class Way:
    """Chunks embedded as ``view`` by ``encoder``: one channel to find them by."""

    encoder: Encoder
    modality: Modality
    """What the encoder takes them for."""
    view: str
    """What of a chunk is embedded: its pixels (``image``), its sound (``audio``), its text (``text``), a picture's name
    beside it (``titled``), or all that can be said of it (``grounded``)."""
    kinds: tuple[Modality, ...]
    """Modalities of the chunks that are embedded so."""
    part: Modality | None = None
    """The modality of the chunks that make up the channel; ``None`` where all kinds compete in one."""


@dataclass(frozen=True)
class Encoders:
    """The encoders at hand; ``None`` where the settings go without."""

    image: Encoder | None
    """Texts and pictures in one space."""
    text: Encoder | None
    """Texts in a space of their own."""
    sound: Encoder | None = None
    """Texts and sounds in one space."""
