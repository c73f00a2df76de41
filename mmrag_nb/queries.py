"""What is asked, in vectors: a text, a picture, a sound, or something that is in the index."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InvalidSetting, LoadError, MMRagError, SourceError
from .parts import truncated
from .sources.paths import missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .protocols import Encoder, Loader, Transcriber
    from .types import LoadedItem, Modality, Preview, Vectors


@dataclass(frozen=True)
class Query:
    """What is looked for, ready to be put to the channels."""

    shown: str
    """How it is called in results."""
    words: str = ""
    """What the lexical channel looks up."""
    vectors: Mapping[tuple[str, Modality], Vectors] = field(default_factory=dict)
    """By space and by the modality of what is asked: a unit vector (d,)."""
    notes: tuple[str, ...] = ()
    """What had to be cut, what was heard."""
    picture: Preview | None = None
    """The picture asked with, as a generator is given it."""
    without: frozenset[int] = frozenset()
    """Chunks that are not to be found: those asked with."""


def text_query(encoders: Mapping[str, Encoder], question: str) -> Query:
    """A question, in each space."""
    vectors: dict[tuple[str, Modality], Vectors] = {}
    cut = []
    for space, encoder in encoders.items():
        seen = truncated(question, encoder)
        if len(seen) < len(question):
            cut.append(f"question cut to its first {len(seen):,} of {len(question):,} characters for {space}")
        vectors[space, "text"] = encoder.embed_texts([seen])[0]
    return Query(question, question, vectors, tuple(cut))


def picture_query(encoders: Mapping[str, Encoder], loader: Loader, image: Any, words: str = "") -> Query:
    """A path or ``PIL.Image``, in each space that sees pictures; ``words`` are for the lexical channel.

    Raises
    ------
    InvalidSetting
        No encoder sees pictures.
    LoadError
        It cannot be read as a picture.
    """
    seeing = {space: encoder for space, encoder in encoders.items() if "image" in encoder.modalities}
    if not seeing:
        raise InvalidSetting("clip is 'none', so pictures cannot be asked with: set it to 'emoji' or a CLIP model")
    loaded = _load(loader, image)
    pixels = loaded.chunks[0].pixels
    assert pixels is not None
    return Query(
        words or "more like this picture",
        words,
        {(space, "image"): encoder.embed_images([pixels])[0] for space, encoder in seeing.items()},
        picture=loaded.previews.get("proxy"),
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
    from .sources.sound import is_sound, to_segment

    if transcriber is None:
        raise InvalidSetting("speech is 'none', so nothing can be asked by voice: set it to 'pocketsphinx' or a model")
    sound = to_segment(audio)[0] if is_sound(audio) else audio
    clips = [chunk.audio for chunk in _load(loader, sound).chunks if chunk.audio is not None]
    texts = transcriber.transcribe([samples(clip.set_frame_rate(transcriber.rate)) for clip in clips])
    words = " ".join(text for text in texts if text).strip()
    if not words:
        raise MMRagError(f"no words were heard in {_name(audio) or 'the sound'}: speak closer, or type the question")
    return words


def stored_query(
    shown: str, vectors: Mapping[tuple[str, Modality], Sequence[Vectors]], without: frozenset[int]
) -> Query:
    """Something that is in the index, by the vectors (d,) of its chunks: of several in one space, their mean."""
    import numpy as np

    means = {place: np.mean(np.stack(list(several)), axis=0) for place, several in vectors.items()}
    units = {place: (mean / (np.linalg.norm(mean) or 1.0)).astype(np.float32) for place, mean in means.items()}
    return Query(shown, vectors=units, without=without)


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
