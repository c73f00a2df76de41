"""What the user gets back of an index itself: what indexing did or would do, what was removed, where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from .results import Shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .types import Item, Modality


@dataclass(frozen=True)
class Skipped:
    """A source that could not be indexed, and why."""

    source: str
    reason: str
    """One line: what is wrong and what to do."""
    same: str = ""
    """Id of the item that holds the same, where nothing else is wrong."""


@dataclass(frozen=True, repr=False)
class IndexReport(Shown):
    """What one call of ``index`` did."""

    items: Mapping[str, int]
    """Items by modality."""
    chunks: int
    embedded: int
    """Items for which something was embedded."""
    reused: int
    """Items that were in the index already, unchanged."""
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    """(item, remark): ``("cat.gif", "first of 42 frames")``."""
    models: tuple[str, ...] = ()
    """Models that worked, with device and precision."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds by stage: ``resolve``, ``load``, ``transcribe``, ``embed``, ``commit``."""
    interrupted: bool = False
    """Whether it ended before all sources were through; what is counted here is in the index, and what was added,
    changed and so on is not told."""
    added: tuple[str, ...] = ()
    """Where items were found (URIs) that are new."""
    changed: tuple[str, ...] = ()
    """Files, addresses and tables' rows that hold something else than before; what they held is no longer there."""
    moved: tuple[tuple[str, str], ...] = ()
    """Where items were, and are now: only pictures of which the name is embedded are embedded again."""
    renamed: int = 0
    """How many of :attr:`moved` were."""
    gone: tuple[str, ...] = ()
    """What came from the same folders, globs and tables and is no longer there, but still in the index."""
    removed: tuple[str, ...] = ()
    """The same, where it was taken out of the index."""

    _renderer: ClassVar[str] = "mmrag_nb.notebook.render.report"
    _columns: ClassVar[list[str] | None] = ["source", "outcome", "detail"]

    def _rows(self) -> list[dict[str, Any]]:
        skipped = [{"source": s.source, "outcome": "skipped", "detail": s.reason} for s in self.skipped]
        notes = [{"source": name, "outcome": "note", "detail": note} for name, note in self.notes]
        moved = [{"source": now, "outcome": "moved", "detail": f"from {before}"} for before, now in self.moved]
        others = [
            {"source": uri, "outcome": outcome, "detail": ""}
            for outcome in ("changed", "gone", "removed")
            for uri in getattr(self, outcome)
        ]
        return [*skipped, *notes, *moved, *others]


@dataclass(frozen=True, repr=False)
class Status(Shown):
    """Where an index stands."""

    path: str
    items: Mapping[str, int]
    """Items by modality."""
    chunks: int
    vectors: Mapping[str, int]
    """Vectors by space."""
    settings: Mapping[str, str]
    """Preset, strategy and the models in force; before them, which vectors are still to be compared with theirs."""

    _renderer: ClassVar[str] = "mmrag_nb.notebook.render.status"

    def _rows(self) -> list[dict[str, Any]]:
        return [{"what": name, "value": value} for name, value in self.settings.items()]


