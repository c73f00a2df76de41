"""``%mmrag_map``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import line_magic, magics_class, needs_local_scope, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from mmrag_nb.insight.embedding_map import METHODS
from mmrag_nb.notebook.arguments import out, parse
from mmrag_nb.notebook.session import one_line

from .base import SessionMagics

if TYPE_CHECKING:
    from mmrag_nb.insight.embedding_map import EmbeddingMap


@magics_class
class MapMagics(SessionMagics):
    """What draws the index."""

    @no_var_expand
    @needs_local_scope
    @magic_arguments()
    @argument("question", nargs="*", metavar="QUESTION", help="What to mark on the map, with its hits.")
    @argument("--method", choices=METHODS, default="pca", help="pca keeps distances, tsne neighbourhoods.")
    @argument("--space", metavar="SPACE", help="The vector space to draw, or the begin of its name.")
    @out("map")
    @line_magic
    @one_line
    def mmrag_map(self, line: str, local_ns: dict[str, Any] | None = None) -> EmbeddingMap | None:
        """Draw the index as a map, the gap between its modalities, and where a question lies in it.

        Examples::

            %mmrag_map
            %mmrag_map which picture shows a red apple?
            %mmrag_map --method tsne --space words
        """
        options = parse(self.mmrag_map, line)
        if options is None:
            return None
        question = self._question(options.question, local_ns, "mmrag_map") if options.question else ""
        return self._session.give(self._ready().map(question, options.method, options.space), options.out)
