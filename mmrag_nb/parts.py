"""The models and stores behind one index, each made on first use and kept while the settings that chose it stand."""

from __future__ import annotations

import re
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

from . import registry
from .retrieval.calibration import fit
from .retrieval.search import Channel
from .settings import NONE, model_entry

if TYPE_CHECKING:
    from .catalog.catalog import Catalog
    from .protocols import Encoder, Generator, Loader, Progress, Transcriber
    from .retrieval.shared import Way
    from .settings import Settings
    from .types import Modality, Vectors

_LIBRARIES = ("torch", "transformers", "scikit-learn", "pillow")


class Parts:
    """What ``settings`` name, made lazily. ``progress`` is told while a model loads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[tuple[str, ...], Any] = {}
        self._channels: dict[tuple[str, Modality], tuple[int, Channel | None]] = {}

    def _model(self, model: str, progress: Progress | None) -> Any:
        choice = self._settings.chosen(model)
        if choice == NONE:
            return None
        kind, name, argument = model_entry(model, choice)
        key = (kind, name, argument, self._settings.device, self._settings.precision, str(self._settings.timeout))
        if key not in self._made:
            if progress is not None:
                progress(f"loading {argument or name}", 0, None)
            self._made[key] = registry.create(kind, name, argument, self._settings)
        return self._made[key]

    def ways(self, progress: Progress | None = None) -> list[Way]:
        """How the strategy embeds and finds chunks."""
        strategy = registry.find("strategy", self._settings.strategy)
        image: Encoder | None = self._model("clip", progress)
        text: Encoder | None = self._model("text", progress)
        return list(strategy(image, text))

    def transcriber(self, progress: Progress | None = None) -> Transcriber | None:
        """Who turns speech into text; ``None`` where the settings go without."""
        return self._model("speech", progress)  # type: ignore[no-any-return]

    def generator(self) -> tuple[Generator, str]:
        """Who writes the answer, and why it is another than the settings name (empty where it is not).

        Where the preset names a generator that cannot work here, without a key say, the extractive one stands in. A
        generator that the user chose is used or fails.
        """
        choice = self._settings.chosen("generator")
        if not self._settings.own("generator") and choice == "gemini":
            from .generation.gemini import available

            reason = available()
            if reason:
                return registry.create("generator", "extractive", "", self._settings), reason
        return self._model("generator", None), ""

    def loader(self, modality: Modality, reader: Encoder) -> Loader:
        """Make the loader for items of ``modality``; texts are cut to fit ``reader``."""
        key = ("loader", modality, reader.space)
        if key not in self._made:
            loader = registry.find("loader", modality)
            self._made[key] = loader(reader.max_tokens, reader.count_tokens) if modality == "text" else loader()
        return self._made[key]  # type: ignore[no-any-return]

    def channel(self, catalog: Catalog, way: Way) -> Channel | None:
        """The vectors of ``way`` with their store and calibration, fresh; ``None`` where there are none."""
        key = (way.encoder.space, way.modality)
        known = self._channels.get(key)
        if known is None or known[0] != catalog.generation:
            background = self._background(catalog, way.encoder)
            ids, vectors = catalog.matrix(*key)
            channel = None
            if len(ids):
                store = registry.create("store", self._settings.store, "", self._settings)
                store.fit(ids, vectors)
                channel = Channel(*key, ids, vectors, store, fit(background, vectors))
            known = self._channels[key] = (catalog.generation, channel)
        return known[1]

    @staticmethod
    def _background(catalog: Catalog, encoder: Encoder) -> Vectors:
        kept = catalog.background(encoder.space)
        if kept is None:
            from .assets.background import queries

            kept = encoder.embed_texts(queries())
            catalog.set_background(encoder.space, kept)
        return kept


def short_name(model: str) -> str:
    """A model's name without its owner and boilerplate: ``s2t-medium``."""
    return re.sub(r"-(librispeech-asr|hf)$", "", model.rstrip("/\\").replace("\\", "/").rsplit("/", 1)[-1])


@cache
def library_versions() -> dict[str, str]:
    """Versions of the libraries that make vectors, to be stamped into an index."""
    installed = {name.lower() for one in metadata.distributions() if (name := one.metadata["Name"])}
    return {name: metadata.version(name) for name in _LIBRARIES if name in installed}
