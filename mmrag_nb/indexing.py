"""The way into the index: source, item, chunks, vectors, commit. Batch by batch, so that what is done stays done."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from .catalog.entries import Entry
from .completing import Completing
from .describing import describe, texts
from .embedding import embed
from .errors import MMRagError
from .parts import library_versions
from .registry import modality_of
from .reports import Skipped
from .settings import MODELS
from .transcribing import transcribe
from .types import Chunk, LoadedChunk
from .views import captioned, recipe, text_view, views
from .workload import Tally, Work

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .catalog.catalog import Catalog
    from .parts import Parts
    from .protocols import Progress
    from .retrieval.ways import Way
    from .settings import Settings
    from .types import Item, Modality, Preview, Resolved, Source

BATCH = 16
"""Items that are loaded, embedded and committed together: what a kill can lose, and what is in memory at a time. Of
sounds it is one."""

_PLURAL = {"text": "texts", "image": "pictures", "audio": "sounds", "video": "videos"}


class Indexing:
    """One run of ``index``."""

    def __init__(self, parts: Parts, catalog: Catalog, settings: Settings, progress: Progress | None) -> None:
        self._parts, self._catalog, self._settings = parts, catalog, settings
        self._progress: Progress = progress or _silent
        self.tally = Tally()
        self._totals: Counter[Modality] = Counter()
        """Items that the sources seem to lead to."""
        self._through: Counter[Modality] = Counter()
        """Items that were indexed, reused or given up."""

    def run(self, sources: Sequence[Source], *, records: bool = False) -> None:
        """Index ``sources``, folders as ``records`` where wished; :attr:`tally` grows as each batch is committed."""
        from .sources.outline import expected
        from .sources.resolve import resolve

        tally = self.tally
        self._totals = expected(sources, modality_of=modality_of, records=records)
        private = self._settings.allow_private_urls
        found = resolve(sources, modality_of=modality_of, allow_private=private, records=records)
        while True:
            batch: list[Resolved | Skipped] = []
            with tally.clock("resolve"):
                for outcome in islice(found, BATCH):
                    batch.append(outcome)
                    self._progress("opening sources", self._through.total() + len(batch), self._totals.total())
            if not batch:
                return
            tally.skipped += [one for one in batch if isinstance(one, Skipped)]
            items = (one for one in batch if not isinstance(one, Skipped))
            for sounds, some in groupby(items, lambda one: one.item.modality == "audio"):
                # Listening takes long: an interruption is to lose one sound at most.
                for part in [[sound] for sound in some] if sounds else [list(some)]:
                    self.batch(part)

    def batch(self, batch: list[Resolved]) -> None:
        """Load, embed and commit these items together."""
        if not batch:
            return
        kinds = {resolved.item.modality for resolved in batch}
        ways = self._ways(pictures="image" in kinds, sounds="audio" in kinds)
        works = []
        for place, resolved in enumerate(batch):
            with self.tally.clock("load"):
                work = self._load(resolved, ways, ahead=batch[:place])
            if work is not None:
                works.append(work)
        works = transcribe(works, self._parts, self._catalog, self.tally, self._progress)
        if any(way.view == "grounded" for way in ways):
            self._describe(works)
        entries = [self._entry(work, ways) for work in works]
        vectors = self._embed(works, entries, ways)
        with self.tally.clock("commit"):
            if entries:
                self._catalog.add(entries, vectors, model_specs(self._settings))
        new = {key for by_key in vectors.values() for key in by_key}
        for work, entry in zip(works, entries, strict=True):
            fresh = any(key in new for seen in entry.views for _, key in seen)
            self.tally.items[work.item.modality] += 1
            self.tally.embedded += fresh
            self.tally.reused += not fresh
            self.tally.chunks += len(entry.chunks)
        self._through.update(resolved.item.modality for resolved in batch)
        committed = self.tally.items.total()
        self._progress("indexed", committed, max(committed, self._totals.total()) or None)

    def _tell(self, doing: str, modality: Modality, further: int = 0) -> None:
        """Report how many items of ``modality`` are through, ``further`` of this batch among them."""
        done = self._through[modality] + further
        self._progress(f"{doing} {_PLURAL[modality]}", done, max(done, self._totals[modality]) or None)

    def _ways(self, *, pictures: bool, sounds: bool) -> list[Way]:
        with self.tally.clock("models"):
            ways = self._parts.ways(self._progress, pictures=pictures, sounds=sounds)
        for way in ways:
            encoder = way.encoder
            self._catalog.register(encoder.space, encoder.dimension, encoder.fingerprint, library_versions())
        return ways

    # -- load ------------------------------------------------------------------------------------------------------

    def _load(self, resolved: Resolved, ways: Sequence[Way], ahead: Sequence[Resolved]) -> Work | None:
        """Read an item, unless all of it is in the index already; what cannot be read is told in the tally."""
        item, tally = resolved.item, self.tally
        loader = self._parts.loader(item.modality, ways[-1].encoder)
        known = self._catalog.find(item.id)
        if up_to_date(item, self._catalog, self._parts, self._settings, ways):
            assert known is not None
            if known[0] != item:  # moved, or more is said of it
                self._catalog.update(item)
            tally.items[item.modality] += 1
            tally.reused += 1
            return None
        self._tell("reading", item.modality, sum(one.item.modality == item.modality for one in ahead))
        try:
            loaded = loader.load(resolved.content, item.name)
        except MMRagError as error:
            tally.skipped.append(Skipped(item.uri, str(error)))
            return None
        tally.notes += [(item.name, note) for note in (*resolved.notes, *loaded.notes)]
        made = recipe(item.modality, loader.version, self._settings)
        same = known is not None and known[1] == made
        heard = self._catalog.texts(item.id) if same and item.modality == "audio" else []
        loaded = captioned(loaded, item)
        if same and item.modality == "text" and known is not None and _caption(known[0]) == _caption(item):
            # Another strategy's reader may have cut it: passages that differ would cost the other its vectors.
            loaded = replace(loaded, chunks=self._passages(item))
        return Work(item, loaded, made, loader.version, heard)

    def _passages(self, item: Item) -> tuple[LoadedChunk, ...]:
        """Those of a text as they are in the index."""
        ids = self._catalog.chunk_ids(item.id)
        stored = self._catalog.records(ids)
        kept = (stored[one].chunk for one in ids)
        return tuple(LoadedChunk(one.modality, one.text, one.start, one.end, one.page) for one in kept)

    # -- describe --------------------------------------------------------------------------------------------------

    def _describe(self, works: Sequence[Work]) -> None:
        """Note what models say of pictures, unless they have said it before."""
        models = self._parts.described_by()
        new: list[tuple[Work, int, Any]] = []
        for work in works:
            ids = self._catalog.chunk_ids(work.item.id)
            known = {one.chunk.ordinal: one.described for one in self._catalog.records(ids).values()}
            for ordinal, chunk in enumerate(work.loaded.chunks):
                if chunk.pixels is None:
                    continue
                said = {kind: told for kind, told in known.get(ordinal, {}).items() if models.get(kind) == told.model}
                work.described[ordinal] = said
                if set(said) != set(models):
                    new.append((work, ordinal, chunk.pixels))
        if new:
            self._tell("describing", "image")
            with self.tally.clock("describe"):
                told = describe([pixels for *_, pixels in new], self._parts, self._progress)
            for (work, ordinal, _), said in zip(new, told, strict=True):
                work.described[ordinal] = said

    # -- embed -----------------------------------------------------------------------------------------------------

    def _embed(
        self, works: Sequence[Work], entries: Sequence[Entry], ways: Sequence[Way]
    ) -> dict[str, dict[str, NDArray[np.float32]]]:
        """Vectors by space and key of all views that have none yet."""
        contents: dict[str, dict[str, Any]] = {}
        owners: dict[str, tuple[str, int]] = {}
        for work, entry in zip(works, entries, strict=True):
            for loaded, chunk, seen in zip(work.loaded.chunks, entry.chunks, entry.views, strict=True):
                described = texts(work.described.get(chunk.ordinal, {}))
                for view, key in seen:
                    content: Any = loaded.pixels if view == "image" else loaded.audio
                    if view not in {"image", "audio"}:
                        content = text_view(view, chunk, work.item, described)
                        owners[key] = work.item.name, len(content)
                    contents.setdefault(view, {})[key] = content
        counts = Counter(work.item.modality for work in works)
        told: list[Modality] = []

        def doing(way: Way) -> None:
            if counts[way.modality]:  # beside these, the words of pictures and sounds are few
                self._tell("embedding", way.modality)
                told.append(way.modality)

        with self.tally.clock("embed"):
            made = embed(contents, ways, self._catalog, doing)
        for modality in told:
            self._tell("embedding", modality, counts[modality])
        self.tally.models |= made.models
        self.tally.notes += [
            (owners[key][0], f"{space} sees {seen:,} of a text's {owners[key][1]:,} characters")
            for key, space, seen in made.cut
        ]
        return made.vectors

    def _entry(self, work: Work, ways: Sequence[Way]) -> Entry:
        item, loaded = work.item, work.loaded
        chunks = [
            Chunk(item.id, ordinal, chunk.modality, chunk.text, chunk.start, chunk.end, chunk.page)
            for ordinal, chunk in enumerate(loaded.chunks)
        ]
        previews: dict[tuple[int, str], Preview] = {(-1, kind): shown for kind, shown in loaded.previews.items()}
        for ordinal, part in enumerate(loaded.chunks):
            previews |= {(ordinal, kind): shown for kind, shown in part.previews.items()}
        seen = [
            list(views(chunk, item, work.version, texts(work.described.get(chunk.ordinal, {})), ways))
            for chunk in chunks
        ]
        return Entry(item, chunks, seen, work.recipe, dict(loaded.facts), previews, work.described)


def _silent(stage: str, done: int, total: int | None) -> None:
    """Report progress to nobody."""


def up_to_date(item: Item, catalog: Catalog, parts: Parts, settings: Settings, ways: Sequence[Way]) -> bool:
    """Whether all of ``item`` is in the index already, made and embedded as it would be now."""
    known = catalog.find(item.id)
    version = parts.loader(item.modality, ways[-1].encoder).version
    return (
        known is not None
        and known[1] == recipe(item.modality, version, settings)
        and _caption(known[0]) == _caption(item)
        and (item.modality != "image" or not _tells_otherwise(known[0], item, ways))
        and not Completing(parts, catalog, settings).lacking(ways, item.id)
    )


def _caption(item: Item) -> object:
    return item.metadata.get("caption")


def _tells_otherwise(known: Item, item: Item, ways: Sequence[Way]) -> bool:
    """Whether a picture's name, or what is said of it, is embedded and has changed."""
    views = {way.view for way in ways}
    renamed = known.words != item.words
    return (renamed and bool(views & {"titled", "grounded"})) or (
        "grounded" in views and known.metadata != item.metadata
    )


def model_specs(settings: Settings) -> Mapping[str, str]:
    """The choices that an index is opened with again."""
    return {"preset": settings.preset, **{name: getattr(settings, name) for name in MODELS}}
