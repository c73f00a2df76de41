"""What Gemini streams, read piece by piece: text, why it ended, what was counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import GenerationBlocked, GenerationEmpty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mmrag_nb.errors import GenerationError

_BLOCKS = frozenset({"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "IMAGE_SAFETY"})
"""Finish reasons by which the provider keeps an answer back."""

_ASK_OTHERWISE = "ask otherwise or leave that evidence out"


@dataclass(frozen=True)
class Reply:
    """A reply that has come to its end."""

    text: str
    finish: str = ""
    """``STOP``, ``MAX_TOKENS``, ``SAFETY``...; empty where the provider did not say that it was finished."""
    blocked: str = ""
    """Why the question was not taken."""
    model: str = ""
    usage: Mapping[str, int] = field(default_factory=dict)


def read(events: Iterable[Mapping[str, Any]], redact: Callable[[str], str] = str) -> Iterator[str | Reply]:
    """Yield the text of ``events``, each a reply as plain data in snake case, as it comes, and the whole last.

    ``redact`` is what its reasons go through, which messages tell.

    What the model thinks is left out. An event without text yields nothing, so that a connection which breaks before
    there was anything to show can be tried again.
    """
    said: list[str] = []
    finish = blocked = model = ""
    counts: dict[str, int] = {}
    try:
        for event in events:
            blocked = str((event.get("prompt_feedback") or {}).get("block_reason") or blocked)
            model = str(event.get("model_version") or model)
            counts = usage(event) or counts
            for candidate in (event.get("candidates") or [])[:1]:
                parts = (candidate.get("content") or {}).get("parts") or []
                piece = "".join(part.get("text") or "" for part in parts if not part.get("thought"))
                if piece:
                    said.append(piece)
                    yield piece
                finish = str(candidate.get("finish_reason") or finish)
    except Exception:
        # The provider has said that it is finished: what breaks after that cannot make the text any less whole.
        if not finish:
            raise
    yield Reply("".join(said).strip(), redact(finish), redact(blocked), model, counts)


def trouble(reply: Reply, max_tokens: int) -> str:
    """Say why the text of ``reply`` is not whole; empty where it is.

    A stream that ends without a finish reason ends too early: where it is empty, says the API's reference, the model
    has not stopped generating (https://ai.google.dev/api/generate-content#FinishReason). Up to there its text is text
    like any other, so that this is no failure.
    """
    if reply.blocked:
        return f"stopped: Gemini blocked the question or its evidence ({reply.blocked}); {_ASK_OTHERWISE}"
    if reply.finish == "STOP":
        return ""
    if reply.finish == "MAX_TOKENS":
        return f"cut off: Gemini reached the limit of {max_tokens} tokens, thinking included; raise max_tokens"
    if reply.finish in _BLOCKS:
        return f"stopped: Gemini kept the rest back ({reply.finish}); {_ASK_OTHERWISE}"
    if reply.finish in {"", "FINISH_REASON_UNSPECIFIED"}:
        return "broke off: Gemini ended the reply without saying that it was finished; ask again"
    return f"stopped: Gemini gives the reason {reply.finish}; ask again or otherwise"


def without_text(reply: Reply, max_tokens: int) -> GenerationError:
    """What to raise for a ``reply`` that holds no text."""
    if reply.blocked:
        return GenerationBlocked(f"Gemini blocked the question or its evidence ({reply.blocked}): {_ASK_OTHERWISE}")
    if reply.finish in _BLOCKS:
        return GenerationBlocked(f"Gemini kept its answer back ({reply.finish}): {_ASK_OTHERWISE}")
    if reply.finish == "MAX_TOKENS":
        return GenerationEmpty(
            f"Gemini reached the limit of {max_tokens} tokens before it wrote anything, and thinking counts: raise "
            "max_tokens"
        )
    why = f"stopped ({reply.finish})" if reply.finish not in {"", "STOP"} else "sent a reply without text"
    return GenerationEmpty(f"Gemini gave no answer, it {why}: ask again or otherwise")


def usage(event: Mapping[str, Any]) -> dict[str, int]:
    """Tokens as the provider counted them; thinking counts as output, as it is billed."""
    counts = event.get("usage_metadata") or {}
    if not counts.get("prompt_token_count"):
        return {}
    written = int(counts.get("candidates_token_count") or 0) + int(counts.get("thoughts_token_count") or 0)
    return {"input_tokens": int(counts["prompt_token_count"]), "output_tokens": written}
