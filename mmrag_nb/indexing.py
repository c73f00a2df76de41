"""The way into the index: source, item, chunks, vectors, commit. Batch by batch, so that what is done stays done."""

from __future__ import annotations

import secrets
from collections import Counter, deque
from contextlib import closing
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from .ahead import Ahead
from .catalog.entries import BEGUN, Entry
from .catalog.relying import TakenOverError, VectorsGoneError
from .cleaning import Cleaning
from .describing import texts
from .embedding import embed
from .jobs.stopping import leave_off
from .loading import Loading
from .parts import library_versions, loader_name
from .presets import MODELS
from .reading import Reading
from .registry import entry, modality_of
from .reports import Skipped
from .saying import Saying
from .syncing import Syncing
from .transcribing import transcribe
from .types import Chunk
from .views import text_view, views
from .workload import Tally, Work

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .catalog.catalog import Catalog
    from .embedding import Embedded
    from .parts import Parts
    from .protocols import Progress
    from .retrieval.ways import Way
    from .settings import Settings
    from .types import Modality, Preview, Resolved, Source

BATCH = 16
"""Items that are loaded, embedded and committed together: what a kill can lose, and what is in memory at a time. Of
what is long it is a section of one."""

_PLURAL = {"text": "texts", "image": "pictures", "audio": "sounds", "video": "videos"}


