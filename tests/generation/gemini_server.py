"""A real HTTP server on loopback that speaks as much of Gemini's REST as the two SDKs use, and can misbehave."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from itertools import repeat
from typing import Any

from loopback import DRIP, Act, Frames, Raw, Received, Reply, Scripted

_URL_SAFE = str.maketrans("+/", "-_")
_NUMBERS = {  # of the names in the API's definition; new ones are unknown to older clients by any name
    "finishReason": {"STOP": 1, "MAX_TOKENS": 2, "SAFETY": 3, "RECITATION": 4, "OTHER": 5, "PROHIBITED_CONTENT": 8},
    "blockReason": {"SAFETY": 1, "OTHER": 2},
}
_NEW = 99


class GeminiRequest(Received):
    """A request as Gemini reads it."""

    @property
    def asks(self) -> bool:
        return "GenerateContent" in self.path

    @property
    def key(self) -> str:
        return self.header("x-goog-api-key")

    @property
    def contents(self) -> list[tuple[str, list[str]]]:
        """(role, texts) of each message."""
        return [
            (one["role"], [part["text"] for part in one["parts"] if "text" in part]) for one in self.body["contents"]
        ]

    @property
    def texts(self) -> list[str]:
        """Those of the last message, which asks."""
        return self.contents[-1][1]

    @property
    def instructions(self) -> str:
        return "".join(part["text"] for part in _either(self.body, "systemInstruction")["parts"])

    @property
    def inline(self) -> list[tuple[str, bytes]]:
        """(media type, content) of each part that is a picture or a clip; JSON takes both alphabets of base64."""
        blobs = [_either(part, "inlineData") for part in self.body["contents"][-1]["parts"] if "text" not in part]
        return [(_either(blob, "mimeType"), urlsafe_b64decode(blob["data"].translate(_URL_SAFE))) for blob in blobs]

    @property
    def max_tokens(self) -> int:
        return _either(_either(self.body, "generationConfig"), "maxOutputTokens")


def said(text: str, *, thought: bool = False, **more: Any) -> dict[str, Any]:
    """One event with ``text``, and ``more`` of the candidate: ``finishReason``."""
    part = {"text": text, "thought": True} if thought else {"text": text}
    return {"candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0, **more}]}


def ended(reason: str = "STOP", text: str = "", **counts: int) -> dict[str, Any]:
    """Build a last event: why the model stopped, and what it took."""
    counted = {"promptTokenCount": 120, "candidatesTokenCount": 7, "totalTokenCount": 127, **counts}
    last = said(text, finishReason=reason) if text else {"candidates": [{"finishReason": reason, "index": 0}]}
    return {**last, "usageMetadata": counted, "modelVersion": "gemini-3-flash"}


def answer(text: str = "It is Turlough [1].", **counts: int) -> Reply:
    """``text`` in two events, the counts in the second."""
    half = len(text) // 2
    return Reply(events=(said(text[:half]), ended(text=text[half:], **counts)))


def error(status: int, message: str = "sorry", headers: dict[str, str] | None = None, details: Any = ()) -> Reply:
    told = {"code": status, "message": message, "status": "SAD", "details": list(details)}
    return Reply(status, {"error": told}, headers or {})


class GeminiServer(Scripted):
    """Streams as the request asks for: server-sent events, or the elements of a JSON array."""

    request = GeminiRequest

    def __init__(self) -> None:
        self.models = ["gemini-flash-latest", "gemini-3-flash", "gemini-3-pro"]
        super().__init__(answer())

    def listed(self) -> Any:
        models = [{"name": f"models/{m}", "supportedGenerationMethods": ["generateContent"]} for m in self.models]
        return {"models": models}

    def body(self, request: Received, reply: Reply) -> Any:
        if reply.status >= 400 and isinstance(reply.body, dict) and not _sse(request):
            return [reply.body]  # as Google's does for what streams without server-sent events
        return reply.body

    def frames(self, request: Received) -> Frames:
        return _Frames(request)


class _Frames(Frames):
    def __init__(self, request: Received) -> None:
        self._sse = _sse(request)
        self._numbered = "enum-encoding=int" in request.path or "enum-encoding%3Dint" in request.path
        self._first = True
        self.kind = "text/event-stream" if self._sse else "application/json; charset=UTF-8"

    def frame(self, event: Any) -> bytes:
        if isinstance(event, Raw):
            data = event.data
        else:
            data = json.dumps(_numbered(event) if self._numbered else event).encode()
        return self._lead() + data + (b"\r\n\r\n" if self._sse else b"")

    def endless(self, act: Act) -> Iterator[bytes]:
        if act == DRIP:
            yield self._lead() + b'{"candidates": ['
            yield from repeat(b" ")
        while True:
            yield self.frame(said("and on "))

    def end(self) -> bytes:
        return b"" if self._sse else b"\n]"

    def _lead(self) -> bytes:
        lead, self._first = (b"[" if self._first else b",\r\n"), False
        return b"data: " if self._sse else lead


def _sse(request: Received) -> bool:
    return "alt=sse" in request.path


def _numbered(event: Any) -> Any:
    """Names of an enumeration as numbers."""
    if isinstance(event, list):
        return [_numbered(one) for one in event]
    if not isinstance(event, dict):
        return event
    return {
        name: _NUMBERS[name].get(value, _NEW) if name in _NUMBERS else _numbered(value) for name, value in event.items()
    }


def _either(message: dict[str, Any], name: str) -> Any:
    """A field by its camel-case or snake-case name; JSON of protocol buffers allows both."""
    snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
    return message[name] if name in message else message[snake]
