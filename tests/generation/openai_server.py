"""A real HTTP server on loopback that speaks as much of Chat Completions and /models as is used, and can misbehave."""

import json
import socket
import struct
import threading
import time
from base64 import b64decode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "gpt-6-luna"
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
    def authorization(self) -> str:
        return next((value for name, value in self.headers.items() if name.lower() == "authorization"), "")

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


@dataclass(frozen=True)
class Raw:
    """Bytes in the place of an event, with no frame around them."""

    data: bytes


@dataclass(frozen=True)
class Act:
    """What the server does in the place of an event, or of a reply.

    ``hang``: nothing, for long. ``drip``: comments without end. ``chatter``: events with text without end. ``reset``:
    the connection is reset. ``cut``: it is closed. ``wait``: nothing, for a moment.
    """

    kind: str


HANG, DRIP, CHATTER, RESET, CUT, WAIT = (Act(kind) for kind in ("hang", "drip", "chatter", "reset", "cut", "wait"))


@dataclass(frozen=True)
class Reply:
    """One reply: a stream of ``events``, or a ``body`` of its own. ``{key}`` in either becomes the client's key."""

    status: int = 200
    events: tuple[dict[str, Any] | list[Any] | Raw | Act, ...] = ()
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    before: Act | None = None
    """In the place of the reply, before its first byte."""


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


class OpenAIServer:
    """Replies in the order of ``script``; its last reply repeats."""

    def __init__(self) -> None:
        self.script: list[Reply] = [answer()]
        self.models = ["gpt-6-luna", "gpt-6-sol", "text-embedding-3-small", "whisper-1"]
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
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def asked(self) -> list[Received]:
        return [request for request in self.received if request.path.endswith("/chat/completions")]

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
            listed = [{"id": name, "object": "model", "created": 1, "owned_by": "us"} for name in self.models]
            return self._send(handler, Reply(body={"object": "list", "data": listed}), request)
        reply = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        try:
            return self._send(handler, reply, request)
        finally:
            request.ended = time.monotonic()

    def _send(self, handler: BaseHTTPRequestHandler, reply: Reply, request: Received) -> None:
        if reply.before is not None and self._act(handler, reply.before):
            return
        key = request.authorization.removeprefix("Bearer ").encode()
        if reply.body is not None:
            body = reply.body.encode() if isinstance(reply.body, str) else json.dumps(reply.body).encode()
            body = body.replace(b"{key}", key)
            _begin(handler, reply, {"Content-Type": "application/json", "Content-Length": str(len(body))})
            handler.wfile.write(body)
            return
        _begin(handler, reply, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        for event in reply.events:
            if not isinstance(event, Act):
                data = event.data if isinstance(event, Raw) else _framed(event)
                _put(handler, data.replace(b"{key}", key))
            elif self._act(handler, event):
                return
        handler.wfile.write(b"0\r\n\r\n")

    def _act(self, handler: BaseHTTPRequestHandler, act: Act) -> bool:
        """Do something; whether the connection has ended by it."""
        if act == WAIT:
            self.over.wait(0.1)
        elif act == RESET:
            handler.wfile.flush()
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()
        elif act == CUT:
            handler.connection.shutdown(socket.SHUT_RDWR)
        elif act == HANG:
            handler.connection.settimeout(_TICK)
            while not self.over.is_set():
                with suppress(TimeoutError):
                    handler.connection.recv(1)  # nothing comes; that it ends tells that the client has left
                    break
        else:
            while not self.over.wait(_TICK):
                _put(handler, b": still there\n\n" if act == DRIP else _framed(chunk("and on ")))
        return act != WAIT


def _begin(handler: BaseHTTPRequestHandler, reply: Reply, headers: Mapping[str, str]) -> None:
    handler.send_response(reply.status)
    for name, value in {**headers, **reply.headers}.items():
        handler.send_header(name, value)
    handler.end_headers()


def _framed(event: Any) -> bytes:
    return f"data: {json.dumps(event)}\n\n".encode()


def _put(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


def _media(part: dict[str, Any]) -> tuple[str, bytes]:
    if part["type"] == "input_audio":
        return f"audio/{part['input_audio']['format']}", b64decode(part["input_audio"]["data"])
    head, data = part["image_url"]["url"].split(";base64,")
    return head.removeprefix("data:"), b64decode(data)
