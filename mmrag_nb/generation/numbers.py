"""Numbers as texts write them: ``1,200``, ``1.200``, ``forty-seven``, ``nineteen twelve``, ``21st``, ``May``."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SMALL = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen".split()
    )
}
_TENS = {
    word: value
    for value, word in zip(
        range(20, 100, 10), "twenty thirty forty fifty sixty seventy eighty ninety".split(), strict=True
    )
}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9}
_ORDINALS = {
    word: value
    for value, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split(), start=1
    )
}
_ALSO = {"dozen": 12, "twice": 2, "double": 2, "both": 2, "pair": 2, "couple": 2, "half": 0.5, "once": 1, "single": 1}
_MONTHS = {
    word: value
    for value, word in enumerate(
        "january february march april may june july august september october november december".split(), start=1
    )
}
_MONTHS |= {word[:3]: value for word, value in _MONTHS.items()}
_HINTS = {word: float(value) for known in (_ORDINALS, _ALSO, _MONTHS) for word, value in known.items()}
_LONGEST = 12
"""Words of one number."""
_WORDS = {**_SMALL, **_TENS, **_SCALES}
SPELT = frozenset(_WORDS)
"""Words that are numbers."""
_TOKEN = re.compile(r"\d{1,40}(?:[.,:]\d{1,40}){0,20}|[^\W\d_]+")


@dataclass(frozen=True)
class Numbers:
    """The numbers of a text."""

    values: frozenset[float]
    """All that it may mean."""
    needed: tuple[tuple[str, frozenset[float]], ...]
    """As written, those that are plainly numbers, each with what it may mean."""


def numbers(text: str) -> Numbers:
    """Read the numbers of ``text``; ``one`` and words that only hint at one (``both``) are never needed."""
    values: set[float] = set()
    needed: list[tuple[str, frozenset[float]]] = []
    tokens = [(found[0].lower(), found.start(), found.end()) for found in _TOKEN.finditer(text)]
    said = [word for word, _, _ in tokens]
    at = 0
    while at < len(tokens):
        word, start, end = tokens[at]
        if word[0].isdecimal():
            meant = _digits(word)
            if said[at + 1 : at + 2] and said[at + 1] in _SCALES:
                at += 1
                meant |= {value * _SCALES[said[at]] for value in meant}
            values |= meant
            # of a time of day, both have to be there; a full hour's minutes are not always said
            parts = [{value} for value in sorted(meant) if value] if ":" in word else [meant]
            needed += [(text[start:end], frozenset(part)) for part in parts]
        elif word in SPELT:
            last, meant = _spelt(said, at)
            values |= meant
            if last > at or word not in {"one", *_SCALES}:
                needed.append((text[start : tokens[last][2]], frozenset(meant)))
            at = last
        elif word in _HINTS:
            values.add(_HINTS[word])
        at += 1
    return Numbers(frozenset(values), tuple(needed))


def _digits(word: str) -> set[float]:
    """What digits may mean: points and commas part thousands in one country and decimals in the other."""
    if ":" in word:
        return {float(part) for part in re.split(r"[.,:]", word)}
    found: set[float] = set()
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", word):
        found.add(float(word.replace(",", "")))
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?", word):
        found.add(float(word.replace(".", "").replace(",", ".")))
    if re.fullmatch(r"\d+(?:[.,]\d+)?", word):
        found.add(float(word.replace(",", ".")))
    return found or {float(part) for part in re.split(r"[.,:]", word)}


def _spelt(said: list[str], at: int) -> tuple[int, set[float]]:
    """Place of the last of the number words that begin at place ``at`` of ``said``, and what they may mean.

    ``forty seven`` is 47, ``nineteen twelve`` 1912 or both of them, ``two and a half million`` 2.5 million.
    """
    last = at
    while last + 1 < len(said) and (said[last + 1] in SPELT or said[last + 1] == "and") and last - at < _LONGEST:
        last += 1
    while said[last] == "and":
        last -= 1
    meant = _together([word for word in said[at : last + 1] if word != "and"])
    if said[last + 1 : last + 4] == ["and", "a", "half"]:
        last += 3
        meant = {value + 0.5 for value in meant}
        if said[last + 1 : last + 2] and said[last + 1] in _SCALES:
            last += 1
            meant = {value * _SCALES[said[last]] for value in meant}
    return last, meant


def _together(words: list[str]) -> set[float]:
    several = [0]
    total = 0  # of thousands and more
    for word in words:
        value, current = _WORDS[word], several[-1]
        if word == "hundred":
            several[-1] = max(current, 1) * 100
        elif word in _SCALES:
            total, several[-1] = total + max(current, 1) * value, 0
        elif not current or current % 100 == 0 or (current % 10 == 0 and value < 10 and current % 100 >= 20):
            several[-1] += value
        else:
            several.append(value)
    found = {float(value) for value in several}
    if len(several) == 2 and 10 <= several[0] <= 99:
        found.add(float(several[0] * 100 + several[1]))
    return found if total == 0 else {float(total + several[0])}
