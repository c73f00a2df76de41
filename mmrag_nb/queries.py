"""What is asked, in vectors: a text, a picture, a sound, or something that is in the index."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InvalidSetting, LoadError, MMRagError, SourceError
from .sources.paths import missing
from .truncation import truncated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PIL.Image import Image

    from .protocols import Encoder, Loader, Transcriber
    from .remembering import Remembered
    from .types import LoadedItem, Modality, Preview, Vectors


@dataclass(frozen=True)
class Facet:
    """One part of what is asked: of "this shoe, but in red" the picture is one, the words are another."""

    vectors: Mapping[tuple[str, Modality], Vectors]
    """By space and by the modality of what is asked: a unit vector (d,)."""
    weight: float = 1.0
    """What it counts; negative for what hits are to be unlike."""


@dataclass(frozen=True)
class Query:
    """What is looked for, ready to be put to the channels."""

    shown: str
    """How it is called in results."""
    words: str = ""
    """What the lexical channel looks up."""
    facets: tuple[Facet, ...] = ()
    notes: tuple[str, ...] = ()
    """What had to be cut, what was heard."""
    picture: Preview | None = None
    """The picture asked with, as a generator is given it."""
    without: frozenset[int] = frozenset()
    """Chunks that are not to be found: those asked with."""
    words_weight: float = 1.0
    """What the lexical channel counts, beside what it does for a question in words alone."""

    @property
    def vectors(self) -> Mapping[tuple[str, Modality], Vectors]:
        """Those of all facets by space and modality; where several have the same, the first one's."""
        return {place: vector for facet in reversed(self.facets) for place, vector in facet.vectors.items()}


def text_query(encoders: Mapping[str, Encoder], question: str, remembered: Remembered) -> Query:
    """A question, in each space; in those where it was asked before, as it is ``remembered``."""
    vectors: dict[tuple[str, Modality], Vectors] = {}
    cut = []
    for space, encoder in encoders.items():
        seen = truncated(question, encoder)
        if len(seen) < len(question):
            cut.append(f"question cut to its first {len(seen):,} of {len(question):,} characters for {space}")
        # Some encoders are told whether a text asks or answers.
        embed = getattr(encoder, "embed_questions", encoder.embed_texts)
        vectors[space, "text"] = remembered.vector(encoder, seen, embed)
    return Query(question, question, (Facet(vectors),), tuple(cut))


def picture_query(encoders: Mapping[str, Encoder], loader: Loader, image: Any) -> tuple[Query, Image]:
    """A path or ``PIL.Image``, in each space that sees pictures; beside it its pixels, RGB.

    Raises
    ------
    LoadError
        It cannot be read as a picture.
    """
    loaded = _load(loader, image)
    pixels = loaded.chunks[0].pixels
    assert pixels is not None
    seeing = {space: encoder for space, encoder in encoders.items() if "image" in encoder.modalities}
    vectors: dict[tuple[str, Modality], Vectors] = {
        (space, "image"): encoder.embed_images([pixels])[0] for space, encoder in seeing.items()
    }
    shown = "more like this picture"
    return Query(shown, facets=(Facet(vectors),) * bool(vectors), picture=loaded.previews.get("proxy")), pixels


def sound_query(encoders: Mapping[str, Encoder], loader: Loader, audio: Any) -> Query:
    """A sound as such, in each space that hears; of several utterances, their mean. No facet where none hears."""
    from .loaders.audio import samples

    clips = _clips(loader, audio)
    vectors: dict[tuple[str, Modality], Vectors] = {}
    for space, encoder in encoders.items():
        if "audio" in encoder.modalities:
            heard = [samples(clip.set_frame_rate(encoder.rate)) for clip in clips]  # type: ignore[attr-defined]
            vectors[space, "audio"] = mean(list(encoder.embed_sounds(heard)))  # type: ignore[attr-defined]
    return Query("more like this sound", facets=(Facet(vectors),) * bool(vectors))


def mixed_query(picture: Query, words: Query, balance: float) -> Query:
    """A picture and words together, each counting by itself; ``balance`` is the picture's share."""
    facets = (
        *(replace(facet, weight=balance) for facet in picture.facets),
        *(replace(facet, weight=1 - balance) for facet in words.facets),
    )
    return Query(
        words.shown,
        words.words if balance < 1 else "",
        tuple(facet for facet in facets if facet.weight > 0),
        (f"asked with a picture, which counts {balance:.0%}", *picture.notes, *words.notes),
        picture.picture,
        words_weight=(1 - balance) / math.hypot(balance, 1 - balance),
    )


def heard(transcriber: Transcriber | None, loader: Loader, audio: Any) -> str:
    """The words of a spoken question: a path, ``(samples, rate)`` or a pydub ``AudioSegment``.

    Raises
    ------
    InvalidSetting
        Speech is set to ``none``.
    LoadError
        It cannot be read as sound.
    MMRagError
        No words were heard.
    """
    from .loaders.audio import samples

    if transcriber is None:
        raise InvalidSetting("speech is 'none', so nothing can be asked by voice: set it to 'pocketsphinx' or a model")
    clips = _clips(loader, audio)
    texts = transcriber.transcribe([samples(clip.set_frame_rate(transcriber.rate)) for clip in clips])
    words = " ".join(text for text in texts if text).strip()
    if not words:
        raise MMRagError(f"no words were heard in {_name(audio) or 'the sound'}: speak closer, or type the question")
    return words


def mean(vectors: Sequence[Vectors]) -> Vectors:
    """(d,) the direction of several (d,)."""
    import numpy as np

    middle = np.mean(np.stack(list(vectors)), axis=0)
    return np.asarray(middle / (np.linalg.norm(middle) or 1.0), np.float32)


def stored_query(shown: str, facets: Sequence[Facet], without: frozenset[int]) -> Query:
    """Something that is in the index, or several things, by the vectors of their chunks."""
    return Query(shown, facets=tuple(facets), without=without)


def _clips(loader: Loader, audio: Any) -> list[Any]:
    from .sources.sound import is_sound, to_segment

    sound = to_segment(audio)[0] if is_sound(audio) else audio
    return [chunk.audio for chunk in _load(loader, sound).chunks if chunk.audio is not None]


def _load(loader: Loader, content: Any) -> LoadedItem:
    name = _name(content)
    if name:
        path = Path(content).expanduser()
        if not os.path.lexists(path):
            raise SourceError(f"{content}: {missing(str(content), path)}")
        content = path
    try:
        return loader.load(content, name)
    except LoadError as error:
        raise LoadError(f"{name}: {error}" if name else str(error)) from error


def _name(content: Any) -> str:
    return Path(content).name if isinstance(content, (str, os.PathLike)) else ""
