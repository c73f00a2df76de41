"""What an answer cites, where exactly that stands, and whether it bears the answer's statements out.

A statement is held against the evidence it cites, as it was sent: first by words, numbers and names (see
:mod:`mmrag_nb.generation.support`), and where these leave it open, by how near its embedding comes to what it cites
(see :mod:`mmrag_nb.likening`). Pictures and clips that were sent as such may say what no word of theirs does, so words
never disprove what cites them. A mark is a hint where to look: a true statement in wholly other words may get one, and
one that swaps who did what to whom gets none (``tests/bench/support.py`` counts both).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from .generation.citations import cited, declined, invalid
from .generation.passages import locate, outside, quotations
from .generation.statements import absent, statements
from .generation.support import Grounds, framing, slight
from .insight import spoken
from .likening import likeness
from .results import Claim, Passage

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from .generation.statements import Statement
    from .generation.support import Support
    from .results import Answer, Hit
    from .searching import Searching
    from .types import Evidence

    Places = Sequence[tuple[int, tuple[int, int]]]
    """Number of the evidence, characters of its text."""

ENOUGH = 0.8
"""Share of a statement's words from which on they bear it out; chosen by ``tests/bench/support.py``, as are these."""
LITTLE = 0.4
"""Share below which they do not, where no embedding says otherwise."""
NEAR = 3.0
"""Standard deviations above chance from which on an embedding bears a statement out."""

_MOST = 200
"""Statements that are checked: of a longer answer, those that come first."""
_LONGEST = 2_000
"""Characters of a statement that is checked: what goes on longer is no sentence."""
_MOST_LIKENED = 20
"""Statements that are embedded."""


def checked(answer: Answer, searching: Searching | None = None) -> Answer:
    """Return ``answer`` with its citations, and with its statements checked.

    Parameters
    ----------
    answer
        Whole, with the prompt that was sent.
    searching
        What found the hits; where absent nothing is checked: there are the citations, and what is none.

    Returns
    -------
    Answer
        ``text`` without the mark by which a generator says that it has no answer; that is ``abstained``, as is the
        answer of one or two sentences that cites nothing and says so in plain words. ``citations`` are among ``hits``.
    """
    marked, text = declined(answer.text)
    by_number = {hit.rank: hit for hit in answer.hits}
    numbers = cited(text, by_number)
    read = replace(
        answer,
        text=text,
        abstained=answer.abstained or marked or (not numbers and absent(text)),
        citations={number: by_number[number] for number in numbers},
        invalid=invalid(text, by_number),
    )
    if searching is None or answer.prompt is None:
        return read
    return _Check(read, answer.prompt.evidence, searching).whole()


