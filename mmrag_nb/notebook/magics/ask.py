"""``%mmrag_ask`` and ``%%mmrag_ask``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import line_cell_magic, magics_class, needs_local_scope, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from mmrag_nb.errors import GenerationError
from mmrag_nb.notebook.arguments import name, parse
from mmrag_nb.notebook.session import one_line

from .base import SessionMagics

if TYPE_CHECKING:
    from mmrag_nb.results import Answer, Hits


@magics_class
class AskMagics(SessionMagics):
    """What questions the index."""

    @no_var_expand
    @needs_local_scope
    @magic_arguments()
    @argument("--image", metavar="PICTURE", help="Look for a picture, a path or {{expr}}, instead of asking.")
    @argument("-k", type=int, metavar="K", help="How many hits to retrieve.")
    @argument("--raw", action="store_true", default=None, help="Rank by raw cosines, as naive systems do.")
    @argument("-o", "--out", type=name, metavar="NAME", help="Bind the answer to this name and show nothing.")
    @line_cell_magic
    @one_line
    def mmrag_ask(
        self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None
    ) -> Answer | Hits | None:
        """Ask the index; the answer comes with its evidence.

        Examples::

            %mmrag_ask who is my favorite harpist?
            %mmrag_ask which picture shows a butterfly? -k 3
            %mmrag_ask {{question}} --out answer
            %mmrag_ask --image photos/apple.jpg

            %%mmrag_ask
            A longer question,
            over several lines.
        """
        options = parse(self.mmrag_ask, line, free="question")
        if options is None:
            return None
        text = f"{options.question}\n{cell or ''}".strip()
        if options.image is not None:
            if text:
                raise UsageError("ask with a question or with --image, one of the two")
            image = self._value(options.image, local_ns)
            return self._session.give(self._session.rag.search(k=options.k, raw=options.raw, image=image), options.out)
        question = self._question(text, local_ns)
        try:
            answer = self._session.rag.ask(question, options.k, raw=options.raw)
        except GenerationError as error:
            if error.answer is not None:  # the evidence was found all the same
                display(*filter(None, [self._session.give(error.answer, options.out)]))
            raise
        return self._session.give(answer, options.out)
