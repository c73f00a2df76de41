"""``%mmrag_save`` and ``%mmrag_open``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.error import UsageError
from IPython.core.magic import line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from mmrag_nb.notebook.arguments import out, parse, unquoted
from mmrag_nb.notebook.session import one_line

from .base import SessionMagics

if TYPE_CHECKING:
    from mmrag_nb.reports import Status


@magics_class
class FileMagics(SessionMagics):
    """What keeps the index."""

    @no_var_expand
    @magic_arguments()
    @argument("path", nargs="?", metavar="FILE", help="Where to keep it; an index that is there is replaced.")
    @out("status")
    @line_magic
    @one_line
    def mmrag_save(self, line: str) -> Status | None:
        """Save the index to a file, and keep it there from now on.

        Examples::

            %mmrag_save lesson.mmrag
            %mmrag_save "my lessons/harps.mmrag" --out status
        """
        options = parse(self.mmrag_save, line)
        if options is None:
            return None
        rag = self._session.rag
        if not options.path and rag.path is not None:
            raise UsageError(
                f"all of it is in {rag.path} already: name another file to copy it, %mmrag_save copy.mmrag"
            )
        rag.save(_path(options.path, "save"))
        return self._session.give(rag.status(), options.out)

    @no_var_expand
    @magic_arguments()
    @argument("path", nargs="?", metavar="FILE", help="An index file, as %%mmrag_save writes it.")
    @argument("--discard", action="store_true", help="Give up an index in memory that was not saved.")
    @out("status")
    @line_magic
    @one_line
    def mmrag_open(self, line: str) -> Status | None:
        """Open an index file, with the models that made it.

        Examples::

            %mmrag_open lesson.mmrag
            %mmrag_open lesson.mmrag --discard
        """
        options = parse(self.mmrag_open, line)
        if options is None:
            return None
        rag = self._session.rag
        rag.switch(_path(options.path, "open"), discard=options.discard)
        self._session.forget()
        return self._session.give(rag.status(), options.out)


def _path(text: str, what: str) -> str:
    path = unquoted(text).strip()
    if not path:
        raise UsageError(f"name the file: %mmrag_{what} lesson.mmrag")
    return path
