"""A network in which every trick of ``ssrf_vectors`` would succeed, made of two real servers on loopback.

Every address but the two public ones leads to the forbidden server, whatever it is: loopback, a private network, a
cloud's metadata service. So nothing needs to listen at 169.254.169.254 to see that it was asked.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import quote, unquote

from ssrf_vectors import INSIDE, PUBLIC, PUBLIC_6, SECRET, Vector

from mmrag_nb.errors import SourceError
from mmrag_nb.sources.urls import Download, fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = b"A concert harp has forty-seven strings."


class Network:
    """The forbidden server and the public one, each on loopback, and what leads to them while :meth:`within`."""

    def __init__(self) -> None:
        self.forbidden = _Server(self._answer_forbidden)
        self.public = _Server(self._answer_public)
        self.asked: list[str] = []
        """Names that were resolved."""
        self.visited: list[str] = []
        """Addresses that were connected to."""

    def close(self) -> None:
        self.forbidden.close()
        self.public.close()

    @property
    def untouched(self) -> bool:
        """Whether nothing but the public addresses was so much as connected to."""
        return self.forbidden.accepted == 0 and set(self.visited) <= {PUBLIC, PUBLIC_6}

    @contextmanager
    def within(self, vector: Vector) -> Iterator[None]:
        """Let the process live in this network, with the names and the environment of ``vector``."""
        for noted in (self.asked, self.visited, self.public.requests, self.forbidden.requests):
            noted.clear()
        self.forbidden.accepted = 0
        answers = {"public.example": ((PUBLIC,),), "inside.example": (("127.0.0.1",),), **vector.names}
        look_up, connect = socket.getaddrinfo, socket.socket.connect

        def resolve(host: Any, port: Any, *args: Any, **options: Any) -> Any:
            if host not in answers:  # an address, in whatever notation: no name server is asked
                options["flags"] = socket.AI_NUMERICHOST
                return look_up(host, port, *args, **options)
            given = answers[host][min(self.asked.count(host), len(answers[host]) - 1)]
            self.asked.append(host)
            return [one for ip in given for one in look_up(ip, port, type=socket.SOCK_STREAM)]

        def led(connection: socket.socket, address: Any) -> None:
            if connection.family not in {socket.AF_INET, socket.AF_INET6}:
                connect(connection, address)
                return
            self.visited.append(address[0])
            server = self.public if address[0] in {PUBLIC, PUBLIC_6} else self.forbidden
            mapped = "::ffff:" if connection.family == socket.AF_INET6 else ""
            connect(connection, (f"{mapped}127.0.0.1", server.port))

        variables = {name: self.fill(value) for name, value in vector.variables.items()}
        with (
            patch.object(socket, "getaddrinfo", resolve),
            patch.object(socket.socket, "connect", led),
            patch.dict(os.environ, variables),
        ):
            yield

    def fill(self, text: str) -> str:
        """``text`` with the port of the forbidden server."""
        return text.replace("{port}", str(self.forbidden.port))

    def attempt(self, vector: Vector, seconds: float = 5) -> str:
        """Try ``vector``; what went wrong, or nothing where it did no harm and was refused as it should be."""
        outcome: Download | SourceError
        with self.within(vector):
            try:
                outcome = fetch(self.fill(vector.url), allow_private=vector.private, seconds=seconds)
            except SourceError as error:
                outcome = error
        if not self.untouched:
            return f"the forbidden side was reached: {', '.join(self.visited) or 'a connection'}"
        if isinstance(outcome, Download):
            return f"not refused: {outcome.body[:40]!r}" if vector.says else ""
        told = str(outcome)
        if not any(part in told for part in vector.says):
            return f"refused for another reason: {told!r}"
        if SECRET in told or "\n" in told or len(told) > 300:
            return f"a refusal that says too much: {told!r}"
        return ""

    def _answer_forbidden(self, _path: str) -> bytes:
        return _answer(200, b"root:x:0:0: what nobody is to see", "Content-Type: text/plain")

    def _answer_public(self, path: str) -> bytes:
        route, _, query = path.partition("?")
        query = self.fill(unquote(query))
        _, kind, *rest = (*route.split("/"), "")
        if kind == "to":
            return _answer(int(rest[0]), b"", f"Location: {query}")
        if kind == "hops":
            left = int(rest[0])
            return _answer(302, b"", "Location: " + (f"/hops/{left - 1}?{quote(query)}" if left > 1 else query))
        if kind == "circle":
            return _answer(302, b"", "Location: /circle")
        if kind == "twice":
            return _answer(302, b"", "Location: http://public.example/plain", f"Location: {self.fill(INSIDE)}")
        if kind == "refresh":
            page = f'<html><meta http-equiv="refresh" content="0; url={self.fill(INSIDE)}"><p>moved</p></html>'
            return _answer(200, page.encode(), "Content-Type: text/html")
        return _answer(200, PAGE, "Content-Type: text/plain", query if ": " in query and "\r" not in query else "X: y")


def _answer(status: int, body: bytes, *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", "Connection: close", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class _Server:
    """Counts who connects, and answers one request a connection."""

    def __init__(self, answer: Callable[[str], bytes]) -> None:
        self.accepted = 0
        self.requests: list[bytes] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            connection.settimeout(2)
            with connection, suppress(OSError):
                request = b""
                while b"\r\n\r\n" not in request and (part := connection.recv(65536)):
                    request += part
                self.requests.append(request)
                connection.sendall(self._answer([*request.split(b" "), b"/"][1].decode("latin-1")))
