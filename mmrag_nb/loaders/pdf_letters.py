"""The letters of a PDF's page as its file has them, to words: ligatures taken apart, what is no letter left out."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from .lines import Box, Word

if TYPE_CHECKING:
    from collections.abc import Iterable

_JUMP = 2.0
"""Line heights to the side by which a letter leaves the word before it."""
_HYPHEN = 0x02
"""What PDFium gives for the hyphen of a divided word."""
_INVISIBLE = frozenset([*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF])
_PRESENTED = ((0xFB00, 0xFB4F), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC))
"""Ligatures, and the forms in which Arabic letters are drawn."""
_RUN_ON = (
    (0x2E80, 0x2FDF),
    (0x3000, 0x30FF),
    (0x3100, 0x312F),
    (0x31A0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF00, 0xFF65),
    (0x20000, 0x3FFFF),
)
"""Chinese and Japanese, and their punctuation: scripts without blanks."""


class Letter(NamedTuple):
    """A character as it is in the file."""

    code: int
    """Unicode; 0 where the file does not tell."""
    box: Box
    level: bool = True
    known: bool = True
    """Its font says what it stands for."""


def words(letters: Iterable[Letter]) -> list[Word]:
    """Put letters that stand together into words; each character of a script without blanks is one of its own."""
    found: list[Word] = []
    some: list[tuple[str, Letter]] = []
    place, blank = 0, True

    def close(*, glued: bool) -> None:
        nonlocal place
        if some:
            lefts, tops, rights, bottoms = zip(*(letter.box for _, letter in some), strict=True)
            box = Box(min(lefts), min(tops), max(rights), max(bottoms))
            found.append(Word("".join(shown for shown, _ in some), box, place, some[0][1].level, glued))
            place += 1
            some.clear()

    glued = False
    for letter in letters:
        shown = _shown(letter)
        if not shown:
            continue
        if shown.isspace():
            close(glued=glued)
            place += shown in "\r\n"
            blank = True
            continue
        apart = bool(some) and _stands_apart(some[-1][1], letter)
        if apart or (some and (_runs_on(shown) or _runs_on(some[-1][0]))):
            close(glued=glued)
        if not some:
            glued = not (blank or apart)
        some.append((shown, letter))
        blank = False
    close(glued=glued)
    return found


def unreadable(letters: Iterable[Letter]) -> int:
    """How many letters stand for nothing that is known: unmapped glyphs, private characters."""
    return sum(not one.known or _is_unknown(one.code) for one in letters)


def _shown(letter: Letter) -> str:
    code = letter.code
    if code in {9, 10, 13, 32}:
        return chr(code)
    if code in {_HYPHEN, 0xAD}:
        return "-"
    if code < 32 or 0x7F <= code < 0xA0 or code in _INVISIBLE or _is_unknown(code):
        return ""
    character = chr(code)
    if character.isspace():
        return " "
    return unicodedata.normalize("NFKC", character).strip() if _is_in(code, _PRESENTED) else character


def _is_unknown(code: int) -> bool:
    private = 0xE000 <= code <= 0xF8FF or code >= 0xF0000
    return code == 0 or private or code in {0xFFFC, 0xFFFD, 0xFFFE, 0xFFFF} or 0xD800 <= code < 0xE000


def _is_in(code: int, ranges: Iterable[tuple[int, int]]) -> bool:
    return any(first <= code <= last for first, last in ranges)


def _runs_on(shown: str) -> bool:
    return _is_in(ord(shown[0]), _RUN_ON)


def _stands_apart(last: Letter, letter: Letter) -> bool:
    """Whether a letter does not go on where the ``last`` one ended, though no blank says so."""
    if letter.level != last.level:
        return True
    a, c = (one.box if one.level else _turned(one.box) for one in (last, letter))
    height = max(a.bottom - a.top, c.bottom - c.top, 1e-6)
    aside = max(c.left - a.right, a.left - c.right)
    return aside > _JUMP * height or abs(a.top + a.bottom - c.top - c.bottom) > height


def _turned(box: Box) -> Box:
    return Box(box.top, box.left, box.bottom, box.right)