class _Check:
    """One answer's check, and what it has found out so far."""

    def __init__(self, answer: Answer, evidence: Sequence[Evidence], searching: Searching) -> None:
        self._answer, self._searching = answer, searching
        self._evidence = {one.number: one for one in evidence}
        self._grounds: Grounds | None = None
        self._likened = 0
        self._found: dict[int, list[tuple[int, int]]] = {}
        """By number of what is cited: characters of the evidence's text."""

    def whole(self) -> Answer:
        answer = self._answer
        claims = tuple(self._claim(one) for one in statements(answer.text)[:_MOST])
        shown = {number: replace(hit, cited=self._passages(number, hit)) for number, hit in answer.citations.items()}
        hits = replace(answer.hits, hits=tuple(shown.get(hit.rank, hit) for hit in answer.hits))
        return replace(answer, claims=claims, citations=shown, hits=hits)

    # -- statements ------------------------------------------------------------------------------------------------

    def _claim(self, one: Statement) -> Claim:
        sent = tuple(number for number in one.cites if number in self._evidence)
        if one.cites and not sent:
            reason = f"rests on {_named(one.cites)} alone, which {'were' if one.cites[1:] else 'was'} not sent"
            return Claim(one.text, one.span, (), supported=False, reason=reason)
        lent = tuple(number for number in one.lent if number in self._evidence)
        if sent or lent:
            claim = self._held(one, sent or lent)
            if sent or claim.supported:
                return claim
        if slight(one.text):
            return Claim(one.text, one.span, (), supported=None)
        claim = self._held(one, tuple(self._evidence), cites=())
        return (
            claim if claim.supported is not False else replace(claim, reason="cites nothing, and nothing found says it")
        )

    def _held(self, one: Statement, given: tuple[int, ...], cites: tuple[int, ...] | None = None) -> Claim:
        """The statement, held against the evidence of the numbers ``given``."""
        claim = Claim(one.text, one.span, given if cites is None else cites, supported=None)
        if len(one.text) > _LONGEST:
            return claim
        quoted = self._quoted(one.text, given)
        if quoted and self._says_no_more(one.text, given):
            self._note(quoted)
            return replace(claim, supported=True, overlap=1.0)
        if self._grounds is None:
            self._grounds = Grounds(list(self._evidence.values()))
        support = self._grounds.support(one.text, given)
        claim = replace(claim, overlap=support.overlap)
        if not support.content:
            return claim
        wrong = _wrong(support, given)
        enough = support.overlap is not None and support.overlap >= ENOUGH
        # What was sent as a picture or clip, or has no words at all, may say more than its words do.
        seen = any(self._evidence[number].media or not self._evidence[number].text.strip() for number in given)
        if wrong and not seen:
            return replace(claim, supported=False, reason=wrong)
        if wrong or not enough:
            near = self._likeness(one.text, given)
            claim = replace(claim, likeness=near)
            if wrong or near is None or near < NEAR:
                unsure = support.overlap is None or support.overlap >= LITTLE
                shown = seen and (cites is None or near is None or near >= 0)
                reason = wrong or f"{_named(given)} {'do' if given[1:] else 'does'} not say this"
                return claim if shown or (unsure and not wrong) else replace(claim, supported=False, reason=reason)
        self._note(quoted or support.places)
        return replace(claim, supported=True)

    def _quoted(self, text: str, given: Collection[int]) -> Places:
        """Where it stands word by word, or all its quotations do; nothing where that is not so."""
        place = self._located(text, given)
        if place is not None:
            return (place,)
        places = [self._located(words, given) for words in quotations(text)]
        found = [place for place in places if place is not None]
        return found if len(found) == len(places) else ()

    def _says_no_more(self, text: str, given: Collection[int]) -> bool:
        titles = " ".join(self._evidence[number].title for number in given)
        return framing(outside(text), titles) or self._located(text, given) is not None

    def _located(self, words: str, given: Collection[int]) -> tuple[int, tuple[int, int]] | None:
        for number in given:
            span = locate(words, self._evidence[number].text)
            if span is not None:
                return number, span
        return None

    def _likeness(self, sentence: str, given: tuple[int, ...]) -> float | None:
        if self._likened >= _MOST_LIKENED:
            return None
        self._likened += 1
        return likeness(sentence, [hit for hit in self._answer.hits if hit.rank in given], self._searching)

    # -- where it stands -------------------------------------------------------------------------------------------

    def _note(self, places: Places) -> None:
        for number, span in places:
            spans = self._found.setdefault(number, [])
            if span not in spans:
                spans.append(span)

    def _passages(self, number: int, hit: Hit) -> tuple[Passage, ...]:
        chunk = hit.chunk
        whole = (Passage("", (0, 0), chunk.start, chunk.end, chunk.page),)
        if not chunk.text.strip():
            return whole
        text = self._evidence[number].text if number in self._evidence else ""
        spans = self._found.get(number, [])
        # What a model says of a picture is no text of the chunk's.
        held = [span if text == chunk.text else locate(text[slice(*span)], chunk.text) for span in spans]
        times = self._times(hit) if any(held) else None
        passages = [_passage(hit, span, times) for span in dict.fromkeys(held) if span is not None]
        return tuple(sorted(passages, key=lambda passage: passage.span)) or whole

    def _times(self, hit: Hit) -> list[tuple[float, float]] | None:
        """Seconds of each blank-separated word, as the transcriber noted them."""
        chunk = hit.chunk
        if chunk.modality != "audio" or chunk.start is None or chunk.end is None:
            return None
        return spoken.heard(self._searching.kept(hit, spoken.WORDS), chunk.text, chunk.start, chunk.end)


def _passage(hit: Hit, span: tuple[int, int], times: Sequence[tuple[float, float]] | None) -> Passage:
    chunk = hit.chunk
    words = chunk.text[slice(*span)]
    left, right = span[0] + len(words) - len(words.lstrip()), span[0] + len(words.rstrip())
    start, end = chunk.start, chunk.end
    if times:
        tokens = zip(re.finditer(r"\S+", chunk.text), times, strict=True)
        said = [seconds for token, seconds in tokens if token.end() > left and token.start() < right]
        start, end = (round(said[0][0], 3), round(said[-1][1], 3)) if said else (start, end)
    return Passage(words.strip(), (left, right), start, end, chunk.page)


def _wrong(support: Support, given: Sequence[int]) -> str:
    """What plainly speaks against a statement."""
    where = _named(given)
    if support.lacking:
        missing = " and ".join(support.lacking[:3])
        return f"{missing} {'are' if support.lacking[1:] else 'is'} not in {where}"
    if support.denied:
        return f"{support.denied} {where}"
    if support.added and support.overlap is not None and support.overlap < ENOUGH:
        return f"“{support.added}” is not in {where}"
    return ""


def _named(numbers: Sequence[int]) -> str:
    """``[1]``, ``[1] and [3]``; more than three are as many as they are."""
    if len(numbers) > 3:
        return f"the {len(numbers)} cited"
    return " and ".join(f"[{number}]" for number in numbers)
