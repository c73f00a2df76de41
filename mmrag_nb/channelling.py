"""The vectors of an index as channels: loaded when it changes, and measured only for what is new."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import registry
from .corpora.channel import FarChannel
from .corpora.corpus import Corpus
from .retrieval.calibration import Statistics, unit_of
from .retrieval.channels import AnyChannel, Channel, Probe
from .retrieval.rows import Rows
from .truncation import truncated

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from .catalog.catalog import Catalog
    from .catalog.marking import Mark
    from .protocols import Encoder, Loader, Store
    from .retrieval.ways import Way
    from .settings import Settings
    from .types import Modality, Vectors

    Place = tuple[str, str, str]
    """Space, view and part."""

_ROOM = 0.25
"""Share of an index's vectors that may be added before they are copied. It is taken from the system when it is used."""


@dataclass(frozen=True, eq=False)
class _Loaded:
    """Vectors in memory, and what they are of."""

    catalog: Catalog
    mark: Mark
    rows: Rows
    store: Store


class Channels:
    """The channels over one index at a time, for one choice of strategy and store."""

    def __init__(self, settings: Settings, lock: threading.RLock) -> None:
        self._settings, self._lock = settings, lock
        self._channels: dict[Place, tuple[tuple[str, object], AnyChannel | None]] = {}
        self._stores: dict[Place, tuple[object, Store]] = {}
        self._loaded: dict[Place, _Loaded] = {}
        self._statistics: dict[tuple[Place, Modality], Statistics] = {}

    def channel(self, catalog: Catalog, way: Way) -> AnyChannel | None:
        """The vectors of ``way``, fresh; ``None`` where there are none."""
        place = _place(way)
        with self._lock:
            state = (self._settings.store, catalog.generation)
            if self._channels.get(place, (None, None))[0] != state:
                self._channels[place] = (state, self._made(catalog, way))
                self._statistics = {key: one for key, one in self._statistics.items() if key[0] != place}
            return self._channels[place][1]

    def _made(self, catalog: Catalog, way: Way) -> AnyChannel | None:
        if isinstance(catalog, Corpus):  # which is its own store
            far = FarChannel(catalog, way.encoder.space, way.view, way.part, way.modality)
            return far if len(far) else None
        before = self._loaded.pop(_place(way), None)  # until all has gone well
        mark, rows, known = _read(catalog, way, before)
        if not len(rows):
            return None
        store = self._store(catalog, _place(way))
        add = getattr(store, "add", store.fit)
        if known is None or known.store is not store or len(store) != len(known.rows):
            store.fit(rows.ids, rows.vectors)
        elif len(rows) > len(store):
            add(rows.ids, rows.vectors)
        self._loaded[_place(way)] = _Loaded(catalog, mark, rows, store)
        return Channel(way.encoder.space, way.modality, rows.ids, rows.vectors, store)

    def _store(self, catalog: Catalog, place: Place) -> Store:
        """The store of a channel: the one that was there goes on, if nothing else is chosen."""
        name = "mmrag_" + hashlib.sha256("\0".join([catalog.identity, *place]).encode()).hexdigest()[:24]
        state = (self._settings.store, name)
        known = self._stores.get(place)
        if known is None or known[0] != state:
            if known is not None:
                known[1].close()
            kind, argument = registry.split("store", self._settings.store, "memory")
            self._stores[place] = (state, registry.create("store", kind, argument, self._settings, channel=name))
        return self._stores[place][1]

    def close(self) -> None:
        """Close the stores; what they keep stays."""
        with self._lock:
            self._channels.clear()
            self._loaded.clear()
            while self._stores:
                self._stores.popitem()[1][1].close()

    def probe(
        self,
        catalog: Catalog,
        way: Way,
        beside: Sequence[Way],
        question: tuple[Modality, Vectors],
        pictures: Callable[[], Loader],
    ) -> Probe | None:
        """A question, modality and vector (d,), put to the channel of ``way``, with what is usual for it there.

        ``beside`` are all ways in force: those of the same space share their unit.
        """
        asked, query = question
        with self._lock:  # statistics belong to the very vectors they were made of
            channel = self.channel(catalog, way)
            if channel is None:  # known without embedding the background
                return None
            own = self._measured(catalog, way, asked, pictures)
            ways = [one for one in beside if one.encoder.space == way.encoder.space and self.channel(catalog, one)]
            every = [self._measured(catalog, one, asked, pictures) for one in ways]
            unit = unit_of(every or [own], way.encoder.least_deviation)
            return Probe(channel, query, own.scale(query, unit), chance=own.reached(unit))

    def _measured(self, catalog: Catalog, way: Way, asked: Modality, pictures: Callable[[], Loader]) -> Statistics:
        """What the background reaches in the channel of ``way``: as kept in the index, and of what has come since."""
        key = (_place(way), asked)
        if key not in self._statistics:
            channel = self.channel(catalog, way)
            assert channel is not None
            digest, background = self._background(catalog, way.encoder, asked, pictures)
            place = (*key[0], asked)
            if isinstance(channel, FarChannel):
                far, anew = channel.measured(background, catalog.statistics(place, digest))
                if anew:
                    catalog.set_statistics(place, digest, len(channel), far.to_bytes(), None)
                self._statistics[key] = far
                return far
            last, statistics = _kept(catalog.statistics(place, digest), background)
            new = channel.ids > last
            if statistics.n + int(new.sum()) != len(channel.ids):  # written by others meanwhile
                new, statistics = np.ones(len(channel.ids), bool), _kept(None, background)[1]
            if new.any():
                statistics = statistics.updated(background, channel.vectors if new.all() else channel.vectors[new])
                (_, state), _ = self._channels[key[0]]
                catalog.set_statistics(place, digest, int(channel.ids[-1]), statistics.to_bytes(), state)
            self._statistics[key] = statistics
        return self._statistics[key]

    def _background(
        self, catalog: Catalog, encoder: Encoder, asked: Modality, pictures: Callable[[], Loader]
    ) -> tuple[str, Vectors]:
        """What stands for arbitrary questions, and their vectors (b, d), kept in the index."""
        from .assets.background import pictures as drawings
        from .assets.background import queries

        texts = encoder.background or queries()
        what = [path.name for path in drawings()] if asked == "image" else texts
        made_by = [f"{name}={value}" for name, value in sorted(encoder.fingerprint.items())]
        digest = hashlib.sha256("\n".join([*made_by, *what]).encode()).hexdigest()
        kept = catalog.background(encoder.space, asked, digest)
        if kept is None:
            if asked == "image":
                loader = pictures()
                pixels = [chunk.pixels for path in drawings() for chunk in loader.load(path, path.name).chunks]
                kept = encoder.embed_images([one for one in pixels if one is not None])
            else:
                embed = getattr(encoder, "embed_questions", encoder.embed_texts)
                kept = embed([truncated(text, encoder) for text in texts])
            catalog.set_background(encoder.space, asked, digest, kept)
        return digest, kept


def _read(catalog: Catalog, way: Way, before: _Loaded | None) -> tuple[Mark, Rows, _Loaded | None]:
    """The vectors of ``way``, of which only those are read that have come since ``before``, if that still holds."""
    named = way.encoder.space, way.view, way.part
    with catalog.snapshot():
        if before is not None and before.catalog is catalog and (mark := catalog.grown(before.mark)) is not None:
            ids, vectors = catalog.vectors_after(before.mark.last, *named)
            return mark, before.rows.and_then(ids, vectors) if len(ids) else before.rows, before
        del before  # its vectors go before others are read
        return catalog.mark(way.encoder.space), Rows(*catalog.vectors_after(0, *named, room=_ROOM)), None


def _kept(found: tuple[int, bytes] | None, background: Vectors) -> tuple[int, Statistics]:
    """Id of the last chunk that was measured, and what was; nothing where a damaged file says what cannot be."""
    b, d = background.shape
    if found is not None:
        with suppress(ValueError):
            statistics = Statistics.from_bytes(found[1])
            if (len(statistics.sums), len(statistics.total)) == (b, d):
                return found[0], statistics
    return 0, Statistics.empty(b, d)


def _place(way: Way) -> Place:
    return way.encoder.space, way.view, way.part or ""
