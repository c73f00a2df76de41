"""The models and stores behind one index, each made on first use and kept until the settings choose another."""

from __future__ import annotations

import os
import re
import threading
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import registry
from .channelling import Channels
from .errors import InvalidSetting, ModelUnavailable, NotInstalled, nearest
from .generation.metering import Limits, Metered
from .presets import NONE
from .remembering import Remembered
from .retrieval.ways import Encoders
from .settings import known_values, model_entry

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from .catalog.catalog import Catalog
    from .protocols import Describer, Encoder, Generator, Loader, Progress, Reranker, Transcriber
    from .retrieval.channels import AnyChannel, Probe
    from .retrieval.ways import Way
    from .settings import Settings
    from .types import Modality, Resolved, Vectors

# OpenMP's threads, torch's and scikit-learn's, wait for each other by spinning, unless told otherwise before these
# libraries load. On a machine that does anything else (a browser, a second kernel) that makes a batch of pictures five
# to eight times slower; asleep, they cost an idle one about a fifth.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

MOST_TOKENS = 77
"""Of a passage, whatever the encoder takes: CLIP's limit, so that every strategy can use the same chunks."""
_LIBRARIES = ("torch", "transformers", "scikit-learn", "pillow")


class Parts:
    """What ``settings`` name, made lazily. ``progress`` is told while a model loads.

    Safe to use from several threads: a panel indexes on one of its own while a cell asks.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.RLock()
        self._models: dict[str, tuple[tuple[str, ...], Any]] = {}
        self._loads: dict[tuple[str, ...], threading.RLock] = {}
        self._loaders: dict[tuple[str, ...], Loader] = {}
        self._channels = Channels(settings, threading.RLock())
        self.remembered = Remembered()
        """What the models made of questions."""
        self._limits = lambda: Limits(self._settings.spend_limit, self._settings.price, self._settings.media)

    def under(self, settings: Settings) -> Parts:
        """The same models and loaders under other ``settings`` that name the same ones (another strategy, a store)."""
        other = Parts(settings)
        other._models, other._loaders = self._models, self._loaders
        other._lock, other._loads = self._lock, self._loads
        other.remembered = self.remembered
        other._limits = self._limits  # those in force, not a copy's: the generator stays
        return other

    def follow(self, settings: Settings) -> None:
        """Go by other ``settings`` of the same strategy and store."""
        with self._lock:
            self._settings = settings

    # -- models ----------------------------------------------------------------------------------------------------

    def _model(self, model: str, progress: Progress | None) -> Any:
        choice = self._settings.chosen(model)
        if choice == NONE:
            return None
        kind, name, argument = model_entry(model, choice)
        options = registry.entry(kind, name).options
        augmented = model == "clip" and self._settings.augment
        key = (
            name,
            argument,
            *(str(getattr(self._settings, option)) for option in options),
            *["augmented"] * augmented,
        )
        if (made := self._there(key)) is not None:
            return made
        # The text encoder of one strategy stays while another is tried.
        slot = (
            f"{model} of {'shared' if self._settings.strategy == 'shared' else 'others'}" * (model == "text") or model
        )
        here = model != "generator" or "device" in options  # a provider's model has nothing to load
        if progress is not None and here:
            progress(f"loading {argument or name}", 0, None)
        with self._lock:
            load = self._loads.setdefault(key, threading.RLock())
        with load:  # else two threads would load it twice; a lock each, as who needs another must not wait for this
            made = self._there(key)
            return self._load(slot, key, (model, choice)) if made is None else made

    def _there(self, key: tuple[str, ...]) -> Any:
        """The model of that key, if it is loaded: one may serve two settings."""
        with self._lock:
            return next((made for known, made in self._models.values() if known == key), None)

    def _load(self, slot: str, key: tuple[str, ...], chosen: tuple[str, str]) -> Any:
        model, choice = chosen
        kind, name, argument = model_entry(model, choice)
        with self._lock:
            self._models.pop(slot, None)  # two big models need not be in memory at once
        try:
            made = registry.create(kind, name, argument, self._settings)
            if "augmented" in key:
                from .models.augmented import AugmentedEncoder

                made = AugmentedEncoder(made)
            if model == "generator" and not made.instant:
                made = Metered(made, self._limits)
        except ModelUnavailable as error:
            near = nearest(choice, known_values(model), cutoff=0.75)
            if near in {"", choice}:
                raise
            raise ModelUnavailable(f"{error}. Or did you mean {near!r}?") from error.__cause__
        with self._lock:
            self._models[slot] = (key, made)
        return made

    def ways(self, progress: Progress | None = None, *, pictures: bool = True, sounds: bool = True) -> list[Way]:
        """How the strategy embeds and finds chunks.

        Without ``pictures`` or ``sounds``, an encoder that only they need is not loaded.

        Raises
        ------
        InvalidSetting
            The settings go without any encoder.
        """
        strategy = self._settings.strategy
        text: Encoder | None = self._model("text", progress)
        seeing = strategy != "grounded" and (pictures or text is None)
        image: Encoder | None = self._model("clip", progress) if seeing else None
        hearing = strategy == "separate" and sounds
        sound: Encoder | None = self._model("sound", progress) if hearing else None
        found: list[Way] = registry.find("strategy", strategy)(Encoders(image, text, sound))
        if not any(way.modality == "text" for way in found) and strategy != "shared":
            raise InvalidSetting(f"text is {NONE!r}, and strategy {strategy} reads: set text to 'words' or a model")
        if not found:
            raise InvalidSetting(f"clip and text are both {NONE!r}, so nothing can be embedded: set text to 'words'")
        return found

    def transcriber(self, progress: Progress | None = None) -> Transcriber | None:
        """Who turns speech into text; ``None`` where the settings go without."""
        return self._model("speech", progress)  # type: ignore[no-any-return]

    def describers(
        self, progress: Progress | None = None, kinds: Collection[str] = ("caption", "ocr")
    ) -> dict[str, Describer]:
        """Who turns pictures into text: ``caption`` and ``ocr``, as far as the settings name them.

        OCR that only the preset names, and whose library is absent, is left out.
        """
        found: dict[str, Describer] = {}
        captioner = self._settings.chosen("captioner") if "caption" in kinds else NONE
        if captioner == NONE:
            pass
        elif captioner == "tags":
            if (seeing := self._model("clip", progress)) is not None:
                found["caption"] = self._made("captioner", "tags", seeing)
        elif captioner == "generator":
            found["caption"] = self._made("captioner", "generator", self.generator()[0])
        elif (seeing := self._model("captioner", progress)) is not None:
            found["caption"] = seeing
        try:
            reader = self._model("ocr", progress) if "ocr" in kinds else None
        except NotInstalled:
            if self._settings.own("ocr"):
                raise
        else:
            if reader is not None:
                found["ocr"] = reader
        return found

    @property
    def telling(self) -> tuple[str, ...]:
        """What of what models tell of pictures counts in the strategy in force.

        In ``grounded`` it is all, in the others what is written in them (``ocr``), where the user has it read.
        """
        settings = self._settings
        if settings.strategy == "grounded":
            return ("caption", "ocr")
        return ("ocr",) if settings.own("ocr") and settings.ocr != NONE else ()

    def described_by(self, kinds: Collection[str] = ("caption", "ocr")) -> dict[str, str]:
        """What stands for each of :meth:`describers` in the index, without loading one."""
        settings = self._settings
        captioner, reader, clip = (settings.chosen(model) for model in ("captioner", "ocr", "clip"))
        of = {"tags": clip, "generator": settings.chosen("generator")}.get(captioner, "")
        found = {} if NONE in {captioner, of} else {"caption": f"{captioner} of {of}" if of else captioner}
        here = all(find_spec(library) is not None for library in ("rapidocr", "onnxruntime"))
        if reader != NONE and (settings.own("ocr") or here):
            found["ocr"] = reader
        return {kind: model for kind, model in found.items() if kind in kinds}

    def reranker(self, progress: Progress | None = None) -> Reranker | None:
        """Who looks at the best hits a second time; ``None`` where the settings go without."""
        if self._settings.chosen("reranker") == "judge":
            return self._made("reranker", "judge", self.generator()[0])  # type: ignore[no-any-return]
        return self._model("reranker", progress)  # type: ignore[no-any-return]

    def _made(self, kind: str, name: str, of: Any) -> Any:
        """What works by another model, kept as long as that is."""
        with self._lock:
            key = (kind, name, str(id(of)))
            if self._models.get(kind, ((),))[0] != key:
                self._models[kind] = (key, registry.find(kind, name)(of))
            return self._models[kind][1]

    def generator(self, progress: Progress | None = None) -> tuple[Generator, str]:
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
        return self._model("generator", progress), ""

    def loader(self, name: str, reader: Encoder) -> Loader:
        """Make the loader of that name; passages are cut to fit ``reader``, and any strategy's."""
        entry = registry.entry("loader", name)
        cuts = "text" in entry.makes
        options = {option: getattr(self._settings, option) for option in entry.options}
        key = (name, reader.space if cuts else "", *map(str, options.values()))
        if key not in self._loaders:
            loader = registry.find("loader", name)
            budget = (min(reader.max_tokens, MOST_TOKENS), reader.count_tokens) if cuts else ()
            self._loaders[key] = loader(*budget, **options)
        return self._loaders[key]

    # -- channels --------------------------------------------------------------------------------------------------

    def probe(self, catalog: Catalog, way: Way, beside: Sequence[Way], asked: Modality, query: Vectors) -> Probe | None:
        """A question put to the vectors of ``way``, fresh, calibrated for questions that are ``asked``.

        ``beside`` are all ways in force. ``None`` where there are no vectors.
        """
        return self._channels.probe(catalog, way, beside, (asked, query), lambda: self.loader("image", way.encoder))

    def channel(self, catalog: Catalog, way: Way) -> AnyChannel | None:
        """The vectors of ``way``, fresh; ``None`` where there are none."""
        return self._channels.channel(catalog, way)

    def close(self) -> None:
        """Close the stores; the models stay."""
        self._channels.close()


def loader_name(resolved: Resolved) -> str:
    """Which loader reads an item: by the name of its file, by its media type, else by what it is in memory."""
    if isinstance(resolved.content, (Path, bytes)):
        name = resolved.file_name or resolved.item.name
        return registry.loader_of(name, resolved.media_type) or resolved.item.modality
    return resolved.item.modality


def short_name(model: str) -> str:
    """A model's name without its owner and boilerplate: ``s2t-medium``."""
    return re.sub(r"-(librispeech-asr|hf)$", "", model.rstrip("/\\").replace("\\", "/").rsplit("/", 1)[-1])


@cache
def library_versions() -> dict[str, str]:
    """Versions of the libraries that make vectors, to be stamped into an index."""
    installed = {name.lower() for one in metadata.distributions() if (name := one.metadata["Name"])}
    return {name: metadata.version(name) for name in _LIBRARIES if name in installed}
