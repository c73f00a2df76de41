"""Python objects to items: texts, pictures and sounds."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import SourceError
from mmrag_nb.types import Item, Metadata, Resolved

from .exchange import is_url
from .optional import is_a
from .sound import is_sound, to_segment

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image
    from pydub import AudioSegment

ACCEPTED = (
    "text, pathlib.Path, PIL.Image, (samples, rate), pydub.AudioSegment, a dict of these, a list, a pandas DataFrame"
)


def resolve_object(value: Any, label: str, metadata: Metadata, *, base: Path) -> Resolved:
    """Turn a text, picture or sound into an item that is shown as ``label``.

    Raises
    ------
    SourceError
        It is empty or damaged, or nothing that can be indexed; the message says what can.
    """
    if isinstance(value, str):
        return _text(value, label, metadata, base)
    if is_a(value, "PIL.Image", "Image"):
        return Resolved(Item(_hash_picture(value), label, "image", metadata), value)
    if is_sound(value):
        segment, notes = to_segment(value)
        return Resolved(Item(_hash_sound(segment), label, "audio", metadata), segment, notes=notes)
    if is_a(value, "pydub", "AudioSegment"):
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
    if hasattr(value, "dtype") and hasattr(value, "shape") and getattr(value, "ndim", 0) > 0:
        shape = re.sub(r"[^\d, ]", "", str(tuple(value.shape))).strip(", ")
        return f"an array of shape ({shape}): for a picture pass PIL.Image.fromarray(a), for a sound (samples, rate)"
    if isinstance(value, (bytes, bytearray)):
        return "bytes: for a picture pass PIL.Image.open(io.BytesIO(b)), for a text b.decode()"
    if hasattr(value, "to_pandas"):
        return f"{kind_of(value)}: pass its to_pandas()"
    return f"{kind_of(value)} cannot be indexed: accepted are {ACCEPTED}"


def kind_of(value: Any) -> str:
    """How messages call ``value``."""
    if value is None or isinstance(value, (bool, float)):
        return str(value)
    return f"an object of type {type(value).__name__}"
