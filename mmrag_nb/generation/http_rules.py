"""What holds over HTTP whoever is asked: when to come back, what to pass on of a failure, how to hang up."""

from __future__ import annotations

import logging
import re
import socket
import sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import GenerationTimeout

from .attempts import Failure, when_left

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

    from .keys import Secret

_THE_SAME_TOMORROW = frozenset({501, 505})
"""What it does not do, the version of HTTP that it does not speak."""
_A_DAY = 86_400
_LOGS = ("httpx", "httpx2", *(f"{core}.{part}" for core in ("httpcore", "httpcore2") for part in ("http11", "http2")))


def passing(status: int) -> bool:
    """Whether another attempt can mend what a server, or a proxy on the way, says with ``status``."""
    return status in {408, 429} or (status >= 500 and status not in _THE_SAME_TOMORROW)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by ``Retry-After`` (a number or a date, RFC 9110) or ``retry-after-ms``; ``None`` without."""
    lowered = {name.lower(): value.strip() for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        asked = lowered.get(name, "")
        if re.fullmatch(r"\d+(?:\.\d+)?", asked):
            return float(asked) / unit
    try:
        date = parsedate_to_datetime(lowered.get("retry-after", ""))
    except (TypeError, ValueError):
        return None
    if date.tzinfo is None:  # a date of HTTP is in UTC, said or not
        date = date.replace(tzinfo=timezone.utc)
    return max(0.0, (date - datetime.now(tz=timezone.utc)).total_seconds())


def when(wait: float | None) -> str:
    """Say when to ask again: ``in 90 s``; ``later`` where that is not known, or not today."""
    return f"in {wait:.0f} s" if wait is not None and wait <= _A_DAY else "later"


def unreadable(error: BaseException) -> Failure:
    """A reply that is not what the API promises."""
    return Failure(f"the reply cannot be read ({type(error).__name__}: {one_line(str(error), 120)})")


def redacted(failure: Failure, key: Secret | None) -> Failure:
    """``failure`` told in one line, without the key, should the server have quoted it."""
    words: dict[str, Any] = {name: said for name, said in vars(failure).items() if isinstance(said, str)}
    if key is not None:
        words = {name: key.redact(said) for name, said in words.items()}
    return replace(failure, **{**words, "message": one_line(words["message"])})


@contextmanager
def logs_without(key: Secret | None) -> Iterator[None]:
    """Keep the key out of the logs of HTTP, which at DEBUG hold the heads of replies: a server may quote it there."""

    def redact(record: logging.LogRecord) -> bool:
        if key is not None:
            record.msg, record.args = key.redact(record.getMessage()), ()
        return True

    logs = [logging.getLogger(name) for name in _LOGS]
    for log in logs:
        log.addFilter(redact)
    try:
        yield
    finally:
        for log in logs:
            log.removeFilter(redact)


def one_line(text: str, limit: int = 300) -> str:
    """``text`` without tags and line breaks, at most ``limit`` characters."""
    text = " ".join(re.sub(r"<[^<>]*>", " ", text).split()).rstrip(". ")
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def late(who: str, seconds: float, *, begun: bool) -> GenerationTimeout:
    """What to raise where ``seconds`` were not enough, after some text or before any."""
    if begun:
        return GenerationTimeout(
            f"{who} was still writing after {seconds:g} s: raise %config MMRag.timeout, or lower max_tokens"
        )
    return GenerationTimeout(
        f"{who} did not answer within {seconds:g} s: ask again, ask with fewer hits, or raise %config MMRag.timeout"
    )


def clients() -> list[ModuleType]:
    """Return what the SDKs speak through: httpx or its fork httpx2, whichever is there."""
    return [sys.modules[name] for name in ("httpx", "httpx2") if name in sys.modules]


def hang_up_when_left(request: Any) -> None:
    """Have the connection of an httpx ``request`` closed when nobody waits for it any more, and so the bill stopped."""

    def trace(event: str, told: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            connection = told["return_value"].get_extra_info("socket")
            when_left(lambda: connection.shutdown(socket.SHUT_RDWR))

    request.extensions["trace"] = trace
