"""What is to be embedded, to vectors: what has one already is not embedded again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .catalog.relying import Relied
from .parts import library_versions
from .truncation import truncated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .catalog.catalog import Catalog
    from .protocols import Encoder
    from .retrieval.ways import Way


@dataclass
class Embedded:
    """What was made."""

    vectors: dict[str, dict[str, NDArray[np.float32]]] = field(default_factory=dict)
    """By space, then key."""
    models: dict[str, None] = field(default_factory=dict)
    """Descriptions of the encoders that worked."""
    cut: list[tuple[str, str, int]] = field(default_factory=list)
    """Texts that were too long: key, space, and how many characters were seen."""
    relied: dict[str, Relied] = field(default_factory=dict)
    """By space: what made them, and what had a vector already. The catalog looks at it again where they are kept."""


def embed(
    contents: Mapping[str, Mapping[str, Any]],
    ways: Sequence[Way],
    catalog: Catalog,
    doing: Callable[[Way], None] | None = None,
    made: Embedded | None = None,
    *,
    ahead: Mapping[str, Mapping[str, NDArray[np.float32]]] | None = None,
) -> Embedded:
    """Embed those of ``contents`` that have no vector yet; equal content is embedded once.

    Parameters
    ----------
    contents
        By view, then key: a text, RGB pixels (``image``) or a pydub ``AudioSegment`` (``audio``).
    ways
        Which encoder sees which view.
    doing
        Told of each piece of work before it begins.
    made
        What was made of them before, to go on with, where what was there has gone meanwhile.
    ahead
        Vectors of pictures that were embedded ahead, by space, then key: they are taken where they are missing.
    """
    made = made or Embedded()
    made.relied.clear()
    for encoder, view in dict.fromkeys((way.encoder, way.view) for way in ways):
        content = contents.get(view, {})
        there = made.vectors.setdefault(encoder.space, {})
        missing = catalog.missing(encoder.space, list(content))
        new = Relied(encoder.dimension, encoder.fingerprint, library_versions())
        made.relied.setdefault(encoder.space, new).there.update(content.keys() - {*missing, *there})
        keys = [key for key in missing if key not in there]
        if not keys:
            continue
        if doing is not None:
            doing(next(way for way in ways if (way.encoder, way.view) == (encoder, view)))
        made.models[encoder.description] = None
        ready = (ahead or {}).get(encoder.space, {}) if view == "image" else {}
        there.update((key, ready[key]) for key in keys if key in ready)
        if keys := [key for key in keys if key not in ready]:
            there.update(zip(keys, _vectors(encoder, view, [content[key] for key in keys], keys, made), strict=True))
    return made


def _vectors(encoder: Encoder, view: str, content: Sequence[Any], keys: Sequence[str], made: Embedded) -> Any:
    if view == "image":
        return encoder.embed_images(content)
    if view == "audio":
        from .loaders.audio import samples

        rate = encoder.rate  # type: ignore[attr-defined]  # only a SoundEncoder has sounds to embed
        return encoder.embed_sounds([samples(one.set_frame_rate(rate)) for one in content])  # type: ignore[attr-defined]
    fitting = [truncated(text, encoder) for text in content]
    made.cut += [
        (key, encoder.space, len(seen))
        for key, text, seen in zip(keys, content, fitting, strict=True)
        if len(seen) < len(text)
    ]
    return encoder.embed_texts(fitting)
