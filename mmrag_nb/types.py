"""The data that flows from a source to a hit. Frozen, without behaviour, importing nothing heavy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image
    from pydub import AudioSegment
    from typing_extensions import Self

_NAME_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")

Modality = Literal["text", "image", "audio", "video"]
MODALITIES: tuple[Modality, ...] = ("text", "image", "audio", "video")

Metadata: TypeAlias = Mapping[str, Any]
"""What the user said of a source: JSON values by name. ``caption`` is searchable text."""

if TYPE_CHECKING:
    Vectors: TypeAlias = NDArray[np.float32]
    """(n, d) float32, each row of L2 norm 1."""
    Samples: TypeAlias = NDArray[np.float32]
    """(n,) mono sound, float32 in [-1, 1]."""
    Content: TypeAlias = Path | bytes | str | Image | AudioSegment
    """What an item holds: a file on disk, a downloaded body, a text, a picture, a sound."""
    Stream: TypeAlias = Generator[str | "Generation", None, None]
    """A generator's writing: pieces of text as they come, last the whole. It can be closed."""


def name_of(uri: str) -> str:
    """The name of an item from ``uri``, see :attr:`Item.name`."""
    if uri.startswith("{{"):
        return uri
    place, row = uri, ""
    if "://" in uri:
        place, mark, row = uri.partition("#")  # a table's row; the fragments of addresses are left out
        place, row = place.split("?", 1)[0].rstrip("/\\"), mark + row
    return place.replace("\\", "/").rsplit("/", 1)[-1] + row or uri


def page_of(uri: str, page: int) -> str:
    """What page ``page`` of the item from ``uri`` is called: ``page 3``, ``cell 3`` of a notebook."""
    return f"{'cell' if uri.split('?', 1)[0].lower().endswith('.ipynb') else 'page'} {page}"


@dataclass(frozen=True)
class Source:
    """What the user typed: a path, glob, folder or URL as ``str``, or a Python object."""

    value: Any
    metadata: Metadata = field(default_factory=dict)
    label: str = ""
    """How to name it in reports; the value itself where empty and the value is a ``str``."""


@dataclass(frozen=True)
class Record:
    """Several items that belong together: a product with its description and its photos. They are scored as one."""

    id: str
    """Hexadecimal SHA-256 of what its parts hold, or of a folder's place."""
    name: str
    """How it is called: a folder's name, ``{{shoes 3}}`` for a row."""


@dataclass(frozen=True)
class Item:
    """One thing that a source resolved to."""

    id: str
    """Hexadecimal SHA-256 of the content; of a record's part, of the content and the record's id."""
    uri: str
    """Where it came from, to be shown: a path, a URL, ``{{name}}``."""
    modality: Modality
    metadata: Metadata = field(default_factory=dict)
    record: Record | None = None
    """What it is a part of."""

    @property
    def name(self) -> str:
        """The last part of the path or URL; a Python object's whole label. Never empty."""
        return name_of(self.uri)

    @property
    def words(self) -> str:
        """The name as words, its extension left out: ``redApple_02.jpg`` is ``red Apple 02``."""
        stem = self.name.rsplit(".", 1)[0] if "." in self.name[1:] else self.name
        return " ".join(_NAME_WORD.findall(stem))


@dataclass(frozen=True)
class Resolved:
    """An item with the content still to be loaded: what sources hand to loaders."""

    item: Item
    content: Content
    media_type: str = ""
    """MIME type, where a server named one."""
    notes: tuple[str, ...] = ()
    file_name: str = ""
    """As a server named it; empty where the item's own name tells the kind."""
    remarks: tuple[tuple[str, str], ...] = ()
    """(name, remark) on what it comes from: on the table whose first row it is."""


@dataclass(frozen=True)
class Chunk:
    """The unit of retrieval: a passage, a picture, an utterance."""

    item_id: str
    ordinal: int
    """Position among the chunks of its item, from 0; another reading of the same item may count otherwise."""
    modality: Modality
    text: str = ""
    """The passage, the transcript, or the picture's caption; empty where nothing is known."""
    start: float | None = None
    """Begin of an utterance or frame, seconds from the start of its item."""
    end: float | None = None
    page: int | None = None
    """Page number, from 1."""


@dataclass(frozen=True)
class LoadedChunk:
    """A chunk on its way to the encoders, with the pixels or the sound it was cut from."""

    modality: Modality
    text: str = ""
    start: float | None = None
    end: float | None = None
    page: int | None = None
    pixels: Image | None = None
    """RGB, orientation applied, alpha on white."""
    audio: AudioSegment | None = None
    """16 kHz mono, this utterance only. It is transcribed, unless there is a text already: subtitles, say."""
    scan: bool = False
    """Whether the pixels are a page's whose words are in no text layer, so that only OCR can read them."""
    previews: Mapping[str, Preview] = field(default_factory=dict)
    """``clip``: the utterance as MP3. ``words``: when each of its words is heard, JSON. ``film``: some seconds of a
    video from ``start``, MP4. ``page``: a document's page on which words can be read, WebP of at most 800 pixels a
    side. ``placed``: where on its page each word of a passage is, JSON. Of pictures ``thumbnail`` and ``proxy``, see
    :attr:`LoadedItem.previews`."""


