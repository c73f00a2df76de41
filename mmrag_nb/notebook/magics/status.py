"""``%mmrag_status``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from IPython.core.magic import line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from mmrag_nb.notebook.arguments import out, parse
from mmrag_nb.notebook.session import one_line

from .base import SessionMagics

if TYPE_CHECKING:
    from mmrag_nb.reports import Status


@magics_class
class StatusMagics(SessionMagics):
    """What tells where things stand."""

    @no_var_expand
    @magic_arguments()
    @argument("--strategy", metavar="STRATEGY", help="Tell, too, what the index lacks for it; its models are loaded.")
    @out("status")
    @line_magic
    @one_line
    def mmrag_status(self, line: str) -> Status | None:
        """Show what is in the index, where it is kept, which models are chosen and what generators have cost.

        While something is being indexed in the background, or where that has ended, it tells that, too.

        Examples::

            %mmrag_status
            %mmrag_status --strategy grounded
            %mmrag_status --out status
        """
        options = parse(self.mmrag_status, line)
        if options is None:
            return None
        from mmrag_nb.notebook.render.facts import spent
        from mmrag_nb.notebook.render.status import of_jobs

        rag = self._session.rag
        status = rag.status()
        if options.strategy is not None:
            lacking = str(rag.lacking(options.strategy))
            status = replace(status, settings={**status.settings, "to compute": lacking})
        if told := spent(rag.spent):
            status = replace(status, settings={**status.settings, "spent so far": told})
        status = replace(status, settings={**of_jobs(rag.jobs), **status.settings})
        return self._session.give(status, options.out)
