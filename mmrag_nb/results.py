"""What the user gets back: reports, hits and answers, each of which can show itself.

Their renderers live above this module, so they are named rather than imported, and found on first use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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


@dataclass(frozen=True, repr=False)
class Hit(Shown):
    """A chunk with its scores. Every score: higher is better."""

    rank: int
    """From 1."""
    score: float
    """Calibrated, comparable across modalities: how many standard deviations this chunk's cosine lies above what
    arbitrary questions reach for chunks of its kind, plus the lexical channel's share. The raw cosine where the ranking
    was asked to be raw."""
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

    _renderer: ClassVar[str] = "mmrag_nb.notebook.render.hits"

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> Hits: ...
    def __getitem__(self, index: int | slice) -> Hit | Hits:
        if isinstance(index, slice):
            return Hits(self.hits[index], self.question, self.facts, self.timings, self.gap)
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
