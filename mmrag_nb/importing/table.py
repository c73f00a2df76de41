"""The table that says what each vector is of: a CSV or Parquet file, a DataFrame, or dicts."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import LoadError, SourceError, UnknownName, nearest
from mmrag_nb.registry import modality_of
from mmrag_nb.sources.globs import expand_home
from mmrag_nb.sources.metadata import mended, plain_metadata
from mmrag_nb.sources.optional import is_frame
from mmrag_nb.sources.tables import is_table, open_table
from mmrag_nb.types import Item, Resolved

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mmrag_nb.types import Metadata, Modality

_PLACES = ("path", "file_name", "filename", "file", "image", "image_path", "uri", "url", "id")
"""Columns that name an item, best first; a second one is metadata. ``file_name`` is what the Hub's folders have."""
_TEXTS = ("text", "caption")
_MODALITY = "modality"
_MEANT = ("path", *_TEXTS, _MODALITY)
"""What a column can be said to be."""
_MADE_OF = ("image", "text")
_AT_A_TIME = 1_000


@dataclass(frozen=True)
class Row:
    """What one vector is of."""

    number: int
    """From 1."""
    uri: str
    modality: Modality
    text: str = ""
    metadata: Metadata = field(default_factory=dict)
    file: Path | None = None
    """A picture's file, where it is on this machine."""


@dataclass(frozen=True)
class Wrong:
    """A row that cannot be taken."""

    number: int
    reason: str


class Table:
    """The rows of a table, as often as they are asked for.

    Parameters
    ----------
    source
        The path of a CSV or Parquet file, a pandas ``DataFrame``, or a sequence of dicts.
    columns
        What columns of other names are: ``{"photo": "path", "sentence": "caption"}``.

    Raises
    ------
    LoadError
        It is no table, or no column says what a vector is of.
    """

    def __init__(self, source: Any, columns: Mapping[str, str] | None = None) -> None:
        self._source = source
        self.folder = Path.cwd()
        self._shown = ""
        if isinstance(source, (str, os.PathLike)):
            path = Path(source).expanduser()
            if not path.is_file():
                near = nearest(path.name, _names(path.parent), cutoff=0.6)
                hint = f": did you mean {str(path.parent / near)!r}?" if near else ""
                raise LoadError(f"there is no table at {source}{hint}")
            if not is_table(path.name):
                raise LoadError(f"{source} is no table: name a .csv, .tsv or .parquet file, or give a list of dicts")
            self.name, self.folder, self._shown = path.name, path.absolute().parent, os.path.dirname(os.fspath(source))  # noqa: PTH120
            self._path = path
        elif is_frame(source):
            self.name = "the DataFrame"
        elif isinstance(source, (list, tuple)) and source and all(hasattr(row, "keys") for row in source):
            self.name = "the table"
        else:
            kind = type(source).__name__
            raise LoadError(
                f"a table is a .csv or .parquet file, a DataFrame or a list of dicts, not an object of {kind}"
            )
        self._here, self._beside = os.fspath(Path.cwd()), os.fspath(self.folder)
        names = self._columns()
        self._roles = _roles(names, columns or {}, self.name)
        others = [name for name in names if name not in self._roles.values()]
        self._said = dict(zip(others, mended(others), strict=True))

    def rows(self) -> Iterator[Row | Wrong]:
        """Each row in order."""
        for number, cells in enumerate(self._cells(), 1):
            yield self._row_or_wrong(number, cells)

    # -- cells -----------------------------------------------------------------------------------------------------

    def _columns(self) -> list[Any]:
        if isinstance(self._source, (list, tuple)):
            return list(dict.fromkeys(name for row in self._source for name in row))
        if is_frame(self._source):
            return list(self._source.columns)
        head = self._opened().head
        return list(head["names"][int(head["numbered"]) :])

    def _cells(self) -> Iterator[Mapping[Any, Any]]:
        if isinstance(self._source, (list, tuple)):
            yield from self._source
        elif is_frame(self._source):
            for start in range(0, len(self._source), _AT_A_TIME):
                yield from self._source.iloc[start : start + _AT_A_TIME].to_dict("records")
        else:
            table = self._opened()
            names = table.head["names"]
            try:
                for cells in chain([table.head["cells"]], table.further):
                    yield from (dict(zip(names, row, strict=True)) for row in cells)
            except SourceError as error:
                raise LoadError(f"{self.name}: {error}") from error

    def _opened(self) -> Any:
        try:
            return open_table(Resolved(Item("", self.name, "text"), self._path), self.folder)
        except SourceError as error:
            raise LoadError(f"{self.name}: {error}") from error

    # -- rows ------------------------------------------------------------------------------------------------------

    def _row_or_wrong(self, number: int, cells: Mapping[Any, Any]) -> Row | Wrong:
        try:
            return self._row(number, cells)
        except SourceError as error:
            return Wrong(number, str(error))

    def _row(self, number: int, cells: Mapping[Any, Any]) -> Row:
        place = _text(cells.get(self._roles.get("path"))).strip()
        caption = _text(cells.get(self._roles.get("caption")))
        text = _text(cells.get(self._roles.get("text"))) or caption
        said = plain_metadata({new: cells.get(name) for name, new in self._said.items()})
        metadata = {name: value for name, value in said.items() if value is not None}
        shown = modality_of(place, "") == "image" if place else False
        told = _text(cells.get(self._roles.get(_MODALITY))).strip().lower()
        if told and told not in _MADE_OF:
            raise SourceError(f"modality {told!r}: vectors of an image-text model are of image or text")
        modality = told or ("image" if shown or not text else "text")
        if modality == "text":
            if not text:
                raise SourceError("no text: a row of modality text says it in a column text or caption")
            return Row(number, place or f"{self.name}#row {number}", "text", text, metadata)
        if not place:
            raise SourceError("neither a path nor a text: nothing says what its vector is of")
        if text:
            metadata = {**metadata, "caption": text}
        file, uri = self._located(place) if shown else (None, place)
        return Row(number, uri, "image", text, metadata, file)

    def _located(self, place: str) -> tuple[Path | None, str]:
        """A picture's file, in the table's folder or the working one, and how it is shown."""
        if "://" in place or "\0" in place:
            return None, place
        path = os.fspath(expand_home(place)) if place.startswith("~") else place
        beside = os.path.join(self._shown, place)  # noqa: PTH118 - as it was written, dots and all
        for folder, shown in ((self._beside, beside), (self._here, place)):
            file = os.path.join(folder, path)  # noqa: PTH118 - a million of them
            if os.path.isfile(file):  # noqa: PTH113 - a name too long for any file is none
                return Path(file), place if os.path.isabs(path) else shown  # noqa: PTH117
        return None, place