@dataclass(frozen=True)
class LoadedItem:
    """What a loader makes of an item's content, or of a section of what is long."""

    chunks: tuple[LoadedChunk, ...]
    notes: tuple[str, ...] = ()
    """What the user should know: ``first of 42 frames``, ``decoded as cp1252``."""
    facts: Metadata = field(default_factory=dict)
    """Properties worth showing: ``width``, ``height`` (pixels), ``seconds``, ``rate`` (Hz), ``passages``."""
    previews: Mapping[str, Preview] = field(default_factory=dict)
    """Of the whole item. ``thumbnail``: WebP of at most 480 pixels a side, for cards. ``proxy``: JPEG of at most 1,024
    pixels a side, for generators. ``peaks``: loudness over time as bytes 0..255, for waveforms. Films and documents
    have theirs at their chunks: ``film``, ``page``, ``placed``."""
    reached: float = 0.0
    """Of a section: how far into the item it ends, in :attr:`unit`."""
    of: float | None = None
    """How long the whole is, in :attr:`unit`; ``None`` where that is not known."""
    unit: str = ""
    """``seconds`` or ``pages``."""


@dataclass(frozen=True)
class Preview:
    """A small encoded stand-in for content: a thumbnail, a clip, a waveform's peaks."""

    mime: str
    data: bytes = field(repr=False)


class Transcript(str):
    """What was heard in a clip, with the seconds of each word where the transcriber knows them."""

    __slots__ = ("times",)
    times: tuple[tuple[float, float], ...]
    """Of each blank-separated word: seconds [from, to) from the start of the clip; empty where unknown."""

    def __new__(cls, text: str, times: Iterable[tuple[float, float]] = ()) -> Self:
        """Join ``text`` with ``times``, one for each of its words."""
        made = super().__new__(cls, text)
        made.times = tuple(times)
        return made


class Written(str):
    """What was read in a picture, line by line, with the place of each line where the reader knows it."""

    __slots__ = ("boxes",)
    boxes: tuple[tuple[float, float, float, float], ...]
    """Of each line: left, top, right, bottom in shares (0..1) of the picture; empty where unknown."""

    def __new__(cls, text: str, boxes: Iterable[tuple[float, float, float, float]] = ()) -> Self:
        """Join ``text`` with ``boxes``, one for each of its lines."""
        made = super().__new__(cls, text)
        made.boxes = tuple(boxes)
        return made


@dataclass(frozen=True)
class Evidence:
    """One numbered piece of what a generator is given."""

    number: int
    title: str
    """Name and place: ``talk.mp3, 11.9-16.0 s``."""
    modality: Modality
    text: str
    media: tuple[Preview, ...] = ()
    """Pictures and clips, for generators that take them."""
    score: float = 0.0


@dataclass(frozen=True)
class Example:
    """A worked example, which shows a generator how to answer (few-shot prompting)."""

    question: str
    evidence: tuple[str, ...]
    """Texts, which ``answer`` cites by their place, from 1."""
    answer: str


@dataclass(frozen=True)
class Turn:
    """A question of a conversation, and what was answered."""

    question: str
    answer: str


@dataclass(frozen=True)
class Prompt:
    """A question and its evidence, before any provider's format: what was sent, and nothing else."""

    question: str
    instructions: str
    evidence: tuple[Evidence, ...]
    """With no other media than the generator takes."""
    pictures: tuple[Preview, ...] = ()
    """Those asked with; the question may then be empty."""
    examples: tuple[Example, ...] = ()
    history: tuple[Turn, ...] = ()
    """What was asked and answered before, oldest first."""
    max_tokens: int = 4096
    """Longest answer, in the model's tokens; those it thinks with count, where it does."""


@dataclass(frozen=True)
class Generation:
    """What a generator wrote."""

    text: str
    model: str
    usage: Mapping[str, int] = field(default_factory=dict)
    """``input_tokens``, ``output_tokens`` as the provider counted them; empty where nothing is counted."""
    sent: str = field(default="", repr=False)
    """What was sent, as text, for display; media as short descriptions."""
    trouble: str = ""
    """Why the text is not whole, in one line: cut off at the limit, stopped by the provider; empty where it is."""
    dollars: float | None = None
    """What it cost, where that is known."""


@dataclass(frozen=True)
class Estimate:
    """What a request will take, told before it is made."""

    input_tokens: int
    """About."""
    dollars: float | None
    """For these and the longest answer allowed; 0 where nothing is billed, ``None`` where no price is known."""
