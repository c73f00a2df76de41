"""A prompt as Chat Completions takes it."""

from __future__ import annotations

import io
import re
from base64 import b64encode
from itertools import groupby
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import GenerationRefused

from .prompt import messages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mmrag_nb.types import Preview, Prompt

    from .prompt import Message

_SOUNDS = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav"}
_HEARS_ALONE = re.compile(r"audio", re.IGNORECASE)
_HEARS_TOO = re.compile(r"omni", re.IGNORECASE)

_TEXT_BYTES = 4
_PATCH = 32  # pixels a side
_MOST_PATCHES = 2500
_TOKENS_A_PATCH = 1.2
_SOUND_BYTES = 400  # ten tokens a second; a clip has 32 kbit a second


def media_taken(model: str) -> frozenset[str]:
    """What ``model`` sees and hears, by its name; nothing is asked for, since ``GET /models`` tells names alone.

    Chat models see, or say that they do not. OpenAI's that hear are called so (``gpt-audio``,
    ``gpt-4o-audio-preview``) and do not see, as ``Qwen2-Audio``; an ``Omni`` does both.
    """
    if _HEARS_TOO.search(model):
        return frozenset({"image", "audio"})
    return frozenset({"audio"}) if _HEARS_ALONE.search(model) else frozenset({"image"})


def conversation(prompt: Prompt, laid: Iterable[Message], *, detail: str = "") -> list[dict[str, Any]]:
    """Messages of the request, the instructions first.

    Texts that follow one another are one part, and a message of texts alone is a plain string: servers of models that
    only read take nothing else, and Ollama makes a turn of its own of each part.

    Raises
    ------
    GenerationRefused
        A clip is neither MP3 nor WAV.
    """
    told = [{"role": message.role, "content": _content(message.parts, detail)} for message in laid]
    return [{"role": "system", "content": prompt.instructions}, *told]


def tokens(prompt: Prompt) -> int:
    """About: four letters a token, 1.2 a patch of 32 pixels a side, of at most 2,500 a picture, ten a second of sound.

    Patches and their limit are OpenAI's rule (https://developers.openai.com/api/docs/guides/images-vision); the
    factor is its models' since GPT-5 as users measured it, for the page names larger ones that are not charged
    (https://community.openai.com/t/1377015).
    """
    said = [prompt.instructions, *(part for message in messages(prompt) for part in message.parts)]
    # In UTF-8 an English letter is a byte; a Chinese one is three, and takes about a token of its own.
    return sum(
        ceil(len(part.encode("utf-8", "replace")) / _TEXT_BYTES) if isinstance(part, str) else _media_tokens(part)
        for part in said
    )


def _content(parts: Iterable[str | Preview], detail: str) -> str | list[dict[str, Any]]:
    joined = list(_joined(parts))
    if len(joined) == 1 and isinstance(joined[0], str):
        return joined[0]
    return [{"type": "text", "text": part} if isinstance(part, str) else _medium(part, detail) for part in joined]


def _joined(parts: Iterable[str | Preview]) -> Iterator[str | Preview]:
    for textual, run in groupby(parts, key=lambda part: isinstance(part, str)):
        if textual:
            yield "\n\n".join(part for part in run if isinstance(part, str))
        else:
            yield from run


def _medium(preview: Preview, detail: str) -> dict[str, Any]:
    data = b64encode(preview.data).decode()
    if preview.mime.startswith("image/"):
        image = {"url": f"data:{preview.mime};base64,{data}"}
        return {"type": "image_url", "image_url": {**image, "detail": detail} if detail else image}
    if preview.mime not in _SOUNDS:
        raise GenerationRefused(
            f'sound is sent as MP3 or WAV, not as {preview.mime}: %config MMRag.media = "image" sends its words alone'
        )
    return {"type": "input_audio", "input_audio": {"data": data, "format": _SOUNDS[preview.mime]}}


def _media_tokens(preview: Preview) -> int:
    if not preview.mime.startswith("image/"):
        return ceil(len(preview.data) / _SOUND_BYTES)
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(preview.data)) as picture:
            width, height = picture.size
    except (UnidentifiedImageError, OSError):
        return ceil(_MOST_PATCHES * _TOKENS_A_PATCH)
    scale = min(1.0, sqrt(_MOST_PATCHES * _PATCH**2 / (width * height)))
    patches = ceil(width * scale / _PATCH) * ceil(height * scale / _PATCH)
    return ceil(min(patches, _MOST_PATCHES) * _TOKENS_A_PATCH)
