"""The seams: what a loader, encoder, transcriber, store and generator must offer. One file, one screen each.

A new backend is one file that fits one of these, and one line in ``registry.py``; the suite in ``tests/contracts``
then runs on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from .types import Content, Evidence, LoadedItem, Modality, Preview, Prompt, Samples, Stream, Vectors


@runtime_checkable
class Loader(Protocol):
    """Turns an item's content into chunks."""

    modality: Modality
    version: str
    """Changes when the same content would give other chunks; part of an item's recipe."""

    def load(self, content: Content, name: str) -> LoadedItem:
        """Read ``content``; ``name`` (its file name) helps to tell the format.

        Raises
        ------
        LoadError
            The content is damaged, empty, too large or of an unsupported format; the message says which and what to do.
        """
        ...


@runtime_checkable
class LongLoader(Loader, Protocol):
    """A loader of what may be hours or a thousand pages long: one section of it is in memory at a time."""

    def sections(self, content: Content, name: str) -> Iterator[LoadedItem]:
        """Read ``content`` as :meth:`load` does, in sections, always cut at the same places.

        Facts of a section are added to those before; previews of the whole item come with whichever knows them, the
        last one wins. A section without chunks is allowed, an item without any is not.

        Raises
        ------
        LoadError
            As :meth:`load`. Raised after some sections, what came before stands.
        """
        ...


@runtime_checkable
class Encoder(Protocol):
    """Texts or pictures to vectors of one space.

    One that is told whether a text asks or answers has a method ``embed_questions`` beside :meth:`embed_texts`. One
    that may be called by several threads at once says by how many that is worth it: ``lanes``.
    """

    space: str
    """Name of the vector space, ``clip:openai/clip-vit-base-patch32``."""
    dimension: int
    modalities: frozenset[Modality]
    """What it can embed: ``text``, ``image``."""
    max_tokens: int
    """Longest text that is embedded whole."""
    fingerprint: Mapping[str, str]
    """What makes its vectors what they are: ``model``, ``revision``, ``preprocessing``. Vectors of equal fingerprints
    can be compared."""
    description: str
    """For people: model, device, precision: ``clip-vit-base-patch32 (bf16, cpu)``."""
    background: Sequence[str]
    """Texts, of the kind it knows, that have nothing to do with any index: the yardstick of calibration. Empty where
    the package's general ones serve."""
    least_deviation: float
    """Smallest standard deviation of cosines that calibration may assume: below it lies noise of the space itself."""

    def count_tokens(self, text: str) -> int:
        """Count ``text``'s tokens as the encoder sees them, special tokens included."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit rows. Longer texts than ``max_tokens`` are the caller's to split."""
        ...

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        """(n, dimension) float32, unit rows, of RGB pictures of any size."""
        ...


@runtime_checkable
class SoundEncoder(Encoder, Protocol):
    """An encoder that hears: ``audio`` is among its modalities."""

    rate: int
    """Sample rate it wants, Hz."""

    def embed_sounds(self, clips: Sequence[Samples]) -> Vectors:
        """(n, dimension) float32, unit rows, of mono float32 samples in [-1, 1] at ``rate``, of any length."""
        ...


@runtime_checkable
class Describer(Protocol):
    """Pictures to text: what is seen in them (a captioner), or what is written in them (OCR)."""

    fingerprint: Mapping[str, str]
    """What makes its texts what they are: ``model``, ``revision``."""
    description: str
    """For people: model, device, precision."""

    def describe(self, pictures: Sequence[Image]) -> list[str]:
        """One text per RGB picture of any size; empty where nothing can be said, or nothing is written.

        Where the places of lines are known, a :class:`~mmrag_nb.types.Written` brings them.
        """
        ...


