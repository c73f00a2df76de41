"""Whether evidence bears out a statement, as far as words, numbers and names tell.

The measure is the share of a statement's content words, weighted by their rarity, that a few sentences of the evidence
hold: the recall of ROUGE (Lin 2004) with inverse document frequencies, taken over evidence sentence by sentence as
SummaC does (Laban et al. 2022), in the service of what ALCE (Gao et al. 2023) and AIS (Rashkin et al. 2023) call
support of a statement by what it cites. A word also counts, by as much as they are alike, where one of similar letters
stands for it: inflected, or misheard. Numbers have to be there, whatever they look like (``1,200``, ``forty-seven``,
``May`` for 5), and so do names, where the evidence was written and not heard.

What this cannot see: a paraphrase in other words (those are left to embeddings), who did what to whom, cause and
effect, a contradiction that uses the same words, a number that was computed, a picture.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from .numbers import numbers
from .sentences import spans
from .vocabulary import content, language, names, negations, words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from mmrag_nb.types import Evidence

ALIKE = 0.55
"""Share of their letters' pairs and triples from which on one word may stand for another."""

_TOGETHER = 3
"""Sentences of the evidence that a statement may be put together from."""
_GAIN = 0.05
"""Share of the words that a further sentence has to bring."""
_PART, _ALONE = 0.2, 0.4
"""Share from which on a sentence is shown as what bears a statement out, and from which on one is that others outdo."""
_SAME = 0.8
"""Share from which on a sentence and a statement are about the same, so that a "not" in one of them tells."""
_CLAUSE = re.compile(r"[,;:–—]|\b(?:and|but|und|aber|et|mais|y|pero)\b")
_RUN = 2
"""Neighbouring words from which on they are something said besides, and those that show what it is said besides."""
_FRAMING = frozenset(
    """picture pictures photo photos image video recording recordings clip speaker transcript transcripts text texts
    passage source sources evidence document documents article author caption captioned model reads read writes wrote
    notes explains adds mentioned described stated based provided""".split()
)
"""Words by which one tells where something stands; of a statement they count only where the evidence has them."""
_LONG, _WINDOW = 60, 30
"""Words of speech without full stops that are taken for several sentences, and for one."""


@dataclass(frozen=True)
class Support:
    """What the evidence has of a statement."""

    overlap: float | None
    """Share of the statement's words, 0 to 1; ``None`` where it has none that count, or is in another language."""
    lacking: tuple[str, ...] = ()
    """Numbers and names that the evidence does not have."""
    denied: str = ""
    """How the one denies what the other says: ``“not” is not in``."""
    added: str = ""
    """A part that the evidence does not hold, of a statement that it holds but for that."""
    content: bool = True
    """Whether the statement has words that count: "Yes." has none."""
    places: tuple[tuple[int, tuple[int, int]], ...] = ()
    """Where it is found: number of the evidence, characters of its text; the best first."""


@dataclass(frozen=True)
class _Unit:
    number: int
    span: tuple[int, int]
    words: frozenset[str]


class Grounds:
    """The evidence of one answer, ready to be compared with its statements."""

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        self._evidence = {one.number: one for one in evidence}
        self._units = {one.number: _units(one) for one in evidence}
        every = [unit.words for units in self._units.values() for unit in units]
        self._of, self._df = max(len(every), 1), Counter(word for unit in every for word in unit)
        self._by_letters: dict[str, list[str]] = defaultdict(list)
        for word in self._df:
            for letters in _letters(word):
                self._by_letters[letters].append(word)
        self._languages = {one.number: language(one.text) for one in evidence}
        self._numbers = {one.number: numbers(f"{one.title}\n{one.text}").values for one in evidence}

    def support(self, statement: str, given: Collection[int]) -> Support:
        """What the evidence of the numbers ``given`` has of ``statement``."""
        said = [word for word in _said(statement) if word not in _FRAMING or word in self._df]
        needed = numbers(statement).needed
        units = [unit for number in given for unit in self._units.get(number, ())]
        if not (said or needed) or not units:
            return Support(None, content=bool(said or needed))
        rarity = {word: math.log((1 + self._of) / (1 + self._df[word])) + 1 for word in said}
        whole = sum(rarity.values()) or 1.0
        alike = {word: self._alike(word) for word in said}
        worth = [{word: rarity[word] / whole * _best(alike[word], unit.words) for word in said} for unit in units]
        chosen, overlap = _together(worth)
        places = self._places(units, worth, chosen)
        if self._foreign(statement, given):
            return Support(None, places=places)
        there = {word for unit in units for word in unit.words}
        lacking = (*self._no_number(needed, given), *self._no_name(statement, there, given))
        denied = self._denied(statement, [units[at] for at in chosen]) if overlap >= _SAME else ""
        absent = [not any(word in there for word in alike[one]) for one in said]
        return Support(
            overlap if said else float(not lacking), lacking, denied, _added(statement, said, absent), places=places
        )

    @staticmethod
    def _places(
        units: Sequence[_Unit], worth: Sequence[dict[str, float]], chosen: Sequence[int]
    ) -> tuple[tuple[int, tuple[int, int]], ...]:
        """Sentences that hold a fair part; of evidence without such a one, what alone holds as much."""
        shares = [sum(one.values()) for one in worth]
        kept = [at for at in chosen if shares[at] >= _PART and units[at].span[1]]
        held = {units[at].number for at in kept}
        for at in sorted(range(len(units)), key=shares.__getitem__, reverse=True):
            if shares[at] >= _ALONE and units[at].span[1] and units[at].number not in held:
                kept.append(at)
                held.add(units[at].number)
        return tuple((units[at].number, units[at].span) for at in kept)

    def _alike(self, word: str) -> dict[str, float]:
        """Words of the evidence that may stand for ``word``, with what they are worth."""
        found = {word: 1.0} if word in self._df else {}
        if not word.isalpha():
            return found
        own = _letters(word)
        shared = Counter(other for letters in own for other in self._by_letters.get(letters, ()))
        for other, common in shared.items():
            likeness = 2 * common / (len(own) + len(_letters(other)))
            if likeness >= ALIKE and other.isalpha():
                found[other] = max(found.get(other, 0.0), likeness)
        return found

    def _foreign(self, statement: str, given: Iterable[int]) -> bool:
        own = language(statement)
        theirs = {self._languages[number] for number in given if number in self._languages} - {""}
        return bool(own and theirs) and own not in theirs

    def _no_number(self, needed: Iterable[tuple[str, Collection[float]]], given: Collection[int]) -> list[str]:
        there = set().union(*(self._numbers.get(number, set()) for number in given))
        return list(dict.fromkeys(shown for shown, values in needed if there.isdisjoint(values)))

    def _no_name(self, statement: str, whole: Collection[str], given: Iterable[int]) -> list[str]:
        if any(self._evidence[number].modality != "text" for number in given if number in self._evidence):
            return []  # what was heard or read by machine is spelt as it sounds
        if language(statement) == "de":  # where every noun has a capital
            return []
        named = dict.fromkeys(names(statement))
        return [name for name in named if not any(_same_name(folded, whole) for folded in content(name))]

    def _denied(self, statement: str, chosen: Sequence[_Unit]) -> str:
        """The "not" of the one that the other lacks."""
        said = set(content(statement))
        ours = negations(statement)
        texts = [self._evidence[unit.number].text[slice(*unit.span)] for unit in chosen]
        if len(ours) % 2:
            theirs = [word for text in texts for word in negations(text)]
            return "" if theirs else f"“{ours[0]}” is not in"
        # a sentence that says much besides, or another clause of it, may deny that
        if ours or len(chosen) > 1 or len(chosen[0].words) > 2 * len(said) + 2:
            return ""
        clauses = (clause for clause in _CLAUSE.split(texts[0]) if said & set(content(clause)))
        theirs = [word for clause in clauses for word in negations(clause)]
        return f"“{theirs[0]}” is missing, as it stands in" if len(theirs) % 2 else ""


