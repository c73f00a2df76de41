"""The vectors of an index as channels: loaded when it changes, calibrated once, and only for what is new."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from . import registry
from .retrieval.calibration import fit
from .retrieval.channels import Channel, Probe
from .truncation import truncated

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .catalog.catalog import Catalog
    from .protocols import Encoder, Loader
    from .retrieval.calibration import Calibration
    from .retrieval.ways import Way
    from .settings import Settings
    from .types import Modality, Vectors

    Place = tuple[str, str, str]
    """Space, view and part."""


class Channels:
    """The channels over one index at a time, for one choice of strategy and store."""

    def __init__(self, settings: Settings, lock: threading.RLock) -> None:
        self._settings, self._lock = settings, lock
        self._channels: dict[Place, tuple[object, Channel | None]] = {}
        self._calibrations: dict[tuple[Place, Modality], Calibration] = {}

    def channel(self, catalog: Catalog, way: Way) -> Channel | None:
        """The vectors of ``way``, fresh; ``None`` where there are none."""
        place = _place(way)
        with self._lock:
            state = (self._settings.store, catalog.generation)
            if self._channels.get(place, (None, None))[0] != state:
                ids, vectors = catalog.matrix(way.encoder.space, way.view, way.part)
                channel = None
                if len(ids):
                    store = registry.create("store", self._settings.store, "", self._settings)
                    store.fit(ids, vectors)
                    channel = Channel(way.encoder.space, way.modality, ids, vectors, store)
                self._channels[place] = (state, channel)
                self._calibrations = {key: one for key, one in self._calibrations.items() if key[0] != place}
            return self._channels[place][1]

    def probe(
        self, catalog: Catalog, way: Way, asked: Modality, query: Vectors, pictures: Callable[[], Loader]
    ) -> Probe | None:
        """A question put to the channel of ``way``, with the scale of what is usual for it there."""
        with self._lock:  # a calibration belongs to the very vectors it was fitted to
            channel = self.channel(catalog, way)
            if channel is None:  # known without embedding the background
                return None
            key = (_place(way), asked)
            if key not in self._calibrations:
                background = self._background(catalog, way.encoder, asked, pictures)
                self._calibrations[key] = fit(background, channel.vectors, way.encoder.least_deviation)
            return Probe(channel, query, self._calibrations[key])

    def maxima(self, catalog: Catalog, probes: Sequence[Probe]) -> NDArray[np.float64]:
        import numpy as np

        return np.empty(0)

    def _background(
        self, catalog: Catalog, encoder: Encoder, asked: Modality, pictures: Callable[[], Loader]
    ) -> Vectors:
        """(b, d) vectors of arbitrary questions, kept in the index."""
        from .assets.background import pictures as drawings
        from .assets.background import queries

        texts = encoder.background or queries()
        what = [path.name for path in drawings()] if asked == "image" else texts
        digest = hashlib.sha256("\n".join(what).encode()).hexdigest()
        kept = catalog.background(encoder.space, asked, digest)
        if kept is None:
            if asked == "image":
                loader = pictures()
                pixels = [chunk.pixels for path in drawings() for chunk in loader.load(path, path.name).chunks]
                kept = encoder.embed_images([one for one in pixels if one is not None])
            else:
                kept = encoder.embed_texts([truncated(text, encoder) for text in texts])
            catalog.set_background(encoder.space, asked, digest, kept)
        return kept


def _place(way: Way) -> Place:
    return way.encoder.space, way.view, way.part or ""
