"""What a look at an index file finds, and what making it compact has gained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from .results import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Problem:
    """Something in an index that is not as it was written, or not as it should be."""

    part: str
    """``pages``, ``tables``, ``words``, ``vectors``, ``previews``, ``chunks``, ``models``, ``settings``, ``file``."""
    what: str
    remedy: str
    """What to do about it."""


@dataclass(frozen=True, repr=False)
class Verification(Shown):
    """What a look at all of an index found."""

    path: str
    """The file; empty for an index in memory."""
    format: int
    """Of the file; 0 where it cannot be told."""
    pages: int
    """How many were compared with their checksums: all of the file; 0 in memory, and in formats that had none."""
    damaged: tuple[int, ...] = ()
    """Numbers, from 1, of the pages that are not what was written."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was looked at: ``items``, ``chunks``, ``views``, ``vectors``, ``previews``."""
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    """What is right but worth knowing."""
    seconds: float = 0.0

    _renderer: ClassVar[str] = "mmrag_nb.notebook.render.verification"
    _columns: ClassVar[list[str] | None] = ["part", "problem", "remedy"]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def _rows(self) -> list[dict[str, Any]]:
        return [{"part": one.part, "problem": one.what, "remedy": one.remedy} for one in self.problems]


@dataclass(frozen=True, repr=False)
class Compaction(Shown):
    """What making an index compact has gained."""

    path: str
    """The file; empty for an index in memory."""
    before: int
    """Bytes, with what lay in the log beside the file."""
    after: int
    orphans: int = 0
    """Vectors that nothing referred to any more."""
    seconds: float = 0.0

    _renderer: ClassVar[str] = "mmrag_nb.notebook.render.compaction"

    def _rows(self) -> list[dict[str, Any]]:
        return [{"path": self.path, "before": self.before, "after": self.after, "orphans": self.orphans}]
