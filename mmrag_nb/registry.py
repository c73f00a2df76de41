"""Every part that can be chosen by name: where it lives, and which extra brings what it needs.

A new backend is one file that fits a protocol, and one line here. Nothing is imported before its first use.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import NotInstalled, UnknownName

if TYPE_CHECKING:
    from .types import Modality


@dataclass(frozen=True)
class Entry:
    """A class or function, and the extra that brings its libraries."""

    path: str
    """``package.module:Name``."""
    extra: str = ""
    options: tuple[str, ...] = ()
    """Settings that it takes as keyword arguments."""
    takes_model: bool = False
    """Whether ``name:model`` makes sense; of a store, ``name:where``."""
    kinds: tuple[str, ...] = ()
    """What alone may stand behind the name, where it is no model and no place."""
    modality: Modality | None = None
    """Of a loader: what its items are counted as."""
    makes: tuple[Modality, ...] = ()
    """Of a loader: the kinds of its chunks."""
    long: bool = False
    """Of a loader: whether it reads in sections, see :class:`~mmrag_nb.protocols.LongLoader`."""


_NEURAL = ("device", "precision")


_ENTRIES: dict[tuple[str, str], Entry] = {
    ("loader", "text"): Entry("mmrag_nb.loaders.text:TextLoader", options=("clean",), modality="text", makes=("text",)),
    ("loader", "image"): Entry(
        "mmrag_nb.loaders.image:ImageLoader", options=("precision",), modality="image", makes=("image",)
    ),
    ("loader", "audio"): Entry("mmrag_nb.loaders.audio:AudioLoader", modality="audio", makes=("audio",), long=True),
    ("loader", "video"): Entry(
        "mmrag_nb.loaders.video:VideoLoader",
        options=("subtitles",),
        modality="video",
        makes=("image", "audio", "text"),
        long=True,
    ),
    ("loader", "pdf"): Entry("mmrag_nb.loaders.pdf:PdfLoader", modality="text", makes=("text", "image"), long=True),
    ("loader", "notebook"): Entry("mmrag_nb.loaders.notebook:NotebookLoader", modality="text", makes=("text", "image")),
    ("encoder", "clip"): Entry("mmrag_nb.models.clip:ClipEncoder", options=_NEURAL, takes_model=True),
    ("encoder", "emoji"): Entry("mmrag_nb.models.emoji:EmojiEncoder", options=_NEURAL),
    ("encoder", "words"): Entry("mmrag_nb.models.words:WordsEncoder"),
    ("encoder", "sbert"): Entry("mmrag_nb.models.sbert:SentenceEncoder", "sbert", _NEURAL, takes_model=True),
    ("encoder", "clap"): Entry("mmrag_nb.models.clap:ClapEncoder", options=_NEURAL, takes_model=True),
    ("captioner", "blip"): Entry("mmrag_nb.models.blip:BlipCaptioner", options=_NEURAL, takes_model=True),
    ("captioner", "tags"): Entry("mmrag_nb.models.tags:TagCaptioner"),  # by the image-text encoder in force
    ("captioner", "generator"): Entry("mmrag_nb.generation.captioning:GeneratorCaptioner"),  # the one in force
    ("ocr", "rapidocr"): Entry("mmrag_nb.models.rapid_ocr:RapidOCRReader", "ocr"),
    ("reranker", "cross-encoder"): Entry(
        "mmrag_nb.models.cross_encoder:CrossEncoderReranker", "sbert", _NEURAL, takes_model=True
    ),
    ("reranker", "judge"): Entry("mmrag_nb.generation.judge:JudgeReranker"),  # the generator in force
    ("transcriber", "speech"): Entry(
        "mmrag_nb.models.speech:SpeechTranscriber", options=(*_NEURAL, "language"), takes_model=True
    ),
    ("transcriber", "pocketsphinx"): Entry(
        "mmrag_nb.models.pocketsphinx:PocketsphinxTranscriber", "offline", ("language",)
    ),
    ("store", "memory"): Entry("mmrag_nb.stores.memory:MemoryStore"),
    ("store", "faiss"): Entry("mmrag_nb.stores.faiss:store", "faiss", takes_model=True, kinds=("hnsw",)),
    ("store", "chroma"): Entry("mmrag_nb.stores.chroma:ChromaStore", "chroma", takes_model=True),
    ("store", "milvus"): Entry("mmrag_nb.stores.milvus:MilvusStore", "milvus", takes_model=True),
    ("strategy", "shared"): Entry("mmrag_nb.retrieval.shared:ways"),
    ("strategy", "grounded"): Entry("mmrag_nb.retrieval.grounded:ways"),
    ("strategy", "separate"): Entry("mmrag_nb.retrieval.separate:ways"),
    ("generator", "gemini"): Entry("mmrag_nb.generation.gemini:generator", "gemini", ("timeout",), takes_model=True),
    ("generator", "openai"): Entry(
        "mmrag_nb.generation.openai:OpenAIGenerator", "openai", ("timeout", "base_url"), takes_model=True
    ),
    ("generator", "local"): Entry("mmrag_nb.generation.local:LocalGenerator", options=_NEURAL, takes_model=True),
    ("generator", "extractive"): Entry("mmrag_nb.generation.extractive:ExtractiveGenerator"),
}


def names(kind: str) -> list[str]:
    """What of ``kind`` there is."""
    return [name for entry_kind, name in _ENTRIES if entry_kind == kind]


def find(kind: str, name: str) -> Any:
    """Import what ``name`` stands for.

    Raises
    ------
    UnknownName
        There is no such name.
    NotInstalled
        It needs a library that is absent; the message names the extra.
    """
    found = entry(kind, name)
    module, attribute = found.path.split(":")
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        # Only a library of the extra may be absent; one of our own modules missing is our mistake.
        if found.extra and not str(error.name).startswith("mmrag_nb"):
            raise NotInstalled(str(error.name), extra=found.extra) from error
        raise


def entry(kind: str, name: str) -> Entry:
    """The entry of ``name``.

    Raises
    ------
    UnknownName
        There is none.
    """
    if (kind, name) not in _ENTRIES:
        raise UnknownName(kind, name, names(kind))
    return _ENTRIES[kind, name]


def create(kind: str, name: str, model: str, settings: Any, **further: Any) -> Any:
    """Make what ``name`` stands for, with a model where one is named, the settings that it takes and what is given."""
    options = {option: getattr(settings, option) for option in entry(kind, name).options}
    return find(kind, name)(*[model] * bool(model), **options, **further)


def split(kind: str, choice: str, default: str) -> tuple[str, str]:
    """Take ``name:model`` apart; a choice that begins with no known name of ``kind`` is a model of ``default``.

    >>> split("generator", "gemini:gemini-flash-latest", "extractive")
    ('gemini', 'gemini-flash-latest')
    >>> split("encoder", "openai/clip-vit-base-patch32", "clip")
    ('clip', 'openai/clip-vit-base-patch32')
    """
    name, _, model = choice.partition(":")
    return (name, model) if name in names(kind) else (default, choice)


@cache
def _formats() -> dict[str, str]:
    table: dict[str, str] = {}
    for kind, name in _ENTRIES:
        if kind == "loader":
            module = import_module(_ENTRIES[kind, name].path.split(":")[0])
            table |= dict.fromkeys((*module.SUFFIXES, *module.MEDIA_TYPES), name)
    return table


def loader_of(name: str, media_type: str = "") -> str:
    """Tell which loader reads a file of that name, or a body of that MIME type; empty where none does."""
    known = _formats()
    dot = name.rfind(".")
    by_name = known.get(name[dot:].lower()) if dot > 0 else None
    return by_name or known.get(media_type.split(";", maxsplit=1)[0].strip().lower(), "")


def modality_of(name: str, media_type: str = "") -> Modality | None:
    """Tell what a file of that name, or a body of that MIME type, counts as; ``None`` where nothing loads it."""
    loader = loader_of(name, media_type)
    return entry("loader", loader).modality if loader else None
