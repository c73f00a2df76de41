"""The models and stores behind one index, each made on first use and kept until the settings choose another."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from dataclasses import replace
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

from . import registry
from .errors import InvalidSetting, ModelUnavailable, nearest
from .retrieval.calibration import fit
from .retrieval.search import Channel
from .settings import NONE, known_values, model_entry

if TYPE_CHECKING:
    from .catalog.catalog import Catalog
    from .protocols import Encoder, Generator, Loader, Progress, Transcriber
    from .retrieval.calibration import Calibration
    from .retrieval.shared import Way
    from .settings import Settings
    from .types import Modality, Vectors

# OpenMP's threads, torch's and scikit-learn's, wait for each other by spinning, unless told otherwise before these
# libraries load. On a machine that does anything else (a browser, a second kernel) that makes a batch of pictures five
# to eight times slower; asleep, they cost an idle one about a fifth.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_LIBRARIES = ("torch", "transformers", "scikit-learn", "pillow")


class Parts:
    """What ``settings`` name, made lazily. ``progress`` is told while a model loads.

    Safe to use from several threads: a panel indexes on one of its own while a cell asks.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.RLock()
        self._models: dict[str, tuple[tuple[str, ...], Any]] = {}
        self._loaders: dict[tuple[str, str], Loader] = {}
        self._channels: dict[tuple[str, Modality], tuple[object, Channel | None]] = {}
        self._calibrations: dict[tuple[str, Modality, Modality], Calibration] = {}

    def under(self, settings: Settings) -> Parts:
        """The same models and loaders under other ``settings`` that name the same ones (another strategy, a store)."""
        other = Parts(settings)
        other._models, other._loaders, other._lock = self._models, self._loaders, self._lock
        return other

    def _model(self, model: str, progress: Progress | None) -> Any:
        with self._lock:  # else two threads would load it twice
            return self._loaded(model, progress)

    def _loaded(self, model: str, progress: Progress | None) -> Any:
        choice = self._settings.chosen(model)
        if choice == NONE:
            return None
        kind, name, argument = model_entry(model, choice)
        options = registry.entry(kind, name).options
        key = (name, argument, *(str(getattr(self._settings, option)) for option in options))
        if self._models.get(model, ((),))[0] != key:
            if progress is not None:
                progress(f"loading {argument or name}", 0, None)
            self._models.pop(model, None)  # two big models need not be in memory at once
            try:
                self._models[model] = (key, registry.create(kind, name, argument, self._settings))
            except ModelUnavailable as error:
                near = nearest(choice, known_values(model), cutoff=0.75)
                if near in {"", choice}:
                    raise
                raise ModelUnavailable(f"{error}. Or did you mean {near!r}?") from error.__cause__
        return self._models[model][1]

    def ways(self, progress: Progress | None = None, *, pictures: bool = True) -> list[Way]:
        """How the strategy embeds and finds chunks.

        Without ``pictures``, an encoder that only they need is not loaded.

        Raises
        ------
        InvalidSetting
            The settings go without any encoder.
        """
        strategy = registry.find("strategy", self._settings.strategy)
        text: Encoder | None = self._model("text", progress)
        image: Encoder | None = self._model("clip", progress) if pictures or text is None else None
        found: list[Way] = strategy(image, text)
        if not found:
            raise InvalidSetting(f"clip and text are both {NONE!r}, so nothing can be embedded: set text to 'words'")
        return found

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
        key = (modality, reader.space if modality == "text" else "")
        if key not in self._loaders:
            loader = registry.find("loader", modality)
            self._loaders[key] = loader(reader.max_tokens, reader.count_tokens) if modality == "text" else loader()
        return self._loaders[key]

    def channel(self, catalog: Catalog, way: Way, asked: Modality) -> Channel | None:
        """The vectors of ``way``, fresh, calibrated for questions that are ``asked``; ``None`` where there are none."""
        place = (way.encoder.space, way.modality)
        with self._lock:  # a calibration belongs to the very vectors it was fitted to
            channel = self._channel(catalog, *place)
            if channel is None:  # known without embedding the background
                return None
            if (*place, asked) not in self._calibrations:
                background = self._background(catalog, way.encoder, asked)
                self._calibrations[(*place, asked)] = fit(background, channel.vectors, way.encoder.least_deviation)
            return replace(channel, calibration=self._calibrations[(*place, asked)])

    def _channel(self, catalog: Catalog, space: str, modality: Modality) -> Channel | None:
        place = (space, modality)
        state = (self._settings.store, catalog.generation)
        if self._channels.get(place, (None, None))[0] != state:
            ids, vectors = catalog.matrix(*place)
            channel = None
            if len(ids):
                store = registry.create("store", self._settings.store, "", self._settings)
                store.fit(ids, vectors)
                channel = Channel(*place, ids, vectors, store)
            self._channels[place] = (state, channel)
            self._calibrations = {key: one for key, one in self._calibrations.items() if key[:2] != place}
        return self._channels[place][1]

    def _background(self, catalog: Catalog, encoder: Encoder, asked: Modality) -> Vectors:
        from .assets.background import pictures, queries

        texts = encoder.background or queries()
        what = [path.name for path in pictures()] if asked == "image" else texts
        digest = hashlib.sha256("\n".join(what).encode())
        kept = catalog.background(encoder.space, asked, digest.hexdigest())
        if kept is None:
            if asked == "image":
                loader = self.loader("image", encoder)
                pixels = [chunk.pixels for path in pictures() for chunk in loader.load(path, path.name).chunks]
                kept = encoder.embed_images([one for one in pixels if one is not None])
            else:
                kept = encoder.embed_texts([truncated(text, encoder) for text in texts])
            catalog.set_background(encoder.space, asked, digest.hexdigest(), kept)
        return kept


def truncated(text: str, encoder: Encoder) -> str:
    """As much of the beginning of ``text`` as ``encoder`` takes: all of it, or up to the last blank that fits."""
    if encoder.count_tokens(text) <= encoder.max_tokens:
        return text
    # A token has seldom more than 16 characters; what lies far beyond need not be counted again and again.
    low, high = 1, min(len(text), 16 * encoder.max_tokens)
    while low < high:
        middle = (low + high + 1) // 2
        fits = encoder.count_tokens(text[:middle]) <= encoder.max_tokens
        low, high = (middle, high) if fits else (low, middle - 1)
    head = text[:low]
    return head if text[low : low + 1].isspace() or not head.strip().count(" ") else head.rsplit(None, 1)[0]


def short_name(model: str) -> str:
    """A model's name without its owner and boilerplate: ``s2t-medium``."""
    return re.sub(r"-(librispeech-asr|hf)$", "", model.rstrip("/\\").replace("\\", "/").rsplit("/", 1)[-1])


@cache
def library_versions() -> dict[str, str]:
    """Versions of the libraries that make vectors, to be stamped into an index."""
    installed = {name.lower() for one in metadata.distributions() if (name := one.metadata["Name"])}
    return {name: metadata.version(name) for name in _LIBRARIES if name in installed}
