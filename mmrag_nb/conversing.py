"""Conversations, and questions asked from an event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from .errors import GenerationError, GenerationInterrupted, MMRagError
from .generation.attempts import give_up_when
from .types import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .results import Answer


class Conversation:
    """Questions that follow each other: what was asked and answered goes with the next.

    Parameters
    ----------
    stream
        Asks, as :meth:`mmrag_nb.MultimodalRAG.stream` does.

    Examples
    --------
    >>> from mmrag_nb import MultimodalRAG
    >>> rag = MultimodalRAG(preset="offline")
    >>> rag.index([{"text": "Paradise Lost is a poem of twelve books. John Milton wrote it."}])
    indexed 1 item (1 text): 1 embedded, 0 reused, 0 skipped, ...
    >>> chat = rag.chat()
    >>> chat.ask("how many books has Paradise Lost?").text
    '“Paradise Lost is a poem of twelve books.” [1]'
    >>> chat.ask("and who wrote it?").asked_as
    'how many books has Paradise Lost? and who wrote it?'
    """

    def __init__(self, stream: Callable[..., Iterator[Answer]]) -> None:
        self._stream = stream
        self.answers: list[Answer] = []
        """What was asked and answered, oldest first."""

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The same as words."""
        return tuple(Turn(answer.asked_as or answer.question, answer.text) for answer in self.answers)

    def ask(self, question: str = "", k: int | None = None, **how: Any) -> Answer:
        """Ask as :meth:`mmrag_nb.MultimodalRAG.ask` does, with what was asked before in mind."""
        *_, answer = self.stream(question, k, **how)
        return answer

    def stream(self, question: str = "", k: int | None = None, **how: Any) -> Iterator[Answer]:
        """Yield the answer as it grows, as :meth:`mmrag_nb.MultimodalRAG.stream` does; whole, it is remembered."""
        if "history" in how:
            raise MMRagError("a conversation keeps its own history: rag.ask(..., history=) takes another")
        answer = None
        try:
            for answer in self._stream(question, k, history=self.turns, **how):
                yield answer
        except (GenerationError, GenerationInterrupted) as error:
            answer = error.answer
            raise
        finally:
            if answer is not None and answer.text.strip() and not answer.writing:
                self.answers.append(answer)

    def clear(self) -> None:
        """Begin anew."""
        self.answers.clear()


async def last(stream: Callable[[], Iterator[Answer]]) -> Answer:
    """Return the last of ``stream``, which runs in a thread; cancelled, it ends at once, or at its next piece."""
    cancelled = threading.Event()

    def exhaust() -> Answer:
        give_up_when(cancelled)  # the thread has a context of its own
        for following in stream():
            answer = following
            if cancelled.is_set():  # left alone, the stream is closed
                break
        return answer

    try:
        return await asyncio.to_thread(exhaust)
    except asyncio.CancelledError:
        cancelled.set()
        raise
