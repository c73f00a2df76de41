"""What comes back in a stream of Chat Completions, event by event: answer, thinking, refusal, the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .thoughts import AnswerAlone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass
class Reply:
    """What a stream has told so far."""

    text: str = ""
    refusal: str = ""
    """What the model said in place of an answer."""
    reason: str = ""
    """``finish_reason``, once it came."""
    model: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    events: int = 0
    counted: bool = False
    """Whether the event of the totals came, which is the last of all."""

    @property
    def ended(self) -> bool:
        """Whether the server said that this is all.

        OpenAI, vLLM, llama.cpp and Ollama end with a ``finish_reason``. Where Ollama fails while it writes, its stream
        just ends without one (its middleware drops the error), and the SDK passes over half an event at the end: what
        came is text like any other, but not known to be whole. The totals are as good an end, for servers that name
        no reason.
        """
        return bool(self.reason) or self.counted


def read(chunks: Iterable[Any], reply: Reply) -> Iterator[str]:
    """Yield pieces of the answer, and keep the rest in ``reply``.

    Where the model thinks (``reasoning_content`` of vLLM and llama.cpp, ``reasoning`` of Ollama, or ``<think>`` at the
    beginning of the text), an empty piece is yielded: it was paid for, so the question is not asked a second time, and
    who no longer wants the answer can leave. Thinking is never part of the answer.
    """
    shown = AnswerAlone()
    try:
        for chunk in chunks:
            written, thought = _note(chunk, reply)
            piece = shown.feed(written)
            if piece or thought or written:
                reply.text += piece
                yield piece
    except Exception:
        if not reply.reason:  # after it, nothing can make the text any less whole
            raise
    if rest := shown.rest():
        reply.text += rest
        yield rest


def _note(chunk: Any, reply: Reply) -> tuple[str, bool]:
    """Keep what ``chunk`` tells; return its text, and whether it tells thoughts."""
    reply.events += 1
    reply.model = chunk.model or reply.model
    choices = chunk.choices or []
    if chunk.usage:
        counts = chunk.usage
        # Some servers send counts that are empty yet with each event.
        sent, written = counts.prompt_tokens or 0, counts.completion_tokens or 0
        reply.usage = {"input_tokens": int(sent), "output_tokens": int(written)}
        reply.counted = reply.counted or not choices
    if not choices:
        return "", False
    reply.reason = choices[0].finish_reason or reply.reason
    delta = choices[0].delta
    if delta is None:
        return "", False
    reply.refusal += getattr(delta, "refusal", None) or ""
    return delta.content or "", any(getattr(delta, name, None) for name in ("reasoning_content", "reasoning"))
