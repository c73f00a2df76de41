"""The way to Milvus: Milvus Lite in a file of this machine, or a server or cluster by its address."""

from __future__ import annotations

import logging
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mmrag_nb.errors import NotInstalled, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "MILVUS_TOKEN"  # noqa: S105
"""The environment variable that has the token, or ``user:password``."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,100}")
_PATIENT = {"grpc.keepalive_time_ms": 300_000}
"""pymilvus asks every ten seconds whether a server is there, upon which Milvus Lite hangs up in a long search."""
_WITHIN = 10.0
"""Seconds within which a server must answer at first."""


@dataclass(frozen=True)
class Address:
    """Where Milvus is: ``FILE.db``, or ``http(s)://host:port[/name]``."""

    text: str
    """As it was given; of a file absolute, since the notebook may change its folder."""
    uri: str
    """Without the name: what a client is given."""
    name: str
    """What an index is called there."""
    lite: bool
    """Whether it is Milvus Lite, in a file."""

    @property
    def file(self) -> Path | None:
        """The file of Milvus Lite, which is a folder."""
        return Path(self.uri) if self.lite else None

    def __str__(self) -> str:
        return self.text


def read(address: str) -> Address:
    """Understand an address.

    Raises
    ------
    StoreError
        It is none.
    """
    right = "write milvus:photos.db, or milvus:http://host:19530/photos"
    if address.startswith(("http://", "https://")):
        parts = urlsplit(address)
        if parts.username or parts.password:
            raise StoreError(f"no password goes into an address: put user:password into {TOKEN}; {right}")
        name = parts.path.strip("/") or "mmrag"
        if not parts.hostname or not _NAME.fullmatch(name) or parts.query or parts.fragment:
            raise StoreError(f"{address!r} is no address of Milvus (names have letters, digits and _): {right}")
        return Address(address, f"{parts.scheme}://{parts.netloc}", name, lite=False)
    if not address.endswith(".db") or "://" in address:
        raise StoreError(f"{address!r} is no address of Milvus: {right}")
    file = Path(address).expanduser().absolute()
    if not file.parent.is_dir():
        raise StoreError(f"there is no folder {file.parent} to keep {file.name} in: make it, or name another")
    if file.is_file():
        raise StoreError(f"{file} is a file of something else, or of an earlier Milvus Lite: name another")
    return Address(str(file), str(file), "mmrag", lite=True)


def connect(address: str | Address) -> Any:
    """A ``pymilvus.MilvusClient``.

    Parameters
    ----------
    address
        ``FILE.db``: Milvus Lite, which runs in this process and is created where absent; or ``http(s)://host:port``,
        with the token, if any, in the environment variable ``MILVUS_TOKEN``.

    Raises
    ------
    StoreError
        The address is none; the file is in use by another process; the server does not answer, or knows another token.
    NotInstalled
        pymilvus, or Milvus Lite for a file, is not here.
    """
    where = read(address) if isinstance(address, str) else address
    try:
        from pymilvus import MilvusClient
    except ModuleNotFoundError as error:
        raise NotInstalled(str(error.name), extra="milvus") from error
    for noisy in ("pymilvus", "milvus_lite"):  # each failure with its traceback, and then raised all the same
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    uri = served(where) if where.lite else where.uri
    with told(where):
        token = "" if where.lite else os.environ.get(TOKEN, "")
        return MilvusClient(uri, token=token, timeout=_WITHIN, grpc_options=_PATIENT)


def is_lite(client: Any) -> bool:
    """Whether what a ``MilvusClient`` is connected to says that it is Milvus Lite, wherever it runs."""
    return "lite" in str(client.get_server_version()).lower()


def served(address: str | Address) -> str:
    """Where other processes of this machine reach what is at ``address``: Milvus Lite listens on a port of its own.

    It does so as long as this process lives.

    Raises
    ------
    StoreError
        The file is in use by another process, or is none of Milvus Lite.
    """
    where = read(address) if isinstance(address, str) else address
    if not where.lite:
        return where.text
    try:
        from milvus_lite.server_manager import server_manager_instance
    except ModuleNotFoundError as error:
        raise NotInstalled(str(error.name), extra="milvus") from error
    uri = server_manager_instance.start_and_get_uri(where.uri)
    if uri is None:
        raise StoreError(
            f"{where} cannot be opened: another process has it open, and Milvus Lite is for one (close it there), or "
            "it is nothing of Milvus Lite"
        )
    return str(uri)


@contextmanager
def told(where: Address | str) -> Iterator[None]:
    """Tell what fails within as a :class:`StoreError` of one line, without the token."""
    from grpc import RpcError  # type: ignore[import-untyped]
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except (MilvusException, RpcError, ValueError) as error:
        said = str(getattr(error, "message", "") or error).strip()
        line = said.splitlines()[0] if said else type(error).__name__
        if token := os.environ.get(TOKEN, ""):
            for part in (token, *token.split(":", 1)[1:]):
                line = line.replace(part, "***") if part else line
        raise StoreError(f"Milvus at {where} failed: {line[:300]}") from None
