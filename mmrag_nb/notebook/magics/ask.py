"""``%mmrag_ask`` and ``%%mmrag_ask``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import line_cell_magic, magics_class, needs_local_scope, no_var_expand
from IPython.core.magic_arguments import magic_arguments
from IPython.display import display

from mmrag_nb.errors import GenerationError
from mmrag_nb.notebook.arguments import parse
from mmrag_nb.notebook.session import one_line

from .retrieving import RetrievalMagics, asking

if TYPE_CHECKING:
    from mmrag_nb.results import Answer


@magics_class
class AskMagics(RetrievalMagics):
    """What questions the index."""

    @no_var_expand
    @needs_local_scope
    @magic_arguments()
    @asking("answer")
    @line_cell_magic
    @one_line
    def mmrag_ask(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Answer | None:
        """Ask the index; the answer comes with its evidence.

        Examples::

            %mmrag_ask who is my favorite harpist?
            %mmrag_ask which picture shows a butterfly? -k 3 --only image
            %mmrag_ask {{question}} --out answer
            %mmrag_ask what is this? --image photos/apple.jpg
            %mmrag_ask --audio question.wav
            %mmrag_ask what does it cost, but in red? --image shoe.jpg --balance 0.7
            %mmrag_ask which rose is it? --where "species == 'rose' and price < 50"
            %mmrag_ask what is said of apples? --strategy grounded

            %%mmrag_ask
            A longer question,
            over several lines.
        """
        options = parse(self.mmrag_ask, line)
        if options is None:
            return None
        asked = self._asked(options, cell, local_ns, "mmrag_ask")
        rag = self._ready(
            pictures=options.image is not None, voice=options.audio is not None, strategy=options.strategy
        )
        try:
            answer = rag.ask(**asked)
        except GenerationError as error:
            if error.answer is not None:  # the evidence was found all the same
                display(*filter(None, [self._session.give(error.answer, options.out)]))
            raise
        return self._session.give(answer, options.out)
