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


@dataclass
class Received:
    method: str
    path: str
    headers: dict[str, str]
    raw: str
    at: float

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.raw)

    @property
    def texts(self) -> list[str]:
        return [part["text"] for part in self.body["contents"][0]["parts"] if "text" in part]

    @property
    def instructions(self) -> str:
        return "".join(part["text"] for part in _either(self.body, "systemInstruction")["parts"])

    @property
    def inline(self) -> list[tuple[str, bytes]]:
        """(media type, content) of each part that is a picture or a clip; JSON takes both alphabets of base64."""
        blobs = [_either(part, "inlineData") for part in self.body["contents"][0]["parts"] if "text" not in part]
        return [(_either(blob, "mimeType"), urlsafe_b64decode(blob["data"].translate(_URL_SAFE))) for blob in blobs]


@dataclass
class Reply:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    trouble: str = ""
    """``hang``, ``drip`` or ``reset`` in place of a reply."""


def answer(text: str = "It is Turlough [1].", **more: Any) -> Reply:
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}
    counts = {"promptTokenCount": 120, "candidatesTokenCount": 7, "totalTokenCount": 127}
    body = {"candidates": [candidate], "usageMetadata": counts, "modelVersion": "gemini-3-flash"}
    return Reply(body={**body, **more})


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
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                owner.serve(self)

            def do_GET(self) -> None:
                owner.serve(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def asked(self) -> list[Received]:
        return [request for request in self.received if "generateContent" in request.path]

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers.get("Content-Length") or 0)).decode()
        self.received.append(Received(handler.command, handler.path, dict(handler.headers), raw, time.monotonic()))
        if handler.command == "GET":
            models = [{"name": f"models/{m}", "supportedGenerationMethods": ["generateContent"]} for m in self.models]
            return self._send(handler, Reply(body={"models": models}))
        reply = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return self._send(handler, reply)

    def _send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        if reply.trouble == "hang":
            self.over.wait(20)
            return
        if reply.trouble == "reset":
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()
            return
        data = reply.body.encode() if isinstance(reply.body, str) else json.dumps(reply.body).encode()
        handler.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(data), **reply.headers}.items():
            handler.send_header(name, str(value))
        handler.end_headers()
        if reply.trouble == "drip":
            with suppress(OSError):  # the client has left
                while not self.over.wait(0.1):
                    handler.wfile.write(b" ")
            return
        handler.wfile.write(data)


def _either(message: dict[str, Any], name: str) -> Any:
    """A field by its camel-case or snake-case name; JSON of protocol buffers allows both."""
    snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
    return message[name] if name in message else message[snake]
