"""An answer that grows in the cell: its evidence first, then the text as it comes; gone when the whole is shown.

Two displays: the evidence, which is drawn once, and above it the text, which is small and updated. A saved notebook
holds neither: what is left of a cell is the card.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from IPython.display import clear_output, display

from mmrag_nb.errors import INTERRUPTED, GenerationInterrupted

from .pacing import Paced
from .progress import ProgressLine, is_alone, is_displayed, running
from .render import hits, writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

    from mmrag_nb.results import Answer


class Writing:
    """Shows an answer while it is written, in a notebook; on a terminal, how many words there are.

    Parameters
    ----------
    shell
        The running IPython shell.
    quiet
        Whether nothing is to be shown of the answer: how far it is, is told all the same.
    """

    def __init__(self, shell: Any, *, quiet: bool = False) -> None:
        self._kernel: Any = getattr(shell, "kernel", None)
        self._line = ProgressLine(shell) if quiet or self._kernel is None else None
        self._text: Any = None
        self._evidence: Any = None
        self._show = Paced(self._draw)

    def follow(self, answers: Iterator[Answer]) -> Answer:
        """Show ``answers`` as they come, and return the last.

        Raises
        ------
        GenerationError
            As the iteration does.
        GenerationInterrupted
            Ctrl-C; its ``answer`` has what had come.
        """
        answer = None
        try:
            for answer in answers:
                if answer.writing:
                    self._show(answer)
        except KeyboardInterrupt as error:
            if getattr(error, "answer", None) is not None or answer is None:
                raise
            # It came between two pieces, where the generator does not see it.
            from mmrag_nb.checking import checked

            interrupted = GenerationInterrupted()
            interrupted.answer = checked(replace(answer, writing=False, trouble=INTERRUPTED))
            raise interrupted from None
        finally:
            if hasattr(answers, "close"):
                answers.close()
        assert answer is not None
        return answer

    def _draw(self, answer: Answer) -> None:
        if self._line is not None:
            self._line("writing words", writing.words(answer), None)
            return
        # A plain mapping is shown as it is: no object of display's can take a file's name for a file to read.
        bundle = {"text/plain": writing.text(answer), "text/html": writing.page(answer)}
        if self._text is not None:
            self._text.update(bundle, raw=True)
            return
        self._text = display(bundle, raw=True, display_id=True)
        found = {"text/plain": hits.text(replace(answer.hits, question="")), "text/html": writing.evidence(answer)}
        self._evidence = display(found, raw=True, display_id=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._show.close()
        if self._line is not None:
            self._line.__exit__(kind, error, traceback)
        if self._text is None:
            return
        code = running(self._kernel)
        if is_alone(code):
            # What comes next takes its place without a flicker: the card, also after a failure.
            clear_output(wait=error is not None or is_displayed(code))
        else:
            # What else the cell has shown stays. Empty HTML takes no line, and nbconvert has no warning for it.
            for shown in filter(None, (self._text, self._evidence)):
                shown.update({"text/plain": "", "text/html": ""}, raw=True)
        self._text = self._evidence = None
