"""The way into the index: source, item, chunks, vectors, commit. Batch by batch, so that what is done stays done."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from .catalog.entries import Entry
from .errors import MMRagError
from .insight.spoken import WORDS, noted
from .parts import library_versions, truncated
from .registry import modality_of
from .results import IndexReport, Skipped
from .settings import MODELS
from .types import Chunk, Item, LoadedChunk, LoadedItem, Source
from .views import by_name, captioned, recipe, text_view, views

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .catalog.catalog import Catalog
    from .parts import Parts
    from .protocols import Progress
    from .retrieval.shared import Way
    from .settings import Settings
    from .types import Modality, Preview, Resolved

BATCH = 16
"""Items that are loaded, embedded and committed together: what a kill can lose, and what is in memory at a time. Of
sounds it is one."""

_LISTENED = 8
"""Utterances that are transcribed between two reports of progress."""

_PLURAL = {"text": "texts", "image": "pictures", "audio": "sounds", "video": "videos"}


@dataclass
class Tally:
    """What has been done so far."""

    items: Counter[str] = field(default_factory=Counter)
    chunks: int = 0
    embedded: int = 0
    reused: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    models: dict[str, None] = field(default_factory=dict)
    seconds: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def clock(self, stage: str) -> Iterator[None]:
        """Add the time of the block to ``stage``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - start  # type: ignore[assignment]

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
        )


