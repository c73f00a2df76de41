"""How many tokens a request to Gemini takes, by Google's own rules; nothing is sent to find out."""

from __future__ import annotations

import io
import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mmrag_nb.types import Preview

# About 4 characters, and 32 tokens for a second of sound: https://ai.google.dev/gemini-api/docs/tokens and /audio.
_LETTERS = 4
_PER_SECOND = 32
# From Gemini 3 on, the most that a picture takes at the default resolution, whatever its size:
# https://ai.google.dev/gemini-api/docs/media-resolution, section "Token counts".
_PICTURE = 1120
# Before, one tile for a picture of at most 384 x 384 pixels, else as many of 768 x 768 as cover it:
# https://ai.google.dev/gemini-api/docs/tokens, section on images.
_TILED = re.compile(r"gemini-[12]\b")
_TILE, _TILE_SIDE, _SMALL_SIDE = 258, 768, 384
_LEAST_BYTES = 4000  # of a second of speech as MP3, 32 kbit/s: where a clip's length cannot be read, too many are told


def tokens(model: str, parts: Iterable[str | Preview]) -> int:
    """Tokens that ``parts`` take, about."""
    return sum(_text(part) if isinstance(part, str) else _media(model, part) for part in parts)


def _text(text: str) -> int:
    # In UTF-8 an English letter is a byte; a Chinese one is three, and takes about a token of its own.
    return math.ceil(len(text.encode("utf-8", "replace")) / _LETTERS)


def _media(model: str, preview: Preview) -> int:
    if preview.mime.startswith("audio/"):
        return math.ceil(_seconds(preview.data) * _PER_SECOND)
    return _tiles(preview.data) * _TILE if _TILED.match(model) else _PICTURE


def _tiles(data: bytes) -> int:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as picture:  # its header alone
            width, height = picture.size
    except OSError:
        return 1
    if max(width, height) <= _SMALL_SIDE:
        return 1
    return math.ceil(width / _TILE_SIDE) * math.ceil(height / _TILE_SIDE)


def _seconds(data: bytes) -> float:
    import av

    try:
        with av.open(io.BytesIO(data)) as clip:
            return (clip.duration or 0) / av.time_base or len(data) / _LEAST_BYTES
    except (av.FFmpegError, OSError):
        return len(data) / _LEAST_BYTES
