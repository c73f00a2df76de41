"""``%mmrag_status``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from mmrag_nb.notebook.arguments import name, parse
from mmrag_nb.notebook.session import one_line

if TYPE_CHECKING:
    from mmrag_nb.notebook.session import Session
    from mmrag_nb.results import Status


@magics_class
class StatusMagics(Magics):
    """What tells where things stand."""

    def __init__(self, shell: Any, session: Session) -> None:
        super().__init__(shell)
        self._session = session

    @no_var_expand
    @magic_arguments()
    @argument("-o", "--out", type=name, metavar="NAME", help="Bind the status to this name and show nothing.")
    @line_magic
    @one_line
    def mmrag_status(self, line: str) -> Status | None:
        """Show what is in the index, where it is kept and which models are chosen.

        Examples::

            %mmrag_status
        """
        options = parse(self.mmrag_status, line, free="words")
        if options is None:
            return None
        return self._session.give(self._session.rag.status(), options.out)
