"""Undoing the compression that a body travels in."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from mmrag_nb.errors import SourceError

from .redaction import brief

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PIECE = 1 << 16
_GZIP = 31
"""zlib's window bits for a gzip header and no other."""


def inflated(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The content of ``blocks`` in pieces of at most 64 KiB, so that whoever counts them can stop in time.

    The network library would do it, but takes a body that was cut off for a whole one, and reads an encoding that it
    does not know as it is.

    Parameters
    ----------
    encoding
        As the header ``Content-Encoding`` names it; empty where there is none.

    Raises
    ------
    SourceError
        The encoding is none that was asked for, or the data is damaged or cut off.
    """
    name = encoding.strip().lower()
    if "," in name:
        raise SourceError("the body is compressed more than once: refused")
    if name in {"", "identity"}:
        yield from blocks
    elif name in {"gzip", "x-gzip"}:
        try:
            yield from _gunzipped(blocks)
        except zlib.error:
            raise SourceError("the body's compression is damaged") from None
    else:
        raise SourceError(f"the body is compressed in a way that was not asked for ({brief(name, 20)}): refused")


def _gunzipped(blocks: Iterable[bytes]) -> Iterator[bytes]:
    engine = zlib.decompressobj(_GZIP)
    begun = False
    for block in blocks:
        data = block
        while data:
            if engine.eof:  # another member follows, or padding
                if data[0] != 0x1F:
                    return
                engine = zlib.decompressobj(_GZIP)
            begun = True
            yield engine.decompress(data, _PIECE)
            data = engine.unused_data if engine.eof else engine.unconsumed_tail
    yield engine.flush()
    if begun and not engine.eof:
        raise SourceError("the connection broke off before the end")
