"""Guarded downloads: http and https, public addresses, bounded in size and time."""

from __future__ import annotations

import hashlib
import re
import ssl
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin

from urllib3.exceptions import HTTPError, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as NetworkTimeoutError
from urllib3.util import parse_url

from mmrag_nb.errors import SourceError
from mmrag_nb.types import Item, Resolved

from .deadline import Deadline
from .exchange import Exchange
from .inflating import inflated
from .inside import HEAD, UNTOLD, told, unsupported
from .redaction import redact

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from mmrag_nb.types import Metadata

    from .inside import ModalityOf

MAX_BYTES = 100_000_000
"""Largest body, bytes, decompressed."""
SECONDS = 30.0
"""Longest time for one URL, redirects included."""
MAX_REDIRECTS = 5

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BLOCK = 1 << 16
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Download:
    """What a URL led to."""

    body: bytes
    media_type: str
    """MIME type as the server names it, lower case, without parameters; empty where it names none. Where the body is
    something else that is read, that one's."""
    name: str
    """File name by the server or by the last URL; never empty. Its ending is that of what the body is."""
    note: str = ""
    """Where the body is not what the server says."""


def resolve_url(url: str, metadata: Metadata, *, modality_of: ModalityOf, allow_private: bool) -> Resolved:
    """Download ``url`` to an item.

    Raises
    ------
    SourceError
        As :func:`fetch`; or what the server sends is of an unsupported kind, or empty.
    """
    found = fetch(url, modality_of=modality_of, allow_private=allow_private)
    modality = modality_of(found.name, found.media_type)
    assert modality is not None
    shown = redact(url.partition("#")[0])
    item = Item(hashlib.sha256(found.body).hexdigest(), shown, modality, metadata)
    notes = (found.note,) if found.note else ()
    return Resolved(item, found.body, found.media_type, notes, file_name=found.name)


def fetch(
    url: str,
    *,
    modality_of: ModalityOf = lambda name, media_type: "text",  # noqa: ARG005
    allow_private: bool = False,
    max_bytes: int = MAX_BYTES,
    seconds: float = SECONDS,
) -> Download:
    """Download ``url``, following at most :data:`MAX_REDIRECTS` redirects, each checked like the first address.

    A name is resolved once and the connection goes to the very address that was checked, so that a name server
    cannot answer differently in between (DNS rebinding). No proxy is taken from the environment.

    Parameters
    ----------
    modality_of
        Which modality a file name and a MIME type are loaded as; ``None`` refuses it, before the body is read where
        the server tells the kind.
    allow_private
        Let loopback and private addresses pass.
    max_bytes
        Largest body, bytes; decompressed ones count.
    seconds
        Longest wall time.

    Raises
    ------
    SourceError
        Anything that goes wrong; the message holds no user name, password or query.
    """
    with Deadline(seconds) as deadline:
        try:
            for _ in range(MAX_REDIRECTS + 1):
                with Exchange(url, deadline, allow_private=allow_private) as response:
                    if response.status not in _REDIRECTS:
                        return _read(url, response, modality_of, max_bytes, deadline)
                    url = _redirected(url, response)
        except HTTPError as error:
            raise SourceError(_reason(error, deadline)) from None
    raise SourceError(f"more than {MAX_REDIRECTS} redirects")


def _redirected(url: str, response: BaseHTTPResponse) -> str:
    target = response.headers.get("Location")
    if not target:
        raise SourceError("the server redirects to nowhere")
    try:
        following = urljoin(url, target)
    except ValueError:
        raise SourceError("the server redirects to something that is not a valid URL") from None
    if url.lower().startswith("https:") and following.lower().startswith("http:"):
        raise SourceError("the server redirects from https to plain http: refused")
    return following


def _read(
    url: str, response: BaseHTTPResponse, modality_of: ModalityOf, max_bytes: int, deadline: Deadline
) -> Download:
    if response.status != HTTPStatus.OK:
        phrase = HTTPStatus(response.status).phrase if response.status in set(HTTPStatus) else ""
        raise SourceError(f"the server answers {response.status} {phrase}".rstrip())
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    name = _file_name(_disposed(response) or unquote(parse_url(url).path or ""))
    if media_type not in UNTOLD and modality_of(name, media_type) is None:
        raise unsupported(name, media_type)
    too_large = f"larger than {max_bytes / 1e6:g} MB: download it and name it by its path"
    if (response.length_remaining or 0) > max_bytes:
        raise SourceError(too_large)
    body, kind = bytearray(), None
    blocks = response.stream(_BLOCK, decode_content=False)
    for block in inflated(blocks, response.headers.get("Content-Encoding", "")):
        body += block
        if len(body) > max_bytes:
            raise SourceError(too_large)
        if deadline.over:
            break
        if kind is None and len(body) >= HEAD:
            kind = told(name, media_type, bytes(body[:HEAD]), modality_of)
    if deadline.over:  # a connection that was shut down can look like the end of a body
        raise SourceError(_late(deadline))
    if not body:
        raise SourceError("the server sends an empty body")
    kind = kind or told(name, media_type, bytes(body[:HEAD]), modality_of)
    return Download(bytes(body), kind.media_type, kind.name, kind.note)


def _disposed(response: BaseHTTPResponse) -> str:
    """The file name that the server gives, if any."""
    disposition = Message()
    try:
        disposition["Content-Disposition"] = response.headers.get("Content-Disposition", "")
        return disposition.get_filename() or ""
    except Exception:  # noqa: BLE001  # the library's reader fails in several ways on what makes no sense
        return ""


def _file_name(path: str) -> str:
    name = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
    return "".join(c for c in name if c.isprintable()).strip()[-_LONGEST_NAME:] or "index"


def _late(deadline: Deadline) -> str:
    return f"not finished within {deadline.seconds:g} s"


def _reason(error: HTTPError, deadline: Deadline) -> str:
    """Why, in our words: urllib3's hold the whole URL."""
    if isinstance(error, NewConnectionError) and not deadline.over:  # urllib3 counts it among the timeouts
        return "no server answers there"
    if deadline.over or isinstance(error, NetworkTimeoutError):
        return _late(deadline)
    if isinstance(error, SSLError):
        unverified = isinstance(error.args[0] if error.args else None, ssl.SSLCertVerificationError)
        return "the server's certificate is not valid for it" if unverified else "no secure connection comes about"
    return "the connection broke off before the end"
