"""Where an OpenAI-compatible server is, and what may be sent there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from mmrag_nb.errors import InvalidSetting

OPENAI = "https://api.openai.com/v1"
OLLAMA_PORT = 11434
"""Ollama's own; what listens there is asked to ``ollama pull`` what it lacks."""

_LOCAL_NAME = re.compile(r"[^.]+|.*\.(?:local|lan|internal|home\.arpa)")

Reach = Literal["loopback", "private", "public"]


@dataclass(frozen=True)
class Endpoint:
    """The address of a server that speaks Chat Completions."""

    url: str
    """Without a slash at its end."""
    place: str
    """Host and port, for people."""
    reach: Reach
    """This machine, its network (a container's name, a private address), or anywhere else."""
    encrypted: bool
    port: int | None

    @property
    def official(self) -> bool:
        """Whether OpenAI itself answers there."""
        host = urlsplit(self.url).hostname or ""
        return host == "api.openai.com" or host.endswith(".api.openai.com")

    @property
    def trusted(self) -> bool:
        """Whether a key may be sent there: not where others on the way can read it."""
        return self.encrypted or self.reach == "loopback"

    @property
    def ollama(self) -> bool:
        """Whether it is Ollama, by its port."""
        return self.port == OLLAMA_PORT and self.reach != "public"


def endpoint(base_url: str) -> Endpoint:
    """Take ``base_url`` apart; one without a path gets ``/v1``, where all such servers answer.

    Raises
    ------
    InvalidSetting
        It is no http(s) address, or one that holds a password or a query, which would be shown with it.
    """
    base_url = base_url.strip()
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidSetting(
            f"base_url{_bare(base_url)} is no address of a server: it is of the form http://localhost:11434/v1"
        )
    if parts.username or parts.password or parts.query:
        raise InvalidSetting(
            f"base_url of {parts.hostname} holds more than an address: leave out what stands before @ or after ?, "
            "and give the key as OPENAI_API_KEY"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = host if port is None else f"{host}:{port}"
    path = parts.path.rstrip("/") or "/v1"
    encrypted = parts.scheme == "https"
    return Endpoint(f"{parts.scheme}://{place}{path}", place, _reach(parts.hostname), encrypted, port)


def _reach(host: str) -> Reach:
    # Names are not looked up: what a name stands for can change between the look and the request.
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        if host == "localhost" or host.endswith(".localhost"):
            return "loopback"
        return "private" if _LOCAL_NAME.fullmatch(host) else "public"
    if address.is_loopback:
        return "loopback"
    return "public" if address.is_global else "private"


def _bare(url: str) -> str:
    """``url``, unless something in it may be secret."""
    return "" if set("@?") & set(url) else f" {url!r}"
