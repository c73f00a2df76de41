"""What an explanation starts from: a search that was made, and a chunk as that search knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .insight.why import View
    from .queries import Query
    from .results import Hits
    from .retrieval.search import Probe
    from .types import Chunk, Item, Modality, Vectors


@dataclass(frozen=True)
class Asked:
    """A search, to be explained."""

    query: Query
    hits: Hits
    k: int
    raw: bool
    modalities: tuple[Modality, ...] | None = None


@dataclass(frozen=True)
class Case:
    """A chunk, with all that a search knows of it."""

    chunk: Chunk
    item: Item
    number: int
    """Id of the chunk."""
    probes: tuple[tuple[Probe, View], ...]
    """Those that reach it."""

    @property
    def counted(self) -> tuple[Probe, View] | None:
        """The one whose cosine counted."""
        return next(((probe, view) for probe, view in self.probes if view.counted), None)

    def vector(self, probe: Probe) -> Vectors:
        """(d,) the chunk's, where ``probe`` looks."""
        vector: Vectors = probe.channel.vectors[probe.channel.rows([self.number])[0]]
        return vector
