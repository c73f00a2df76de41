"""``%mmrag_why``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import line_magic, magics_class, needs_local_scope, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from mmrag_nb.notebook.arguments import out, parse
from mmrag_nb.notebook.session import one_line

from .base import SessionMagics

if TYPE_CHECKING:
    from mmrag_nb.insight.why import Why


@magics_class
class WhyMagics(SessionMagics):
    """What explains a search."""

    @no_var_expand
    @needs_local_scope
    @magic_arguments()
    @argument("which", nargs="?", metavar="ITEM", help="A rank, an item's name or path, or {{hit}}; rank 1 if absent.")
    @argument("-q", "--question", metavar="TEXT", help="Explain by this question instead of the last one.")
    @argument("-k", type=int, metavar="K", help="How many hits to ask for with --question.")
    @out("explanation")
    @line_magic
    @one_line
    def mmrag_why(self, line: str, local_ns: dict[str, Any] | None = None) -> Why | None:
        """Show why something was found, or was not: its place, its words, its seconds, its pixels.

        A rank is one of the last search or question, and may lie beyond its hits. What is not in the index is told why.

        Examples::

            %mmrag_why 3
            %mmrag_why apple.jpg
            %mmrag_why {{answer.hits[0]}} --out why
            %mmrag_why talk.mp3 --question "who plays the harp?"
        """
        options = parse(self.mmrag_why, line)
        if options is None:
            return None
        which = self._thing(options.which or "1", local_ns)
        question = None if options.question is None else self._question(options.question, local_ns, "mmrag_why")
        return self._session.give(self._session.rag.why(which, question, options.k), options.out)
