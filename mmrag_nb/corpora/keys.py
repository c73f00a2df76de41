"""Primary keys that every writer makes alike, so that writing twice is writing once."""

from __future__ import annotations

import hashlib

WHOLE = 1 << 63
"""Keys are below: a window of them is a random sample of what they stand for."""


def number(*parts: object) -> int:
    """The key (63 bits of SHA-256) of what ``parts`` name.

    Of 100 million keys two are the same with a probability of one in two thousand.

    >>> number("a", 1) == number("a", "1") != number("a1", "")
    True
    """
    digest = hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def chunk_number(item: str, ordinal: int) -> int:
    """The id of a chunk, by its item's content hash and its place in it."""
    return number("chunk", item, ordinal)