class Indexing:
    """One run of ``index``.

    Parameters
    ----------
    first_section
        Of what is long, index the first section alone; :attr:`share` tells how many of them the whole would be.
    """

    def __init__(
        self,
        parts: Parts,
        catalog: Catalog,
        settings: Settings,
        progress: Progress | None,
        *,
        first_section: bool = False,
    ) -> None:
        self._first_section, self.share = first_section, 1.0
        self._parts, self._catalog, self._settings = parts, catalog, settings
        self._progress: Progress = progress or _silent
        self.tally = Tally()
        self._loading = Loading(parts, catalog, settings, self.tally, self._tell)
        self._reading = Reading(parts, catalog, settings, self.tally, self._progress)
        self._cleaning = Cleaning(catalog, settings, self.tally)
        self._ahead = Ahead(parts, catalog, self.tally)
        self._size = 1 if settings.precision == "exact" else BATCH  # pictures stay as large as they are
        self._saying = Saying(parts, catalog, self.tally, self._progress, self._tell)
        self._totals: Counter[Modality] = Counter()
        """Items that the sources seem to lead to."""
        self._through: Counter[Modality] = Counter()
        """Items that were indexed, reused or given up."""

    def run(
        self,
        sources: Sequence[Source],
        *,
        records: bool = False,
        columns: Mapping[str, str] | None = None,
        ignore: Sequence[str] = (),
        prune: bool = False,
    ) -> None:
        """Index ``sources``, folders as ``records`` where wished; :attr:`tally` grows as each batch is committed.

        ``columns`` says what columns of tables hold, ``ignore`` what folders leave out besides what the settings say.
        With ``prune``, what is no longer in them is taken out of the index.
        """
        from .sources.outline import expected
        from .sources.resolve import resolve

        syncing = Syncing(self._catalog, records=records)
        how: dict[str, Any] = {"modality_of": modality_of, "records": records, "columns": columns}
        how["ignore"] = [*self._settings.ignore, *ignore]
        self._totals = expected(sources, **how)
        private = self._settings.allow_private_urls
        found = resolve(sources, allow_private=private, **how)
        pending: deque[list[Resolved]] = deque()
        with closing(self._ahead):
            while (items := self._opened(found, len(pending))) is not None or pending:
                leave_off()
                if items is not None:
                    syncing.notice(items)
                    self._begin(items)
                    pending.append(items)
                if items is None or len(pending) > self._ahead.depth(self._size):
                    self._batch(pending.popleft())
        with self.tally.clock("commit"):
            syncing.finish(sources, self.tally, prune=prune)

    def batch(self, batch: list[Resolved]) -> None:
        """Load, embed and commit these items: short ones together, long ones section by section."""
        with closing(self._ahead):
            self._begin(batch)
            self._batch(batch)

    def _opened(self, found: Iterator[Resolved | Skipped], waiting: int) -> list[Resolved] | None:
        """The next items; ``None`` where there are no more."""
        batch: list[Resolved | Skipped] = []
        begun = self._through.total() + waiting * self._size
        with self.tally.clock("resolve"):
            for outcome in islice(found, self._size):
                batch.append(outcome)
                self._progress("opening sources", begun + len(batch), self._totals.total())
        self.tally.skipped += [one for one in batch if isinstance(one, Skipped)]
        return [one for one in batch if not isinstance(one, Skipped)] if batch else None

    def _begin(self, batch: Sequence[Resolved]) -> None:
        """Have the pictures of ``batch`` read while others are in hand."""
        if any(loader_name(one) == "image" for one in batch):
            self._ahead.begin(batch, self._ways(pictures=True, sounds=False))

    def _batch(self, batch: list[Resolved]) -> None:
        for long, some in groupby(batch, lambda one: entry("loader", loader_name(one)).long):
            part = list(some)
            kinds = {kind for one in part for kind in entry("loader", loader_name(one)).makes}
            ways = self._ways(pictures="image" in kinds, sounds="audio" in kinds)
            with self.tally.clock("load"):
                new = self._loading.new(part, ways)
            to_read = {one.item.id for one in new}
            if known := [one for one in part if one.item.id not in to_read]:
                self._done(known)
            if long:
                for one in new:
                    leave_off()
                    self._sections(one, ways)
            elif new:
                self._together(new, ways)

    def _together(self, batch: list[Resolved], ways: Sequence[Way]) -> None:
        """Items that are committed as one batch."""
        works = []
        for place, resolved in enumerate(batch):
            seen = self._ahead.taken(resolved)
            with self.tally.clock("load"):
                work = self._loading.whole(resolved, ways, batch[:place], seen)
            if work is not None:
                works.append(work)
        for work, fresh in self._kept(works, ways):
            self.tally.count(work.item, fresh=fresh)
        self._done(batch)

    def _sections(self, resolved: Resolved, ways: Sequence[Way]) -> None:
        """An item of any length: each section is committed before the next is read."""
        first, fresh, going, unheard = 0, False, False, False
        run = secrets.token_hex(8)
        with closing(self._loading.sections(resolved, ways)) as works:
            while True:
                with self.tally.clock("load"):
                    work = next(works, None)
                if work is None:
                    break
                work.section, work.run = (first, work.section is not None and work.section[1]), run
                if unheard and work.section[1]:
                    work.recipe += f", unheard{BEGUN}"  # another recipe, so that its silence is not believed
                try:
                    kept = self._kept([work], ways)
                except TakenOverError as error:
                    self.tally.skipped.append(Skipped(resolved.item.uri, str(error)))
                    going = False
                    break
                if not kept:  # what it needs cannot be had; the tally tells
                    break
                going, fresh, unheard = True, fresh or kept[0][1], unheard or work.unheard
                first += len(work.loaded.chunks)
                leave_off()
                if self._first_section:
                    self.share = max(1.0, (work.loaded.of or 0.0) / (work.loaded.reached or 1.0))
                    break
        if going:
            self.tally.count(resolved.item, fresh=fresh)
        self._done([resolved])

    def _kept(self, works: list[Work], ways: Sequence[Way]) -> list[tuple[Work, bool]]:
        """Commit ``works``; those that could be, each with whether something of it was embedded."""
        works = self._cleaning.clean(works)
        works = transcribe(works, self._parts, self.tally, self._progress)
        self._reading.read(works, ways[-1].encoder)
        self._saying.of(works)
        entries = [self._entry(work, ways) for work in works]
        made = self._embed(works, entries, ways)
        while entries:
            try:
                with self.tally.clock("commit"):
                    before = self._catalog.add(entries, made.vectors, model_specs(self._settings), made.relied)
                self.tally.remember(before)
                break
            except VectorsGoneError:  # removed elsewhere while these were made
                made = self._embed(works, entries, ways, made)
        new = {key for by_key in made.vectors.values() for key in by_key}
        self.tally.chunks += sum(len(entry.chunks) for entry in entries)
        fresh = [any(key in new for seen in entry.views for _, key in seen) for entry in entries]
        return list(zip(works, fresh, strict=True))

    def _done(self, batch: Sequence[Resolved]) -> None:
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

    # -- embed -----------------------------------------------------------------------------------------------------

    def _embed(
        self, works: Sequence[Work], entries: Sequence[Entry], ways: Sequence[Way], before: Embedded | None = None
    ) -> Embedded:
        """Vectors of all views that have none yet, neither in the index nor made ``before``."""
        contents: dict[str, dict[str, Any]] = {}
        owners: dict[str, tuple[str, int]] = {}
        for work, kept in zip(works, entries, strict=True):
            for loaded, chunk, seen in zip(work.loaded.chunks, kept.chunks, kept.views, strict=True):
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
            made = embed(contents, ways, self._catalog, doing, before, ahead=_ahead(works, entries))
        for modality in told:
            self._tell("embedding", modality, counts[modality])
        self.tally.models |= made.models
        for key, space, read in made.cut:
            self.tally.note(owners[key][0], f"{space} sees {read:,} of a text's {owners[key][1]:,} characters")
        return made

    def _entry(self, work: Work, ways: Sequence[Way]) -> Entry:
        item, loaded = work.item, work.loaded
        chunks = [
            Chunk(item.id, ordinal, chunk.modality, chunk.text, chunk.start, chunk.end, chunk.page)
            for ordinal, chunk in enumerate(loaded.chunks, work.first)
        ]
        previews: dict[tuple[int, str], Preview] = {(-1, kind): shown for kind, shown in loaded.previews.items()}
        for ordinal, part in enumerate(loaded.chunks, work.first):
            previews |= {(ordinal, kind): shown for kind, shown in part.previews.items()}
        seen = [
            list(views(chunk, item, work.version, texts(work.described.get(chunk.ordinal, {})), ways))
            for chunk in chunks
        ]
        facts = dict(loaded.facts)
        return Entry(item, chunks, seen, work.recipe, facts, previews, work.described, work.section, work.run)


def _ahead(works: Sequence[Work], entries: Sequence[Entry]) -> dict[str, dict[str, NDArray[np.float32]]]:
    """Vectors that pictures have already, by space, then key."""
    found: dict[str, dict[str, NDArray[np.float32]]] = {}
    for work, kept in zip(works, entries, strict=True):
        keys = [key for seen in kept.views for view, key in seen if view == "image"]
        for space, vector in work.vectors.items():
            found.setdefault(space, {}).update((key, vector) for key in keys)
    return found


def _silent(stage: str, done: int, total: int | None) -> None:
    """Report progress to nobody."""


def model_specs(settings: Settings) -> Mapping[str, str]:
    """The choices that an index is opened with again."""
    chosen = {name: getattr(settings, name) for name in MODELS}
    return {"preset": settings.preset, "augment": "yes" if settings.augment else "", **chosen}