@dataclass(frozen=True)
class Planned:
    """What indexing would do with the items of one modality. ``None`` and empty: cannot be told yet."""

    modality: Modality
    new: int
    """Items that would be embedded."""
    known: int
    """Items that are in the index already, unchanged."""
    chunks: int | None = 0
    growth: int | None = 0
    """Bytes by which the index would grow: vectors, previews, words."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """By stage: ``load``, ``transcribe``, ``embed``, ``commit``."""


@dataclass(frozen=True, repr=False)
class Plan(Shown):
    """What one call of ``index`` would do. Chunks, bytes and seconds are estimates, :attr:`basis` says by what."""

    kinds: tuple[Planned, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)
    """By stage, of all that can be told."""
    vectors: Mapping[str, int] = field(default_factory=dict)
    """Bytes of vectors by space: part of :attr:`growth`."""
    basis: str = ""
    """What the estimates rest on: ``measured on 6 of 240 items``."""
    models: tuple[str, ...] = ()
    """Models that would work, and where each is."""
    skipped: tuple[Skipped, ...] = ()
    """As far as can be told without loading everything."""
    fetched: tuple[str, ...] = ()
    """Addresses that would be fetched. What is there is not counted."""
    remarks: tuple[str, ...] = ()
    """What cannot be told, and what to do about it."""

    _renderer: ClassVar[str] = "mmrag_nb.notebook.render.plan"
    _columns: ClassVar[list[str] | None] = ["modality", "new", "known", "chunks", "growth", "seconds"]

    @property
    def new(self) -> int:
        """Items that would be embedded."""
        return sum(kind.new for kind in self.kinds)

    @property
    def known(self) -> int:
        """Items that are in the index already."""
        return sum(kind.known for kind in self.kinds)

    @property
    def chunks(self) -> int | None:
        """Estimated chunks of all new items; ``None`` where those of one modality cannot be told."""
        return _sum(kind.chunks for kind in self.kinds)

    @property
    def growth(self) -> int | None:
        """Estimated bytes by which the index would grow; ``None`` where a part cannot be told."""
        return _sum(kind.growth for kind in self.kinds)

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {
                "modality": kind.modality,
                "new": kind.new,
                "known": kind.known,
                "chunks": kind.chunks,
                "growth": kind.growth,
                "seconds": sum(kind.seconds.values()) if kind.seconds or not kind.new else None,
            }
            for kind in self.kinds
        ]


def _sum(parts: Iterable[int | None]) -> int | None:
    total = 0
    for part in parts:
        if part is None:
            return None
        total += part
    return total


@dataclass(frozen=True, repr=False)
class Removal(Shown):
    """What was taken out of the index, or would be."""

    items: tuple[Item, ...]
    chunks: Mapping[str, int]
    """Number of chunks by the item's ``id``."""
    left: Mapping[str, int] = field(default_factory=dict)
    """Items that stay, by modality."""
    dry_run: bool = False
    """Whether nothing was removed yet."""
    closed: str = ""
    """The file that was closed and stays as it is, where the index was started anew."""

    _renderer: ClassVar[str] = "mmrag_nb.notebook.render.removal"
    _columns: ClassVar[list[str] | None] = ["name", "modality", "chunks", "uri"]

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {"name": item.name, "modality": item.modality, "chunks": self.chunks.get(item.id, 0), "uri": item.uri}
            for item in self.items
        ]


@dataclass(frozen=True, repr=False)
class ExportReport(Shown):
    """What one call of ``export`` wrote."""

    path: str
    """The file, or the folder."""
    form: str
    """``parquet`` or ``datasets``."""
    rows: int
    """One a chunk."""
    items: Mapping[str, int] = field(default_factory=dict)
    """Items by modality."""
    vectors: Mapping[str, str] = field(default_factory=dict)
    """By column: which vectors it holds."""
    size: int = 0
    """Bytes."""
    seconds: float = 0.0

    _renderer: ClassVar[str] = "mmrag_nb.notebook.render.exported"
    _columns: ClassVar[list[str] | None] = ["column", "vectors"]

    def _rows(self) -> list[dict[str, Any]]:
        return [{"column": name, "vectors": what} for name, what in self.vectors.items()]


@dataclass(frozen=True, repr=False)
class ImportReport(Shown):
    """What one call of ``import_vectors`` brought."""

    items: Mapping[str, int]
    """Items by modality, of those that are in the index now."""
    added: int
    """Items that are new, or had no such vector before."""
    reused: int
    """Items that were in the index already, with their vector."""
    spaces: Mapping[str, int] = field(default_factory=dict)
    """Vectors by space, of the rows that were taken."""
    agreement: str = ""
    """How the vectors were compared with the model they are said to be of, and how they agree."""
    skipped: tuple[Skipped, ...] = ()
    """Rows that were left out."""
    notes: tuple[tuple[str, str], ...] = ()
    """(where, remark)."""
    models: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds by stage: ``read``, ``check``, ``load``, ``commit``."""

    _renderer: ClassVar[str] = "mmrag_nb.notebook.render.imported"
    _columns: ClassVar[list[str] | None] = ["source", "outcome", "detail"]

    def _rows(self) -> list[dict[str, Any]]:
        skipped = [{"source": s.source, "outcome": "skipped", "detail": s.reason} for s in self.skipped]
        return [*skipped, *({"source": where, "outcome": "note", "detail": note} for where, note in self.notes)]