def _roles(names: Sequence[Any], columns: Mapping[str, str], table: str) -> dict[str, Any]:
    """Which column is the path, the text, the caption, the modality."""
    for name, role in columns.items():
        if role not in _MEANT:
            raise UnknownName("meaning of a column", role, _MEANT)
        if name not in names:
            raise UnknownName("column", name, map(str, names))
    roles: dict[str, Any] = {role: name for name, role in columns.items()}
    free = {str(name).strip().lower(): name for name in reversed(list(names)) if name not in roles.values()}
    if "path" not in roles and (place := next((one for one in _PLACES if one in free), None)):
        roles["path"] = free[place]
    roles |= {role: free[role] for role in (*_TEXTS, _MODALITY) if role in free and role not in roles}
    if not roles.keys() & {"path", *_TEXTS}:
        there = ", ".join(str(name) for name in list(names)[:8]) or "no columns"
        raise LoadError(
            f"{table} has {there}: one column must say what each vector is of, path (or url, id) or text, as in "
            "columns={'photo': 'path'}"
        )
    return roles


def _text(value: Any) -> str:
    """A cell as text; empty where it is missing."""
    if value is None or (isinstance(value, float) and value != value) or type(value).__name__ in {"NAType", "NaTType"}:  # noqa: PLR0124
        return ""
    if isinstance(value, os.PathLike):
        value = os.fsdecode(value)
    if isinstance(value, (str, int, float)) or hasattr(value, "item"):
        text = str(value)
        if "\0" in text:
            raise SourceError("it holds a NUL character")
        return text.encode("utf-8", "replace").decode() if text.strip() else ""
    raise SourceError(f"a cell holds an object of type {type(value).__name__}, not a text")


def _names(folder: Path) -> Iterable[str]:
    try:
        return [one.name for one in folder.iterdir()]
    except OSError:
        return []
