"""What the user gets back: reports, hits and answers, each of which can show itself.

Their renderers live above this module, so they are named rather than imported, and found on first use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, overload

from .errors import NotInstalled

if TYPE_CHECKING:
    from .types import Chunk, Item, Metadata, Modality, Preview, Prompt


class Shown:
    """A result with a plain-text form, a self-contained HTML form and a table."""

    _renderer: ClassVar[str]
    """A module with ``html(result) -> str`` and ``text(result) -> str``."""

    _columns: ClassVar[list[str] | None] = None
    """Of the table, where it may be empty."""

    def _repr_html_(self) -> str:
        return str(import_module(self._renderer).html(self))

    def __repr__(self) -> str:
        return str(import_module(self._renderer).text(self))

    def _rows(self) -> list[dict[str, Any]]:
        raise TypeError(f"{type(self).__name__} has no table")

    def to_pandas(self) -> Any:
        """Return the table as a ``pandas.DataFrame``.

        Raises
        ------
        NotInstalled
            pandas is absent: ``pip install pandas``.
        """
        try:
            import pandas as pd
        except ModuleNotFoundError as error:
            raise NotInstalled("pandas", extra="pandas") from error
        return pd.DataFrame(self._rows(), columns=self._columns)


@dataclass(frozen=True)
class Part:
    """A part of a record with its own score."""

    name: str
    modality: Modality
    score: float


@dataclass(frozen=True, repr=False)
class Hit(Shown):
    """A chunk with its scores. Every score: higher is better."""

    rank: int
    """From 1."""
    score: float
    """Calibrated, comparable across modalities: how many standard deviations this chunk's cosine lies above what one
    arbitrary question in twenty reaches among chunks of its kind, plus the lexical channel's share. The raw cosine
    where the ranking was asked to be raw."""
    cosine: float | None
    """Raw, in [-1, 1]; ``None`` where only the lexical channel found the chunk."""
    lexical: float
    """BM25; 0 where no word matched."""
    chunk: Chunk
    item: Item
    calibrated: float = 0.0
    """The part of ``score`` that the cosine brought, in standard deviations."""
    seen_as: Modality = "text"
    """Which of the chunk's views matched best: a captioned picture can be found as ``image`` or as ``text``."""
    space: str = ""
    """The vector space of ``cosine``."""
    raw_rank: int | None = None
    """Where the naive ranking, by raw cosine alone, would have put it."""
    matches: tuple[tuple[int, int], ...] = ()
    """Character ranges of ``chunk.text`` that share words with the question."""
    region: tuple[float, float, float, float] | None = None
    """The part of the picture that matches: left, top, right, bottom in shares of its width and height; ``None`` where
    it was not looked for, or no part stands out."""
    described: Mapping[str, str] = field(default_factory=dict)
    """What models say of a picture, where a strategy asked them: ``caption`` (what is seen), ``ocr`` (what is written).
    """
    parts: tuple[Part, ...] = ()
    """Of a record: all its parts that were scored, best first; this hit is the best of them."""
    alike: tuple[str, ...] = ()
    """Names of near-duplicates that stand behind this one."""
    before: int | None = None
    """Rank before reranking; ``None`` where nothing was reranked."""
    reranked: float | None = None
    """The reranker's score; comparable within one result only."""
    unit: str = "σ"
    """Of ``score`` and of the parts' scores: ``σ`` for standard deviations, ``rank points`` where ranks were fused,
    empty for raw cosines."""
    facts: Metadata = field(default_factory=dict)
    """The item's properties as loaders found them (pixels, seconds, passages)."""
    previews: Mapping[str, Preview] = field(default_factory=dict, repr=False)

    _renderer: ClassVar[str] = "mmrag_nb.notebook.render.hits"

    def _rows(self) -> list[dict[str, Any]]:
        return [hit_row(self)]


def hit_row(hit: Hit) -> dict[str, Any]:
    """One row of a table of hits."""
    return {
        "rank": hit.rank,
        "modality": hit.chunk.modality,
        "name": hit.item.name,
        "score": hit.score,
        "cosine": hit.cosine,
        "calibrated": hit.calibrated,
        "lexical": hit.lexical,
        "raw_rank": hit.raw_rank,
        "seen_as": hit.seen_as,
        "start": hit.chunk.start,
        "end": hit.chunk.end,
        "page": hit.chunk.page,
        "text": hit.chunk.text,
        "uri": hit.item.uri,
        "record": hit.item.record.name if hit.item.record else None,
        "before": hit.before,
        "reranked": hit.reranked,
        "alike": ", ".join(hit.alike),
    }


@dataclass(frozen=True, repr=False)
class Hits(Shown, Sequence[Hit]):
    """Ranked hits, best first. A sequence of :class:`Hit`."""

    hits: tuple[Hit, ...]
    question: str = ""
    facts: tuple[str, ...] = ()
    """What produced them: strategy, models, precision, what was truncated."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """Seconds by stage: ``embed``, ``search``."""
    gap: str = ""
    """One sentence that tells why a picture won or lost; empty where no picture competed."""
    doubt: str = ""
    """One sentence that tells why nothing here seems to answer what was asked; empty where something does."""
    reranker: str = ""
    """What looked a second time and put the hits in their order; empty where nothing did."""

    _renderer: ClassVar[str] = "mmrag_nb.notebook.render.hits"

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> Hits: ...
    def __getitem__(self, index: int | slice) -> Hit | Hits:
        if isinstance(index, slice):
            return replace(self, hits=self.hits[index])
        return self.hits[index]

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def _rows(self) -> list[dict[str, Any]]:
        return [hit_row(hit) for hit in self.hits]


@dataclass(frozen=True, repr=False)
class Answer(Shown):
    """An answer with the evidence it rests on."""

    question: str
    text: str
    hits: Hits
    citations: Mapping[int, Hit] = field(default_factory=dict)
    """The hits that ``text`` cites, by number: ``[1]`` in the text is ``citations[1]``."""
    generator: str = ""
    prompt: Prompt | None = None
    usage: Mapping[str, int] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    """Seconds by stage: ``embed``, ``search``, ``generate``."""
    abstained: bool = False
    """Whether ``text`` says that the index does not answer the question; the nearest hits are there all the same."""
    error: str = ""
    """Why there is no text, where generation failed; the hits are there all the same."""

    _renderer: ClassVar[str] = "mmrag_nb.notebook.render.card"

    def _rows(self) -> list[dict[str, Any]]:
        return [{**hit_row(hit), "cited": hit.rank in self.citations} for hit in self.hits]


@dataclass(frozen=True)
class Skipped:
    """A source that could not be indexed, and why."""

    source: str
    reason: str
    """One line: what is wrong and what to do."""


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
    """Whether it ended before all sources were through; what is counted here is in the index."""

    _renderer: ClassVar[str] = "mmrag_nb.notebook.render.report"
    _columns: ClassVar[list[str] | None] = ["source", "outcome", "detail"]

    def _rows(self) -> list[dict[str, Any]]:
        skipped = [{"source": s.source, "outcome": "skipped", "detail": s.reason} for s in self.skipped]
        return skipped + [{"source": name, "outcome": "note", "detail": note} for name, note in self.notes]


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
    """Preset, strategy and the models in force."""

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