def _units(evidence: Evidence) -> list[_Unit]:
    title = frozenset(content(evidence.title))
    found = [_Unit(evidence.number, (0, 0), title)] if title else []
    for start, end in spans(evidence.text):
        tokens = [(a, b) for _, a, b in words(evidence.text[start:end])]
        if len(tokens) <= _LONG:
            pieces = [(start, end)]
        else:
            begins = range(0, len(tokens), _WINDOW // 2)
            pieces = [(start + tokens[i][0], start + tokens[min(i + _WINDOW, len(tokens)) - 1][1]) for i in begins]
        found += [_Unit(evidence.number, piece, frozenset(content(evidence.text[slice(*piece)]))) for piece in pieces]
    return found


def framing(text: str, titles: str) -> bool:
    """Whether ``text`` only tells whose words are quoted: ``The picture sign.png is captioned``."""
    if set(content(text)) - _FRAMING - set(content(titles)):
        return False
    known = numbers(titles).values
    return all(values & known for _, values in numbers(text).needed)


def slight(statement: str) -> bool:
    """Whether ``statement`` has at most one word that counts, and no number, as ``Well`` has."""
    return len(_said(statement)) < 2 and not numbers(statement).needed


def _said(statement: str) -> list[str]:
    return list(dict.fromkeys(content(statement)))


def _added(statement: str, said: Sequence[str], absent: Sequence[bool]) -> str:
    """The words with which a statement ends or begins and that the evidence lacks, where it has all the others."""
    lacks = [at for at, one in enumerate(absent) if one]
    rest = len(said) - len(lacks)
    neighbours = bool(lacks) and lacks[-1] - lacks[0] == len(lacks) - 1
    if len(lacks) < _RUN or rest < _RUN or not neighbours or (lacks[0] and lacks[-1] < len(said) - 1):
        return ""
    spots = [(start, end, content(word)) for word, start, end in words(statement)]
    begins = next((start for start, _, parts in spots if said[lacks[0]] in parts), 0)
    ends = next((end for _, end, parts in reversed(spots) if said[lacks[-1]] in parts), len(statement))
    return statement[begins:ends]


def _together(worth: Sequence[dict[str, float]]) -> tuple[list[int], float]:
    """Places of the few units that together hold most, and how much that is."""
    chosen: list[int] = []
    found = dict.fromkeys(worth[0], 0.0)
    while len(chosen) < _TOGETHER:
        gains = [sum(max(0.0, share - found[word]) for word, share in one.items()) for one in worth]
        best = max(range(len(worth)), key=gains.__getitem__)
        if gains[best] < _GAIN and chosen:
            break
        chosen.append(best)
        found = {word: max(found[word], share) for word, share in worth[best].items()}
    return chosen, sum(found.values())


def _best(alike: dict[str, float], there: frozenset[str]) -> float:
    return max((likeness for word, likeness in alike.items() if word in there), default=0.0)


def _same_name(name: str, whole: Collection[str]) -> bool:
    if name in whole:
        return True
    return any(
        len(word) >= 4 <= len(name) and (word.startswith(name[:-1]) or name.startswith(word[:-1])) for word in whole
    )


@lru_cache(maxsize=20_000)
def _letters(word: str) -> frozenset[str]:
    if not word.isalpha():
        return frozenset()
    bound = f" {word} "
    return frozenset(a + b for a, b in pairwise(bound)) | frozenset(bound[i : i + 3] for i in range(len(word)))