@dataclass
class _Work:
    """An item between loading and commit."""

    item: Item
    loaded: LoadedItem
    recipe: str
    version: str
    """Of the loader, which decides what the pixels are."""
    transcripts: list[str]
    """Of an earlier run by the same loader and transcriber; empty where there was none."""


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

    def run(self, sources: Sequence[Source]) -> None:
        """Index ``sources``; :attr:`tally` grows as each batch is committed."""
        from .sources.outline import expected
        from .sources.resolve import resolve

        tally = self.tally
        self._totals = expected(sources, modality_of=modality_of)
        found = resolve(sources, modality_of=modality_of, allow_private=self._settings.allow_private_urls)
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
        ways = self._ways(pictures=any(resolved.item.modality == "image" for resolved in batch))
        works = []
        for place, resolved in enumerate(batch):
            with self.tally.clock("load"):
                work = self._load(resolved, ways, ahead=batch[:place])
            if work is not None:
                works.append(work)
        works = self._transcribe(works)
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

    def _ways(self, *, pictures: bool) -> list[Way]:
        with self.tally.clock("models"):
            ways = self._parts.ways(self._progress, pictures=pictures)
        for way in ways:
            encoder = way.encoder
            self._catalog.register(encoder.space, encoder.dimension, encoder.fingerprint, library_versions())
        return ways

    # -- load ------------------------------------------------------------------------------------------------------

    def _load(self, resolved: Resolved, ways: Sequence[Way], ahead: Sequence[Resolved]) -> _Work | None:
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
        made = recipe(item.modality, loader.version, ways, self._settings)
        heard = known is not None and item.modality == "audio" and known[1].split("; ")[0] == made.split("; ")[0]
        return _Work(item, captioned(loaded, item), made, loader.version, self._catalog.texts(item.id) if heard else [])

    # -- transcribe ------------------------------------------------------------------------------------------------

    def _transcribe(self, works: list[_Work]) -> list[_Work]:
        """Fill the texts of utterances; items that no transcriber can be had for are skipped, saying why."""
        for work in works:
            if work.transcripts:
                spoken = tuple(
                    _spoken(chunk, text, self._catalog.previews(work.item.id, ordinal, (WORDS,)))
                    if chunk.audio is not None
                    else chunk
                    for ordinal, (chunk, text) in enumerate(zip(work.loaded.chunks, work.transcripts, strict=False))
                )
                work.loaded = replace(work.loaded, chunks=spoken + work.loaded.chunks[len(spoken) :])
        heard = [
            work
            for work in works
            if not work.transcripts and any(chunk.audio is not None for chunk in work.loaded.chunks)
        ]
        if not heard:
            return works
        from .loaders.audio import samples

        try:
            with self.tally.clock("models"):
                transcriber = self._parts.transcriber(self._progress)
        except MMRagError as error:
            self.tally.skipped += [Skipped(work.item.uri, str(error)) for work in heard]
            return [work for work in works if work not in heard]
        if transcriber is None:
            self.tally.notes += [(work.item.name, "not transcribed: speech is set to none") for work in heard]
            return works
        self.tally.models[transcriber.description] = None
        for work in heard:
            clips = [chunk.audio for chunk in work.loaded.chunks if chunk.audio is not None]
            heard_so_far: list[str] = []
            with self.tally.clock("transcribe"):
                for start in range(0, len(clips), _LISTENED):
                    self._progress(f"transcribing {work.item.name}", start, len(clips))
                    some = [samples(clip.set_frame_rate(transcriber.rate)) for clip in clips[start : start + _LISTENED]]
                    heard_so_far += transcriber.transcribe(some)
            texts = iter(heard_so_far)
            chunks = tuple(
                chunk if chunk.audio is None else _spoken(chunk, text := next(texts), noted(text))
                for chunk in work.loaded.chunks
            )
            silent = sum(1 for chunk in chunks if chunk.audio is not None and not chunk.text)
            if silent:
                self.tally.notes.append((work.item.name, f"no words heard in {silent} of {len(clips)} utterances"))
            work.loaded = replace(work.loaded, chunks=chunks)
        return works

    # -- embed -----------------------------------------------------------------------------------------------------

    def _embed(
        self, works: Sequence[_Work], entries: Sequence[Entry], ways: Sequence[Way]
    ) -> dict[str, dict[str, NDArray[np.float32]]]:
        """Vectors by space and key of all views that have none yet; equal content is embedded once."""
        pixels: dict[str, Any] = {}
        texts: dict[str, str] = {}
        owners: dict[str, str] = {}
        for work, entry in zip(works, entries, strict=True):
            for loaded, chunk, seen in zip(work.loaded.chunks, entry.chunks, entry.views, strict=True):
                for modality, key in seen:
                    if modality == "image":
                        pixels[key] = loaded.pixels
                    else:
                        texts[key] = text_view(chunk, work.item, names=by_name(ways))
                        owners[key] = work.item.name
        vectors: dict[str, dict[str, NDArray[np.float32]]] = {}
        for way in ways:
            content: Mapping[str, object] = pixels if way.modality == "image" else texts
            keys = self._catalog.missing(way.encoder.space, list(content))
            if not keys:
                continue
            own = sum(work.item.modality == way.modality for work in works)
            if own:  # beside these, the words of pictures and sounds are few
                self._tell("embedding", way.modality)
            encoder = way.encoder
            self.tally.models[encoder.description] = None
            with self.tally.clock("embed"):
                if way.modality == "image":
                    rows = encoder.embed_images([pixels[key] for key in keys])
                else:
                    fitting = {key: truncated(texts[key], encoder) for key in keys}
                    rows = encoder.embed_texts(list(fitting.values()))
                    self.tally.notes += [
                        (owners[key], f"{encoder.space} sees {len(seen):,} of a text's {len(texts[key]):,} characters")
                        for key, seen in fitting.items()
                        if len(seen) < len(texts[key])
                    ]
            if own:
                self._tell("embedding", way.modality, own)
            vectors.setdefault(way.encoder.space, {}).update(zip(keys, rows, strict=True))
        return vectors

    def _entry(self, work: _Work, ways: Sequence[Way]) -> Entry:
        item, loaded = work.item, work.loaded
        chunks = [
            Chunk(item.id, ordinal, chunk.modality, chunk.text, chunk.start, chunk.end, chunk.page)
            for ordinal, chunk in enumerate(loaded.chunks)
        ]
        previews: dict[tuple[int, str], Preview] = {(-1, kind): shown for kind, shown in loaded.previews.items()}
        for ordinal, part in enumerate(loaded.chunks):
            previews |= {(ordinal, kind): shown for kind, shown in part.previews.items()}
        seen = [
            list(views(chunk, part, item, work.version, ways))
            for chunk, part in zip(chunks, loaded.chunks, strict=True)
        ]
        return Entry(item, chunks, seen, work.recipe, dict(loaded.facts), previews)


def _silent(stage: str, done: int, total: int | None) -> None:
    """Report progress to nobody."""


def _spoken(chunk: LoadedChunk, text: str, words: Mapping[str, Preview]) -> LoadedChunk:
    return replace(chunk, text=str(text), previews={**chunk.previews, **words})


def up_to_date(item: Item, catalog: Catalog, parts: Parts, settings: Settings, ways: Sequence[Way]) -> bool:
    """Whether all of ``item`` is in the index already, made and embedded as it would be now."""
    known = catalog.find(item.id)
    version = parts.loader(item.modality, ways[-1].encoder).version
    return (
        known is not None
        and known[1] == recipe(item.modality, version, ways, settings)
        and known[0].metadata.get("caption") == item.metadata.get("caption")
        and not (by_name(ways) and item.modality == "image" and known[0].words != item.words)
        and not any(catalog.lacks(item.id, way.encoder.space, way.modality) for way in ways)
    )


def model_specs(settings: Settings) -> Mapping[str, str]:
    """The choices that an index is opened with again."""
    return {"preset": settings.preset, **{name: getattr(settings, name) for name in MODELS}}
