"""A limit on the wall time of a download, whatever the server does."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Lock, Timer
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self


class Deadline:
    """Ends the watched connection when its time is over.

    A socket's own timeout starts anew with each byte that comes in, so that a server which sends a byte now and then
    (in its TLS handshake, its headers or its body) keeps the reader for ever. Here a timer shuts the connection
    down, and the reader sees its end.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = monotonic() + seconds
        self._lock = Lock()
        self._socket: socket.socket | None = None
        self._timer = Timer(seconds, self._shut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._watch_only(None)

    @property
    def left(self) -> float:
        """Seconds left, at least a moment: a timeout of 0 means something else to a socket."""
        return max(self._end - monotonic(), 0.001)

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return monotonic() >= self._end

    def watch(self, connection: socket.socket) -> None:
        """Shut ``connection`` down at the end; the one watched before is forgotten."""
        # A duplicate, as TLS takes the socket itself over and leaves the original unusable.
        self._watch_only(connection.dup())
        if self.over:
            self._shut()

    def _watch_only(self, connection: socket.socket | None) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = connection

    def _shut(self) -> None:
        with self._lock, suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)
