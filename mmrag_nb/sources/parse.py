"""The body of ``%%mmrag_index`` to sources."""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mmrag_nb.errors import SourceError
from mmrag_nb.types import Source

from .metadata import check_name
from .redaction import brief

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_CONSTANTS = {"true": True, "false": False, "null": None}
_LABEL = 40
"""Longest label of an expression, characters."""


@dataclass(frozen=True)
class _Word:
    kind: Literal["bare", "quoted", "python"]
    text: str
    """Without quotes or braces."""


@dataclass(frozen=True)
class _Line:
    number: int
    text: str
    source: _Word
    metadata: dict[str, _Word]

    def error(self, what: str) -> SourceError:
        return SourceError(f"line {self.number}, {brief(self.text)!r}: {what}")


def parse_sources(text: str, evaluate: Callable[[str], Any]) -> list[Source]:
    r"""Read one source a line, each with its metadata.

    ::

        # a comment
        photos/*.jpg
        "my talk.mp3"    speaker="D. Warfield" year=2005
        {{picture}}      caption={{caption_of(picture)}}

    The first word is the source. Words with spaces are quoted; backslashes are themselves (``\"`` in a quoted value
    is a quote). Values are JSON's numbers, ``true``, ``false`` and ``null``, else text; quoted ones are text. Lines of
    dashes, empty lines and what follows a ``#`` after a space are ignored.

    Parameters
    ----------
    evaluate
        Gives the value of the Python expression between ``{{`` and ``}}``. It is called after all lines were read.

    Raises
    ------
    SourceError
        A line cannot be read or its Python fails; the message has its number, the line and what is right.
    """
    lines = [line for number, raw in enumerate(text.split("\n"), start=1) if (line := _read(number, raw.strip()))]
    return [_source(line, evaluate) for line in lines]


def _read(number: int, text: str) -> _Line | None:
    if not text or text.startswith("#") or (set(text) == {"-"} and len(text) >= 3):
        return None
    line = _Line(number, text, _Word("bare", ""), {})
    if text.startswith("%"):
        raise line.error("a magic needs a cell of its own (quote the name if it is a file)")
    source, position = _word(line, 0, escapes=False)
    metadata: dict[str, _Word] = {}
    while (start := position + len(text[position:]) - len(text[position:].lstrip())) < len(text):
        if text[start] == "#":
            break
        name, equals, _ = text[start:].partition("=")
        if not equals or re.search(r"\s", name) or not name:
            word = text[start:].split(maxsplit=1)[0]
            raise line.error(
                f"{brief(word)!r} is not name=value: quote a name that has spaces, write one source a line, and "
                "name=value without spaces"
            )
        try:
            check_name(name)
        except SourceError as error:
            raise line.error(str(error)) from None
        if name in metadata:
            raise line.error(f"{name} is given twice")
        metadata[name], position = _word(line, start + len(name) + 1, escapes=True)
    return _Line(number, text, source, metadata)


def _word(line: _Line, start: int, *, escapes: bool) -> tuple[_Word, int]:
    """The word that starts at ``start``, and where it ends."""
    rest = line.text[start:]
    if rest.startswith("{{"):
        expression, length = _python(line, rest)
        word = _Word("python", expression)
    elif rest[:1] in {'"', "'"}:
        inner, length = _quoted(line, rest, escapes=escapes)
        word = _Word("quoted", inner)
    else:
        bare = re.match(r"\S*", rest)
        assert bare is not None
        return _Word("bare", bare[0]), start + bare.end()
    after = rest[length : length + 1]
    if after and not after.isspace():
        raise line.error(f"a space is missing before {brief(rest[length:], 20)!r}")
    return word, start + length


def _quoted(line: _Line, rest: str, *, escapes: bool) -> tuple[str, int]:
    quote = rest[0]
    pattern = rf"{quote}((?:\\{quote}|[^{quote}])*){quote}" if escapes else rf"{quote}([^{quote}]*){quote}"
    found = re.match(pattern, rest)
    if found is None:
        raise line.error(f"the quote {quote} is not closed")
    inner = found[1].replace("\\" + quote, quote) if escapes else found[1]
    return inner, found.end()


def _python(line: _Line, rest: str) -> tuple[str, int]:
    """The expression between ``{{`` and the first ``}}`` that makes it a whole one: it may hold braces itself."""
    problem: Exception | None = None
    for end in (found.start() for found in re.finditer(r"(?=\}\})", rest)):
        expression = rest[2:end].strip()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # they come again when it is evaluated
                ast.parse(expression, mode="eval")
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            problem = problem or error
        else:
            return expression, end + 2
    if problem is None:
        raise line.error("{{ has no closing }}")
    if rest[2:].lstrip().startswith("}}"):
        raise line.error("nothing stands between {{ and }}")
    raise line.error(f"what stands between {{{{ and }}}} is no Python expression: {getattr(problem, 'msg', problem)}")


def _source(line: _Line, evaluate: Callable[[str], Any]) -> Source:
    metadata = {name: _value(line, word, evaluate) for name, word in line.metadata.items()}
    if line.source.kind != "python":
        return Source(line.source.text, metadata)
    expression = " ".join(line.source.text.split())
    room = _LABEL - len("{{}}")
    shown = expression if len(expression) <= room else expression[: room - 1] + "…"
    return Source(_evaluated(line, line.source.text, evaluate), metadata, label=f"{{{{{shown}}}}}")


def _value(line: _Line, word: _Word, evaluate: Callable[[str], Any]) -> Any:
    if word.kind == "python":
        return _evaluated(line, word.text, evaluate)
    if word.kind == "bare":
        if word.text in _CONSTANTS:
            return _CONSTANTS[word.text]
        if _NUMBER.fullmatch(word.text) and len(word.text) < 400:
            number = json.loads(word.text)
            return number if math.isfinite(number) else word.text
    return word.text


def _evaluated(line: _Line, expression: str, evaluate: Callable[[str], Any]) -> Any:
    try:
        return evaluate(expression)
    except Exception as error:  # any: it is the user's code
        raise line.error(f"{brief(expression)} failed: {type(error).__name__}: {error}") from error
