"""A magic's line: free words and flags, in any order.

``IPython.core.magic_arguments`` declares them. What stands next to a magic is all there is to say of it: its page of
help, its parsing and its completion follow from that. A positional argument stands for the free words; a ``metavar``
says what is to be written and so what Tab offers (see :mod:`mmrag_nb.notebook.candidates`)::

    @magic_arguments()
    @argument("sources", nargs="*", metavar="SOURCE", help="A path, a glob, a URL or {{expr}}, and its metadata.")
    @argument("--image", metavar="PICTURE", help="A path or {{expr}}.")
    @out("report")

IPython's own parsing takes an apostrophe ("what's this?") for an open quote and knows neither ``--help`` nor near
matches, hence this.
"""

from __future__ import annotations

import argparse
import re
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic_arguments import argument

from mmrag_nb.errors import UnknownName, nearest

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = r"(?:(?:--?[A-Za-z][\w-]*|[^\W\d]\w*)=)?"
_VALUE = r"""\{\{.*?\}\}(?!\})|"[^"]*"|'[^']*'(?=\s|$)"""
# A quoted or braced value belongs to its key: no flag is looked for inside.
TOKEN = re.compile(rf"{KEY}(?:{_VALUE})|\S+")
_WORD = re.compile(rf"{_VALUE}|\S+")
_GOES_ON = re.compile(r"[=!<>]|(and|or)$")
"""What a filter goes on with that was not quoted."""
_HELP = ("--help", "-h")


def out(what: str) -> argument:
    """Declare ``--out NAME``, which every magic has; ``what`` is what it binds: ``answer``."""
    return argument("-o", "--out", type=name, metavar="NAME", help=f"Bind the {what} to this name and show nothing.")


def flags(magic: Callable[..., Any]) -> dict[str, argparse.Action]:
    """The flags declared on ``magic``, with what each does."""
    return {flag: action for action in _actions(magic) for flag in action.option_strings}


def free_words(magic: Callable[..., Any]) -> argparse.Action | None:
    """The argument declared on ``magic`` for what is no flag; ``None`` where it takes none."""
    return next((action for action in _actions(magic) if not action.option_strings), None)


def _actions(magic: Callable[..., Any]) -> list[argparse.Action]:
    parser = getattr(magic, "parser", None)
    return parser._actions if parser else []  # noqa: SLF001 - argparse has no public list of them


def page(magic: Callable[..., Any]) -> str:
    """The page of help that ``%magic?`` and ``--help`` show: IPython's, without its marks of reStructuredText."""
    text: str = magic.parser.format_help().replace("::\n\n  ", "", 1)  # type: ignore[attr-defined]
    usage, rest = text.split("\n\n", 1)
    rest = re.sub(r"::(?=\n)", ":", re.sub(r" <(\S+)>(?=\n|,|  )", r" \1", rest))
    return re.sub(r"\n +", "\n    ", usage) + "\n\n" + rest


def parse(magic: Callable[..., Any], line: str, *, free: str = "") -> argparse.Namespace | None:
    """Parse ``line`` by what is declared on ``magic``.

    Parameters
    ----------
    free
        The attribute that takes the free words, where no positional argument names it.

    Returns
    -------
    argparse.Namespace or None
        ``None`` where ``--help`` was asked for and has been printed.

    Raises
    ------
    UsageError
        A flag is unknown, or its value is missing or cannot be.
    """
    known, words = flags(magic), free_words(magic)
    tokens = list(TOKEN.finditer(line))
    if any(token[0] in _HELP for token in tokens):
        print(page(magic).rstrip())  # noqa: T201 - what --help is for
        return None
    options: list[str] = []
    rest = line  # with the flags blanked out, so that a question keeps its spaces and quotes
    while tokens:
        token = tokens.pop(0)
        start, end = token.span()
        name, _, value = token[0].partition("=")
        if name in known:
            options.append(name)
            if known[name].nargs == 0 and "=" in token[0]:
                raise UsageError(f"{name} takes no value: write it to switch it on, leave it out to switch it off")
            if known[name].nargs != 0:
                if not value and (not tokens or tokens[0][0].partition("=")[0] in known):
                    raise UsageError(f"{name} needs a value, as in: {name} {known[name].metavar or 'VALUE'}")
                if not value:
                    value, end = tokens[0][0], tokens.pop(0).end()
                options[-1] = f"{name}={_checked(name, value, known[name], tokens[0][0] if tokens else '')}"
            rest = rest[:start] + " " * (end - start) + rest[end:]
        elif re.fullmatch(r"--?[A-Za-z][\w-]*(=.*)?", token[0]):
            near = nearest(name, known, cutoff=0.4)
            hint = f"did you mean {near}? " if near else ""
            raise UsageError(f"unknown flag {name}: {hint}known are {', '.join(sorted(known))}")
    parsed: argparse.Namespace = magic.parser.parse_args(options)  # type: ignore[attr-defined]
    rest, kept = rest.strip(), words.dest if words else free
    if rest and not kept:
        raise UsageError(f"%{magic.parser.prog} takes flags only: leave out {rest!r}")  # type: ignore[attr-defined]
    setattr(parsed, kept or "words", rest)
    return parsed


def words(text: str) -> list[str]:
    """The words of a line's free part, each with the quotes or braces that hold it together."""
    return _WORD.findall(text)


def unquoted(word: str) -> str:
    """``word`` without the quotes around it."""
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" else word


def _checked(flag: str, word: str, action: argparse.Action, then: str) -> str:
    """The value that ``word`` is; ``then`` is the word behind it."""
    value = unquoted(word)
    if action.metavar == "FILTER" and value == word and not word.startswith("{{") and _GOES_ON.match(then):
        raise UsageError(f'{flag} takes one text in quotes, as in: {flag} "{value} {then} ..."')
    if action.type is int and not re.fullmatch(r"[+-]?\d+", value):
        raise UsageError(f"{flag} takes a whole number, as in {flag} 5, not {value!r}")
    if action.type is float and not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", value):
        raise UsageError(f"{flag} takes a number, as in {flag} 0.5, not {value!r}")
    if action.choices is not None and value not in map(str, action.choices):
        raise UsageError(str(UnknownName(f"value of {flag}", value, map(str, action.choices))))
    return value


def column_kinds(text: str) -> dict[str, str]:
    """What ``--columns "photo=image note=text"`` says of tables' columns."""
    kinds = {}
    for word in text.replace(",", " ").split():
        column, equals, kind = word.rpartition("=")
        if not equals or not column or not kind:
            raise argparse.ArgumentTypeError(f'{word!r} is not column=kind, as in --columns "photo=image note=text"')
        kinds[column] = kind
    return kinds


def name(text: str) -> str:
    """Check the name given to ``--out``."""
    if not text.isidentifier() or iskeyword(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no Python name")
    return text
