"""What can be chosen. Checked on assignment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traitlets import Bool, Dict, Float, HasTraits, Integer, List, TraitError, Unicode, validate

from .errors import InvalidSetting, MMRagError, UnknownName
from .presets import DEFAULT_NAMES, KINDS, MODELS, NONE, PRESETS, SOUND_ALONE
from .registry import entry, names, split
from .types import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Collection

MOST_HITS = 100
"""Hits that can be asked for at once."""

FUSIONS = ("calibrated", "rrf", "weighted")
POOLS = ("max", "mean", "weighted")
MEDIA = ("auto", "none", "image", "audio")
SUBTITLES = ("instead", "beside", "ignore")
CLEAN = ("off", "flag", "skip")
_DEVICES = ("auto", "cpu", "cuda", "mps")
_PRECISIONS = ("auto", "exact", "float32", "bfloat16", "float16")


class Settings(HasTraits):
    """The choices behind a :class:`~mmrag_nb.MultimodalRAG`; a model left empty is the preset's."""

    preset = Unicode("colab", help="Named set of models: colab (CLIP, Speech2Text, Gemini) or offline.").tag(
        config=True
    )
    clip = Unicode("", help="Image-text encoder: a hub id or folder of a CLIP-family model, emoji, or none.").tag(
        config=True
    )
    text = Unicode("", help="Text encoder, where texts get a space of their own: words, or none.").tag(config=True)
    speech = Unicode(
        "", help="Transcriber: a hub id or folder of a Speech2Text or Whisper model, pocketsphinx, or none."
    ).tag(config=True)
    sound = Unicode(
        "", help="Sound-text encoder, for strategy separate: a hub id or folder of a CLAP model, or none."
    ).tag(config=True)
    captioner = Unicode(
        "",
        help="Who says what a picture shows, for strategy grounded: a hub id or folder of BLIP, tags, generator, none.",
    ).tag(config=True)
    ocr = Unicode(
        "", help="Who reads what is written in pictures: rapidocr, or none; named by you, in every strategy."
    ).tag(config=True)
    language = Unicode("", help="Of speech, for Whisper: de, ja, ...; empty to tell by listening.").tag(config=True)
    subtitles = Unicode(
        "instead", help="A video's subtitles, where it has any: instead of the transcript, beside it, or ignore."
    ).tag(config=True)
    clean = Unicode(
        "off", help="Look for blurred, blank and doubled pictures and silent sounds: off, flag them, or skip them."
    ).tag(config=True)
    augment = Bool(
        default_value=False, help="Embed pictures as the mean of themselves, their mirror image and middle: slow."
    ).tag(config=True)
    ignore = List(
        Unicode(), help="What folders and globs leave out, as in .gitignore; a folder's .mmragignore counts too."
    ).tag(config=True)
    reranker = Unicode(
        "",
        help="A second look at the best hits: a hub id or folder of a cross-encoder, judge (the generator), or none.",
    ).tag(config=True)
    generator = Unicode(
        "",
        help="Who writes the answer: gemini, openai (any such endpoint) or local, each with :MODEL, or extractive.",
    ).tag(config=True)
    base_url = Unicode(
        "", help="Endpoint of generator openai: Ollama's is http://localhost:11434/v1; empty for OpenAI itself."
    ).tag(config=True)
    prompt = Unicode("general", help="How the answer is asked for: a prompt's name, or the path of your own.").tag(
        config=True
    )
    media = Unicode(
        "auto", help="Evidence that a generator is sent as it is, not in words alone: auto, none, image, audio."
    ).tag(config=True)
    max_tokens = Integer(4096, min=16, help="Longest answer, in the model's tokens.").tag(config=True)
    history_tokens = Integer(
        2000, min=0, help="What of a conversation is sent with a follow-up, in tokens (about four letters each)."
    ).tag(config=True)
    check = Bool(default_value=True, help="Mark the sentences of an answer that the evidence does not bear out.").tag(
        config=True
    )
    spend_limit = Float(
        None, allow_none=True, min=0.0, help="Dollars that generators may cost in this session; None for no limit."
    ).tag(config=True)
    price = Dict(
        value_trait=Float(min=0.0),
        key_trait=Unicode(),
        help="Dollars per million tokens, before the list's: {'input': 0.3, 'output': 2.5}; at home it is free.",
    ).tag(config=True)
    store = Unicode("memory", help="Nearest-neighbour store, some with what it is to be, or where: faiss:hnsw.").tag(
        config=True
    )
    strategy = Unicode("shared", help="How a question becomes ranked hits.").tag(config=True)
    device = Unicode("auto", help="Where models run: auto, cpu, cuda, mps.").tag(config=True)
    precision = Unicode("auto", help="Models' arithmetic: auto, exact, float32, bfloat16, float16.").tag(config=True)
    k = Integer(5, min=1, max=MOST_HITS, help="Hits to retrieve.").tag(config=True)
    raw = Bool(
        default_value=False, help="Rank by raw cosines, uncalibrated and without words, as naive systems do."
    ).tag(config=True)
    lexical_weight = Float(
        1.5, min=0.0, help="Standard deviations that a full match of the question's words is worth."
    ).tag(config=True)
    fusion = Unicode("calibrated", help="How channels become one ranking: calibrated, rrf, weighted.").tag(config=True)
    weights = Dict(
        value_trait=Float(min=0.0),
        key_trait=Unicode(),
        help="What views (fusion=weighted) and parts (pool=weighted) count, by modality: {'image': 2}; else 1.",
    ).tag(config=True)
    pool = Unicode("max", help="How the scores of a record's parts become one: max, mean, weighted.").tag(config=True)
    balance = Float(
        0.5, min=0.0, max=1.0, help="Of a picture asked with beside words: 1 is the picture alone, 0 the words alone."
    ).tag(config=True)
    diversity = Float(
        0.0, min=0.0, max=1.0, help="How much hits are to differ from each other (MMR): 0 not at all, 1 above all."
    ).tag(config=True)
    fold = Bool(default_value=True, help="Show near-duplicates once.").tag(config=True)
    abstain = Bool(default_value=True, help="Say so where nothing in the index seems to answer a question.").tag(
        config=True
    )
    rerank_depth = Integer(20, min=1, max=MOST_HITS, help="Hits that a reranker looks at.").tag(config=True)
    warm = Bool(
        default_value=True,
        help="In a notebook, load in the background what the first question to an index needs, as soon as it is open.",
    ).tag(config=True)
    timeout = Float(60.0, min=0.1, max=86_400.0, help="Seconds after which a generator is given up.").tag(config=True)
    allow_private_urls = Bool(default_value=False, help="Fetch from loopback and private addresses too.").tag(
        config=True
    )

    def __init__(self, **choices: Any) -> None:
        unknown = [name for name in choices if name not in self.class_trait_names()]
        if unknown:
            raise UnknownName("setting", unknown[0], self.class_trait_names(config=True))
        try:
            super().__init__(**choices)
        except TraitError as error:
            raise InvalidSetting(str(error)) from error

    def chosen(self, model: str) -> str:
        """What to use as ``clip``, ``text``, ``speech`` and so on: the user's choice, else the preset's."""
        preset = PRESETS[self.preset]
        if model == "text" and self.strategy != "shared":
            return self.text or preset["reader"]
        return str(getattr(self, model)) or preset[model]

    def __setattr__(self, name: str, value: Any) -> None:
        try:
            super().__setattr__(name, value)
        except TraitError as error:
            # Both: IPython reports what its Configurables raise, and a script may catch ours.
            raise InvalidSetting(str(error)) from error

    def own(self, model: str) -> bool:
        """Whether the user chose ``model``, rather than the preset."""
        return bool(getattr(self, model))

    @validate("prompt")
    def _can_be_read(self, proposal: dict[str, Any]) -> str:
        from .generation.templates import template

        try:
            template(str(proposal["value"]))
        except MMRagError as error:
            raise TraitError(str(error)) from error
        return str(proposal["value"])

    @validate("price")
    def _of_both_ways(self, proposal: dict[str, Any]) -> dict[str, float]:
        price = dict(proposal["value"])
        if price and set(price) != {"input", "output"}:
            raise TraitError("price has what a million tokens cost both ways: {'input': 0.3, 'output': 2.5}")
        return price

    @validate("store")
    def _known_store(self, proposal: dict[str, Any]) -> str:
        value = str(proposal["value"])
        name, _, where = value.partition(":")
        if name not in names("store"):
            raise TraitError(str(UnknownName("store", value, names("store"))))
        kinds = entry("store", name).kinds
        if where and kinds and where not in kinds:
            raise TraitError(str(UnknownName("store", value, known_values("store"))))
        if where and not entry("store", name).takes_model:
            raise TraitError(
                f"store {name!r} takes nothing behind its name: set store to {name!r} alone, not {value!r}"
            )
        return value

    @validate("preset", "strategy", "device", "precision", "fusion", "pool", "media", "subtitles", "clean")
    def _among_known(self, proposal: dict[str, Any]) -> str:
        name, value = proposal["trait"].name, str(proposal["value"])
        known = known_values(name)
        bare = value.split(":", maxsplit=1)[0] if name == "device" else value  # cuda:1 is a device, too
        if bare not in known:
            raise TraitError(str(UnknownName(name, value, known)))
        return value

    @validate("ocr")
    def _reads(self, proposal: dict[str, Any]) -> str:
        value, known = str(proposal["value"]), [*names("ocr"), NONE]
        if value and value not in known:
            raise TraitError(str(UnknownName("ocr", value, known)))
        return value

    @validate("weights")
    def _by_modality(self, proposal: dict[str, Any]) -> dict[str, float]:
        for name in proposal["value"]:
            if name not in MODALITIES:
                raise TraitError(str(UnknownName("modality", name, MODALITIES)))
        return dict(proposal["value"])

    @validate("clip", "text", "speech", "sound", "captioner", "reranker")
    def _takes_model(self, proposal: dict[str, Any]) -> str:
        setting, value = proposal["trait"].name, str(proposal["value"])
        kind, name, model = model_entry(setting, value)
        if value not in {"", NONE} and model and not entry(kind, name).takes_model:
            raise TraitError(f"{name!r} takes no model: set {setting} to {name!r} alone, not {value!r}")
        if setting == "sound" and name in SOUND_ALONE:
            raise TraitError(f"{name} hears nothing: set sound to a CLAP model, 'laion/clap-htsat-unfused', or 'none'")
        if setting == "clip" and name == "words":
            raise TraitError("words sees no pictures: set text to 'words', and clip to a CLIP model, 'emoji' or 'none'")
        return value

    @validate("generator")
    def _known_generator(self, proposal: dict[str, Any]) -> str:
        value = str(proposal["value"])
        name, _, model = value.partition(":")
        if value and name not in names("generator"):
            raise TraitError(str(UnknownName("generator", value, names("generator"))))
        if model and not entry("generator", name).takes_model:
            raise TraitError(f"generator {name!r} takes no model: set it to {name!r} alone, not {value!r}")
        return value


