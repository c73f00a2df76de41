"""The lexical channel: which words of a question count, how much a match is worth, where it shows in a text."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WORD = re.compile(r"\w+")


# Words of English's closed classes, and those by which one asks for a medium rather than for what is in it.
_FUNCTION_WORDS = frozenset(
    """
    a about above after again against all also am an and any are as at be because been before being below between both
    but by can could did do does doing down during each either few for from further had has have having he her here hers
    herself him himself his how i if in into is it its itself just may me might more most must my myself neither no nor
    not now of off on once only or other our ours ourselves out over own same shall she should so some such than that
    the their theirs them themselves then there these they this those through to too under until up upon us very was we
    were what when where whether which while who whom whose why will with without would yet you your yours yourself
    yourselves don t s ll ve re d m
    drawing drawings
    picture pictures photo photos image images show shows shown showing recording recordings speaker say says said tell
    tells mention mentions mentioned describe describes please find
    """.split()
)


def content_terms(terms: Sequence[str]) -> list[str]:
    """Those of a question's ``terms`` that tell what it is about; all of them where none does.

    In an index of three items, BM25 cannot know that "who" is common and "harpist" rare, so English function words are
    left out. Other languages' are left to BM25.
    """
    return [term for term in terms if term not in _FUNCTION_WORDS] or list(terms)


def relative(scores: Mapping[int, float], frequencies: Sequence[int], total: int) -> dict[int, float]:
    """BM25 scores as shares, in [0, 1], of what a chunk of average length with each term once would reach.

    A fixed upper bound keeps a weak match weak, where dividing by the best score found would make it 1 (Bruch, Gai and
    Ingber 2023, "An Analysis of Fusion Functions for Hybrid Retrieval", call this theoretical normalisation).

    Parameters
    ----------
    scores
        Chunk id to BM25.
    frequencies
        For each term of the question, the number of chunks that hold it.
    total
        Number of chunks.
    """
    bound = sum(rarity(n, total) for n in frequencies)
    return {chunk: min(score / bound, 1.0) for chunk, score in scores.items()} if bound else {}


def rarity(frequency: int, total: int) -> float:
    """Inverse document frequency of a term that ``frequency`` of ``total`` chunks hold: FTS5's own, with its floor."""
    return max(math.log((total - frequency + 0.5) / (frequency + 0.5)), 1e-6)


def matches(text: str, terms: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Character ranges of ``text`` whose words share their stem with one of ``terms``; adjacent ranges are joined."""
    spans = [word.span() for word in _WORD.finditer(text) if any(_akin(word[0].lower(), term) for term in terms)]
    for term in terms:
        if not term.isascii():  # pairs of CJK characters stand inside runs without spaces
            spans += [found.span() for found in re.finditer(re.escape(term), text, re.IGNORECASE)]
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and not text[joined[-1][1] : start].strip():
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


def _akin(word: str, term: str) -> bool:
    if word == term:
        return True
    shared = min(len(word), len(term))
    # harpist ~ harpists, tuned ~ tuning: a common beginning of at least four letters and a short rest on both sides.
    while shared and word[:shared] != term[:shared]:
        shared -= 1
    return shared >= 4 and max(len(word), len(term)) - shared <= 3