@runtime_checkable
class Reranker(Protocol):
    """A second, closer look at the few best hits: question and evidence together."""

    description: str
    modalities: frozenset[Modality]
    """Kinds of evidence it looks at: ``text`` alone, or pictures as such too. Anything else is judged by its text."""

    def scores(self, question: str, evidence: Sequence[Evidence], pictures: Sequence[Preview] = ()) -> list[float]:
        """How well each piece of ``evidence`` answers ``question`` (asked with ``pictures``); higher is better.

        Scores compare with each other within one call only.

        Raises
        ------
        MMRagError
            The model failed, or wrote what cannot be read as scores; the order before then stays.
        """
        ...


@runtime_checkable
class Transcriber(Protocol):
    """Speech to text.

    One that tells languages apart has a method ``language_of(clips)`` beside :meth:`transcribe`, and takes what that
    returns (empty where it cannot tell) as ``transcribe(clips, language=...)``. One that is quicker the more it hears
    at once says for how many seconds of sound that holds: ``at_once``.
    """

    rate: int
    """Sample rate it wants, Hz."""
    fingerprint: Mapping[str, str]
    description: str

    def transcribe(self, clips: Sequence[Samples]) -> list[str]:
        """One transcript per clip of mono float32 samples in [-1, 1] at ``rate``; empty where nothing was heard.

        Where the seconds of words are known, a :class:`~mmrag_nb.types.Transcript` brings them.
        """
        ...


@runtime_checkable
class Store(Protocol):
    """Nearest neighbours over the vectors of one channel: of one space, seen as one modality.

    Made with what the setting says behind the name (``faiss:hnsw``, ``chroma:http://host:8000``), where it says
    anything, and ``channel``, an identifier that stands for the channel wherever it is opened again. The catalog holds
    the truth; a store that keeps what it was given compares, and takes over only what differs.

    It may have ``add(ids, vectors)`` besides, which takes what ``fit`` does: all, of which the first ``len(self)`` are
    what is there already, in that order. Where it has none, it is fitted again.
    """

    exact: bool
    """Whether it finds the very nearest, rather than most of them."""

    def fit(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        """Replace the contents by ``vectors`` (n, d), unit rows, known by ``ids`` (n,), ascending."""
        ...

    def search(
        self, queries: Vectors, k: int, allowed: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The nearest of each query (q, d), best first: ids (q, m) and cosines (q, m).

        Among the ids ``allowed`` (a,), ascending, where these are given: a filter goes before the search, so that ``m``
        is ``k``, or as many as there are. One that is not :attr:`exact` may find fewer for a query: -1 and NaN follow.

        Raises
        ------
        StoreError
            The engine cannot be reached, or failed.
        """
        ...

    def close(self) -> None:
        """Let go of connections and files; what is kept stays."""
        ...

    def __len__(self) -> int: ...


@runtime_checkable
class Generator(Protocol):
    """A question and its evidence to an answer that cites ``[1]``, ``[2]``, written piece by piece."""

    description: str
    model: str
    """As its provider calls it."""
    takes: frozenset[str]
    """Media that it sees and hears as they are: ``image``, ``audio``. Of others it is told in words alone."""
    side: int
    """Longest side of a picture, in pixels, that it makes use of; larger ones are scaled down before they are sent."""
    api: str
    """Address of what bills it, by which its price is found; empty where nothing is billed."""
    instant: bool
    """Whether it writes at once, so that nothing need be shown meanwhile."""

    def tokens(self, prompt: Prompt) -> int:
        """Tokens that ``prompt`` takes, about; nothing is sent to find out."""
        ...

    def stream(self, prompt: Prompt) -> Stream:
        """Write the answer: pieces of text as they come, and last a :class:`~mmrag_nb.types.Generation` of it all.

        Closed early, it stops, and nothing goes on behind it for longer than the provider takes to notice.

        Raises
        ------
        GenerationError
            The provider failed or refused, before or while it wrote; the message never holds a key.
        """
        ...


class Progress(Protocol):
    """Told of each step of a long piece of work."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """``done`` of ``total`` (``None`` while unknown) of ``stage`` are through."""
        ...
