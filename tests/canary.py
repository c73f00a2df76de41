"""A key that no provider gave, and the search for it in whatever was shown, logged or kept."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KEY = "AIzaSyC4n&ry/7f3Q+x%Zq9wK2mVb=T5eR8uN"
"""With what is written otherwise in addresses, in JSON, in HTML and in base 64."""


def forms(key: str = KEY) -> dict[str, str]:
    """What a key can be written as, and what to call that; of each half by itself, since a message may be cut."""
    half = len(key) // 2
    halves = {"the first half": key[:half], "the second half": key[half:]}
    return {text: f"{name}{how}" for name, part in halves.items() for how, text in _written(part)}


def leaks(texts: Iterable[tuple[str, str | bytes]], key: str = KEY) -> list[str]:
    """Where among (place, text) the key is, and how it is written there."""
    looked_for = forms(key)
    found = []
    for place, text in texts:
        told = text.decode("latin-1") if isinstance(text, bytes) else text
        found += [f"{name} in {place}" for written, name in looked_for.items() if written in told]
    return found


def _written(text: str) -> Iterator[tuple[str, str]]:
    yield ", backwards", text[::-1]
    yield ", in JSON", json.dumps(text)[1:-1].replace("/", "\\/")
    yield ", in HTML", html.escape(text)
    for how in (quote(text, safe=""), quote(text), quote_plus(text)):
        yield ", URL-encoded", how
        yield ", URL-encoded", re.sub("%..", lambda code: code[0].lower(), how)
    yield ", in hexadecimal digits", text.encode().hex()
    yield ", as wide characters", text.encode("utf-16-le").decode("latin-1")
    for code in (b64encode, urlsafe_b64encode):
        for before in range(3):  # bytes that stand before it shift what it becomes
            octets = bytes(before) + text.encode()
            yield ", in base 64", code(octets).decode()[(0, 2, 3)[before] : len(octets) // 3 * 4]
    yield "", text  # last, as the plain name of what needs no escapes
