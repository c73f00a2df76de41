"""An answer without a model: the sentences of the evidence that come nearest to the question, quoted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmrag_nb.types import Generation

from .citations import ABSENT, without_marks
from .letters import likeness, rarity, stop_words
from .pictured import taken_apart
from .sentences import spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mmrag_nb.types import Evidence, Prompt, Stream

LONGEST = 35
"""Words of a sentence that is still quoted whole; of longer ones, and of unpunctuated speech, a window is."""
WINDOW = 25
"""Words of that window."""

_LEAD = 6  # words quoted before the first match: what a speaker says of it comes after it
_ALIKE = 0.3  # cosine of two words' letters from which one may stand for the other: harpist and harvest reach 0.32
_ENOUGH = 0.2  # share of the question below which a sentence is no answer
_SURE = 0.5  # share from which a sentence speaks for itself
_SECOND = 0.75  # a second sentence is quoted where it comes this near to the first
_RANK = 0.1  # what a place in the retrieved order is worth: decides between sentences about equally near

# Words of scikit-learn's list that carry meaning in a question.
_KEPT = {"bill", "bottom", "computer", "cry", "eight", "eleven", "fifteen", "fifty", "fire", "five", "forty", "four"}
_KEPT |= {"front", "hundred", "interest", "mill", "name", "nine", "side", "six", "sixty", "system", "ten", "thick"}
_KEPT |= {"thin", "third", "three", "top", "twelve", "twenty", "two"}

_SAYS = {"own": "is captioned", "caption": "shows, by a model’s caption,", "ocr": "reads"}


@dataclass(frozen=True)
class _Candidate:
    evidence: Evidence
    text: str
    """A sentence, or the name of a picture or recording that has no text."""
    kind: str = ""
    """Who says it of a picture, as :data:`~mmrag_nb.generation.pictured.LABELS` has it; empty of anything else."""
    pointed: bool = False
    """Whether it can only be pointed at."""


class ExtractiveGenerator:
    """Quotes the one or two sentences of the evidence that answer best; needs no model, network or key.

    A sentence is worth the share of the question's words that it holds, each weighted by its inverse document frequency
    among these sentences; English stop words (scikit-learn's list) do not count. A word also counts, by as much as they
    are alike, where a similar one stands for it: TF-IDF cosine over character 2- to 4-grams. That finds misheard words
    (*harvest* for *harpist*) and inflected ones. Deterministic.
    """

    description = "extractive (no model)"
    model = "extractive"
    takes: frozenset[str] = frozenset()
    side = 0
    api = ""
    instant = True

    def tokens(self, prompt: Prompt) -> int:  # noqa: ARG002 - the protocol's
        """None: it has no model."""
        return 0

    def stream(self, prompt: Prompt) -> Stream:
        """Answer by quotation; see :class:`mmrag_nb.protocols.Generator`."""
        text = _answer(prompt)
        yield text
        yield Generation(text, self.model)


def sentences(text: str) -> list[str]:
    """Split ``text`` at ends of sentences and at blank lines; unpunctuated speech stays whole."""
    text = without_marks(text)
    found = (" ".join(text[start:end].split()) for start, end in spans(text))
    return [sentence for sentence in found if re.search(r"\w", sentence)]


def _answer(prompt: Prompt) -> str:
    if not prompt.evidence:
        return f"{ABSENT} The sources hold nothing on this."
    if not prompt.question:  # a picture asked, and no words that a sentence could come near to
        return _point(prompt.evidence[0])
    # What scores below zero is there by chance: it is quoted only where nothing stands above.
    likely = [evidence for evidence in prompt.evidence if evidence.score > 0] or prompt.evidence
    candidates = [candidate for evidence in likely for candidate in _candidates(evidence)]
    near = _Nearness(prompt.question, [candidate.text for candidate in candidates])
    places = {evidence.number: place for place, evidence in enumerate(prompt.evidence, start=1)}
    worth = near.scores * (1 + _RANK / np.array([places[c.evidence.number] for c in candidates]))
    order = [int(i) for i in np.argsort(-worth, kind="stable") if near.scores[i] >= _ENOUGH]
    first = prompt.evidence[0]
    if not order:
        if first.text.strip():
            closest = f"{_name(first)} [{first.number}]"
            return f"{ABSENT} The sources hold no sentence that answers this; closest is {closest}."
        return _point(first)
    chosen = [i for i in order[:2] if worth[i] >= _SECOND * worth[order[0]]]
    said = [_say(candidates[i], near) for i in chosen]
    # Where the words are unsure, what search put first but has no words is shown as well: a look may answer.
    unsure = near.scores[order[0]] < _SURE
    if unsure and not first.text.strip() and all(candidates[i].evidence is not first for i in chosen):
        said = [said[0], _point(first)]
    return " ".join(dict.fromkeys(said))


def _candidates(evidence: Evidence) -> list[_Candidate]:
    said = taken_apart(evidence.text) if evidence.modality in {"image", "video"} else [("", evidence.text)]
    found = [_Candidate(evidence, sentence, kind) for kind, text in said for sentence in sentences(text)]
    # Lorenz_Ro28-200px.png, 0.0-3.1 s -> Lorenz Ro px png s
    return found or [_Candidate(evidence, " ".join(re.findall(r"[^\W\d_]+", evidence.title)), pointed=True)]


def _say(candidate: _Candidate, near: _Nearness) -> str:
    evidence = candidate.evidence
    if candidate.pointed:
        return _point(evidence)
    quote = f"“{_excerpt(candidate.text, near)}”"
    if candidate.kind:
        what = "picture" if evidence.modality == "image" else "video"
        return f"The {what} {_name(evidence)} {_SAYS[candidate.kind]} {quote} [{evidence.number}]."
    return f"{quote} [{evidence.number}]"


def _point(evidence: Evidence) -> str:
    kind = {"image": "picture", "audio": "recording", "video": "video", "text": "text"}[evidence.modality]
    return f"The {kind} {_name(evidence)} matches best [{evidence.number}]."


def _name(evidence: Evidence) -> str:
    return without_marks(" ".join(evidence.title.split())) or "without a name"


def _excerpt(sentence: str, near: _Nearness) -> str:
    words = sentence.split()
    if len(words) <= LONGEST:
        return sentence
    relevance = near.relevance(words)
    sums = np.convolve(relevance, np.ones(WINDOW), mode="valid")
    best = np.flatnonzero(sums >= sums.max() - 1e-9)
    matches = np.flatnonzero(relevance >= 0.5 * relevance.max())
    inside = next((m for m in matches if best[0] <= m < best[0] + WINDOW), best[0] + _LEAD)
    start = int(best[np.argmin(np.abs(best - (inside - _LEAD)))])
    excerpt = " ".join(words[start : start + WINDOW])
    return f"{'… ' if start else ''}{excerpt}{' …' if start + WINDOW < len(words) else ''}"


class _Nearness:
    """How much of a question's words, weighted by their rarity, a text holds; 0 to 1."""

    def __init__(self, question: str, texts: Sequence[str]) -> None:
        self._stop = stop_words() - _KEPT
        asked = list(dict.fromkeys(self._content(question)))
        self.scores = np.zeros(len(texts))
        if not asked:
            return
        rare = rarity([self._content(text) for text in (question, *texts)])
        self._words = {word: column for column, word in enumerate(rare)}
        alike = likeness(asked, list(rare))
        alike[alike < _ALIKE] = 0
        weights = np.array([rare[word] for word in asked])
        self._shares = alike * (weights / weights.sum())[:, None]
        """(words of the question, words of all texts): what finding the one through the other is worth."""
        self.scores = np.array([self._score(text) for text in texts])

    def relevance(self, words: Sequence[str]) -> NDArray[np.float64]:
        """What each word of a text is worth."""
        return np.array([self._found(word).max(initial=0) for word in words])

    def _score(self, text: str) -> float:
        found = self._found(text)
        if not found.size:
            return 0.0
        dense = float((found.max(axis=0) > 0).mean())  # of two texts that hold the same, the shorter says it better
        return float(found.max(axis=1).sum()) * (0.9 + 0.1 * dense)

    def _found(self, text: str) -> NDArray[np.float64]:
        found: NDArray[np.float64] = self._shares[:, [self._words[word] for word in self._content(text)]]
        return found

    def _content(self, text: str) -> list[str]:
        return [word for word in _tokens(text) if word not in self._stop]


def _tokens(text: str) -> list[str]:
    """Words in lower case; scripts written without spaces, as pairs of neighbouring characters."""
    found: list[str] = []
    for word in re.findall(r"\w+", text.casefold()):
        for run in re.findall(r"[぀-ヿ㐀-鿿]+|[^぀-ヿ㐀-鿿]+", word):
            spaceless = len(run) > 1 and re.match(r"[぀-ヿ㐀-鿿]", run)
            found += [run[i : i + 2] for i in range(len(run) - 1)] if spaceless else [run]
    return found
