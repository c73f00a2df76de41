"""Tab in the lines and cells of our magics.

IPython has two places for this, and neither is enough: a ``complete_command`` hook is told one line, so nothing in the
body of a cell, and a matcher of ``custom_matchers`` is told the cell from IPython 8.6 on only; to both, the names and
files that IPython thinks of are added, also where only a number may stand. So this goes before the completer's two
public methods, which are the same in 7.34 and 9: what is ours is answered, all else is handed on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from IPython.core.completer import Completion, provisionalcompleter

from .arguments import KEY, TOKEN, flags, free_words
from .candidates import Place, candidates, names_in, setting_values, takes_whole_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator

    from .session import Session

_MOST = 500
"""Suggestions at once; IPython has the same bound."""

_CELL = re.compile(r"\s*%%(mmrag_\w+)(?=\s)")
_LINE = re.compile(r"(?:^\s*%?|[=\s]%)(mmrag_\w+)(?=\s)")
_CONFIG = re.compile(r"\s*%?config\s+MMRag\.(\w+)\s*=\s*(?P<value>['\"]?[^'\"\s]*)")
_WORD = re.compile(rf"""{KEY}(?:\{{\{{(?!.*\}}\}}).*|"[^"]*|'[^']*)$|{TOKEN.pattern}""")
_KEY = re.compile(r"(--?[A-Za-z][\w-]*|[^\W\d]\w*)=")

_AMBIGUOUS = re.compile(r"^[\"'#%{-]|\s")
"""Names that mean something else where they are not quoted."""

Quoting = Literal["never", "where needed", "always"]

Suggestion = tuple[int, str]
"""Where in the cell the text that is to be replaced begins, and what to write there."""


class TabCompletion:
    """Completion for the magics of one shell, in force between :meth:`install` and :meth:`remove`."""

    def __init__(self, shell: Any, session: Session) -> None:
        self._shell, self._session = shell, session
        self._completer = shell.Completer
        self._theirs = {name: getattr(self._completer, name) for name in ("completions", "complete")}
        self._installed = False

    def install(self) -> None:
        """Go before the completer's own methods."""
        self._installed = True
        self._completer.completions = self._completions
        self._completer.complete = self._complete

    def remove(self) -> None:
        """Give the completer its own methods back. Where someone has wrapped ours since, hand everything on."""
        self._installed = False
        for name, ours in (("completions", self._completions), ("complete", self._complete)):
            if vars(self._completer).get(name) == ours:
                delattr(self._completer, name)
                if getattr(self._completer, name) != self._theirs[name]:  # was wrapped before us
                    setattr(self._completer, name, self._theirs[name])

    def _completions(self, text: str, offset: int) -> Iterator[Completion]:
        """What kernels and terminals call, with the whole cell."""
        found = self.suggestions(text, offset)
        if found is None:
            yield from self._theirs["completions"](text, offset)
            return
        with provisionalcompleter():
            completions = [Completion(start, offset, new, type="param", _origin="mmrag_nb") for start, new in found]
        yield from completions

    def _complete(
        self, text: str | None = None, line_buffer: str | None = None, cursor_pos: int | None = None
    ) -> tuple[str, list[str]]:
        """What ``shell.complete`` calls, with one line."""
        offset = len(line_buffer or "") if cursor_pos is None else cursor_pos
        found = self.suggestions(line_buffer or "", offset)
        if found is None:
            theirs: tuple[str, list[str]] = self._theirs["complete"](text, line_buffer, cursor_pos)
            return theirs
        first = min((start for start, _ in found), default=offset)
        return (line_buffer or "")[first:offset], [new for start, new in found if start == first]

    def suggestions(self, text: str, offset: int) -> list[Suggestion] | None:
        """What may be written at ``offset`` of the cell ``text``; ``None`` where that is not ours to say."""
        if not self._installed or "mmrag" not in text.lower():
            return None
        try:
            return self._suggestions(text, offset)
        except Exception:  # noqa: BLE001 - a Tab must not show a traceback, whatever the user's own names and files do
            return None

    def _suggestions(self, text: str, offset: int) -> list[Suggestion] | None:
        start = text.rfind("\n", 0, offset) + 1
        cell = _CELL.match(text)
        if cell and offset > cell.end(1):
            magic = self._shell.find_cell_magic(cell[1])
            body = "\n" in text[cell.end(1) : offset]
            start = start if body else cell.end(1)
        else:
            config = _CONFIG.fullmatch(text[start:offset])
            if config:
                found = setting_values(config[1], self._session)
                return _written(found, _Fragment(text, start + config.start("value"), offset), "always")
            line = _LINE.search(text[start:offset])
            magic = line and self._shell.find_line_magic(line[1])
            body = False
            start += line.end(1) if line else 0
        if magic is None:
            return None
        return self._for(_Line(magic, text, start, offset, body=body))

    def _for(self, line: _Line) -> list[Suggestion]:
        fragment = line.fragment
        if fragment.text.startswith("{{"):
            return self._python(fragment)
        if line.action is None and not line.body and fragment.text.startswith("-"):
            return _written(line.flags_left(), fragment, "never")
        if line.key:
            return []
        found = candidates(line.takes, Place(fragment.bare, line.free, line.text), self._session)
        return _written(found, fragment)

    def _python(self, fragment: _Fragment) -> list[Suggestion]:
        expression = fragment.text[2:]
        inside = fragment.start + 2
        if expression.endswith("}}"):
            return []
        if re.fullmatch(r"\s*\w*", expression):
            names = names_in(self._shell.user_ns, self._shell.user_ns_hidden)
            begun = expression.lstrip()
            end = "" if fragment.after.startswith("}}") else "}}"
            return [(fragment.end - len(begun), name + end) for name in names if name.startswith(begun)][:_MOST]
        with provisionalcompleter():
            theirs = list(self._theirs["completions"](expression, len(expression)))
        return [(inside + one.start, one.text) for one in theirs if not one.text.startswith("%")]