def known_values(setting: str) -> list[str]:
    """The values that ``setting`` can have by name: all of them, or for a model those that need no name of a hub's.

    Empty for a number and for what is on or off.
    """
    if setting in MODELS:
        kind = KINDS[setting]
        # Every generator has a model of its own choice; others that take one need it named.
        alone = [name for name in names(kind) if setting == "generator" or not entry(kind, name).takes_model]
        known = [*dict.fromkeys([*(preset[setting] for preset in PRESETS.values()), *alone, NONE])]
        return [name for name in known if _holds(setting, name)]
    if setting in {"store", "strategy"}:
        return [
            one for name in names(setting) for one in (name, *(f"{name}:{kind}" for kind in entry(setting, name).kinds))
        ]
    if setting == "prompt":
        from .generation.templates import template_names

        return list(template_names())
    fixed: dict[str, Collection[str]] = {
        "preset": PRESETS,
        "device": _DEVICES,
        "precision": _PRECISIONS,
        "fusion": FUSIONS,
        "pool": POOLS,
        "media": MEDIA,
        "subtitles": SUBTITLES,
        "clean": CLEAN,
    }
    return list(fixed.get(setting, ()))


def _holds(setting: str, value: str) -> bool:
    try:
        Settings(**{setting: value})
    except InvalidSetting:
        return False
    return True


def model_entry(model: str, choice: str) -> tuple[str, str, str]:
    """(kind, name, model id) of a choice for one of :data:`MODELS`."""
    name, argument = split(KINDS[model], choice, DEFAULT_NAMES.get(model, choice))
    return KINDS[model], name, argument
