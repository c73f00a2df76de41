"""CSV to rows of plain values, for a process of its own."""

from __future__ import annotations

import csv
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from mmrag_nb.errors import LoadError

from .decoding import decode
from .tables import MAX_BYTES, MAX_CELL, MAX_COLUMNS, MAX_ROWS, in_pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from .tables import Pieces

_DELIMITERS = ",;\t|"
_BEGINNING = 1 << 20
"""Bytes that tell about how many rows there are."""
_SNIFFED = 50
"""Lines by which the delimiter is told."""
_NUMBER = re.compile(r"-?(?:(?:0|[1-9]\d{0,14})(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?")
"""No leading zeros, no more digits than a double keeps: everything else that looks like a number is a name."""
_NO_NUMBER = frozenset({"na", "n/a", "#n/a", "nan", "null", "none", "-"})
"""What stands for a missing number; in other columns it is text."""
_NO_HEADER = re.compile(r"(?s)https?://.*|.{100,}")


class _NoTable(Exception):
    """A text that only its name says is a table."""


class _Sheet(NamedTuple):
    """The lines of a CSV, each cell a text."""

    names: list[str]
    lines: list[list[str]]
    notes: list[str]
    numbered: bool
    """Whether the first column has no name and numbers the rows, as pandas writes it."""


def csv_rows(handle: BinaryIO, *, delimiter: str = "", counted: bool = False) -> Pieces:
    """Rows of a CSV file: texts; numbers and booleans in columns that hold nothing else; ``None`` for empty cells.

    Parameters
    ----------
    handle
        The file.
    delimiter
        What separates cells; told by the first lines where empty.
    counted
        Read the beginning alone: the first rows, and about how many there are.

    Raises
    ------
    LoadError
        It is damaged, or too large. A text that is no table is told by a piece ``{"no_table": "why"}``.
    """
    size = handle.seek(0, os.SEEK_END)
    if size > MAX_BYTES:
        raise LoadError(f"larger than {MAX_BYTES / 1e6:,.0f} MB: save it as Parquet, or cut it into parts")
    handle.seek(0)
    data = handle.read(_BEGINNING) if counted else handle.read()
    if counted and len(data) < size:
        data = data[: data.rfind(b"\n") + 1] or data
    share = len(data) / size
    text, note = decode(data)
    del data
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    delimiter = delimiter or _delimiter(text)
    try:
        sheet = _sheet(text, delimiter)
    except _NoTable as error:
        yield {"no_table": str(error)}, ()
        return
    del text
    notes = [note] * bool(note) + [f"cells separated by {_called(delimiter)}"] * (delimiter not in ",\t") + sheet.notes
    kinds = [_reader(line[place] for line in sheet.lines) for place in range(len(sheet.names))]
    plain = [kind is not None for kind in kinds]
    head: dict[str, Any] = {
        "names": sheet.names,
        "plain": plain,
        "rows": round(len(sheet.lines) / share),
        "notes": notes,
    }
    head["numbered"] = sheet.numbered

    def read(line: list[str]) -> list[Any]:
        return [_cell(cell, kind) for cell, kind in zip(line, kinds, strict=True)]

    yield from in_pieces(head, (read(line) for line in sheet.lines), counted=counted)


def _lines(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _parsed(text: str, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(_lines(text), delimiter=delimiter, skipinitialspace=True)
    while True:
        try:
            line = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "field larger" in str(error):
                raise LoadError(
                    f"a cell of more than {MAX_CELL:,} characters, from line {reader.line_num:,} on: is a quote "
                    "not closed there?"
                ) from error
            raise LoadError(f"line {reader.line_num:,} cannot be read: {error}") from error
        if any(line):
            yield line


def _delimiter(text: str) -> str:
    """The one that cuts the first lines into most cells, and each into as many; a comma where none does."""
    beginning = text[: 1 << 16]
    best, most = ",", 0.0
    for delimiter in _DELIMITERS:
        counts = []
        try:
            for line in _parsed(beginning, delimiter):
                counts.append(len(line))
                if len(counts) == _SNIFFED:
                    break
        except LoadError:
            continue
        usual = max(set(counts), key=counts.count, default=1)
        score = (usual - 1) * (counts.count(usual) / max(1, len(counts))) ** 2
        if score > most:
            best, most = delimiter, score
    return best


def _called(delimiter: str) -> str:
    return {";": "semicolons", "|": "bars"}.get(delimiter, repr(delimiter))


def _sheet(text: str, delimiter: str) -> _Sheet:
    parsed = _parsed(text.strip("\n"), delimiter)
    first = next(parsed, None)
    if first is None:
        raise _NoTable("nothing but empty lines")
    width = len(first)
    if width > MAX_COLUMNS:
        raise LoadError(f"{width:,} columns, at most {MAX_COLUMNS:,}: keep those that matter")
    lines, wrong = [], 0
    names = [name.strip() for name in first]
    notes = []
    if _is_headless(names):
        names = [f"column {number}" for number in range(1, width + 1)]
        lines.append(first)
        notes.append("no line of names: columns are numbered")
    for line in parsed:
        if len(line) > width and any(line[width:]):
            wrong += 1
            continue
        lines.append(line[:width] + [""] * (width - len(line)))
        if len(lines) > MAX_ROWS:
            raise LoadError(f"more than {MAX_ROWS:,} rows: cut it into parts")
    if wrong > len(lines):
        raise _NoTable("its lines have no number of cells in common")
    if not lines:
        raise _NoTable("a table without rows")
    if wrong:
        which = "1 line has" if wrong == 1 else f"{wrong:,} lines have"
        notes.append(f"{which} more than {width} cells: left out")
    numbered = width > 1 and not names[0] and all(line[0].strip().isdigit() for line in lines)
    return _Sheet(names, lines, notes, numbered)


def _is_headless(names: Sequence[str]) -> bool:
    """Whether the first line is like any other: numbers alone, an address, or a sentence too long for a name."""
    said = [name for name in names if name]
    return all(_NUMBER.fullmatch(name) for name in said) or any(_NO_HEADER.fullmatch(name) for name in said)


def _reader(cells: Iterator[str]) -> Callable[[str], Any] | None:
    """What turns a column's cells into values; ``None`` where they stay text."""
    numbers, truths, whole, any_at_all = True, True, True, False
    for cell in cells:
        said = cell.strip()
        lowered = said.casefold()
        if not said or lowered in _NO_NUMBER:
            truths = truths and (not said)
            continue
        any_at_all = True
        truths = truths and lowered in {"true", "false"}
        numbers = numbers and _NUMBER.fullmatch(said) is not None
        whole = whole and numbers and said.lstrip("-").isdigit()
        if not numbers and not truths:
            return None
    if not any_at_all:
        return None
    return _truth if truths else _whole if whole else _fraction


def _truth(cell: str) -> bool:
    return cell.casefold() == "true"


def _whole(cell: str) -> int | None:
    return None if cell.casefold() in _NO_NUMBER else int(cell)


def _fraction(cell: str) -> float | None:
    return None if cell.casefold() in _NO_NUMBER else float(cell)


def _cell(cell: str, kind: Callable[[str], Any] | None) -> Any:
    said = cell.strip()
    if not said:
        return None
    return cell if kind is None else kind(said)
