"""What must not be shown of an address: user names, passwords, keys."""

from __future__ import annotations

import re
from urllib.parse import unquote

_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")
_QUERY = re.compile(r"(?P<before>[?&;#])(?P<name>[^=&;#?\s]+)=(?P<value>[^&#\s\"']*)")
_SECRET_NAME = re.compile(
    r"(key|key_?id|access_?id|token|secret|sig|signature|pass|passw(or)?d|passphrase|pwd|auth|authorization"
    r"|credentials?|session|session_?id|sid|jwt|otp|ticket)$"
)
_SECRET_VALUE = re.compile(r"(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{20,}")
"""Twenty letters and digits in a row are no word."""


def redact(text: str) -> str:
    """``text`` with the user names in its URLs left out, and query values that look like secrets shown as ``…``."""
    return _QUERY.sub(_mask, _USERINFO.sub("", text))


def _mask(found: re.Match[str]) -> str:
    name, value = unquote(found["name"]), unquote(found["value"])
    secret = _SECRET_NAME.search(name.lower().replace("-", "_")) or _SECRET_VALUE.search(value)
    return f"{found['before']}{found['name']}={'…' if secret and value else found['value']}"


def brief(text: str, length: int = 100) -> str:
    """``text`` on one line of at most ``length`` characters, without what must not be shown."""
    line = " ".join(redact(text).split())
    return line if len(line) <= length else line[: length - 1] + "…"
