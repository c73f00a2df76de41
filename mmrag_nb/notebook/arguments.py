"""A magic's line: free words and flags, in any order.

``IPython.core.magic_arguments`` declares the flags, which gives ``%magic?`` its page. Its own parsing takes an
apostrophe ("what's this?") for an open quote and knows neither ``--help`` nor near matches, hence this.
"""

from __future__ import annotations

import argparse
import re
from difflib import get_close_matches
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

# A quoted or braced value belongs to its key: no flag is looked for inside.
_TOKEN = re.compile(r"""(?:[^\W\d]\w*=)?(?:\{\{.*?\}\}(?!\})|"[^"]*"|'[^']*'(?=\s|$))|\S+""")


def flags(magic: Callable[..., Any]) -> dict[str, argparse.Action]:
    """The flags declared on ``magic``, with what each does."""
    parser = getattr(magic, "parser", None)
    actions = parser._actions if parser else []  # noqa: SLF001 - argparse has no public list of them
    return {flag: action for action in actions for flag in action.option_strings}


def parse(magic: Callable[..., Any], line: str, *, free: str) -> argparse.Namespace | None:
    """Parse ``line`` by the flags declared on ``magic``; ``free`` is the attribute that takes the rest.

    Returns
    -------
    argparse.Namespace or None
        ``None`` where ``--help`` was asked for and has been printed.

    Raises
    ------
    UsageError
        A flag is unknown, or its value is missing or cannot be.
    """
    parser = magic.parser  # type: ignore[attr-defined]
    known = flags(magic)
    tokens = list(_TOKEN.finditer(line))
    if any(token[0] in {"--help", "-h"} for token in tokens):
        print(parser.format_help().replace("::\n\n", "", 1))  # noqa: T201 - what --help is for
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
                if not value and not tokens:
                    raise UsageError(f"{name} needs a value, as in: {name} {known[name].metavar or 'VALUE'}")
                if not value:
                    value, end = tokens[0][0], tokens.pop(0).end()
                options.append(value.strip('"'))
            rest = rest[:start] + " " * (end - start) + rest[end:]
        elif re.fullmatch(r"--?[A-Za-z][\w-]*(=.*)?", token[0]):
            near = get_close_matches(name, known, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}? " if near else ""
            raise UsageError(f"unknown flag {name}: {hint}known are {', '.join(sorted(known))}")
    parsed: argparse.Namespace = parser.parse_args(options)
    setattr(parsed, free, rest.strip())
    return parsed


def name(text: str) -> str:
    """Check the name given to ``--out``."""
    if not text.isidentifier() or iskeyword(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no Python name")
    return text
