"""Why something was found, or was not: what a chunk stands on, and what carries it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from mmrag_nb.results import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmrag_nb.results import Hit
    from mmrag_nb.types import Modality, Preview

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom, in shares of a picture's width and height."""


@dataclass(frozen=True)
class WordShare:
    """What a word, or a few neighbours in a long text, brings to a cosine."""

    text: str
    start: int
    """First character in the text that it is a word of."""
    end: int
    drop: float
    """By how much the cosine falls without it; below 0 where the word is in the way."""
    share: float
    """``drop`` by the sum of all drops above 0."""
    said_from: float | None = None
    """Seconds from the start of the recording, where the word is spoken."""
    said_to: float | None = None


@dataclass(frozen=True)
class Term:
    """A word of the question that the lexical channel looks up."""

    text: str
    brought: float
    """Standard deviations that it added to the score; 0 where the chunk does not have it."""
    worth: float
    """Standard deviations that it can add: rare words are worth more."""
    chunks: int
    """Number of chunks that have it."""
    ranges: tuple[tuple[int, int], ...] = ()
    """Where it stands in the chunk's text; empty where it matched a name or metadata."""


@dataclass(frozen=True)
class View:
    """A chunk as one modality, in one space: a captioned picture can be found by its pixels and by its words."""

    modality: Modality
    space: str
    cosine: float
    calibrated: float
    """Standard deviations above what one arbitrary question in twenty reaches."""
    deviation: float
    """One standard deviation above chance, as a cosine."""
    place: int
    """From 1, by this cosine, among all that is seen so."""
    of: int
    counted: bool = False
    """Whether the score rests on this view: the best one counts."""
    below: float | None = None
    """One standard deviation below chance, as a cosine; the same where absent."""

    def raised(self, by: float) -> float:
        """The cosine at which ``calibrated`` would be higher by so many standard deviations."""
        return self.cosine + self._above_chance(self.calibrated + by) - self._above_chance(self.calibrated)

    def _above_chance(self, calibrated: float) -> float:
        return calibrated * (self.deviation if calibrated > 0 else self.below or self.deviation)


@dataclass(frozen=True)
class Placing:
    """Where a chunk stands among all that were ranked."""

    rank: int
    of: int
    among_kind: int
    """Its rank among the chunks of its modality."""
    kinds: int
    """Number of ranked chunks of its modality."""
    k: int
    """How many hits were asked for."""
    raw: bool = False
    """Whether the ranking was by raw cosine alone."""

    @property
    def found(self) -> bool:
        """Whether it is among the hits."""
        return self.rank <= self.k


@dataclass(frozen=True)
class Heat:
    """Which parts of a picture carry its cosine, by occlusion."""

    cells: tuple[tuple[float, ...], ...]
    """Rows, from the top, of the mean fall of the cosine where the cell is covered."""
    cosine: float
    """Of the stored stand-in, uncovered."""
    window: int
    """Cells that are covered at once, along each side."""
    region: Box | None
    """Where at least half of the highest fall is reached; ``None`` where nothing stands out."""
    where: str
    """That in words: ``upper left``."""
    overlay: Preview = field(repr=False)
    """The picture in grey, the heat laid over it."""


@dataclass(frozen=True, repr=False)
class Why(Shown):
    """Why something was found, or was not."""

    question: str
    name: str
    """Of what is explained."""
    verdict: str
    """Where it stands, in a sentence or two."""
    hit: Hit | None = None
    """With its scores and previews; ``None`` where it was not ranked."""
    placing: Placing | None = None
    views: tuple[View, ...] = ()
    terms: tuple[Term, ...] = ()
    asked: tuple[WordShare, ...] = ()
    """The question's words, against the view that counted."""
    words: tuple[WordShare, ...] = ()
    """Those of the passage, caption or transcript, as it was embedded."""
    text: str = ""
    """What ``words`` are words of."""
    times: str = ""
    """Where the words' seconds come from: ``heard``, ``estimated``; empty where nothing is spoken."""
    heat: Heat | None = None
    changes: tuple[str, ...] = ()
    """What would have had to be otherwise for it to be found, or to stand first."""
    facts: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    """Seconds by stage: ``rank``, ``words``, ``picture``."""

    _renderer: ClassVar[str] = "mmrag_nb.notebook.render.why"
    _columns: ClassVar[list[str] | None] = ["of", "word", "drop", "share", "from", "to", "lexical"]

    def _rows(self) -> list[dict[str, Any]]:
        rows = [("question", word) for word in self.asked] + [("text", word) for word in self.words]
        told = [
            {"of": of, "word": w.text, "drop": w.drop, "share": w.share, "from": w.said_from, "to": w.said_to}
            for of, w in rows
        ]
        return told + [{"of": "lexical", "word": term.text, "lexical": term.brought} for term in self.terms]
