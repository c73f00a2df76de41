"""When the words of an utterance are spoken: as the transcriber heard them, or estimated."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from mmrag_nb.types import Preview

if TYPE_CHECKING:
    from collections.abc import Sequence

WORDS = "words"
"""The kind of preview of an utterance in which the index keeps its words' seconds."""

_BETWEEN = 1
"""Letters that the end of a word lasts, in an estimate."""


def noted(text: str) -> dict[str, Preview]:
    """What the index is to keep of a transcript: nothing where the seconds of its words are not known."""
    times = getattr(text, "times", ())
    if not times or len(times) != len(text.split()):
        return {}
    words = [[word, *map(_hundredths, time)] for word, time in zip(text.split(), times, strict=True)]
    return {WORDS: Preview("application/json", json.dumps(words, ensure_ascii=False).encode())}


def heard(kept: Preview | None, text: str, begins: float, ends: float) -> list[tuple[float, float]] | None:
    """Seconds [from, to) of the words of ``text``, by what the index keeps; ``None`` where that is nothing or nonsense.

    Parameters
    ----------
    kept
        JSON: for each word ``[word, from, to]``, seconds from the start of the utterance.
    begins, ends
        Of the utterance, seconds from the start of the recording.
    """
    if kept is None:
        return None
    try:
        words: Any = json.loads(kept.data)
        times = [(begins + float(start), begins + float(end)) for _, start, end in words]
        said = [str(word) for word, _, _ in words]
    except (ValueError, TypeError, RecursionError):
        return None  # an index can come from anywhere
    inside = all(begins - 1 <= start <= end <= ends + 1 for start, end in times)  # false of what is no number, too
    return times if said == text.split() and inside else None


def estimated(text: str, begins: float, ends: float) -> list[tuple[float, float]]:
    """Seconds of the words of ``text`` where nobody noted them: time is shared out by letters."""
    letters = [len(word) + _BETWEEN for word in text.split()]
    at: Sequence[float] = [math.fsum(letters[:i]) for i in range(len(letters) + 1)]
    scale = (ends - begins) / (at[-1] or 1)
    return [(begins + at[i] * scale, begins + at[i + 1] * scale) for i in range(len(letters))]


def _hundredths(seconds: float) -> float:
    return round(seconds, 2)
