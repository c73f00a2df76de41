"""``%mmrag_ask`` and ``%%mmrag_ask``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import line_cell_magic, magics_class, needs_local_scope, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from mmrag_nb.errors import GenerationError, GenerationInterrupted
from mmrag_nb.notebook.arguments import parse
from mmrag_nb.notebook.credentials import ask_for_key, missing
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
    @argument("--chat", action="store_true", help="Go on with the conversation: a follow-up question is understood.")
    @argument("--new", action="store_true", help="With --chat: begin the conversation anew.")
    @asking("answer")
    @line_cell_magic
    @one_line
    def mmrag_ask(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Answer | None:
        """Ask the index; the answer comes with its evidence, and as it is written.

        What it cites is checked: numbers of what was not sent are struck out, and sentences that what they cite does
        not bear out are marked. Interrupted, what had come stays.

        Examples::

            %mmrag_ask who is my favorite harpist?
            %mmrag_ask which picture shows a butterfly? -k 3 --only image
            %mmrag_ask {{question}} --out answer
            %mmrag_ask what is this? --image photos/apple.jpg
            %mmrag_ask --audio question.wav
            %mmrag_ask what does it cost, but in red? --image shoe.jpg --balance 0.7
            %mmrag_ask which rose is it? --where "species == 'rose' and price < 50"
            %mmrag_ask what is said of apples? --strategy grounded
            %mmrag_ask who wrote Paradise Lost? --chat --new
            %mmrag_ask and how many books has it? --chat

            %%mmrag_ask
            A longer question,
            over several lines.
        """
        options = parse(self.mmrag_ask, line)
        if options is None:
            return None
        from mmrag_nb.notebook.writing import Writing

        asked = self._asked(options, cell, local_ns, "mmrag_ask")
        if options.new and not options.chat:
            raise UsageError("--new begins a conversation anew, so it goes with --chat: %mmrag_ask who? --chat --new")
        if provider := missing(self._session.settings):
            ask_for_key(provider, self.shell)
        rag = self._ready(
            pictures=options.image is not None,
            voice=options.audio is not None,
            generator=True,
            strategy=options.strategy,
        )
        conversation = self._session.conversation if options.chat else None
        if conversation is not None and options.new:
            conversation.clear()
        ask = rag.stream if conversation is None else conversation.stream
        try:
            with Writing(self.shell, quiet=options.out is not None) as writing:
                answer = writing.follow(ask(**asked))
        except (GenerationError, GenerationInterrupted) as error:
            if error.answer is not None:  # the evidence was found all the same
                display(*filter(None, [self._session.give(error.answer, options.out)]))
            raise
        return self._session.give(answer, options.out)
