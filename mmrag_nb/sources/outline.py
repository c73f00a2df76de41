"""What sources lead to, as far as names alone tell: nothing is opened, hashed or fetched."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mmrag_nb.errors import SourceError
from mmrag_nb.reports import Skipped
from mmrag_nb.types import Source

from .dicts import take_apart, unfit_content
from .exchange import check_url, is_url
from .folders import by_folder
from .frames import columns_of, contents, rows, values
from .globs import Matches, below, expand_home, has_magic, is_folder, match
from .optional import is_frame, is_series
from .redaction import brief, redact
from .sound import is_sound

if TYPE_CHECKING:
    from mmrag_nb.types import Modality

    from .paths import ModalityOf

_DEEPEST = 8
"""Lists and dicts within each other that are looked into; :func:`~mmrag_nb.sources.resolve.resolve` refuses deeper."""


def addresses(
    sources: Iterable[Source], *, modality_of: ModalityOf, base: Path | None = None
) -> tuple[list[Source], list[str], list[Skipped]]:
    """Tell what would have to be fetched from the rest.

    Returns
    -------
    local, fetched, refused
        The sources that need no network, lists among them taken apart, and what needs none of records; the http(s)
        addresses, keys in them left out; those that would not even be tried.
    """
    look = _Look(modality_of, Path.cwd() if base is None else base)
    local: list[Source] = []
    fetched: list[str] = []
    refused: list[Skipped] = []
    for number, source in enumerate(sources, start=1):
        label = source.label or f"{type(source.value).__name__} #{number}"
        for one in look.apart(source, label, is_text=source.label.startswith("{{"), within=()):
            if isinstance(one, Source):
                local.append(one)
                continue
            try:
                check_url(one)
            except SourceError as error:
                refused.append(Skipped(brief(one), str(error)))
            else:
                fetched.append(redact(one.partition("#")[0]))
    return local, fetched, refused


def expected(
    sources: Iterable[Source], *, modality_of: ModalityOf, base: Path | None = None, records: bool = False
) -> Counter[Modality]:
    """Count the items that ``sources`` seem to lead to, by modality; of a record, each part.

    By the names of files only: some may turn out to be damaged, empty or the same. An address whose name tells nothing
    counts as a page of text, which it mostly is.
    """
    look = _Look(modality_of, Path.cwd() if base is None else base, records=records)
    found: Counter[Modality] = Counter()
    for source in sources:
        found.update(look.kinds(source.value, is_text=source.label.startswith("{{"), within=()))
    return found


@dataclass(frozen=True)
class _Look:
    modality_of: ModalityOf
    base: Path
    records: bool = False

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
                yield take_apart(value).contents
            else:
                yield from contents(value, columns_of(value, self.modality_of, self.base))
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
            columns = columns_of(value, self.modality_of, self.base)
            for row in rows(value, columns, label):
                if row.contents:
                    yield from self.left(row.contents, {**source.metadata, **row.metadata}, row.label)
        elif isinstance(value, Mapping):
            whole = take_apart(value)
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

    def kinds(self, value: Any, *, is_text: bool, within: tuple[int, ...]) -> Iterator[Modality]:
        """The modalities of the items that ``value`` leads to."""
        if _holds(value):
            for member, as_text in self.members(value, within, is_text=is_text):
                yield from self.kinds(member, is_text=as_text, within=(*within, id(value)))
        elif isinstance(value, str) and is_text:
            yield "text"
        elif isinstance(value, str) and is_url(value):
            yield self.modality_of(urlsplit(value).path, "") or "text"
        elif isinstance(value, (str, os.PathLike)):
            yield from self.files(os.fsdecode(value))
        elif is_sound(value) or hasattr(value, "raw_data"):
            yield "audio"
        elif hasattr(value, "convert"):
            yield "image"

    def files(self, typed: str) -> Iterator[Modality]:
        """The modalities of the files that a path, glob or folder leads to."""
        path = self.base / expand_home(typed)
        if not typed.strip() or "\0" in typed:
            return
        if is_folder(path):
            matches = below(PurePath(typed), path)
        elif has_magic(typed) and not os.path.lexists(path):
            matches = match(PurePath(typed), self.base)
        else:
            matches = Matches([(PurePath(typed), path)])
        for _, file in (by_folder(matches, self.base) if self.records else matches).files:
            modality = self.modality_of(file.name, "")
            if modality is not None:
                yield modality


def _holds(value: Any) -> bool:
    """Whether ``value`` is made of others."""
    several = isinstance(value, (list, tuple)) and not is_sound(value)
    return several or isinstance(value, Mapping) or is_frame(value) or is_series(value)
