"""The bytes behind an item's content, within a limit, and what they are where they are not what their name says."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from mmrag_nb.errors import LoadError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

_KINDS = (
    (b"%PDF-", "a PDF: name it .pdf"),
    (b"%!PS", "PostScript: save it as PDF"),
    (b"{\\rtf", "a rich text document: save it as PDF"),
    (b"PK\x03\x04", "a ZIP archive or an office document: unpack it, or save it as PDF"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document: save it as PDF"),
    (b"\x1f\x8b\x08", "a gzip archive: unpack it"),
    (b"BZh", "a bzip2 archive: unpack it"),
    (b"\xfd7zXZ\x00", "an xz archive: unpack it"),
    (b"(\xb5/\xfd", "a Zstandard archive: unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
    (b"Rar!\x1a\x07", "a RAR archive: unpack it"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\x93NUMPY", "a NumPy array, which is never opened: give the array itself"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"PAR1", "a Parquet table: name it .parquet"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF87a", "a GIF picture"),
    (b"GIF89a", "a GIF picture"),
    (b"fLaC", "a FLAC recording"),
    (b"ID3", "an MP3 recording"),
    (b"OggS", "an Ogg recording or video"),
)
_LATER = ((4, b"ftyp", "an MP4 video or recording"), (257, b"ustar", "a tar archive: unpack it"))


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


def kind_of(data: bytes) -> str:
    """What data of a kind that its first bytes tell is, and what to do with it; empty where they do not tell."""
    if data[:1] == b"\x80" and data[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"} and b"." in data[-64:]:
        return "a pickle, which is never opened"
    for mark, kind in _KINDS:
        if data.startswith(mark):
            return kind
    return next((kind for at, mark, kind in _LATER if data[at : at + len(mark)] == mark), "")


def beginning(data: bytes) -> str:
    """What data begins with, for messages: its text where it is text, else bytes in hexadecimal; and what that is."""
    head = data[:24]
    if head and all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head):
        shown = repr(" ".join(head.decode("ascii").split()))
    else:
        shown = f"bytes {head[:8].hex(' ')}"
    return f"{shown} ({kind})" if (kind := kind_of(data)) else shown
