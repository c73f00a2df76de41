"""What sources lead to, as far as names and the first rows of tables tell: nothing is hashed or fetched."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, repeat
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mmrag_nb.errors import NotInstalled, SourceError
from mmrag_nb.reports import Skipped
from mmrag_nb.types import Item, Resolved, Source

from .dicts import take_apart, unfit_content
from .exchange import check_url, is_url
from .frames import checked_kinds, columns_of, contents, rows, values
from .globs import expand_home
from .matching import Search, find
from .optional import is_frame, is_series
from .redaction import brief, redact
from .sound import is_sound
from .tables import is_table, open_table, with_tables

if TYPE_CHECKING:
    from mmrag_nb.types import Modality

    from .matching import ModalityOf

_ROWS = 100
"""Rows of a table's file that are looked at, and counted for all of them."""
_DEEPEST = 8
"""Lists and dicts within each other that are looked into; :func:`~mmrag_nb.sources.resolve.resolve` refuses deeper."""


def addresses(
    sources: Iterable[Source],
    *,
    modality_of: ModalityOf,
    base: Path | None = None,
    columns: Mapping[str, str] | None = None,
) -> tuple[list[Source], list[str], list[Skipped]]:
    """Tell what would have to be fetched from the rest.

    Tables in files are not looked into; :func:`~mmrag_nb.sources.resolve.resolve` tells what they lead to.

    Returns
    -------
    local, fetched, refused
        The sources that need no network, lists among them taken apart, and what needs none of records; the http(s)
        addresses, keys in them left out; those that would not even be tried.
    """
    look = _Look(modality_of, Path.cwd() if base is None else base, columns=checked_kinds(columns or {}))
    local: list[Source] = []
    fetched: list[str] = []
    refused: list[Skipped] = []
    for number, source in enumerate(sources, start=1):
        label = source.label or f"{type(source.value).__name__} #{number}"
        for one in look.apart(source, label, is_text=source.label.startswith("{{"), within=()):
            if isinstance(one, Source):
                local.append(one)
                continue
            good, bad = fetchable([one])
            fetched += good
            refused += bad
    return local, fetched, refused


def fetchable(found: Iterable[str]) -> tuple[list[str], list[Skipped]]:
    """The addresses that would be fetched, keys in them left out, and those that would not even be tried."""
    fetched: list[str] = []
    refused: list[Skipped] = []
    for one in found:
        try:
            check_url(one)
        except SourceError as error:  # noqa: PERF203 - one address is not to cost the others
            refused.append(Skipped(brief(one), str(error)))
        else:
            fetched.append(redact(one.partition("#")[0]))
    return fetched, refused


def expected(
    sources: Iterable[Source],
    *,
    modality_of: ModalityOf,
    base: Path | None = None,
    records: bool = False,
    ignore: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
) -> Counter[Modality]:
    """Count the items that ``sources`` seem to lead to, by modality; of a record, each part.

    ``records``, ``ignore`` and ``columns`` are those of :func:`~mmrag_nb.sources.resolve.resolve`.

    By the names of files only, and the first rows of tables: some may turn out to be damaged, empty or the same. An
    address whose name tells nothing
    counts as a page of text, which it mostly is.
    """
    look = _Look(modality_of, Path.cwd() if base is None else base, records, ignore, checked_kinds(columns or {}))
    found: Counter[Modality] = Counter()
    for source in sources:
        found.update(look.kinds(source.value, is_text=source.label.startswith("{{"), within=()))
    return found


