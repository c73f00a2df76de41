"""One request, to the very address that was checked, bounded in time."""

from __future__ import annotations

import re
import ssl
from contextlib import suppress
from http.client import HTTPResponse
from io import BufferedReader
from typing import TYPE_CHECKING, Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, LocationParseError, NewConnectionError
from urllib3.util import parse_url

from mmrag_nb.errors import SourceError

from .addresses import look_up

if TYPE_CHECKING:
    import socket

    from urllib3 import BaseHTTPResponse
    from urllib3.util import Url

    from .deadline import Deadline

_SCHEME = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://|(?P<bare>data|file|javascript|mailto|gopher|ftp|https?):", re.IGNORECASE
)
_HEADERS = {"User-Agent": "mmrag-nb (multimodal RAG in notebooks)", "Accept": "*/*", "Accept-Encoding": "gzip"}
_HOST = re.compile(r"[\w.~-]+|\[[0-9A-Fa-f:.]+(%[\w.~-]+)?\]", re.ASCII)
"""What a name or address is made of: releases of urllib3 differ in what they let pass."""
_LONGEST_LINE = 1 << 17
"""Bytes; twice as many as the standard library takes for a header."""
_MAX_LENGTH = 8_000
"""Longest URL, characters: encoding a name of other scripts takes time that grows with its square."""


def is_url(text: str) -> bool:
    """Whether ``text`` is an address with a scheme rather than a path."""
    return _SCHEME.match(text) is not None


def check_url(url: str) -> Url:
    """Parse ``url``, or raise ``SourceError`` for what is no http or https URL or holds a password."""
    found = _SCHEME.match(url)
    scheme = (found["scheme"] or found["bare"]).lower() if found else ""
    if scheme == "file":
        raise SourceError("file: addresses are not read: type the path itself")
    if scheme not in {"http", "https"}:
        raise SourceError(f"{scheme or 'such'}: addresses are not supported, only http and https")
    if len(url) > _MAX_LENGTH:
        raise SourceError(f"not a valid URL: longer than {_MAX_LENGTH:,} characters")
    try:
        parsed = parse_url(url)
    except LocationParseError:
        raise SourceError("not a valid URL") from None
    if not parsed.host:
        raise SourceError("not a valid URL: it names no host")
    if not _HOST.fullmatch(parsed.host):
        raise SourceError("not a valid URL: its host is no name and no address")
    if parsed.port == 0:
        raise SourceError("not a valid URL: there is no port 0")
    if parsed.auth is not None:
        raise SourceError("a URL with a user name or password is refused: download the file and name it by its path")
    return parsed


class _Lines(BufferedReader):
    """What a server sends, its lines bounded: one without end is not to fill the memory."""

    def readline(self, size: int | None = -1, /) -> bytes:
        return super().readline(size if size is not None and 0 <= size < _LONGEST_LINE else _LONGEST_LINE)


class _Answer(HTTPResponse):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fp = _Lines(self.fp.detach())


class _Watched:
    """A connection that ends with its deadline."""

    response_class: type[HTTPResponse] = _Answer

    # ``_new_conn`` is where urllib3's own SOCKS connections step in. Were it no longer called, the address would
    # still be the checked one: the pool knows no other.

    def __init__(self, *args: Any, deadline: Deadline, **options: Any) -> None:
        super().__init__(*args, **options)
        self._deadline = deadline

    def _new_conn(self) -> socket.socket:
        connection: socket.socket = super()._new_conn()  # type: ignore[misc]
        self._deadline.watch(connection)
        return connection


class _PlainConnection(_Watched, HTTPConnection):
    pass


class _SecureConnection(_Watched, HTTPSConnection):
    pass


class Exchange:
    """One GET request to a checked address; a context from the response's headers to its end."""

    def __init__(self, url: str, deadline: Deadline, *, allow_private: bool) -> None:
        self._url = check_url(url)
        self._deadline = deadline
        self._host = str(self._url.host).strip("[]")
        self._port = self._url.port or (443 if self._url.scheme == "https" else 80)
        self._addresses = look_up(self._host, self._port, allow_private=allow_private, seconds=deadline.left)
        self._response: BaseHTTPResponse | None = None

    def __enter__(self) -> BaseHTTPResponse:
        self._response = self._first_response()
        return self._response

    def __exit__(self, *_: object) -> None:
        if self._response is not None:
            self._response.close()

    def _first_response(self) -> BaseHTTPResponse:
        for address in self._addresses[:-1]:
            with suppress(NewConnectionError, ConnectTimeoutError):
                return self._request(address, seconds=self._deadline.left / 2)
        return self._request(self._addresses[-1], seconds=self._deadline.left)

    def _request(self, address: str, *, seconds: float) -> BaseHTTPResponse:
        options: dict[str, Any] = {
            "timeout": Timeout(connect=seconds, read=self._deadline.left),
            "retries": False,
            "deadline": self._deadline,
        }
        pool: HTTPConnectionPool
        if self._url.scheme == "https":
            pool = HTTPSConnectionPool(address, self._port, ssl_context=_trust(), server_hostname=self._host, **options)
            pool.ConnectionCls = _SecureConnection
        else:
            pool = HTTPConnectionPool(address, self._port, **options)
            pool.ConnectionCls = _PlainConnection
        headers = {**_HEADERS, "Host": self._url.netloc or self._host}
        return pool.urlopen("GET", self._url.request_uri, headers=headers, redirect=False, preload_content=False)


def _trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    # Python from python.org finds no certificates on macOS; where certifi is installed its list helps out.
    with suppress(ModuleNotFoundError):
        import certifi

        context.load_verify_locations(certifi.where())
    return context
