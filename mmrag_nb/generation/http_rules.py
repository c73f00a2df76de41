"""What holds over HTTP whoever is asked: when to come back, what to pass on of a failure, how to hang up."""

from __future__ import annotations

import re
import socket
import sys
from dataclasses import replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import GenerationTimeout

from .attempts import Failure, when_left

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from .keys import Secret


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by ``Retry-After`` (a number or a date, RFC 9110) or ``retry-after-ms``; ``None`` without."""
    lowered = {name.lower(): value.strip() for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        asked = lowered.get(name, "")
        if re.fullmatch(r"\d+(?:\.\d+)?", asked):
            return float(asked) / unit
    try:
        when = parsedate_to_datetime(lowered.get("retry-after", ""))
    except (TypeError, ValueError):
        return None
    if when.tzinfo is None:  # a date of HTTP is in UTC, said or not
        when = when.replace(tzinfo=timezone.utc)
    return max(0.0, (when - datetime.now(tz=timezone.utc)).total_seconds())


def unreadable(error: BaseException) -> Failure:
    """A reply that is not what the API promises."""
    return Failure(f"the reply cannot be read ({type(error).__name__}: {one_line(str(error), 120)})")


def redacted(failure: Failure, key: Secret | None) -> Failure:
    """``failure`` told in one line, without the key, should the server have quoted it."""
    said = failure.message if key is None else key.redact(failure.message)
    return replace(failure, message=one_line(said))


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
