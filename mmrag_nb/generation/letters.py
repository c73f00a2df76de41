"""Words weighed and compared by their letters, without the second that scikit-learn takes to import."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_SHORTEST, _LONGEST = 2, 4


@cache
def stop_words() -> frozenset[str]:
    """scikit-learn's English ones."""
    found = find_spec("sklearn")  # which imports nothing
    for place in (found.submodule_search_locations or ()) if found else ():
        spec = spec_from_file_location("stop_words", Path(place) / "feature_extraction" / "_stop_words.py")
        if spec is not None and spec.loader is not None and Path(str(spec.origin)).is_file():
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            return frozenset(module.ENGLISH_STOP_WORDS)
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS)


def rarity(texts: Sequence[Sequence[str]]) -> dict[str, float]:
    """Each word's smoothed inverse document frequency among ``texts``: ``ln((1 + n) / (1 + df)) + 1``."""
    df = Counter(word for text in texts for word in dict.fromkeys(text))
    return {word: math.log((1 + len(texts)) / (1 + times)) + 1 for word, times in df.items()}


def likeness(asked: Sequence[str], known: Sequence[str]) -> NDArray[np.float64]:
    """(asked, known) how alike words are: TF-IDF cosine over character 2- to 4-grams, their rarity among ``known``.

    The frequencies count sublinearly, the ends of a word as letters; pieces that no known word has do not count.
    """
    pieces = [Counter(_pieces(word)) for word in known]
    rare = rarity([list(one) for one in pieces])
    place = {piece: column for column, piece in enumerate(rare)}
    weighed = [_unit(one, rare) for one in pieces]
    rows = np.repeat(np.arange(len(known)), [len(one) for one in weighed])
    columns = np.fromiter((place[piece] for one in weighed for piece in one), np.int64, len(rows))
    values = np.fromiter((value for one in weighed for value in one.values()), np.float64, len(rows))
    found = np.zeros((len(asked), len(known)))
    for row, word in enumerate(asked):
        wanted = np.zeros(len(place))
        for piece, value in _unit(Counter(_pieces(word)), rare).items():
            wanted[place[piece]] = value
        found[row] = np.bincount(rows, wanted[columns] * values, minlength=len(known))
    return found


def _unit(pieces: Counter[str], rare: dict[str, float]) -> dict[str, float]:
    weights = {piece: (1 + math.log(times)) * rare[piece] for piece, times in pieces.items() if piece in rare}
    length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
    return {piece: weight / length for piece, weight in weights.items()}


def _pieces(word: str) -> list[str]:
    framed = f" {word.lower()} "
    if len(framed) <= _SHORTEST:
        return [framed]
    sizes = range(_SHORTEST, min(_LONGEST, len(framed)) + 1)
    return [framed[start : start + n] for n in sizes for start in range(len(framed) - n + 1)]
