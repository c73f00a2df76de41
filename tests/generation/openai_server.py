"""A real HTTP server on loopback that speaks as much of Chat Completions and /models as is used, and can misbehave."""

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from itertools import repeat
from typing import Any

from loopback import DRIP, Act, Frames, Raw, Received, Reply, Scripted

MODEL = "gpt-6-luna"
CANARY = "sk-canary/7+x%Zq=9"
"""A key for clients, with what is written otherwise in addresses."""


class OpenAIRequest(Received):
    """A request as Chat Completions reads it."""

    @property
    def asks(self) -> bool:
        return self.path.endswith("/chat/completions")

    @property
    def key(self) -> str:
        return self.authorization.removeprefix("Bearer ")

    @property
    def authorization(self) -> str:
        return self.header("authorization")

    @property
    def instructions(self) -> str:
        return "".join(message["content"] for message in self.body["messages"] if message["role"] == "system")

    @property
    def turns(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """(role, parts) of each message after the instructions; a plain string as the one part it stands for."""
        told = [message for message in self.body["messages"] if message["role"] != "system"]
        return [
            (
                one["role"],
                [{"type": "text", "text": one["content"]}] if isinstance(one["content"], str) else one["content"],
            )
            for one in told
        ]

    @property
    def texts(self) -> list[str]:
        return [part["text"] for _, parts in self.turns for part in parts if part["type"] == "text"]

    @property
    def inline(self) -> list[tuple[str, bytes]]:
        """(media type, content) of each picture and clip."""
        return [_media(part) for _, parts in self.turns for part in parts if part["type"] != "text"]


def chunk(text: str | None = None, *, reason: str | None = None, model: str = MODEL, **delta: Any) -> dict[str, Any]:
    """One event: a piece of the text, or ``delta`` as it is."""
    written = delta if text is None else {"content": text, **delta}
    choice = {"index": 0, "delta": written, "finish_reason": reason}
    return {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}


def counts(tokens_in: int = 120, tokens_out: int = 7) -> dict[str, Any]:
    """The event of the totals, which has no choices."""
    usage = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}
    return {**chunk(), "choices": [], "usage": usage}


DONE = Raw(b"data: [DONE]\n\n")


def answer(*pieces: str, reason: str | None = "stop") -> Reply:
    """A whole answer."""
    texts = [chunk(piece) for piece in pieces or ("It is ", "Turlough [1].")]
    return stream(chunk(role="assistant", content=""), *texts, chunk(reason=reason), counts(), DONE)


def stream(*events: Any) -> Reply:
    return Reply(events=events)


def error(status: int, message: str = "sorry", headers: Mapping[str, str] | None = None, **more: Any) -> Reply:
    return Reply(status, body={"error": {"message": message, "type": "sad", **more}}, headers=headers or {})


class OpenAIServer(Scripted):
    """Streams server-sent events; bytes in the place of one have no frame around them."""

    request = OpenAIRequest

    def __init__(self) -> None:
        self.models = ["gpt-6-luna", "gpt-6-sol", "text-embedding-3-small", "whisper-1"]
        super().__init__(answer())
        self.url += "/v1"

    def listed(self) -> Any:
        listed = [{"id": name, "object": "model", "created": 1, "owned_by": "us"} for name in self.models]
        return {"object": "list", "data": listed}

    def frames(self, _request: Received) -> Frames:
        return _Frames()


class _Frames(Frames):
    def frame(self, event: Any) -> bytes:
        return event.data if isinstance(event, Raw) else f"data: {json.dumps(event)}\n\n".encode()

    def endless(self, act: Act) -> Iterator[bytes]:
        return repeat(b": still there\n\n" if act == DRIP else self.frame(chunk("and on ")))


def _media(part: dict[str, Any]) -> tuple[str, bytes]:
    if part["type"] == "input_audio":
        return f"audio/{part['input_audio']['format']}", b64decode(part["input_audio"]["data"])
    head, data = part["image_url"]["url"].split(";base64,")
    return head.removeprefix("data:"), b64decode(data)
