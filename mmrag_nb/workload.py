"""What indexing carries from stage to stage: items on their way, and the count of what is done."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .reports import IndexReport, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from .catalog.entries import Described
    from .types import Item, LoadedItem, Preview


@dataclass
class Tally:
    """What has been done so far."""

    items: Counter[str] = field(default_factory=Counter)
    chunks: int = 0
    embedded: int = 0
    anew: set[str] = field(default_factory=set)
    """Where those were found (URIs)."""
    reused: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    notes: dict[tuple[str, str], None] = field(default_factory=dict)
    """(item, remark), each once, in the order told."""
    listened: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By item: utterances in which no words were heard, and all that were listened to, of the sections so far."""
    models: dict[str, None] = field(default_factory=dict)
    seconds: Counter[str] = field(default_factory=Counter)
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    moved: tuple[tuple[str, str], ...] = ()
    gone: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    before: dict[str, str] = field(default_factory=dict)
    """By item, by its content hash: where the index knew it when this run took it in (URI)."""

    @contextmanager
    def clock(self, stage: str) -> Iterator[None]:
        """Add the time of the block to ``stage``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - start  # type: ignore[assignment]

    def count(self, item: Item, *, fresh: bool) -> None:
        """Count an item as indexed; ``fresh`` where something of it was embedded."""
        self.items[item.modality] += 1
        self.embedded += fresh
        if fresh:
            self.anew.add(item.uri)
        self.reused += not fresh

    def remember(self, before: Mapping[str, str]) -> None:
        """Note where items were known, the first time that they are taken in."""
        self.before = {**before, **self.before}

    def note(self, item: str, remark: str) -> None:
        """Remark something on an item, once."""
        self.notes.setdefault((item, remark))

    def report(self, *, interrupted: bool = False) -> IndexReport:
        """What is shown in the end."""
        return IndexReport(
            items=dict(self.items),
            chunks=self.chunks,
            embedded=self.embedded,
            reused=self.reused,
            skipped=tuple(self.skipped),
            notes=tuple(self.notes),
            models=tuple(self.models),
            seconds=dict(self.seconds),
            interrupted=interrupted,
            added=self.added,
            changed=self.changed,
            moved=self.moved,
            renamed=sum(now in self.anew for _, now in self.moved),
            gone=self.gone,
            removed=self.removed,
        )


@dataclass
class Work:
    """An item between loading and commit."""

    item: Item
    loaded: LoadedItem
    recipe: str
    version: str
    """Of the loader, which decides what the pixels are."""
    transcripts: Mapping[tuple[float | None, float | None], tuple[str, Mapping[str, Preview]]]
    """What an earlier run by the same loader and transcriber heard, and the seconds of its words, by start and end."""
    described: dict[int, dict[str, Described]] = field(default_factory=dict)
    """What models say of its pictures, by ordinal of the chunk."""
    unheard: bool = False
    """Whether there is speech in it that no transcriber could be had for: the next run tries again."""
    section: tuple[int, bool] | None = None
    """As :attr:`~mmrag_nb.catalog.entries.Entry.section`."""
    run: str = ""
    """As :attr:`~mmrag_nb.catalog.entries.Entry.run`."""
    vectors: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """Of its picture, where that was embedded ahead: (d,) by space."""

    @property
    def first(self) -> int:
        """Ordinal of its first chunk."""
        return self.section[0] if self.section else 0
