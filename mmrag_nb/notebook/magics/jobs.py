"""``%mmrag_stop``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.error import UsageError
from IPython.core.magic import line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from mmrag_nb.notebook.arguments import out, parse
from mmrag_nb.notebook.progress import ProgressLine
from mmrag_nb.notebook.session import one_line

from .base import SessionMagics

if TYPE_CHECKING:
    from mmrag_nb.reports import IndexReport


@magics_class
class JobMagics(SessionMagics):
    """What ends work in the background."""

    @no_var_expand
    @magic_arguments()
    @argument("--now", action="store_true", help="At the next step: what is in hand is lost, not what was committed.")
    @out("report")
    @line_magic
    @one_line
    def mmrag_stop(self, line: str) -> IndexReport | None:
        """Stop what is being indexed in the background, and what waits for its turn; wait until it has stopped.

        The batch in hand is finished, and stays in the index with all before it; the same index cell, run again, goes
        on where it was.

        Examples::

            %mmrag_stop
            %mmrag_stop --now
        """
        options = parse(self.mmrag_stop, line, free="words")
        if options is None:
            return None
        if options.words:
            raise UsageError(f"%mmrag_stop takes no {options.words!r}: it stops all that is being indexed")
        jobs = self._session.rag.jobs
        going = list(jobs)
        if not going:
            raise UsageError("nothing is being indexed: %mmrag_status tells how the last run ended")
        jobs.stop(now=options.now)
        with ProgressLine(self.shell) as progress:
            while going[0].wait(0.2) is None and not going[0].done:
                step = going[0].progress
                if step is not None:
                    progress(step.stage, step.done, step.total)
        report = going[0].report
        return None if report is None else self._session.give(report, options.out)
