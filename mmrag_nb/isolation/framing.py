"""Messages between two processes: what JSON can say, and bytes beside it. No pickle: the other side may be broken."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import BinaryIO

_HEAD = struct.Struct("<II")
_LENGTH = struct.Struct("<Q")
_MOST_JSON = 64 << 20
_MOST_BLOBS = 4_096


class Piece(NamedTuple):
    """One message."""

    facts: Mapping[str, Any]
    blobs: Sequence[bytes] = ()


class Broken(Exception):
    """The other side ended, or writes nonsense."""


def write(stream: BinaryIO, piece: Piece) -> None:
    """Send ``piece``.

    Raises
    ------
    OSError
        Nobody reads any more.
    """
    said = json.dumps(dict(piece.facts)).encode("ascii")
    _all(stream, _HEAD.pack(len(said), len(piece.blobs)) + said)
    for blob in piece.blobs:
        _all(stream, _LENGTH.pack(len(blob)))
        _all(stream, blob)
    stream.flush()


def _all(stream: BinaryIO, data: bytes) -> None:
    """An unbuffered stream, which needs no memory of its own, may take a part at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[stream.write(rest) :]


def read(stream: BinaryIO, *, most: int) -> Piece:
    """Receive a message of at most ``most`` bytes.

    Raises
    ------
    Broken
        There is none, or it is larger.
    """
    length, count = _HEAD.unpack(_exactly(stream, _HEAD.size))
    if length > _MOST_JSON or count > _MOST_BLOBS:
        raise Broken("a message that is too large")
    try:
        facts = json.loads(_exactly(stream, length))
    except ValueError as error:
        raise Broken("a message that is no JSON") from error
    blobs = []
    for _ in range(count):
        (size,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
        most -= size
        if most < 0:
            raise Broken("a message that is too large")
        blobs.append(_exactly(stream, size))
    return Piece(facts, tuple(blobs))


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size) if size else b""
    if len(data) != size:
        raise Broken("the end")
    return data
