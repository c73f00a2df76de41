"""``%mmrag_key``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from IPython.core.error import UsageError
from IPython.core.magic import line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from mmrag_nb.errors import UnknownName, nearest
from mmrag_nb.generation.keys import NAMES, find_key, forget_key
from mmrag_nb.notebook.arguments import out, parse
from mmrag_nb.notebook.credentials import provider_of, read_key
from mmrag_nb.notebook.session import one_line
from mmrag_nb.results import Shown

from .base import SessionMagics

_ON_THE_LINE = (
    "a key does not belong on the line: it is kept in the notebook and in the history, so take it for public now, "
    "revoke it where you got it, make another, and type that one where %mmrag_key asks for it"
)

_SHORTEST_KEY = 20
"""Characters; those of all providers are longer."""


@dataclass(frozen=True, repr=False)
class KeyState(Shown):
    """Whose key is known, and where it is; never the key."""

    provider: str
    where: str

    _renderer: ClassVar[str] = "mmrag_nb.notebook.render.key"

    def _rows(self) -> list[dict[str, str]]:
        return [{"provider": self.provider, "where": self.where}]


@magics_class
class KeyMagics(SessionMagics):
    """What takes a generator's key."""

    @no_var_expand
    @magic_arguments()
    @argument("provider", nargs="?", metavar="PROVIDER", help="gemini or openai; the chosen generator's where absent.")
    @argument("--forget", action="store_true", help="Forget the key that was typed.")
    @out("state")
    @line_magic
    @one_line
    def mmrag_key(self, line: str) -> KeyState | None:
        """Type a generator's key: it is not shown, and kept in memory until the kernel ends.

        It goes into no output, file, history or variable. Never write a key on the line itself.

        Examples::

            %mmrag_key
            %mmrag_key openai
            %mmrag_key gemini --forget
        """
        if _looks_like_a_key(line):
            raise UsageError(_ON_THE_LINE)
        options = parse(self.mmrag_key, line)
        if options is None:
            return None
        provider = _provider(options.provider) or provider_of(self._session.settings) or next(iter(NAMES))
        if options.forget:
            forgotten = forget_key(provider)
            return self._session.give(KeyState(provider, _left(provider, forgotten=forgotten)), options.out)
        read_key(provider, self.shell)
        return self._session.give(KeyState(provider, "kept in memory until the kernel ends"), options.out)


def _looks_like_a_key(line: str) -> bool:
    """Whether something on ``line`` may be a key: then nothing of it is repeated, as a message would."""
    return any(len(word) >= _SHORTEST_KEY and re.search(r"\d", word) for word in line.split())


def _provider(word: str) -> str:
    if not word or word in NAMES:
        return word
    if nearest(word, NAMES):
        raise UnknownName("provider", word, NAMES)
    raise UsageError(_ON_THE_LINE)


def _left(provider: str, *, forgotten: bool) -> str:
    """What there is once the typed key is gone."""
    told = "forgotten" if forgotten else "none had been typed"
    other = find_key(provider)
    return f"{told}; there is one in {other.origin} still" if other is not None else told
