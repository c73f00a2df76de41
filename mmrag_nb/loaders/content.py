"""The bytes behind an item's content, within a limit."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from mmrag_nb.errors import LoadError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO


def open_binary(content: Path | bytes, *, max_bytes: int) -> BinaryIO:
    """Open a file or a downloaded body for reading.

    Raises
    ------
    LoadError
        It is missing, not a readable file, empty or larger than ``max_bytes``.
    """
    if isinstance(content, bytes):
        size = len(content)
        handle: BinaryIO = io.BytesIO(content)
    else:
        try:
            handle = content.open("rb")
            size = content.stat().st_size
        except FileNotFoundError as error:
            raise LoadError("no such file: check the path") from error
        except OSError as error:
            raise LoadError(f"cannot be opened: {error.strerror or error}") from error
    if not 0 < size <= max_bytes:
        handle.close()
        if not size:
            raise LoadError("empty file (0 bytes)")
        raise LoadError(f"too large: {size / 1e6:,.0f} MB, at most {max_bytes / 1e6:,.0f} MB: split it")
    return handle


def beginning(data: bytes) -> str:
    """What data begins with, for messages: its text where it is text, else its bytes in hexadecimal."""
    head = data[:24]
    if head and all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head):
        return repr(" ".join(head.decode("ascii").split()))
    return f"bytes {head[:8].hex(' ')}"
