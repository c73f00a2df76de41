"""What a body is, by what it begins with: servers name and label what they send as they like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mmrag_nb.errors import SourceError

from .redaction import brief

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmrag_nb.types import Modality

    ModalityOf = Callable[[str, str], Modality | None]

HEAD = 2048
"""Bytes that tell the kind."""
UNTOLD = frozenset(
    {"", "application/octet-stream", "binary/octet-stream", "application/x-download", "application/force-download"}
)
"""MIME types that tell nothing."""

_PAGES = frozenset(".html .htm .xhtml .xht .xml .txt .text .md .markdown .rst .adoc .org".split())
"""Suffixes of what may well be a web page."""
_NOUNS = {"image": "a picture", "audio": "a sound", "video": "a film"}


@dataclass(frozen=True)
class _Kind:
    begins: re.Pattern[bytes]
    label: str
    suffix: str
    media_type: str
    fits: frozenset[str] = frozenset()
    """Modalities whose loaders tell such a format by its content."""


def _kind(begins: bytes, label: str, suffix: str, media_type: str, *fits: str) -> _Kind:
    return _Kind(re.compile(begins, re.DOTALL), label, suffix, media_type, frozenset(fits))


_PAGE = _kind(
    rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--((?!-->).)*-->\s*)*<(?i:!doctype\s+html|html|head|body)\b",
    "a web page",
    ".html",
    "text/html",
    "text",
)
_ARCHIVE = _kind(
    rb"PK(\x03\x04|\x05\x06)|Rar!\x1a\x07|7z\xbc\xaf\x27\x1c|\x1f\x8b\x08|BZh[1-9]|\xfd7zXZ\x00", "an archive", "", ""
)
_KINDS = (
    _PAGE,
    _ARCHIVE,
    _kind(rb"%PDF-", "a PDF", ".pdf", "application/pdf"),
    _kind(rb"\x89PNG\r\n", "a PNG picture", ".png", "image/png", "image"),
    _kind(rb"\xff\xd8\xff", "a JPEG picture", ".jpg", "image/jpeg", "image"),
    _kind(rb"GIF8[79]a", "a GIF picture", ".gif", "image/gif", "image"),
    _kind(rb"RIFF....WEBP", "a WebP picture", ".webp", "image/webp", "image"),
    _kind(rb"II\*\x00|MM\x00\*", "a TIFF picture", ".tif", "image/tiff", "image"),
    _kind(rb"....ftypavi[fs]", "an AVIF picture", ".avif", "image/avif", "image"),
    _kind(rb"....ftyp(he[iv][a-z]|mif1|msf1)", "a HEIF picture", ".heic", "image/heic", "image"),
    _kind(rb"RIFF....WAVE", "a WAV sound", ".wav", "audio/wav", "audio"),
    _kind(rb"FORM....AIF[FC]", "an AIFF sound", ".aif", "audio/aiff", "audio"),
    _kind(rb"fLaC", "a FLAC sound", ".flac", "audio/flac", "audio"),
    _kind(rb"ID3[\x02-\x04]|\xff[\xf2\xf3\xfa\xfb]", "an MP3 sound", ".mp3", "audio/mpeg", "audio"),
    # What holds sound, or pictures and sound: the name or the MIME type may say which.
    _kind(rb"....ftypM4[AB]", "an MP4 sound", ".m4a", "audio/mp4", "audio", "video"),
    _kind(rb"....ftyp", "an MP4 film", ".mp4", "video/mp4", "audio", "video"),
    _kind(rb"OggS\x00", "an Ogg sound", ".ogg", "audio/ogg", "audio", "video"),
    _kind(rb"\x1a\x45\xdf\xa3", "a Matroska film", ".mkv", "video/x-matroska", "audio", "video"),
)


class Told(NamedTuple):
    """What a body is to be read as."""

    name: str
    media_type: str
    note: str = ""
    """Where that is not what the server says."""


def told(name: str, media_type: str, head: bytes, modality_of: ModalityOf) -> Told:
    """Settle which kind a body is: what is inside wins over its name, its name over its MIME type.

    Parameters
    ----------
    head
        Its first bytes, :data:`HEAD` where it has as many.

    Raises
    ------
    SourceError
        It is of no kind that is read, or a web page in the place of something else.
    """
    found = next((kind for kind in _KINDS if kind.begins.match(head)), None)
    dot = name.rfind(".")
    suffix = name[dot:].lower() if dot > 0 and modality_of(name, "") else ""
    if found is _ARCHIVE:
        raise SourceError("the server sent an archive: unpack it and name the files by their paths")
    if found is _PAGE and media_type in UNTOLD:
        media_type = found.media_type
    said = modality_of(name, media_type)
    if found is None or found is _PAGE:
        if said is None:
            raise unsupported(name, media_type)
        if found is _PAGE and not (suffix in _PAGES if suffix else said == "text" and media_type != "application/pdf"):
            wanted = _NOUNS.get(said) or (f"a {suffix} file" if suffix else media_type)
            raise SourceError(f"the server sent a web page, not {wanted}: an error, or a page to sign in")
        return Told(name, media_type)
    if said in found.fits or (suffix == found.suffix if suffix else media_type == found.media_type):
        return Told(name, media_type)
    if modality_of(f"a{found.suffix}", found.media_type) is None:
        raise SourceError(f"the server sent {found.label}, which is not supported")
    claim = f"named {suffix}" if suffix else f"sent as {media_type}"
    note = f"read as {found.label}, though {claim}" if said else ""
    return Told((name[:dot] if suffix else name) + found.suffix, found.media_type, note)


def unsupported(name: str, media_type: str) -> SourceError:
    """The error for what no loader reads."""
    return SourceError(f"what the server sends is not supported ({media_type or 'kind not named'}, {brief(name)})")
