"""Kinds of files that are not taken, though people have them: why, and what to do instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_ARCHIVE = "archives are not opened: unpack it and name the folder"
_OFFICE = "office documents are not read: save it as PDF"
_SHEET = "office documents are not read: save the table as CSV"
_PICKLE = "may hold a program and is never opened: give the objects themselves, or save them as CSV or Parquet"
_ARRAY = "arrays are not opened: give the pictures or texts themselves"
_PROGRAM = "programs are not opened"

_KINDS = {
    _ARCHIVE: ".zip .tar .gz .tgz .bz2 .tbz .tbz2 .xz .txz .lzma .zst .7z .rar .jar .iso .cab .z .lz4",
    _OFFICE: ".doc .docx .docm .ppt .pptx .pptm .pps .ppsx .odt .odp .rtf .pages .epub .mobi .one",
    _SHEET: ".xls .xlsx .xlsm .xlsb .ods .numbers",
    _PICKLE: ".pkl .pickle .pt .pth .joblib .ckpt",
    _ARRAY: ".npy .npz .h5 .hdf5 .safetensors .onnx",
    _PROGRAM: ".exe .dll .so .dylib .msi .app .apk .com .scr .deb .rpm .dmg .wasm .pyc .class",
    "databases are not opened: read the rows into a DataFrame and give that": ".db .sqlite .sqlite3 .mdb .accdb",
    "mail is not read: save it as text": ".eml .msg .mbox .pst",
}
_REASONS = {suffix: reason for reason, suffixes in _KINDS.items() for suffix in suffixes.split()}


def remedies(suffixes: Iterable[str]) -> str:
    """What to do about files of such kinds, once each; empty where nothing is known of them.

    >>> remedies([".docx", ".odt", ".xyz"])
    '.docx, .odt: office documents are not read: save it as PDF'
    """
    by_reason: dict[str, list[str]] = {}
    for suffix in suffixes:
        if suffix in _REASONS:
            by_reason.setdefault(_REASONS[suffix], []).append(suffix)
    return "; ".join(f"{', '.join(some)}: {why}" for why, some in by_reason.items())


def reason(suffix: str) -> str:
    """Why files of that suffix, with its dot and in small letters, are not taken.

    >>> reason(".zip")
    'files of this kind (.zip) are not supported: archives are not opened: unpack it and name the folder'
    """
    kind = suffix or "without an extension"
    why = f": {_REASONS[suffix]}" if suffix in _REASONS else ""
    return f"files of this kind ({kind}) are not supported{why}"
