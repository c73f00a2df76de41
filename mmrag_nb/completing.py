"""What a strategy needs of an index that others filled: computed once, from what the index keeps, and kept there."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from .carrying import pixels_of
from .catalog.entries import Described
from .catalog.relying import VectorsGoneError
from .describing import describe, texts
from .embedding import embed
from .errors import LoadError
from .parts import library_versions
from .presets import NONE, PRESETS
from .views import text_view, version_of, views

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .catalog.catalog import Catalog
    from .catalog.entries import Stored
    from .parts import Parts
    from .protocols import Progress
    from .retrieval.ways import Way
    from .settings import Settings
    from .types import Modality

_LONGEST = 3600.0
"""Seconds of a stored clip that are decoded at most; a longer one did not come from us."""
BATCH = 8
"""Chunks that are described, embedded and committed together: what a kill can lose."""
_OF_WORDS = ("text", "titled")
"""Views of a picture that hold what is written in it, where that counts."""


@dataclass(frozen=True)
class Lacking:
    """What the index lacks for a strategy."""

    strategy: str
    chunks: tuple[int, ...] = ()
    """Ids, ascending."""
    described: int = 0
    """Pictures that have to be described."""
    embedded: Mapping[Modality, int] = field(default_factory=dict)
    """Chunks that have to be embedded, by modality."""

    def __bool__(self) -> bool:
        return bool(self.chunks)

    def __str__(self) -> str:
        parts = [f"{n:,} {kind} chunk{'s' * (n != 1)} to embed" for kind, n in self.embedded.items()]
        if self.described:
            parts.insert(0, f"{self.described:,} picture{'s' * (self.described != 1)} to describe")
        return f"{self.strategy} lacks {', '.join(parts)}" if parts else f"{self.strategy} lacks nothing"


class Completing:
    """Fills in what the strategy in force needs of chunks that are in the index already."""

    def __init__(self, parts: Parts, catalog: Catalog, settings: Settings) -> None:
        self._parts, self._catalog, self._settings = parts, catalog, settings

    def lacking(self, ways: Sequence[Way], items: str | Sequence[str] | None = None) -> Lacking:
        """What is missing for ``ways``, of some items (by their ids) or of all; silence, say, has nothing to embed."""
        catalog = self._catalog
        kinds: Counter[Modality] = Counter()
        undescribed = self._undescribed(items)
        reread = self._reread(ways, items)
        chunks = {*undescribed, *reread}
        for way in ways:
            lacking = catalog.unembedded(way.encoder.space, way.view, way.kinds, items)
            for start in range(0, len(lacking), 1_000):
                stored = catalog.records(lacking[start : start + 1_000])
                for chunk, one in stored.items():
                    if self._can(way, one):
                        chunks.add(chunk)
                        kinds[one.chunk.modality] += 1
        kinds["image"] = max(kinds["image"], len({*undescribed, *reread}))
        return Lacking(self._settings.strategy, tuple(sorted(chunks)), len(undescribed), dict(+kinds))

    def same_models(self) -> bool:
        """Whether the models in force are those that filled the index, so that only the strategy can have changed.

        One that hears, where none did, is an addition.
        """
        made, now = self._catalog.meta(), self._settings
        preset = made.get("preset", now.preset)
        if preset not in PRESETS:
            return False

        def of(model: str, default: str) -> tuple[str, str]:
            return made.get(model) or PRESETS[preset][default], getattr(now, model) or PRESETS[now.preset][default]

        sound, hears = of("sound", "sound")
        others = (of("clip", "clip"), of("text", "text"), of("text", "reader"))
        return all(there == here for there, here in others) and sound in {NONE, hears}

    def complete(self, ways: Sequence[Way], lacking: Lacking, progress: Progress | None = None) -> str:
        """Compute what is ``lacking``, batch by batch; each is kept as soon as it is done. Tells what it cost."""
        start = time.perf_counter()
        for way in ways:
            encoder = way.encoder
            self._catalog.register(encoder.space, encoder.dimension, encoder.fingerprint, library_versions())
        telling = self._parts.telling
        undescribed = set(self._undescribed())
        done = 0
        for batch in _batches(lacking.chunks):
            if progress is not None:
                progress(f"completing for {self._settings.strategy}", done, len(lacking.chunks))
            stored = self._catalog.records(batch)  # without what was removed elsewhere meanwhile
            told = self._described([one for one in stored if one in undescribed], stored, progress)
            said = {one: texts({**there.described, **told.get(one, {})}, telling) for one, there in stored.items()}
            self._add(stored, said, told, ways)
            done += len(batch)
        if progress is not None:
            progress(f"completing for {self._settings.strategy}", done, len(lacking.chunks))
        lacked = str(lacking).replace(" lacks ", " lacked ", 1)
        return f"{lacked}: made in {time.perf_counter() - start:.1f} s, and kept"

    def _add(
        self,
        stored: Mapping[int, Stored],
        said: Mapping[int, Mapping[str, str]],
        told: Mapping[int, Mapping[str, Described]],
        ways: Sequence[Way],
    ) -> None:
        recipes = self._catalog.recipes(list(stored))
        seen = {
            one: list(views(there.chunk, there.item, version_of(recipes[one]), said[one], ways))
            for one, there in stored.items()
            if one in recipes
        }
        made = None
        while True:
            contents: dict[str, dict[str, Any]] = {}
            there: list[tuple[str, str]] = []
            for one, listed in seen.items():
                for view, key in listed:
                    if view in {"image", "audio"}:
                        spaces = [way.encoder.space for way in ways if way.view == view]
                        lacking = [space for space in spaces if self._catalog.missing(space, [key])]
                        there += [(space, key) for space in spaces if space not in lacking]
                        content = self._kept(view, stored[one]) if lacking else None
                    else:
                        content = text_view(view, stored[one].chunk, stored[one].item, said[one])
                    if content is not None:
                        contents.setdefault(view, {})[key] = content
            made = embed(contents, ways, self._catalog, made=made)
            for space, key in there:
                made.relied[space].there.add(key)
            with suppress(VectorsGoneError):  # removed elsewhere while these were made: these, too, then
                self._catalog.add_views(seen, made.vectors, told, made.relied, stored)
                return

    def _undescribed(self, items: str | Sequence[str] | None = None) -> list[int]:
        """Pictures that lack what the models in force would tell of them, where it is needed at all."""
        models = self._parts.described_by(self._parts.telling)
        return sorted({one for kind, model in models.items() for one in self._catalog.undescribed(kind, model, items)})

    def _reread(self, ways: Sequence[Way], items: str | Sequence[str] | None = None) -> list[int]:
        """Pictures embedded without the words that were read in them, or still with them where they count no more."""
        if self._settings.strategy == "grounded":
            return []
        found = []
        for batch in _batches(self._catalog.with_words(items), 1_000):
            stored, there = self._catalog.records(batch), self._catalog.views(batch)
            for one in batch:
                kept, told = stored[one], texts(stored[one].described, self._parts.telling)
                now = dict(views(kept.chunk, kept.item, "", told, ways))
                if any(now.get(view, key) != key for view, key in there.get(one, ()) if view in _OF_WORDS):
                    found.append(one)
        return found

    def _described(
        self, chunks: Sequence[int], stored: Mapping[int, Stored], progress: Progress | None
    ) -> dict[int, dict[str, Described]]:
        told: dict[int, dict[str, Described]] = {}
        in_words = self._catalog.pages_in_words(chunks)
        for kind, model in self._parts.described_by(self._parts.telling).items():
            lacking = [one for one in chunks if getattr(stored[one].described.get(kind), "model", None) != model]
            pictures: dict[int, Any] = {}
            for one in lacking:
                if kind == "ocr" and one in in_words:
                    told.setdefault(one, {})[kind] = Described(model, "")
                elif (picture := self._kept("image", stored[one])) is not None:
                    pictures[one] = picture
            said = describe(list(pictures.values()), self._parts, progress, (kind,))
            for one, more in zip(pictures, said, strict=True):
                told.setdefault(one, {}).update(more)
        return told

    def _can(self, way: Way, stored: Stored) -> bool:
        if way.view in {"image", "audio"}:
            return True
        told = texts(stored.described, self._parts.telling)
        return bool(text_view(way.view, stored.chunk, stored.item, told))

    def _kept(self, view: str, stored: Stored) -> Any:
        """The picture or the sound as the index keeps it, the source itself may be gone; ``None`` where it does not."""
        kind = {"image": "proxy", "audio": "clip"}[view]
        kept = self._catalog.previews(stored.item.id, stored.chunk.ordinal, (kind, "thumbnail"))
        if view == "image":
            return pixels_of(kept.get(kind) or kept.get("thumbnail"))
        if (preview := kept.get(kind)) is None:
            return None
        from .loaders.excerpt import as_segment, first_seconds

        try:
            return as_segment(first_seconds(preview.data, _LONGEST))
        except LoadError:  # an index can come from anywhere
            return None


def _batches(chunks: Sequence[int], most: int = BATCH) -> Iterator[list[int]]:
    rest = iter(chunks)
    while batch := list(islice(rest, most)):
        yield batch