@dataclass(frozen=True)
class _Look:
    modality_of: ModalityOf
    base: Path
    records: bool = False
    ignore: Sequence[str] = ()
    columns: Mapping[str, str] = field(default_factory=dict)

    def members(self, value: Any, within: tuple[int, ...], *, is_text: bool) -> Iterator[tuple[Any, bool]]:
        """What ``value`` holds, each with whether it is a text as it stands; what is refused later, holds nothing."""
        if len(within) > _DEEPEST or id(value) in within:
            return
        if isinstance(value, (list, tuple)):
            yield from ((member, is_text) for member in value)
        elif is_series(value):
            yield from ((one, as_text) for _, one, as_text in values(value, "", self.modality_of, self.base))
        else:
            for row in self.rows(value):
                yield from ((one, kind == "text") for kind, one in row if not unfit_content(kind, one))

    def rows(self, value: Any) -> Iterator[tuple[tuple[str, Any], ...]]:
        """The contents of a dict, or of each row of a table."""
        try:
            if isinstance(value, Mapping):
                yield take_apart(value, self.columns).contents
            else:
                yield from contents(value, columns_of(value, self.modality_of, self.base, self.columns))
        except SourceError:
            return  # refused with its reason when it is resolved

    def urls(self, value: Any, *, is_text: bool, within: tuple[int, ...]) -> Iterator[str]:
        """The addresses that ``value``, or what it holds, would be fetched from."""
        if _holds(value):
            for member, as_text in self.members(value, within, is_text=is_text):
                yield from self.urls(member, is_text=as_text, within=(*within, id(value)))
        elif isinstance(value, str) and not is_text and is_url(value):
            yield value

    def apart(self, source: Source, label: str, *, is_text: bool, within: tuple[int, ...]) -> Iterator[Source | str]:
        """``source`` where it needs no network; else its addresses, and what is left without them."""
        value = source.value
        if next(self.urls(value, is_text=is_text, within=within), None) is None:
            yield source
        elif isinstance(value, (list, tuple)):
            for number, (member, _) in enumerate(self.members(value, within, is_text=is_text)):
                part = Source(member, source.metadata, f"{label}[{number}]")
                yield from self.apart(part, part.label, is_text=is_text, within=(*within, id(value)))
        elif is_frame(value):
            columns = columns_of(value, self.modality_of, self.base, self.columns)
            for row in rows(value, columns, label):
                if row.contents:
                    yield from self.left(row.contents, {**source.metadata, **row.metadata}, row.label)
        elif isinstance(value, Mapping):
            whole = take_apart(value, self.columns)
            yield from self.left(whole.contents, {**source.metadata, **whole.metadata}, label)
        elif is_series(value):
            for shown, one, as_text in values(value, label, self.modality_of, self.base):
                kind = "text" if as_text and isinstance(one, str) else "image"  # anything that is no text passes as one
                yield from self.left([(kind, one)], source.metadata, shown)
        else:
            yield from self.urls(value, is_text=is_text, within=within)

    def left(
        self, contents: Sequence[tuple[str, Any]], metadata: Mapping[Any, Any], label: str
    ) -> Iterator[Source | str]:
        """The addresses among ``contents``, and a source of the others."""
        local: dict[str, Any] = {}
        for kind, value in contents:
            found = list(self.urls(value, is_text=kind == "text", within=()))
            yield from found
            if not found:
                local.setdefault(kind, []).append(value)
        if local:
            yield Source(local, metadata, label)

    def kinds(self, value: Any, *, is_text: bool, within: tuple[int, ...], in_file: bool = False) -> Iterator[Modality]:
        """The modalities of the items that ``value`` leads to."""
        if _holds(value):
            for member, as_text in self.members(value, within, is_text=is_text):
                yield from self.kinds(member, is_text=as_text, within=(*within, id(value)), in_file=in_file)
        elif isinstance(value, str) and is_text:
            yield "text"
        elif isinstance(value, str) and is_url(value):
            yield self.modality_of(urlsplit(value).path, "") or "text"
        elif isinstance(value, (str, os.PathLike)):
            yield from self.files(os.fsdecode(value), in_file=in_file)
        elif is_sound(value) or hasattr(value, "raw_data"):
            yield "audio"
        elif hasattr(value, "convert"):
            yield "image"

    def files(self, typed: str, *, in_file: bool) -> Iterator[Modality]:
        """The modalities of the files that a path, glob or folder leads to; of tables, of their rows."""
        if not typed.strip() or "\0" in typed:
            return
        modality_of = self.modality_of if self.records or in_file else with_tables(self.modality_of)
        led = find(typed, Search(modality_of, self.base, self.ignore, records=self.records))
        files = [(PurePath(typed), self.base / expand_home(typed))] if led is None else led.matches.files
        for shown, file in files:
            modality = modality_of(file.name, "")
            if is_table(file.name) and modality_of is not self.modality_of:
                yield from self.table(Resolved(Item("", str(shown), "text"), file))
            elif modality is not None:
                yield modality

    def table(self, source: Resolved) -> Iterator[Modality]:
        """The modalities of what the rows of a table's file lead to: as its first rows do."""
        try:
            table = open_table(source, self.base, counted=True)
            columns = table.columns(self.modality_of, self.columns)
            some = list(islice(table.rows(columns), _ROWS))
        except (SourceError, NotInstalled, OSError):
            yield "text"  # or refused with its reason when it is resolved
            return
        found: Counter[Modality] = Counter()
        for row in some:
            for kind, value in row.contents:
                found.update(self.kinds(value, is_text=kind == "text", within=(), in_file=True))
        for modality, count in found.items():
            yield from repeat(modality, round(count * int(table.head["rows"]) / len(some)))


def _holds(value: Any) -> bool:
    """Whether ``value`` is made of others."""
    several = isinstance(value, (list, tuple)) and not is_sound(value)
    return several or isinstance(value, Mapping) or is_frame(value) or is_series(value)
