"""What an explanation starts from: a search that was made, and a chunk as that search knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .finding import Scope
    from .insight.why import View
    from .queries import Query
    from .results import Hits
    from .retrieval.channels import Probe
    from .types import Chunk, Item, Vectors


@dataclass(frozen=True)
class Asked:
    """A search, to be explained."""

    query: Query
    hits: Hits
    scope: Scope
    """``k`` and ``raw`` are said, whatever the settings are by now."""

    @property
    def k(self) -> int:
        """How many hits were asked for."""
        return self.scope.k or len(self.hits)

    @property
    def raw(self) -> bool:
        """Whether the ranking was by raw cosine alone."""
        return bool(self.scope.raw)


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
        vector = probe.channel.vector(self.number)
        assert vector is not None  # it is one of those that reach it
        return vector
