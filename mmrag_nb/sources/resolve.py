"""What the user typed to items: the one door of this package."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mmrag_nb.errors import NotInstalled, SourceError
from mmrag_nb.reports import Skipped
from mmrag_nb.types import Resolved, name_of

from .dicts import take_apart, unfit_content
from .exchange import is_url
from .frames import Row, checked_kinds, columns_of, rows, values
from .matching import ModalityOf, Search
from .metadata import plain_metadata
from .naming import told_name
from .objects import resolve_object
from .optional import is_frame, is_series
from .paths import resolve_path
from .records import joined, labels, record_of
from .redaction import brief
from .sound import is_sound
from .tables import NoTable, is_table, is_text_too, open_table, with_tables
from .urls import resolve_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mmrag_nb.types import Metadata, Source

MAX_DEPTH = 8
"""Lists and dicts within each other."""


def resolve(
    sources: Iterable[Source],
    *,
    modality_of: ModalityOf,
    allow_private: bool = False,
    base: Path | None = None,
    records: bool = False,
    ignore: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
    instead: Callable[[str], None] | None = None,
) -> Iterator[Resolved | Skipped]:
    """Turn sources into items, lazily and in the order typed; what fails is skipped with its reason.

    A ``str`` is a path, a glob, a folder or a URL; where the source's label begins with ``{{`` it is a text. A dict or
    a table's row with more than one content is a record: each content is an item of its own, and
    :attr:`~mmrag_nb.types.Item.record` tells that they belong together. Content that came before in the same call is
    skipped, and the reason names the first.

    Parameters
    ----------
    modality_of
        Which modality a file name and a MIME type (empty where unknown) are loaded as; ``None`` where unsupported.
    allow_private
        Let URLs lead to loopback and private addresses.
    base
        What relative paths are relative to; the working directory where ``None``.
    records
        Make the files of each folder, of those that globs find in it, one record; its ``metadata.json`` says what is
        known of it. Files that are named one by one stay items on their own.
    ignore
        Patterns, as in ``.gitignore``, of what folders and globs leave out; a ``.mmragignore`` in a folder counts too.
        Files that are named one by one are never left out.
    columns
        What columns of tables hold, by name: one of :data:`~mmrag_nb.sources.dicts.KINDS`. The others are guessed.
    instead
        Told each address, which is then not fetched.

    Raises
    ------
    UnknownName
        ``columns`` says what no column can hold.
    """
    kinds = checked_kinds(columns or {})
    base = Path.cwd() if base is None else base
    door = _Door(
        modality_of,
        allow_private=allow_private,
        base=base,
        records=records,
        ignore=ignore,
        kinds=kinds,
        instead=instead,
    )
    first: dict[str, Resolved] = {}
    for number, source in enumerate(sources, start=1):
        label = source.label or f"{type(source.value).__name__} #{number}"
        is_text = source.label.startswith("{{")
        for outcome in door.open(source.value, label, source.metadata, is_text=is_text):
            if isinstance(outcome, Skipped):
                yield replace(outcome, reason=brief(outcome.reason, 400))
            elif outcome.item.id in first:
                yield _repeated(outcome, first[outcome.item.id])
            else:
                # Only the name and the metadata are needed later: the content is let go.
                first[outcome.item.id] = replace(outcome, content="")
                yield outcome


def _repeated(again: Resolved, before: Resolved) -> Skipped:
    reason = f"same content as {before.item.uri}, indexed once"
    if again.item.uri == before.item.uri:
        reason = "named twice, indexed once"
    return Skipped(again.item.uri, reason + _lost(again.item.metadata, before.item.metadata), before.item.id)


def _lost(again: Metadata, before: Metadata) -> str:
    lost = [name for name, value in again.items() if before.get(name, ...) != value]
    return f"; the metadata given here ({', '.join(lost)}) is not used: put this source first" if lost else ""


class _At(NamedTuple):
    """What is around a value."""

    within: tuple[int, ...] = ()
    """The identities of the lists and dicts that hold it."""
    as_part: bool = False
    """It is in a record, so nothing in it is a record of its own."""
    in_file: bool = False
    """It is in a table's file, so a table that it names is a text, or nothing: it may name itself."""


