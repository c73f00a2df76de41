"""``%mmrag_panel``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import line_magic, magics_class, needs_local_scope, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from mmrag_nb.errors import UnknownName
from mmrag_nb.notebook.arguments import out, parse
from mmrag_nb.notebook.session import one_line

from .base import SessionMagics

if TYPE_CHECKING:
    from mmrag_nb.results import Answer, Hits

_PANELS = ("ask", "images", "index", "similarity")


@magics_class
class PanelMagics(SessionMagics):
    """What opens the panels."""

    @no_var_expand
    @needs_local_scope
    @magic_arguments()
    @argument(
        "panel",
        nargs="?",
        choices=_PANELS,
        metavar="PANEL",
        help="One panel alone: ask, images, index or similarity; behind the last, {{expr}} for what it shows.",
    )
    @out("panel")
    @line_magic
    @one_line
    def mmrag_panel(self, line: str, local_ns: dict[str, Any] | None = None) -> Any:
        """Open the panels over the index, to be used with the mouse or the keyboard.

        Examples::

            %mmrag_panel
            %mmrag_panel ask
            %mmrag_panel similarity {{[answer, other_answer]}}
            %mmrag_panel --out bench
        """
        options = parse(self.mmrag_panel, line)
        if options is None:
            return None
        which, _, of_what = options.panel.partition(" ")
        if which and which not in _PANELS:
            raise UnknownName("panel", which, _PANELS)
        if of_what.strip() and which != "similarity":
            raise UsageError(f"the {which} panel takes nothing: %mmrag_panel {which}")
        return self._session.give(self._panel(which, of_what.strip(), local_ns), options.out)

    def _panel(self, which: str, of_what: str, local_ns: dict[str, Any] | None) -> Any:
        if which == "similarity":
            from mmrag_nb.notebook.panels.similarity import SimilarityPanel

            return SimilarityPanel(self._value(of_what, local_ns) if of_what else self._last())
        rag = self._session.rag
        if which == "ask":
            from mmrag_nb.notebook.panels.ask import AskPanel

            return AskPanel(rag)
        if which == "index":
            from mmrag_nb.notebook.panels.index import IndexPanel

            return IndexPanel(rag)
        if which == "images":
            from mmrag_nb.notebook.panels.image_grid import ImageGridPanel

            return ImageGridPanel(rag)
        from mmrag_nb.notebook.panels.workbench import Workbench

        return Workbench(rag)

    def _last(self) -> Answer | Hits:
        """The hits or the answer that a cell gave last."""
        from mmrag_nb.results import Answer, Hits

        for result in reversed(list(self._session.shell.user_ns.get("_oh", {}).values())):
            if isinstance(result, (Answer, Hits)):
                return result
        raise UsageError(
            "nothing was asked yet: %mmrag_ask first, or name an answer: %mmrag_panel similarity {{answer}}"
        )