@dataclass(frozen=True)
class _Fragment:
    """The word that is being written: ``cell[start:end]``, the cursor at its end."""

    cell: str
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.cell[self.start : self.end]

    @property
    def after(self) -> str:
        return self.cell[self.end :]

    @property
    def quote(self) -> str:
        return self.text[:1] if self.text[:1] in {'"', "'"} else ""

    @property
    def bare(self) -> str:
        return self.text[len(self.quote) :]


class _Line:
    """A magic's line, or a line in the body of its cell, up to the cursor: what is there, and what is being written."""

    def __init__(self, magic: Callable[..., Any], text: str, start: int, offset: int, *, body: bool) -> None:
        self.text, self.body = text, body
        self._flags = {} if body else flags(magic)
        self._words = free_words(magic)
        end = text.find("\n", offset)
        self._rest = text[offset : None if end < 0 else end]
        self.action: argparse.Action | None = None
        """The flag whose value is being written."""
        self.key = ""
        """The name of metadata whose value is being written."""
        self._used: set[argparse.Action] = set()
        begun = list(_WORD.finditer(text[start:offset]))
        last = start + begun.pop().start() if begun and start + begun[-1].end() == offset else offset
        free = self._read(begun)
        self.free = tuple(word[0] for word in free)
        if self.action is None and free and takes_whole_line(self._words) and not text.startswith("-", last):
            last, self.free = start + free[0].start(), ()
        self.fragment = self._without_key(_Fragment(text, last, offset))

    def _read(self, words: Iterable[re.Match[str]]) -> list[re.Match[str]]:
        """The free words among those before the fragment; what the flags among them await is noted."""
        free = []
        for word in words:
            if self.action is not None:
                self.action = None
                continue
            name, equals, _ = word[0].partition("=")
            flag = self._flags.get(name)
            if flag is None:
                free.append(word)
                continue
            self._used.add(flag)
            if flag.nargs != 0 and not equals:
                self.action = flag
        return free

    def _without_key(self, fragment: _Fragment) -> _Fragment:
        key = _KEY.match(fragment.text) if self.action is None else None
        if key is None:
            return fragment
        self.action = self._flags.get(key[1])
        self.key = "" if self.action else key[1]
        return _Fragment(fragment.cell, fragment.start + key.end(), fragment.end)

    @property
    def takes(self) -> argparse.Action | None:
        """What the word that is being written stands for."""
        return self.action or self._words

    def flags_left(self) -> list[str]:
        """The flags that are not on the line yet, before the cursor or behind it."""
        behind = {word[0].partition("=")[0] for word in TOKEN.finditer(self._rest)}
        left = [
            flag
            for flag, action in self._flags.items()
            if action not in self._used and not behind & set(action.option_strings)
        ]
        return [*sorted(left, key=lambda flag: flag.lstrip("-")), "--help"]


def _written(found: Iterable[str], fragment: _Fragment, quoting: Quoting = "where needed") -> list[Suggestion]:
    """Those of ``found`` that begin with what is typed, as they have to be written there."""
    typed = fragment.bare
    fitting = [one for one in found if one.startswith(typed)] or [
        one for one in found if one.lower().startswith(typed.lower())
    ]
    written = (_quoted(one, fragment, quoting) for one in fitting[:_MOST])
    return [(fragment.start, new) for new in written if new]


def _quoted(name: str, fragment: _Fragment, quoting: Quoting) -> str:
    """``name`` in quotes where it needs some; empty where it has both kinds of them itself."""
    needed = quoting == "always" and name not in {"True", "False"}
    if quoting == "never" or not (fragment.quote or needed or _AMBIGUOUS.search(name)):
        return name
    quote = fragment.quote or ("'" if '"' in name else '"')
    if quote in name:
        return ""
    open_end = name.endswith(("/", "=", " ")) or fragment.after.startswith(quote)  # there is more to come
    return f"{quote}{name}{'' if open_end else quote}"