@dataclass(frozen=True)
class _Door:
    modality_of: ModalityOf
    allow_private: bool
    base: Path
    records: bool
    """Whether folders are records."""
    ignore: Sequence[str] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)
    """What columns hold."""
    instead: Callable[[str], None] | None = None
    known: dict[str, tuple[str, Metadata]] = field(default_factory=dict)
    """What the records so far, by id, are shown as, and what was said of them."""

    def open(self, value: Any, label: str, metadata: Metadata, *, is_text: bool) -> Iterator[Resolved | Skipped]:
        """Everything that a source leads to."""
        try:
            plain = plain_metadata(metadata)
        except SourceError as error:
            yield Skipped(brief(os.fsdecode(value)) if _is_name(value, is_text) else label, str(error))
        else:
            yield from self._enter(value, label, plain, is_text=is_text, at=_At())

    def _enter(
        self, value: Any, label: str, metadata: Metadata, *, is_text: bool, at: _At
    ) -> Iterator[Resolved | Skipped]:
        """Everything that ``value`` leads to, shown as ``label`` where it has no name of its own."""
        if id(value) in at.within:
            yield Skipped(label, f"a {type(value).__name__} that holds itself")
            return
        if len(at.within) > MAX_DEPTH:
            yield Skipped(label, f"nested more than {MAX_DEPTH} deep")
            return
        at = at._replace(within=(*at.within, id(value)))
        try:
            if isinstance(value, (list, tuple)) and not is_sound(value):
                yield from self._members(value, label, metadata, is_text=is_text, at=at)
            elif isinstance(value, Mapping):
                contents, said = take_apart(value, self.kinds)
                row = Row(label, told_name(said), contents, {**metadata, **plain_metadata(said)})
                yield from self._row(row, at)
            elif is_frame(value):
                yield from self._frame(value, label, metadata, at)
            elif is_series(value):
                yield from self._series(value, label, metadata, at)
            elif _is_name(value, is_text):
                yield from self._named(value, metadata, at)
            else:
                yield resolve_object(value, label, metadata, base=self.base)
        except SourceError as error:
            yield Skipped(brief(os.fsdecode(value)) if _is_name(value, is_text) else label, str(error))

    def _named(self, value: str | os.PathLike[str], metadata: Metadata, at: _At) -> Iterator[Resolved | Skipped]:
        folders = self.records and not at.as_part
        tables = not (folders or at.as_part or at.in_file)
        modality_of = with_tables(self.modality_of) if tables else self.modality_of
        found: Iterable[Resolved | Skipped]
        if not (isinstance(value, str) and is_url(value)):
            found = resolve_path(
                os.fsdecode(value), metadata, Search(modality_of, self.base, self.ignore, records=folders)
            )
        elif self.instead is None:
            found = [resolve_url(value, metadata, modality_of=modality_of, allow_private=self.allow_private)]
        else:
            self.instead(value)
            return
        for outcome in found:
            if tables and isinstance(outcome, Resolved) and is_table(_file_name(outcome), outcome.media_type):
                yield from self._table(outcome, at)
            else:
                yield outcome

    def _table(self, source: Resolved, at: _At) -> Iterator[Resolved | Skipped]:
        """The rows of a table's file."""
        name = source.item.uri
        try:
            table = open_table(source, self.base)
            columns = table.columns(self.modality_of, self.kinds)
        except (NoTable, NotInstalled) as error:
            if is_text_too(_file_name(source), source.media_type):
                yield replace(source, notes=(*source.notes, f"read as one text: {error}"))
            else:
                yield Skipped(name, str(error))
            return
        except SourceError as error:
            yield Skipped(name, str(error))
            return
        notes = (*source.notes, *table.notes, columns.note)
        found = table.rows(columns)
        try:
            yield from self._rows(found, notes, name, source.item.metadata, at._replace(in_file=True))
        except SourceError as error:
            yield Skipped(name, f"{error}; the rows before are indexed")

    def _members(
        self, several: Sequence[Any], label: str, metadata: Metadata, *, is_text: bool, at: _At
    ) -> Iterator[Resolved | Skipped]:
        if not several:
            yield Skipped(label, "an empty list")
        for number, member in enumerate(several):
            yield from self._enter(member, f"{label}[{number}]", metadata, is_text=is_text, at=at)

    def _series(self, series: Any, label: str, metadata: Metadata, at: _At) -> Iterator[Resolved | Skipped]:
        empty = True
        for shown, value, is_text in values(series, label, self.modality_of, self.base):
            empty = False
            yield from self._enter(value, shown, metadata, is_text=is_text, at=at)
        if empty:
            yield Skipped(label, "a Series without values")

    def _frame(self, frame: Any, label: str, metadata: Metadata, at: _At) -> Iterator[Resolved | Skipped]:
        columns = columns_of(frame, self.modality_of, self.base, self.kinds)
        yield from self._rows(rows(frame, columns, label), (columns.note,), label, metadata, at)

    def _rows(
        self, found: Iterable[Row], notes: tuple[str, ...], label: str, metadata: Metadata, at: _At
    ) -> Iterator[Resolved | Skipped]:
        """What the rows of the table shown as ``label`` lead to; the first item takes along what is said of it."""
        remarks = tuple((name_of(label), note) for note in notes)
        notes = ()  # on cells, with the row of the first
        without: list[str] = []
        count = 0
        for row in found:
            count += 1
            notes += row.notes
            if not row.contents:
                without.append(name_of(row.label))
                continue
            for outcome in self._row(row._replace(metadata={**metadata, **row.metadata}), at):
                if (notes or remarks) and isinstance(outcome, Resolved):
                    yield replace(outcome, notes=(*outcome.notes, *notes), remarks=(*outcome.remarks, *remarks))
                    notes, remarks = (), ()
                else:
                    yield outcome
        if without:
            few = ", ".join(without[:3]) + (", ..." if len(without) > 3 else "")
            yield Skipped(label, f"{len(without):,} of {count:,} rows have no content: {few}")

    def _row(self, row: Row, at: _At) -> Iterator[Resolved | Skipped]:
        """A dict or row: what its one content leads to, or the parts of one record."""
        if at.as_part or len(row.contents) == 1:
            yield from self._contents(row, at)
            return
        outcomes = list(self._contents(row, at._replace(as_part=True)))
        parts = [outcome for outcome in outcomes if isinstance(outcome, Resolved)]
        record = record_of(parts, row.name or name_of(row.label))
        if parts and record.id in self.known:
            before, said = self.known[record.id]
            yield from (outcome for outcome in outcomes if isinstance(outcome, Skipped))
            yield Skipped(row.label, f"the same contents as {before}, indexed once{_lost(row.metadata, said)}")
            return
        if parts:
            self.known[record.id] = row.label, row.metadata
        bound = joined(parts, record)
        yield from (outcome if isinstance(outcome, Skipped) else next(bound) for outcome in outcomes)

    def _contents(self, row: Row, at: _At) -> Iterator[Resolved | Skipped]:
        for (kind, value), label in zip(row.contents, labels(row.contents, row.label), strict=True):
            if unfit := unfit_content(kind, value):
                yield Skipped(label, unfit)
            else:
                # A picture or sound of a record may be named; a text is never a name.
                yield from self._enter(value, label, row.metadata, is_text=kind == "text", at=at)


def _file_name(source: Resolved) -> str:
    return source.file_name or source.item.name


def _is_name(value: Any, is_text: bool) -> bool:
    """Whether ``value`` names a file or an address."""
    return isinstance(value, os.PathLike) or (isinstance(value, str) and not is_text)
