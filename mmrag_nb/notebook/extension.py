"""``%load_ext mmrag_nb`` and ``%unload_ext mmrag_nb``."""

from __future__ import annotations

from typing import Any

from .completion import complete
from .config import MMRag
from .magics.ask import AskMagics
from .magics.index import IndexMagics
from .magics.status import StatusMagics
from .questions import keep_question_marks
from .session import Session

_MAGICS = (IndexMagics, AskMagics, StatusMagics)


def load(ipython: Any) -> None:
    """Register magics, ``%config MMRag`` and completion; nothing heavy is imported."""
    unload(ipython)  # loaded twice, as %reload_ext does, it is there once
    settings = MMRag(parent=ipython)
    ipython.configurables.append(settings)
    session = Session(ipython, settings)
    for magics in _MAGICS:
        ipython.register_magics(magics(ipython, session))
    ipython.input_transformers_cleanup.append(keep_question_marks)
    ipython.set_hook("complete_command", complete, re_key=r"%+mmrag_\w+")


def unload(ipython: Any) -> None:
    """Take away what :func:`load` brought. The index goes with it, unless it was saved."""
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
