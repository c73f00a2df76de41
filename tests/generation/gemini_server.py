"""A real HTTP server on loopback that speaks as much of Gemini's REST as the two SDKs use, and can misbehave."""

import json
import socket
import struct
import threading
import time
from base64 import urlsafe_b64decode
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_URL_SAFE = str.maketrans("+/", "-_")
_NUMBERS = {  # of the names in the API's definition; new ones are unknown to older clients by any name
    "finishReason": {"STOP": 1, "MAX_TOKENS": 2, "SAFETY": 3, "RECITATION": 4, "OTHER": 5, "PROHIBITED_CONTENT": 8},
    "blockReason": {"SAFETY": 1, "OTHER": 2},
}
_NEW = 99
_TICK = 0.05  # seconds between the bytes of a drip


@dataclass
class Received:
    method: str
    path: str
    headers: dict[str, str]
    raw: str
    at: float
    ended: float | None = None
    """When the client had hung up, or the reply was through."""

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.raw)

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


@dataclass(frozen=True)
class Raw:
    """Bytes in the place of an event, in the frame that events have."""

    data: bytes


@dataclass(frozen=True)
class Act:
    """What the server does in the place of an event, or of a reply.

    ``hang``: nothing, for long. ``drip``: blanks without end. ``chatter``: events with text without end. ``reset``:
    the connection is reset. ``cut``: it is closed. ``wait``: nothing, for a moment.
    """

    kind: str


HANG, DRIP, CHATTER, RESET, CUT, WAIT = (Act(kind) for kind in ("hang", "drip", "chatter", "reset", "cut", "wait"))


@dataclass(frozen=True)
class Reply:
    """One reply: a stream of ``events``, or a ``body`` of its own. ``{key}`` in a body becomes the client's key."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    events: tuple[dict[str, Any] | list[Any] | Raw | Act, ...] = ()
    before: Act | None = None
    """In the place of the reply, before its first byte."""


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


class GeminiServer:
    """Replies in the order of ``script``; its last reply repeats."""

    def __init__(self) -> None:
        self.script: list[Reply] = [answer()]
        self.models = ["gemini-flash-latest", "gemini-3-flash", "gemini-3-pro"]
        self.received: list[Received] = []
        self.over = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                owner.serve(self)

            def do_GET(self) -> None:
                owner.serve(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # clients leave in the middle here, by intention
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def asked(self) -> list[Received]:
        return [request for request in self.received if "GenerateContent" in request.path]

    def play(self, *script: Reply) -> None:
        """Reply by ``script`` from now on, and forget what was received."""
        self.script = list(script)
        self.received = []

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        raw = handler.rfile.read(int(handler.headers.get("Content-Length") or 0)).decode()
        request = Received(handler.command, handler.path, dict(handler.headers), raw, time.monotonic())
        self.received.append(request)
        if handler.command == "GET":
            models = [{"name": f"models/{m}", "supportedGenerationMethods": ["generateContent"]} for m in self.models]
            return self._send(handler, Reply(body={"models": models}))
        reply = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        try:
            return self._send(handler, reply)
        finally:
            request.ended = time.monotonic()

    def _send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        if reply.before is not None and self._act(handler, reply.before):
            return
        if reply.body is None:
            _Stream(self, handler).send(reply)
            return
        body = reply.body
        if reply.status >= 400 and isinstance(body, dict) and "alt=sse" not in handler.path:
            body = [body]  # as Google's does for what streams without server-sent events
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        data = data.replace(b"{key}", handler.headers.get("x-goog-api-key", "").encode())
        handler.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(data), **reply.headers}.items():
            handler.send_header(name, str(value))
        handler.end_headers()
        handler.wfile.write(data)

    def _act(self, handler: BaseHTTPRequestHandler, act: Act) -> bool:
        """Do something; whether the connection has ended by it."""
        if act == WAIT:
            self.over.wait(0.1)
            return False
        if act == RESET:
            handler.wfile.flush()
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()
        elif act == CUT:
            handler.connection.shutdown(socket.SHUT_RDWR)
        elif act == HANG:
            handler.connection.settimeout(0.05)
            while not self.over.is_set():
                with suppress(TimeoutError):
                    handler.connection.recv(1)  # nothing comes; that it ends tells that the client has left
                    break
        return True


class _Stream:
    """Events in chunks: server-sent, or the elements of a JSON array, as the request asks for."""

    def __init__(self, server: GeminiServer, handler: BaseHTTPRequestHandler) -> None:
        self._server, self._handler = server, handler
        self._sse = "alt=sse" in handler.path
        self._numbered = "enum-encoding=int" in handler.path or "enum-encoding%3Dint" in handler.path
        self._first = True

    def send(self, reply: Reply) -> None:
        kind = "text/event-stream" if self._sse else "application/json; charset=UTF-8"
        self._handler.send_response(reply.status)
        for name, value in {"Content-Type": kind, "Transfer-Encoding": "chunked", **reply.headers}.items():
            self._handler.send_header(name, value)
        self._handler.end_headers()
        for event in reply.events:
            if not isinstance(event, Act):
                self._event(event.data if isinstance(event, Raw) else self._json(event))
            elif event in {DRIP, CHATTER}:
                self._on_and_on(event)
                return
            elif self._server._act(self._handler, event):
                return
        if not self._sse and reply.events:
            self._chunk(b"\n]")
        self._handler.wfile.write(b"0\r\n\r\n")

    def _on_and_on(self, act: Act) -> None:
        if act == DRIP:
            self._chunk(b'data: {"candidates": [' if self._sse else self._lead() + b'{"candidates": [')
        while not self._server.over.wait(_TICK):
            if act == DRIP:
                self._chunk(b" ")
            else:
                self._event(self._json(said("and on ")))

    def _event(self, data: bytes) -> None:
        self._chunk(b"data: " + data + b"\r\n\r\n" if self._sse else self._lead() + data)

    def _lead(self) -> bytes:
        lead, self._first = (b"[" if self._first else b",\r\n"), False
        return lead

    def _chunk(self, data: bytes) -> None:
        self._handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _json(self, event: Any) -> bytes:
        return json.dumps(_numbered(event) if self._numbered else event).encode()


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
