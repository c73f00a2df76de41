"""Python objects to items: texts, pictures, sounds and records of these."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from mmrag_nb.errors import SourceError
from mmrag_nb.types import Item, Metadata, Resolved

from .exchange import is_url
from .sound import is_sound, to_segment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from PIL.Image import Image
    from pydub import AudioSegment

CONTENT_KEYS = ("text", "image", "audio", "path", "url")
"""The names of which a record has exactly one; the rest is metadata."""

ACCEPTED = "text, pathlib.Path, PIL.Image, (samples, rate), pydub.AudioSegment, a dict with one of these, or a list"


class Record(NamedTuple):
    """A dict, taken apart."""

    kind: str
    """One of :data:`CONTENT_KEYS`."""
    content: Any
    metadata: dict[Any, Any]


def take_apart(record: Mapping[Any, Any]) -> Record:
    """Split ``{"image": picture, "caption": "a red apple", "price": 3}`` into its content and its metadata.

    Raises
    ------
    SourceError
        It has no content, or more than one.
    """
    kinds = [key for key in CONTENT_KEYS if key in record]
    if not kinds:
        names = ", ".join(map(str, list(record)[:5])) or "nothing"
        raise SourceError(f"a dict with {names}: one of {', '.join(CONTENT_KEYS)} must name its content")
    if len(kinds) > 1:
        raise SourceError(
            f"a dict with both {kinds[0]} and {kinds[1]}: keep one as the content and call the other something else "
            "(words about a picture: caption)"
        )
    kind = kinds[0]
    rest = {name: value for name, value in record.items() if name != kind}
    content = record[kind]
    if kind in {"text", "url"} and not isinstance(content, str):
        raise SourceError(f"its {kind} is {_kind_of(content)}: it takes a str")
    if kind == "path" and not isinstance(content, (str, os.PathLike)):
        raise SourceError(f"its path is {_kind_of(content)}: it takes a str or a pathlib.Path")
    if kind == "url" and not is_url(content):
        raise SourceError("its url has no http:// or https://: name files by path")
    return Record(kind, content, rest)


def resolve_object(value: Any, label: str, metadata: Metadata, *, base: Path) -> Resolved:
    """Turn a text, picture or sound into an item that is shown as ``label``.

    Raises
    ------
    SourceError
        It is empty or damaged, or nothing that can be indexed; the message says what can.
    """
    if isinstance(value, str):
        return _text(value, label, metadata, base)
    if _is_a(value, "PIL.Image", "Image"):
        return Resolved(Item(_hash_picture(value), label, "image", metadata), value)
    if is_sound(value):
        segment, notes = to_segment(value)
        return Resolved(Item(_hash_sound(segment), label, "audio", metadata), segment, notes=notes)
    if _is_a(value, "pydub", "AudioSegment"):
        return Resolved(Item(_hash_sound(value), label, "audio", metadata), value)
    raise SourceError(_refusal(value))


def _text(text: str, label: str, metadata: Metadata, base: Path) -> Resolved:
    if not text.strip():
        raise SourceError("an empty text")
    try:
        content = text.encode()
    except UnicodeEncodeError:
        raise SourceError("the text holds half a surrogate pair: text.encode('utf-8', 'replace').decode()") from None
    return Resolved(Item(hashlib.sha256(content).hexdigest(), label, "text", metadata), text, notes=_doubt(text, base))


def _doubt(text: str, base: Path) -> tuple[str, ...]:
    """A remark where a text may have been meant as the name of something."""
    if len(text) > 1_000 or "\n" in text or "\0" in text:
        return ()
    if is_url(text):
        return ("indexed as text, not as the URL it looks like: for what is there, type it without {{ }}",)
    if os.path.lexists(base / text):
        return ("indexed as text, though a file has this name: for the file, pass pathlib.Path(...)",)
    return ()


def _hash_picture(picture: Image) -> str:
    try:
        pixels = picture.tobytes()
        palette = picture.getpalette("RGBA") if picture.mode in {"P", "PA"} else None
        orientation = picture.getexif().get(0x0112, 1)
    except Exception as error:  # noqa: BLE001 - Pillow's decoders raise anything on damaged files opened lazily
        raise SourceError(f"the picture cannot be decoded ({type(error).__name__})") from None
    if not pixels:
        raise SourceError(f"a picture of {picture.width} x {picture.height} pixels")
    look = (picture.mode, picture.size, palette, picture.info.get("transparency"), orientation)
    digest = hashlib.sha256(repr(look).encode())
    digest.update(pixels)
    return digest.hexdigest()


def _hash_sound(segment: AudioSegment) -> str:
    samples: bytes = segment.raw_data
    if not samples:
        raise SourceError("a sound without samples")
    digest = hashlib.sha256(repr((segment.frame_rate, segment.channels, segment.sample_width)).encode())
    digest.update(samples)
    return digest.hexdigest()


def _refusal(value: Any) -> str:
    if _is_a(value, "pandas", "DataFrame"):
        return "a DataFrame: tables come in a later version; pass df.to_dict('records')"
    if _is_a(value, "pandas", "Series"):
        return "a Series: pass series.tolist()"
    if hasattr(value, "dtype") and hasattr(value, "shape") and getattr(value, "ndim", 0) > 0:
        shape = re.sub(r"[^\d, ]", "", str(tuple(value.shape))).strip(", ")
        return f"an array of shape ({shape}): for a picture pass PIL.Image.fromarray(a), for a sound (samples, rate)"
    if isinstance(value, (bytes, bytearray)):
        return "bytes: for a picture pass PIL.Image.open(io.BytesIO(b)), for a text b.decode()"
    return f"{_kind_of(value)} cannot be indexed: accepted are {ACCEPTED}"


def _kind_of(value: Any) -> str:
    if value is None or isinstance(value, (bool, float)):
        return str(value)
    return f"an object of type {type(value).__name__}"


def _is_a(value: Any, module: str, name: str) -> bool:
    """Whether ``value`` is of an optional library's class, without importing the library."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(value, kind)
