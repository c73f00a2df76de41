"""``%mmrag_search``, ``%%mmrag_search`` and ``%mmrag_similar``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import line_cell_magic, line_magic, magics_class, needs_local_scope, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from mmrag_nb.notebook.arguments import parse, unquoted
from mmrag_nb.notebook.session import one_line

from .retrieving import RetrievalMagics, asking, finding

if TYPE_CHECKING:
    from mmrag_nb.results import Hits


@magics_class
class SearchMagics(RetrievalMagics):
    """What retrieves without answering."""

    @no_var_expand
    @needs_local_scope
    @magic_arguments()
    @asking("hits")
    @line_cell_magic
    @one_line
    def mmrag_search(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Hits | None:
        """Find what fits a question, a picture or a spoken question; no answer is written.

        Examples::

            %mmrag_search a red apple -k 10
            %mmrag_search a red apple --only image,audio
            %mmrag_search --image photos/apple.jpg --out alike
            %mmrag_search --audio question.wav
        """
        options = parse(self.mmrag_search, line)
        if options is None:
            return None
        asked = self._asked(options, cell, local_ns, "mmrag_search")
        rag = self._ready(pictures=options.image is not None, voice=options.audio is not None)
        return self._session.give(rag.search(**asked), options.out)

    @no_var_expand
    @needs_local_scope
    @magic_arguments()
    @argument("item", nargs="?", metavar="ITEM", help="An item's name, a picture's path, {{hit}}, or a hit's number.")
    @finding("hits")
    @line_magic
    @one_line
    def mmrag_similar(self, line: str, local_ns: dict[str, Any] | None = None) -> Hits | None:
        """Find more like something in the index, or like a picture that is not; a number is a hit of the last result.

        Examples::

            %mmrag_similar 2
            %mmrag_similar apple.jpg -k 10
            %mmrag_similar {{answer.hits[0]}} --only image
        """
        options = parse(self.mmrag_similar, line)
        if options is None:
            return None
        if not options.item:
            raise UsageError("similar to what? name an item or a hit's number: %mmrag_similar apple.jpg")
        to = self._value(unquoted(options.item), local_ns)
        if options.item.isdecimal():
            to = self._session.hit(int(options.item))
        return self._session.give(self._ready().similar(to, **self._found(options)), options.out)
