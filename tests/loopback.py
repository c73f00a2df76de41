"""Real HTTP servers on loopback, and what those that reply by a script share: what they keep, how they misbehave."""

import json
import socket
import struct
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

_TICK = 0.05  # seconds between what comes without end


class Loopback:
    """A server in threads of its own; :meth:`serve` replies, one request a connection."""

    def __init__(self) -> None:
        self.over = threading.Event()
        """Set once it closes: then nothing hangs any longer."""
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                self.close_connection = True
                owner.serve(self, self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # clients leave in the middle here, by intention
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def serve(self, handler: BaseHTTPRequestHandler, raw: str) -> None:
        """Reply to a request whose body is ``raw``; here with nothing."""
        begin(handler, 204, {})

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


def begin(handler: BaseHTTPRequestHandler, status: int, headers: Mapping[str, object]) -> None:
    """Write all that comes before a body."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, str(value))
    handler.end_headers()


def put(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    """Write one chunk of a body that comes in chunks; an empty one ends it."""
    handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


@dataclass
class Received(ABC):
    """A request; what it says is for each API to read."""

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
    @abstractmethod
    def asks(self) -> bool:
        """Whether it is for a model, and not about models."""

    @property
    @abstractmethod
    def key(self) -> str:
        """The client's."""

    def header(self, name: str) -> str:
        return next((value for known, value in self.headers.items() if known.lower() == name), "")


@dataclass(frozen=True)
class Raw:
    """Bytes in the place of an event."""

    data: bytes


@dataclass(frozen=True)
class Act:
    """What a server does in the place of an event, or of a reply.

    ``hang``: nothing, for long. ``drip``: what says nothing, without end. ``chatter``: events with text without end.
    ``reset``: the connection is reset. ``cut``: it is closed. ``wait``: nothing, for a moment.
    """

    kind: str


HANG, DRIP, CHATTER, RESET, CUT, WAIT = (Act(kind) for kind in ("hang", "drip", "chatter", "reset", "cut", "wait"))


@dataclass(frozen=True)
class Reply:
    """One reply: a stream of ``events``, or a ``body`` of its own. ``{key}`` in either becomes the client's key."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    events: tuple[dict[str, Any] | list[Any] | Raw | Act, ...] = ()
    before: Act | None = None
    """In the place of the reply, before its first byte: any that ends the connection."""


class Frames(ABC):
    """How the events of one stream become bytes."""

    kind = "text/event-stream"

    @abstractmethod
    def frame(self, event: dict[str, Any] | list[Any] | Raw) -> bytes:
        """One event."""

    @abstractmethod
    def endless(self, act: Act) -> Iterator[bytes]:
        """What a drip or chatter consists of."""

    def end(self) -> bytes:
        """What follows the last event."""
        return b""


class Scripted(Loopback, ABC):
    """Replies in the order of ``script``; its last reply repeats."""

    request: ClassVar[type[Received]]

    def __init__(self, *script: Reply) -> None:
        self.play(*script)
        super().__init__()

    @abstractmethod
    def frames(self, request: Received) -> Frames:
        """Make what frames the stream that replies to ``request``."""

    @abstractmethod
    def listed(self) -> Any:
        """Build the body that tells which models there are."""

    def body(self, _request: Received, reply: Reply) -> Any:
        """Give the reply's body as ``request`` gets it."""
        return reply.body

    @property
    def asked(self) -> list[Received]:
        return [request for request in self.received if request.asks]

    def play(self, *script: Reply) -> None:
        """Reply by ``script`` from now on, and forget what was received."""
        self.script = list(script)
        self.received: list[Received] = []

    def serve(self, handler: BaseHTTPRequestHandler, raw: str) -> None:
        request = self.request(handler.command, handler.path, dict(handler.headers), raw, time.monotonic())
        self.received.append(request)
        if handler.command == "GET":
            reply = Reply(body=self.listed())
        else:
            reply = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        try:
            self._send(handler, request, reply)
        finally:
            request.ended = time.monotonic()

    def _send(self, handler: BaseHTTPRequestHandler, request: Received, reply: Reply) -> None:
        if reply.before is not None and self._act(handler, reply.before):
            return
        if reply.body is None:
            self._stream(handler, request, reply)
            return
        body = self.body(request, reply)
        data = _keyed(body.encode() if isinstance(body, str) else json.dumps(body).encode(), request)
        headers = {"Content-Type": "application/json", "Content-Length": len(data), **reply.headers}
        begin(handler, reply.status, headers)
        handler.wfile.write(data)

    def _stream(self, handler: BaseHTTPRequestHandler, request: Received, reply: Reply) -> None:
        frames = self.frames(request)
        headers = {"Content-Type": frames.kind, "Transfer-Encoding": "chunked", **reply.headers}
        begin(handler, reply.status, headers)
        for event in reply.events:
            if event in (DRIP, CHATTER):
                for data in frames.endless(event):
                    put(handler, data)
                    if self.over.wait(_TICK):
                        return
            elif not isinstance(event, Act):
                put(handler, _keyed(frames.frame(event), request))
            elif self._act(handler, event):
                return
        if reply.events and (end := frames.end()):
            put(handler, end)
        put(handler, b"")

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
        return act != WAIT


def _keyed(data: bytes, request: Received) -> bytes:
    return data.replace(b"{key}", request.key.encode())
