"""Texts as they were meant: without what editors, printers and converters leave in them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

REPEATED = 4
"""Times that a line has to stand in a text to be told as repeated: the head or foot of pages, say."""

_SHOWN = 60
"""Characters of such a line that are told."""
_LIGATURES = {0xFB00 + n: letters for n, letters in enumerate(("ff", "fi", "fl", "ffi", "ffl", "st", "st"))}
_BREAKS = re.compile("[\v\f\x1c-\x1e\x85\u2028\u2029]")
_BLANKS = re.compile("[\xa0\u2000-\u200a\u202f\u205f\u3000]")
# Where words are not divided by blanks (Thai, Lao, Burmese, Khmer), a zero-width one divides them.
_UNDIVIDED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
# Persian and Indic letters and emoji are shaped by joiners; Latin, Greek and Cyrillic letters are not.
_UNJOINED = "A-Za-z\xc0-\u04ff\\s"
# Each run of letters or blanks is tried from its first alone: from each of a million it would take for ever.
_DIVIDED = re.compile(r"(?<![^\W\d_])([^\W\d_]{2,})-\n[ \t]*([^\W\d_]{2,})")
_HYPHENATED = re.compile(r"(?<![^\W\d_])[^\W\d_]+-[^\W\d_]+")
_REMOVED = (
    ("soft hyphens", re.compile("\xad(?:\n[ \t]*)?"), ""),
    (
        "characters of no width",
        re.compile(
            f"(?<![{_UNDIVIDED}])\u200b|\u200b(?![{_UNDIVIDED}])|[\u2060\ufeff]"
            f"|(?<=[{_UNJOINED}])[\u200c\u200d]|[\u200c\u200d](?=[{_UNJOINED}])"
        ),
        "",
    ),
    ("control characters", re.compile("[\x00-\x08\x0e-\x1b\x7f-\x9f\ufffe\uffff]"), ""),
    ("runs of blanks", re.compile(r"(?<=\S)[ \t]{2,}(?=\S)"), " "),
    ("blanks at line ends", re.compile(r"(?<![ \t])[ \t]+$", re.MULTILINE), ""),
    ("runs of empty lines", re.compile(r"\n{3,}"), "\n\n"),
)
_NUMBER = re.compile(r"\d+")
_LETTERS = re.compile(r"[^\W\d_]{2}")


@dataclass(frozen=True)
class Normalised:
    """A text, and what was done to it."""

    text: str
    changes: tuple[str, ...] = ()
    """How much of what: ``3 soft hyphens``, ``12 words joined across lines``."""
    repeated: tuple[tuple[str, int], ...] = ()
    """Lines that stand in it again and again, and how often, the most frequent first. They stay."""

    def notes(self) -> list[str]:
        """What the user should know."""
        lines = [f"the line “{line[:_SHOWN]}” stands in it {n:,} times" for line, n in self.repeated]
        return [f"normalised: {', '.join(self.changes)}"] * bool(self.changes) + lines


def normalised(text: str) -> Normalised:
    """Return ``text`` with each character in one form, words whole, and nothing that cannot be seen.

    Characters are composed (Unicode's NFC) and ligatures taken apart. More of its compatibility forms (NFKC) would make
    ``x²`` into ``x2``, and full-width Chinese punctuation into ASCII's. Indents and single line breaks stay. A word
    that is divided at the end of a line is joined, with its hyphen only where it is written so elsewhere in the text.
    """
    done: Counter[str] = Counter()
    composed = unicodedata.normalize("NFC", text)
    said = composed.translate(_LIGATURES)
    done["lines with characters in another form"] = sum(
        one != another for one, another in zip(text.split("\n"), said.split("\n"), strict=True)
    )
    said = _BLANKS.sub(" ", _BREAKS.sub("\n", said))
    for name, pattern, by in _REMOVED:
        said, done[name] = pattern.subn(by, said)
    whole = {word.casefold() for word in _HYPHENATED.findall(said)}

    def joined(parts: re.Match[str]) -> str:
        first, second = parts.groups()
        hyphenated = f"{first}-{second}"
        if hyphenated.casefold() in whole or not second[0].islower():
            return hyphenated
        return first + second

    said, done["words joined across lines"] = _DIVIDED.subn(joined, said)
    return Normalised(said, tuple(f"{n:,} {name}" for name, n in done.items() if n), _repeated(said))


def _repeated(text: str) -> tuple[tuple[str, int], ...]:
    """Lines with words that differ in their numbers alone, as ``page 3 of 12``."""
    lines = [" ".join(line.split()) for line in text.split("\n")]
    shown: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for line in lines:
        if _LETTERS.search(line):
            form = _NUMBER.sub("0", line)
            shown.setdefault(form, line)
            counts[form] += 1
    return tuple((shown[form], n) for form, n in counts.most_common(3) if n >= REPEATED)
