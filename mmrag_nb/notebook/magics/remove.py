"""``%mmrag_remove`` and ``%mmrag_reset``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import line_magic, magics_class, needs_local_scope, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from mmrag_nb.notebook.arguments import out, parse, words
from mmrag_nb.notebook.session import one_line

from .base import SessionMagics

if TYPE_CHECKING:
    from mmrag_nb.reports import Removal


@magics_class
class RemoveMagics(SessionMagics):
    """What empties the index."""

    @no_var_expand
    @needs_local_scope
    @magic_arguments()
    @argument("items", nargs="*", metavar="ITEM", help="Names, paths, patterns, begins of ids, or {{expr}}.")
    @argument("--dry-run", action="store_true", help="Tell what would be removed, and leave it.")
    @out("removal")
    @line_magic
    @one_line
    def mmrag_remove(self, line: str, local_ns: dict[str, Any] | None = None) -> Removal | None:
        """Take items out of the index, with all that belongs to them alone.

        An item goes by its name, the path or address it came from, the first eight or more digits of its id, or as a
        hit or item in double braces. * and ? stand for anything; * alone empties the index. Quote what has blanks.

        Examples::

            %mmrag_remove apple.jpg "my talk.mp3"
            %mmrag_remove photos/*.jpg --dry-run
            %mmrag_remove {{answer.hits[0]}}
        """
        options = parse(self.mmrag_remove, line)
        if options is None:
            return None
        which = [self._thing(word, local_ns) for word in words(options.items)]
        if not which:
            raise UsageError("nothing to remove: name an item or a pattern, such as photos/*.jpg (see %mmrag_status)")
        return self._session.give(self._session.rag.remove(*which, dry_run=options.dry_run), options.out)

    @no_var_expand
    @magic_arguments()
    @argument("--discard", action="store_true", help="Give up an index in memory that was not saved.")
    @out("removal")
    @line_magic
    @one_line
    def mmrag_reset(self, line: str) -> Removal | None:
        """Start over with an empty index in memory.

        An index that is kept in a file is closed and stays there. The settings stay, and so do the loaded models.

        Examples::

            %mmrag_reset
            %mmrag_reset --discard
        """
        options = parse(self.mmrag_reset, line, free="words")
        if options is None:
            return None
        if options.words:
            raise UsageError(f"%mmrag_reset takes no {options.words!r}: it starts over; items go with %mmrag_remove")
        removal = self._session.rag.reset(discard=options.discard)
        self._session.forget()
        return self._session.give(removal, options.out)
