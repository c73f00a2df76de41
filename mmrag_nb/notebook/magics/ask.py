"""``%mmrag_ask`` and ``%%mmrag_ask``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from mmrag_nb.errors import GenerationError
from mmrag_nb.notebook.arguments import name, parse
from mmrag_nb.notebook.session import one_line

if TYPE_CHECKING:
    from mmrag_nb.notebook.session import Session
    from mmrag_nb.results import Answer


@magics_class
class AskMagics(Magics):
    """What questions the index."""

    def __init__(self, shell: Any, session: Session) -> None:
        super().__init__(shell)
        self._session = session

    @no_var_expand
    @magic_arguments()
    @argument("-k", type=int, metavar="K", help="How many hits to retrieve.")
    @argument("--raw", action="store_true", default=None, help="Rank by raw cosines, as naive systems do.")
    @argument("-o", "--out", type=name, metavar="NAME", help="Bind the answer to this name and show nothing.")
    @line_cell_magic
    @one_line
    def mmrag_ask(self, line: str, cell: str | None = None) -> Answer | None:
        """Ask the index; the answer comes with its evidence.

        Examples::

            %mmrag_ask who is my favorite harpist?
            %mmrag_ask which picture shows a butterfly? -k 3
            %mmrag_ask {{question}} --out answer

            %%mmrag_ask
            A longer question,
            over several lines.
        """
        options = parse(self.mmrag_ask, line, free="question")
        if options is None:
            return None
        question = self._question(options.question, cell)
        try:
            answer = self._session.rag.ask(question, options.k, raw=options.raw)
        except GenerationError as error:
            if error.answer is not None:
                display(error.answer)  # the evidence was found all the same
            raise
        return self._session.give(answer, options.out)

    def _question(self, line: str, cell: str | None) -> str:
        text = f"{line}\n{cell or ''}".strip()
        if text.startswith("{{") and text.endswith("}}"):
            text = str(self._session.evaluate(text[2:-2].strip())).strip()
        elif len(text) > 1 and text[0] == text[-1] == '"':
            text = text[1:-1].strip()
        if not text:
            raise UsageError("nothing was asked: %mmrag_ask who is my favorite harpist?")
        return text
