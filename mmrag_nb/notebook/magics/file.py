"""``%mmrag_save``, ``%mmrag_open``, ``%mmrag_verify`` and ``%mmrag_compact``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.error import UsageError
from IPython.core.magic import line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from mmrag_nb.notebook.arguments import out, parse, unquoted
from mmrag_nb.notebook.progress import ProgressLine
from mmrag_nb.notebook.session import one_line

from .base import SessionMagics

if TYPE_CHECKING:
    from mmrag_nb.reports import Status
    from mmrag_nb.verification import Compaction, Verification


@magics_class
class FileMagics(SessionMagics):
    """What keeps the index."""

    @no_var_expand
    @magic_arguments()
    @argument("path", nargs="?", metavar="FILE", help="Where to keep it; a file that is there is replaced.")
    @out("status")
    @line_magic
    @one_line
    def mmrag_save(self, line: str) -> Status | None:
        """Save the index to a file or into Milvus, and keep it there from now on.

        Into Milvus (milvus: and a folder of Milvus Lite, or an address) it goes in batches: interrupted, run it again.

        Examples::

            %mmrag_save lesson.mmrag
            %mmrag_save milvus:lesson.db
            %mmrag_save milvus:http://host:19530/lesson
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
        path = _path(options.path, "save")
        with ProgressLine(self.shell) as progress:
            rag.save(path, progress=progress)
        return self._session.give(rag.status(), options.out)

    @no_var_expand
    @magic_arguments()
    @argument("path", nargs="?", metavar="FILE", help="An index, where %%mmrag_save has put it.")
    @argument("--discard", action="store_true", help="Give up an index in memory that was not saved.")
    @out("status")
    @line_magic
    @one_line
    def mmrag_open(self, line: str) -> Status | None:
        """Open an index, a file or in Milvus, with the models that made it.

        Examples::

            %mmrag_open lesson.mmrag
            %mmrag_open milvus:lesson.db
            %mmrag_open lesson.mmrag --discard
        """
        options = parse(self.mmrag_open, line)
        if options is None:
            return None
        rag = self._session.rag
        rag.switch(_path(options.path, "open"), discard=options.discard)
        self._session.forget()
        status = rag.status()
        self._session.warm()
        return self._session.give(status, options.out)

    @no_var_expand
    @magic_arguments()
    @argument("path", nargs="?", metavar="FILE", help="An index file; without one, the index at hand.")
    @out("found")
    @line_magic
    @one_line
    def mmrag_verify(self, line: str) -> Verification | None:
        """Say whether an index is what was written, whether its parts fit together, and what to do where not.

        Examples::

            %mmrag_verify
            %mmrag_verify lesson.mmrag
        """
        options = parse(self.mmrag_verify, line)
        if options is None:
            return None
        path = unquoted(options.path or "").strip()
        return self._session.give(self._session.rag.verify(path or None), options.out)

    @no_var_expand
    @magic_arguments()
    @out("made")
    @line_magic
    @one_line
    def mmrag_compact(self, line: str) -> Compaction | None:
        """Make the index as small as what is in it: what nothing refers to goes, and the room between.

        Examples::

            %mmrag_compact
        """
        options = parse(self.mmrag_compact, line)
        if options is None:
            return None
        return self._session.give(self._session.rag.compact(), options.out)


def _path(text: str, what: str) -> str:
    path = unquoted(text).strip()
    if not path:
        raise UsageError(f"name the file: %mmrag_{what} lesson.mmrag")
    return path
