"""Bytes of unknown encoding to text."""

from __future__ import annotations

import codecs
import re

from mmrag_nb.errors import LoadError

from .content import beginning, kind_of

_BOMS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(
    rb"""<(?:meta|\?xml)\b[^>]{0,200}?(?:charset|encoding)\s*=\s*["']?([A-Za-z0-9._:-]+)""", re.IGNORECASE
)
_CONTROL = bytes({*range(32), 127} - set(b"\t\n\r\f\b\x1b\x1a"))
_NO_CP1252 = re.compile(r"(?<=[a-zß-ÿ])[¹³¿¶¼¾]|[¹³¿¶¼¾](?=[a-zß-ÿ])")
_SAMPLE = 65_536


def decode(data: bytes) -> tuple[str, str]:
    """Return the text of ``data`` and a note on how it was read, empty for Unicode.

    Byte order marks win; then UTF-8, UTF-16 without a mark, what an HTML or XML head declares; then a guess: cp1252
    where most letters are ASCII (statistics cannot tell Western encodings apart), else by ``charset-normalizer``.

    Raises
    ------
    LoadError
        The data is no text, or in no encoding that can be told.
    """
    if data.startswith((b"%PDF-", b"%!PS", b"{\\rtf")):  # text of a kind, but not for reading
        raise _binary(data)
    for mark, name in _BOMS:
        if data.startswith(mark):
            return _strict(data, name), ""
    if b"\0" in data:
        return _utf16_without_mark(data), "decoded as UTF-16"
    if len(data.translate(None, _CONTROL)) < 0.98 * len(data):
        raise _binary(data)
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError:
        return _guessed(data)


def _binary(data: bytes) -> LoadError:
    if kind := kind_of(data):
        return LoadError(f"not text but {kind}")
    return LoadError(f"not text: binary data, beginning with {beginning(data)}")


def _strict(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise LoadError(f"damaged text: marked as {encoding.upper()} but not readable so: save it as UTF-8") from error
    if "\0" in text:
        raise _binary(data)
    return text


def _utf16_without_mark(data: bytes) -> str:
    """UTF-16 of mostly Latin text has its zeros in every second byte, binary data has them anywhere."""
    zeros = data.count(0)
    odd = data[1::2].count(0)
    if len(data) % 2 == 0 and zeros > 0.2 * len(data):
        for share, encoding in ((odd, "utf-16-le"), (zeros - odd, "utf-16-be")):
            if share > 0.98 * zeros:
                return _strict(data, encoding)
    raise _binary(data)


def _guessed(data: bytes) -> tuple[str, str]:
    repaired = data.decode("utf-8", errors="replace")
    damaged = repaired.count("\ufffd")
    if sum(ord(char) > 127 for char in repaired) > 10 * damaged:
        return repaired, f"decoded as UTF-8, {damaged} damaged characters replaced"
    candidates = []
    if declared := _DECLARED.search(data[:2048]):
        candidates.append(declared[1].decode("ascii").lower())
    high = len(data) - len(data.translate(None, bytes(range(128, 256))))
    letters = sum(map(str.isalpha, data.decode("ascii", errors="ignore"))) + high
    if high < 0.45 * letters:
        candidates.append("cp1250" if _NO_CP1252.search(data.decode("cp1252", errors="replace")) else "cp1252")
    candidates += _statistics(data[:_SAMPLE])
    for encoding in candidates:
        try:
            text = data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        if "\0" not in text:
            return text, f"decoded as {encoding}"
    raise LoadError("text in an encoding that cannot be told: save it as UTF-8")


def _statistics(sample: bytes) -> list[str]:
    from charset_normalizer import from_bytes

    # UTF-16 and UTF-32 make "text" of any even number of bytes.
    return [match.encoding for match in from_bytes(sample) if not match.encoding.startswith(("utf_16", "utf_32"))]
