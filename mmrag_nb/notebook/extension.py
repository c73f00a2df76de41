"""``%load_ext mmrag_nb`` and ``%unload_ext mmrag_nb``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import MMRagError

from .completion import TabCompletion
from .config import MMRag
from .magics.ask import AskMagics
from .magics.base import SessionMagics
from .magics.compare import CompareMagics
from .magics.exporting import ExportMagics
from .magics.file import FileMagics
from .magics.index import IndexMagics
from .magics.jobs import JobMagics
from .magics.key import KeyMagics
from .magics.map import MapMagics
from .magics.panel import PanelMagics
from .magics.prompt import PromptMagics
from .magics.remove import RemoveMagics
from .magics.search import SearchMagics
from .magics.status import StatusMagics
from .magics.why import WhyMagics
from .near_miss import near_miss
from .questions import keep_question_marks
from .session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

_MAGICS = (
    IndexMagics,
    JobMagics,
    AskMagics,
    SearchMagics,
    CompareMagics,
    WhyMagics,
    MapMagics,
    FileMagics,
    ExportMagics,
    PanelMagics,
    PromptMagics,
    RemoveMagics,
    KeyMagics,
    StatusMagics,
)
_HELD = "_mmrag_session"
"""Attribute of the shell that holds the session, so that ``%reload_ext`` can keep the index."""
_UNDO = "_mmrag_undo"
"""Attribute of the shell that holds what takes our hooks away again."""


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
    setattr(ipython, _UNDO, [_tab(ipython, session), _near_misses(ipython)])


def unload(ipython: Any) -> None:
    """Take away what :func:`load` brought. ``%reload_ext`` calls this too, so the index waits in the shell."""
    _remove(ipython)


def _settings(ipython: Any) -> MMRag:
    try:
        return MMRag(parent=ipython)
    except MMRagError as error:
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
    ipython.configurables[:] = [one for one in ipython.configurables if not isinstance(one, (MMRag, SessionMagics))]
    transformers = ipython.input_transformers_cleanup
    transformers[:] = [one for one in transformers if one is not keep_question_marks]
    for undo in vars(ipython).pop(_UNDO, ()):
        undo()


def _tab(ipython: Any, session: Session) -> Callable[[], None]:
    completion = TabCompletion(ipython, session)
    completion.install()
    return completion.remove


def _near_misses(ipython: Any) -> Callable[[], None]:
    tell = near_miss(ipython)
    ipython.events.register("post_run_cell", tell)
    return lambda: ipython.events.unregister("post_run_cell", tell)
