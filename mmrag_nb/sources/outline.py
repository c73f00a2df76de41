"""What sources lead to, as far as names alone tell: nothing is opened, hashed or fetched."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mmrag_nb.errors import SourceError
from mmrag_nb.results import Skipped
from mmrag_nb.types import Source

from .exchange import check_url, is_url
from .globs import below, expand_home, has_magic, is_folder, match
from .objects import take_apart
from .redaction import brief, redact
from .sound import is_sound

if TYPE_CHECKING:
    from mmrag_nb.types import Modality

    from .paths import ModalityOf

_DEEPEST = 8
"""Lists and dicts within each other that are looked into; :func:`~mmrag_nb.sources.resolve.resolve` refuses deeper."""


def addresses(sources: Iterable[Source]) -> tuple[list[Source], list[str], list[Skipped]]:
    """Tell what would have to be fetched from the rest.

    Returns
    -------
    local, fetched, refused
        The sources that need no network, lists among them taken apart; the http(s) addresses, keys in them left out;
        those that would not even be tried.
    """
    local: list[Source] = []
    fetched: list[str] = []
    refused: list[Skipped] = []
    for number, source in enumerate(sources, start=1):
        label = source.label or f"{type(source.value).__name__} #{number}"
        for one in _apart(source, label, is_text=source.label.startswith("{{"), depth=0):
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


def _apart(source: Source, label: str, *, is_text: bool, depth: int) -> Iterator[Source | str]:
    value = source.value
    if isinstance(value, (list, tuple)) and value and not is_sound(value) and depth <= _DEEPEST:
        for number, member in enumerate(value):
            within = f"{label}[{number}]"
            part = Source(member, source.metadata, within)
            yield from _apart(part, within, is_text=is_text, depth=depth + 1)
    elif found := list(_urls(value, is_text=is_text, depth=depth)):
        yield from found
    else:
        yield source


def _urls(value: Any, *, is_text: bool, depth: int) -> Iterator[str]:
    """The addresses that ``value``, or the content of the record that it is, would be fetched from."""
    if isinstance(value, Mapping):
        try:
            record = take_apart(value)
        except SourceError:
            return  # refused with its reason when it is resolved
        yield from _urls(record.content, is_text=record.kind == "text", depth=depth + 1)
    elif isinstance(value, (list, tuple)) and depth <= _DEEPEST:
        for member in value:
            yield from _urls(member, is_text=is_text, depth=depth + 1)
    elif isinstance(value, str) and not is_text and is_url(value):
        yield value


def expected(sources: Iterable[Source], *, modality_of: ModalityOf, base: Path | None = None) -> Counter[Modality]:
    """Count the items that ``sources`` seem to lead to, by modality.

    By the names of files only: some may turn out to be damaged, empty or the same. An address whose name tells nothing
    counts as a page of text, which it mostly is.
    """
    base = Path.cwd() if base is None else base
    found: Counter[Modality] = Counter()
    for source in sources:
        found.update(_kinds(source.value, modality_of, base, is_text=source.label.startswith("{{"), depth=0))
    return found


def _kinds(value: Any, modality_of: ModalityOf, base: Path, *, is_text: bool, depth: int) -> Iterator[Modality]:
    if isinstance(value, (list, tuple)) and not is_sound(value):
        for member in value if depth <= _DEEPEST else ():
            yield from _kinds(member, modality_of, base, is_text=is_text, depth=depth + 1)
    elif isinstance(value, Mapping):
        try:
            record = take_apart(value)
        except SourceError:
            return
        yield from _kinds(record.content, modality_of, base, is_text=record.kind == "text", depth=depth + 1)
    elif isinstance(value, str) and is_text:
        yield "text"
    elif isinstance(value, str) and is_url(value):
        yield modality_of(urlsplit(value).path, "") or "text"
    elif isinstance(value, (str, os.PathLike)):
        yield from _files(os.fsdecode(value), modality_of, base)
    elif is_sound(value) or hasattr(value, "raw_data"):
        yield "audio"
    elif hasattr(value, "convert"):
        yield "image"


def _files(typed: str, modality_of: ModalityOf, base: Path) -> Iterator[Modality]:
    path = base / expand_home(typed)
    if not typed.strip() or "\0" in typed:
        return
    if is_folder(path):
        files = [file for _, file in below(PurePath(typed), path).files]
    elif has_magic(typed) and not os.path.lexists(path):
        files = [file for _, file in match(PurePath(typed), base).files]
    else:
        files = [path]
    for file in files:
        modality = modality_of(file.name, "")
        if modality is not None:
            yield modality
