"""A notebook's cells: their text, that of their outputs, and the pictures in both.

Called in a process of its own (:mod:`mmrag_nb.isolation`): a notebook is JSON of any depth, with web pages in it.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from typing import TYPE_CHECKING, Any, NamedTuple

from mmrag_nb.errors import LoadError

from .markup import visible_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

MAX_CELLS = 10_000
MAX_OUTPUT = 20_000
"""Characters of one output that are read."""
_MAX_PAGE = 500_000
"""Characters of an output that is a web page; longer ones are left out."""
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""The best of an output's first: they show the same."""
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_INLINE = re.compile(r"data:image/[\w.+-]{1,40};base64,([A-Za-z0-9+/=\s]+)")
_BARE = re.compile(r"\s*<[^\n]{0,500}>\s*")
"""What IPython writes of an object that has more to show: ``<Figure size 640x480 with 1 Axes>``."""


class _Read(NamedTuple):
    """What a cell or an output holds."""

    texts: list[str]
    pictures: list[bytes]
    notes: list[str]


def read_cells(handle: BinaryIO) -> Iterator[tuple[dict[str, Any], tuple[bytes, ...]]]:
    """Yield one piece a cell that holds something: ``cell`` (its number, from 1), ``text``, ``notes``; its pictures.

    The first piece says of the whole: ``cells`` (how many there are), ``notes``.

    Raises
    ------
    LoadError
        It is no notebook, or a damaged one.
    """
    import nbformat
    from nbformat.reader import NotJSONError
    from nbformat.validator import ValidationError

    problems: dict[str, Any] = {}
    try:
        book = nbformat.reads(handle.read().decode("utf-8-sig"), as_version=4, capture_validation_error=problems)
        cells = list(book["cells"])
    except UnicodeDecodeError as error:
        raise LoadError("no notebook: not UTF-8") from error
    except (NotJSONError, json.JSONDecodeError) as error:
        raise LoadError("no notebook: not JSON") from error
    except RecursionError as error:
        raise LoadError("damaged notebook: nested too deep") from error
    except (ValidationError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise LoadError(f"damaged notebook: {reason}") from error
    notes = []
    if problems:
        first = " ".join(str(next(iter(problems.values()))).split())
        notes.append(f"not quite as notebooks should be: {first[:120]}")
    if len(cells) > MAX_CELLS:
        notes.append(f"first {MAX_CELLS:,} of {len(cells):,} cells")
    yield {"cells": len(cells), "notes": notes}, ()
    for number, cell in enumerate(cells[:MAX_CELLS], 1):
        try:
            read = _cell(cell)
        except (KeyError, TypeError, AttributeError, ValueError):  # whoever wrote it took no care
            yield {"cell": number, "text": "", "notes": ["left out: damaged"]}, ()
            continue
        text = "\n\n".join(text for text in read.texts if text.strip())
        if text or read.pictures or read.notes:
            yield {"cell": number, "text": text, "notes": read.notes}, tuple(read.pictures)


def _cell(cell: Mapping[str, Any]) -> _Read:
    source = _joined(cell.get("source", ""))
    read = _Read([], [], [])
    if cell.get("cell_type") == "markdown":
        read.pictures.extend(_decoded(found[1]) for found in _INLINE.finditer(source))
        source = _INLINE.sub("", source)
        for attached in (cell.get("attachments") or {}).values():
            read.pictures.extend(_picture(attached))
    read.texts.append(source)
    printed = ""
    for output in cell.get("outputs") or []:
        if output.get("output_type") == "stream":
            printed += _joined(output.get("text", "")) if output.get("name") != "stderr" else ""
            continue
        _add(printed, read)
        printed = ""
        if output.get("output_type") == "error":
            _add("\n".join(map(str, output.get("traceback") or [output.get("evalue", "")])), read)
        else:
            data = output.get("data") or {}
            _add(_text(data, read), read)
            read.pictures.extend(_picture(data))
    _add(printed, read)
    return _Read(read.texts, [picture for picture in read.pictures if picture], read.notes)


def _text(data: Mapping[str, Any], read: _Read) -> str:
    """One of the ways in which an output says the same; plain text, where that is not just a class's name."""
    plain = _joined(data.get("text/plain", ""))
    if plain and not _BARE.fullmatch(plain):
        return plain
    if "text/markdown" in data:
        return _joined(data["text/markdown"])
    page = _joined(data.get("text/html", ""))
    if len(page) > _MAX_PAGE:
        read.notes.append(f"an output of {len(page):,} characters of HTML left out")
        return ""
    return visible_text(page) if page else ""


def _add(text: str, read: _Read) -> None:
    """Add an output's text, as a terminal would show it."""
    plain = _ANSI.sub("", text)
    if "\r" in plain:  # progress lines overwrite themselves
        plain = "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in plain.split("\n"))
    if len(plain) > MAX_OUTPUT:
        read.notes.append(f"an output cut after {MAX_OUTPUT:,} of {len(plain):,} characters")
        plain = plain[:MAX_OUTPUT]
    read.texts.append(plain.strip("\n"))


def _picture(data: Mapping[str, Any]) -> list[bytes]:
    found = next((data[kind] for kind in _PICTURES if data.get(kind)), None)
    return [_decoded(_joined(found))] if found else []


def _decoded(encoded: str) -> bytes:
    try:
        return b64decode(encoded)
    except (binascii.Error, ValueError):
        return b"damaged"  # the loader of pictures says so


def _joined(text: Any) -> str:
    """Text as notebooks keep it, whole or in lines."""
    return "".join(map(str, text)) if isinstance(text, (list, tuple)) else str(text)
