"""Text to passages that fit an encoder, cut between sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmrag_nb.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OVERLAP = 0.15
"""Share of a passage that the next one may repeat, in whole sentences."""

_BORDER = re.compile(
    r"""(?P<line>\n\s*)
      | (?<![.!?…])(?P<stop>[.!?…]+)["'”’»)\]]*[^\S\n]+
      | [。！？｡．।॥။។៕።፧፨։۔؟༎]+["”’»」』）]*\s*""",  # noqa: RUF001
    re.VERBOSE,
)
_LAST_WORD = re.compile(r"[\w.]+\Z")
_ABBREVIATIONS = frozenset(
    "al approx art bzw ca capt cf ch co col d.h dr e.g ed eds eq eqs esp fig figs fr gen gov hon hr i.e jr lit lt mlle "
    "mme mr mrs ms mt nos nr pp prof rep rev sec sen sgt sr sra st u.a u.s vol vs z.b".split()
)
_LONGEST_TOKEN = 32
"""Characters; a sentence of more than this many times the budget is long without being counted."""


@dataclass(frozen=True)
class _Piece:
    """A sentence, or a part of one that is too long."""

    start: int
    end: int
    tokens: int
    closes: bool
    """It ends a paragraph."""


def passages(text: str, max_tokens: int, count_tokens: Callable[[str], int]) -> list[tuple[int, int]]:
    """Spans (start, end) of passages of at most ``max_tokens`` by ``count_tokens`` (special tokens included).

    Passages are runs of whole sentences; a half-full one ends with its paragraph. Each begins with the last sentences
    of the one before where these take no more than `OVERLAP` of the budget. Sentences beyond the budget are cut between
    words, words beyond it between characters. Every character but white space is in a passage.

    Raises
    ------
    LoadError
        ``max_tokens`` is too small for even one word's part.
    """
    special = count_tokens("")
    budget = max_tokens - special
    pieces = list(_pieces(text, budget, special, count_tokens))
    found: list[tuple[int, int]] = []
    first = done = 0
    while done < len(pieces):
        last = _fill(pieces, first, budget)
        while last > done:
            start, end = _stripped(text, pieces[first].start, pieces[last - 1].end)
            tokens = count_tokens(text[start:end]) - special
            if tokens <= budget:
                break
            # Joined, pieces may take more tokens than each alone.
            last = first + min(last - first - 1, (last - first) * budget // tokens)
        if last > done:
            if start < end:  # not a long stretch of blanks alone
                found.append((start, end))
            first = _overlap(pieces, first, last, budget)
            done = last
        elif first < done:
            first = done  # with its overlap, not even the next sentence fits
        else:
            raise LoadError(f"no passage fits {max_tokens} tokens: choose an encoder that takes longer texts")
    return found


def sentences(text: str) -> list[tuple[int, int]]:
    """Spans (start, end) of the sentences, which together make up ``text``; a line that runs on is no border."""
    spans = []
    start = 0
    for match in _BORDER.finditer(text):
        end = match.end()
        if not text[start:end].strip():
            continue
        if end < len(text) and _is_border(text, match):
            spans.append((start, end))
            start = end
    if text[start:].strip():
        spans.append((start, len(text)))
    return spans


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())


def _is_border(text: str, match: re.Match[str]) -> bool:
    goes_on = text[match.end()].islower()
    if match["line"]:
        return not goes_on or match["line"].count("\n") > 1 or text[match.start() - 1] in ".!?:;"
    if goes_on and match["stop"]:
        return False
    if match["stop"] != ".":
        return True
    word = _LAST_WORD.search(text, max(0, match.start() - 24), match.start())
    if word is None:
        return True
    if word[0].lower() in {"no", "p"} and text[match.end()].isdigit():
        return False
    initial = len(word[0]) == 1 and word[0].isupper() and word[0] != "I"  # more often "World War I." than a name
    return not initial and word[0].lower() not in _ABBREVIATIONS


def _pieces(text: str, budget: int, special: int, count_tokens: Callable[[str], int]) -> Iterator[_Piece]:
    def count(part: str) -> int:
        return max(1, count_tokens(part) - special)

    for start, end in sentences(text):
        sentence = text[start:end]
        closes = sentence[len(sentence.rstrip()) :].count("\n") > 1
        if len(sentence) <= _LONGEST_TOKEN * budget:
            tokens = count(sentence)
            if tokens <= budget:
                yield _Piece(start, end, tokens, closes)
                continue
        for part_start, part_end in _parts(sentence, budget, special, count_tokens):
            tokens = count(sentence[part_start:part_end])
            yield _Piece(start + part_start, start + part_end, tokens, closes and part_end == len(sentence))


def _parts(sentence: str, budget: int, special: int, count_tokens: Callable[[str], int]) -> Iterator[tuple[int, int]]:
    """Cut a long sentence into phrases as long as the overlap: packed like sentences, they overlap like sentences."""
    from semantic_text_splitter import TextSplitter

    phrase = max(int(OVERLAP * budget), min(8, budget))
    splitter = TextSplitter.from_callback(count_tokens, phrase + special, trim=False)
    start = 0
    stretch = _LONGEST_TOKEN * phrase  # its cost grows with the square of a text without spaces
    while start < len(sentence):
        end = min(start + stretch, len(sentence))
        if end < len(sentence) and (space := sentence.rfind(" ", start + 1, end)) > 0:
            end = space
        for part in splitter.chunks(sentence[start:end]):
            yield start, start + len(part)
            start += len(part)


def _fill(pieces: list[_Piece], first: int, budget: int) -> int:
    total = 0
    for index in range(first, len(pieces)):
        total += pieces[index].tokens
        if total > budget:
            return max(index, first + 1)
        if pieces[index].closes and total >= budget / 2:
            return index + 1
    return len(pieces)


def _overlap(pieces: list[_Piece], first: int, last: int, budget: int) -> int:
    """Where the passage after ``pieces[first:last]`` begins."""
    begin = last
    room = OVERLAP * budget
    while begin - 1 > first and not pieces[begin - 1].closes and pieces[begin - 1].tokens <= room:
        begin -= 1
        room -= pieces[begin].tokens
    return begin
