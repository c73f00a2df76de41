"""``%load_ext mmrag_nb`` and ``%unload_ext mmrag_nb``."""

from __future__ import annotations

import sys
from typing import Any

from mmrag_nb.errors import InvalidSetting

from .completion import complete
from .config import MMRag
from .magics.ask import AskMagics
from .magics.file import FileMagics
from .magics.index import IndexMagics
from .magics.status import StatusMagics
from .questions import keep_question_marks
from .session import Session

_MAGICS = (IndexMagics, AskMagics, FileMagics, StatusMagics)
_HELD = "_mmrag_session"
"""Attribute of the shell that holds the session, so that ``%reload_ext`` can keep the index."""


def load(ipython: Any) -> None:
    """Register magics, ``%config MMRag`` and completion; nothing heavy is imported. Loaded again, the index is kept."""
    before: Session | None = getattr(ipython, _HELD, None)
    session = Session(ipython, before.settings if before else _settings(ipython))
    if before:
        session.take_over(before)
    _remove(ipython)
    setattr(ipython, _HELD, session)
    ipython.configurables.append(session.settings)
    for magics in _MAGICS:
        ipython.register_magics(magics(ipython, session))
    ipython.input_transformers_cleanup.append(keep_question_marks)
    ipython.set_hook("complete_command", complete, re_key=r"%+mmrag_\w+")


def unload(ipython: Any) -> None:
    """Take away what :func:`load` brought. ``%reload_ext`` calls this too, so the index waits in the shell."""
    _remove(ipython)


def _settings(ipython: Any) -> MMRag:
    try:
        return MMRag(parent=ipython)
    except InvalidSetting as error:
        # A value that %config refused stays in IPython's own configuration and would stop every later load.
        print(f"mmrag_nb: {error}; going on with the defaults", file=sys.stderr)  # noqa: T201
        ipython.config.pop("MMRag", None)
        return MMRag(parent=ipython)


def _remove(ipython: Any) -> None:
    for kind in ("line", "cell"):
        table = ipython.magics_manager.magics[kind]
        for name in [name for name in table if name.startswith("mmrag_")]:
            del table[name]
    for magics in _MAGICS:
        ipython.magics_manager.registry.pop(magics.__name__, None)
    ipython.configurables[:] = [one for one in ipython.configurables if not isinstance(one, MMRag)]
    transformers = ipython.input_transformers_cleanup
    transformers[:] = [one for one in transformers if one is not keep_question_marks]
    hooks = ipython.strdispatchers.get("complete_command")
    if hooks is not None:
        hooks.regexs = {key: chain for key, chain in hooks.regexs.items() if "mmrag" not in key.pattern}
