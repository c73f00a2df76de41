"""CSV and Parquet files to tables: read a batch of rows at a time, in a process of its own."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from itertools import chain
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from mmrag_nb.errors import LoadError, NotInstalled, SourceError
from mmrag_nb.isolation.calling import Limits, stream

from .exchange import is_url
from .frames import Columns, Row, columns_of, rows
from .globs import expand_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mmrag_nb.types import Modality, Resolved

    ModalityOf = Callable[[str, str], Modality | None]

_CSV, _PARQUET = "mmrag_nb.loaders.csv_tables:csv_rows", "mmrag_nb.loaders.parquet_tables:parquet_rows"
"""Run in a process of their own, they belong to the loaders; nothing of them is imported here."""
_READERS = {
    ".csv": (_CSV, ""),
    ".tsv": (_CSV, "\t"),
    ".parquet": (_PARQUET, ""),
    ".pq": (_PARQUET, ""),
    "text/csv": (_CSV, ""),
    "application/csv": (_CSV, ""),
    "text/tab-separated-values": (_CSV, "\t"),
    "application/vnd.apache.parquet": (_PARQUET, ""),
    "application/x-parquet": (_PARQUET, ""),
}
_LIMITS = Limits(seconds=60, memory=1_500_000_000)
_EXTRA = "tables"


class NoTable(SourceError):
    """A file that is named as a table, and is a text."""


def with_tables(modality_of: ModalityOf) -> ModalityOf:
    """``modality_of``, by which tables are items too: a row is a text, whatever else it is."""

    def told(name: str, media_type: str) -> Modality | None:
        return modality_of(name, media_type) or ("text" if _reader(name, media_type) else None)

    return told


def is_table(name: str, media_type: str = "") -> bool:
    """Whether a file of that name, or a body of that MIME type, is read by rows."""
    return _reader(name, media_type) is not None


def _reader(name: str, media_type: str) -> tuple[str, str] | None:
    suffix = PurePath(name).suffix.lower()
    return _READERS.get(suffix) or (_READERS.get(media_type) if suffix not in {".txt", ".json", ".html"} else None)


def is_text_too(name: str, media_type: str = "") -> bool:
    """Whether a table of that name can be read as a text where it cannot be read as a table."""
    found = _reader(name, media_type)
    return found is not None and found[0] == _CSV


@dataclass(frozen=True)
class Table:
    """A table's file, begun to be read.

    Parameters
    ----------
    source
        The file, or its body.
    head
        What the reader said first: ``names``, ``plain``, ``rows``, ``cells``, ``notes``.
    """

    source: Resolved
    head: Mapping[str, Any]
    further: Iterator[list[list[Any]]]
    """Batches of rows."""
    base: Path

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of how it was read."""
        return tuple(self.head["notes"])

    def columns(self, modality_of: ModalityOf, kinds: Mapping[str, str]) -> Columns:
        """Tell what its columns hold, by its first rows.

        Raises
        ------
        SourceError
            ``kinds`` names a column that there is not.
        """
        plain = self.head["plain"][self._numbered :]
        frame = self._frame(self.head["cells"], 1)
        return columns_of(frame, modality_of, self.base, kinds, leads=self._leads, plain=plain)

    def rows(self, columns: Columns) -> Iterator[Row]:
        """All rows; paths in them lead on from the table's folder, or address."""
        first = 1
        for cells in chain([self.head["cells"]], self.further):
            frame = self._frame(cells, first)
            for row in rows(frame, columns, self.source.item.uri, _labelled):
                yield row._replace(contents=tuple(self._located(kind, value) for kind, value in row.contents))
            first += len(cells)

    @cached_property
    def _numbered(self) -> int:
        """Columns before the first: one, where it numbers the rows and has no name."""
        return int(self.head["numbered"])

    def _frame(self, cells: list[list[Any]], first: int) -> Any:
        import pandas as pd

        columns = [list(column) for column in zip(*cells, strict=True)]
        if self._numbered:
            index: list[Any] = [f"row {number}" for number in columns[0]]
        else:
            index = [f"row {number}" for number in range(first, first + len(cells))]
        kept = columns[self._numbered :]
        # As they are: pandas would make floats of whole numbers where one is missing.
        frame = pd.DataFrame(dict(enumerate(pd.Series(one, dtype=object, index=index) for one in kept)), index=index)
        frame.columns = pd.Index(self.head["names"][self._numbered :], dtype=object)
        return frame

    def _leads(self, typed: str) -> bool:
        if isinstance(self.source.content, bytes):
            return True  # at the table's server, as far as names tell
        return any(os.path.isfile(folder / expand_home(typed)) for folder in (self._folder, self.base))  # noqa: PTH113

    @cached_property
    def _folder(self) -> Path:
        assert isinstance(self.source.content, Path)
        return self.source.content.parent

    def _located(self, kind: str, value: Any) -> tuple[str, Any]:
        """A path in the table's folder, unless there is one in the working directory alone; at a server, an address."""
        if kind == "text" or not isinstance(value, str) or is_url(value):
            return kind, value
        if isinstance(self.source.content, bytes):
            # Whoever serves a table does not say which files of this machine are read: it is an address, or nothing.
            return "url", _joined(self.source.item.uri, value)
        path = expand_home(value)
        there = os.path.lexists(self._folder / path) or not os.path.lexists(self.base / path)
        if path.is_absolute() or not there or not value.strip() or "\0" in value:
            return kind, value
        return kind, os.path.join(os.path.dirname(self.source.item.uri), value)  # noqa: PTH118, PTH120


def open_table(source: Resolved, base: Path, *, counted: bool = False) -> Table:
    """Begin to read the table that ``source`` leads to.

    Parameters
    ----------
    source
        What :func:`is_table` says is one.
    base
        What relative paths are relative to that are not in the table's folder.
    counted
        Read its first rows alone; how many there are is then an estimate.

    Raises
    ------
    NoTable
        It is a text.
    SourceError
        It is damaged or too large.
    NotInstalled
        Reading it takes a library that is absent.
    """
    found = _reader(source.file_name or source.item.uri, source.media_type)
    assert found is not None
    reader, delimiter = found
    for library in ("pandas", "pyarrow")[: 2 if reader == _PARQUET else 1]:
        if find_spec(library) is None:
            raise NotInstalled(library, extra=_EXTRA)
    content = source.content
    assert isinstance(content, (Path, bytes))
    options = {"delimiter": delimiter} if delimiter else {}
    pieces = _pieces(stream(reader, content, _LIMITS, counted=counted, **options))
    head = next(pieces, None)
    if head is None:
        raise SourceError("damaged: there is no table in it")
    if "no_table" in head:
        raise NoTable(str(head["no_table"]))
    if counted:
        deque(pieces, maxlen=0)  # there is no more; the reading ends of itself
    return Table(source, head, (piece["cells"] for piece in pieces), base)


def _pieces(found: Iterator[tuple[dict[str, Any], tuple[bytes, ...]]]) -> Iterator[dict[str, Any]]:
    try:
        for said, _ in found:
            yield said
    except LoadError as error:
        raise SourceError(str(error)) from None


def _labelled(label: str, key: str) -> str:
    """How a row is shown: ``data/products.csv#red shoe``; the table's own name comes first and ends with a ``#``."""
    return f"{label}#{key.replace('/', '-').replace(chr(92), '-')}"


def _joined(address: str, typed: str) -> str:
    try:
        return urljoin(address, typed)
    except ValueError:
        return typed
