"""What the user gets back: reports, hits and answers, each of which can show itself.

Their renderers live above this module, so they are named rather than imported, and found on first use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, overload

from .errors import NotInstalled

if TYPE_CHECKING:
    from .types import Chunk, Estimate, Item, Metadata, Modality, Preview, Prompt


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


@dataclass(frozen=True)
class Passage:
    """Where in a hit an answer's statement is found."""

    text: str
    """The words; empty where the hit has none, or it cannot be told which: then it is all of the hit."""
    span: tuple[int, int]
    """Characters of ``hit.chunk.text``."""
    start: float | None = None
    """Seconds from the start of the item, of speech and video."""
    end: float | None = None
    page: int | None = None
    """From 1, of documents."""


@dataclass(frozen=True)
class Claim:
    """A statement of an answer, checked against the evidence."""

    text: str
    """A sentence, its citation marks left out."""
    span: tuple[int, int]
    """Characters of ``Answer.text``, its citation marks among them."""
    cites: tuple[int, ...]
    """Numbers of the evidence that it cites and that was sent."""
    supported: bool | None
    """Whether what it cites bears it out; ``None`` where that cannot be told."""
    reason: str = ""
    """Why it counts as not supported, in a few words; empty where it is."""
    overlap: float | None = None
    """Share of its words, weighted by their rarity, that the evidence holds, 0 to 1."""
    likeness: float | None = None
    """How far its embedding lies above chance from the evidence, in standard deviations; ``None`` where not needed."""


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
    described_matches: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    """Character ranges of these that share words with the question, by kind."""
    parts: tuple[Part, ...] = ()
    """Of a record: all its parts that were scored, best first; this hit is the best of them."""
    cited: tuple[Passage, ...] = ()
    """Where an answer's statements are found in it, for hits among ``Answer.citations``."""
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
    """The hits that ``text`` cites, by number: ``[1]`` in the text is ``citations[1]``, and where in it the statements
    are found is ``citations[1].cited``."""
    invalid: tuple[int, ...] = ()
    """Numbers that ``text`` cites although nothing of that number was sent."""
    claims: tuple[Claim, ...] = ()
    """The statements of ``text``, checked; empty where it was not."""
    generator: str = ""
    prompt: Prompt | None = None
    sent: str = field(default="", repr=False)
    """What was sent, as text; media as short descriptions. Empty where nothing was."""
    pictured: bool = False
    """Whether a picture stood beside the question's words."""
    asked_as: str = ""
    """The question that was looked for, where a follow-up was made a full one."""
    usage: Mapping[str, int] = field(default_factory=dict)
    """``input_tokens``, ``output_tokens``, as the provider counted them."""
    estimate: Estimate | None = None
    """What the request was expected to take."""
    dollars: float | None = None
    """What it cost, where that is known."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """Seconds by stage: ``embed``, ``search``, ``generate``."""
    abstained: bool = False
    """Whether ``text`` says that the sources do not answer the question; the nearest hits are there all the same."""
    writing: bool = False
    """Whether more of it is to come; it is not checked before it is whole."""
    trouble: str = ""
    """Why ``text`` is not whole: cut off, stopped, interrupted; empty where it is."""
    notes: tuple[str, ...] = ()
    """What belongs to the facts: what became of the history, who stood in for whom."""
    error: str = ""
    """Why there is no text, where generation failed; the hits are there all the same."""

    _renderer: ClassVar[str] = "mmrag_nb.notebook.render.card"

    def _rows(self) -> list[dict[str, Any]]:
        return [{**hit_row(hit), "cited": hit.rank in self.citations} for hit in self.hits]
