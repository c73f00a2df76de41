"""Tables to records: what a pandas DataFrame's columns hold, and its rows, one at a time."""

from __future__ import annotations

import os
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from mmrag_nb.errors import SourceError

from .dicts import CONTENT_KEYS, members
from .exchange import is_url
from .globs import expand_home
from .metadata import mended, plain_metadata
from .naming import NAMING, short, within
from .optional import is_a
from .sound import is_sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from mmrag_nb.types import Modality

    ModalityOf = Callable[[str, str], Modality | None]

SAMPLE = 500
"""Cells of a column that are looked at to guess what it holds, evenly spread."""
TELLING_WORDS = 5
"""From this median number of words on, a column of strings is text and no metadata."""

_NAMED = re.compile(r"(?:.*_)?(path|url)s?|(text|image|audio)s?")
_WORD = re.compile(r"[぀-ヿ㐀-鿿가-힯]{1,2}|[^\s぀-ヿ㐀-鿿가-힯]+")
"""Chinese, Japanese and Korean write no spaces that tell words apart: two signs count as one."""
_SHOWN = 8
"""Columns that a note names."""


class Row(NamedTuple):
    """One row, taken apart."""

    label: str
    name: str
    """What the row calls itself; empty where it has no name."""
    contents: tuple[tuple[str, Any], ...]
    """(kind, value); nothing where all its content is missing."""
    metadata: dict[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Columns:
    """What the columns of a table hold, by their place."""

    contents: tuple[tuple[int, str], ...]
    """(place, one of :data:`~mmrag_nb.sources.dicts.CONTENT_KEYS`), in the order of a record's parts."""
    metadata: tuple[tuple[int, str], ...]
    """(place, name); the names are identifiers."""
    note: str
    """Which is which."""
    names: tuple[int, ...] = ()
    """Places of the columns that name rows, the best first."""
    ids: tuple[int, ...] = ()
    """The same of those that number them."""


def columns_of(frame: Any, modality_of: ModalityOf, base: Path) -> Columns:
    """Tell content from metadata: by the columns' names, then by some of their cells.

    Raises
    ------
    SourceError
        There are no rows, or no column holds content.
    """
    if not len(frame):
        raise SourceError("a table without rows")
    given = ["_".join(filter(None, map(str, name))) if isinstance(name, tuple) else name for name in frame.columns]
    names = mended("caption" if str(name).casefold() == "caption" else name for name in given)
    kinds = [_kind(name, frame.iloc[:, place], modality_of, base) for place, name in enumerate(given)]
    contents = sorted(
        ((place, kind) for place, kind in enumerate(kinds) if kind), key=lambda pair: CONTENT_KEYS.index(pair[1])
    )
    if not contents:
        wrong = given[0] if given and isinstance(given[0], int) else short(given[0]) if given else "..."
        raise SourceError(
            f"a table with {_listed([short(name) for name in given]) or 'no columns'}, and none that holds content: "
            f"rename one to text, image, audio, path or url, as in df.rename(columns={{{wrong!r}: 'text'}})"
        )
    metadata = [(place, name) for place, name in enumerate(names) if not kinds[place]]
    folded = [name.casefold() for name in names]
    naming = [tuple(folded.index(name) for name in wanted if name in folded) for wanted in (NAMING, ("id",))]
    return Columns(tuple(contents), tuple(metadata), _said(given, contents, metadata), *naming)


def rows(frame: Any, columns: Columns, label: str) -> Iterator[Row]:
    """The rows of ``frame`` one by one, each shown as ``label`` with its name or its index: ``{{shoes 3}}``.

    Cells that fit into no metadata are left out, which the first row of each column says.
    """
    said: set[str] = set()
    cells = zip(*(frame.iloc[:, place] for place in range(len(frame.columns))), strict=True)
    for index, row in zip(frame.index, cells, strict=True):
        metadata, wrong = _metadata(columns, row)
        notes = tuple(reason for name, reason in wrong.items() if name not in said)
        said |= wrong.keys()
        name = next((word for place in columns.names if (word := _key(row[place]))), "")
        key = name or next((word for place in columns.ids if (word := _key(row[place]))), "") or _key(index)
        yield Row(within(label, key), name, _contents(columns, row), metadata, notes)


def contents(frame: Any, columns: Columns) -> Iterator[tuple[tuple[str, Any], ...]]:
    """The contents of each row, without the rest."""
    places = [place for place, _ in columns.contents]
    narrow = Columns(tuple((new, kind) for new, (_, kind) in enumerate(columns.contents)), (), "")
    for row in zip(*(frame.iloc[:, place] for place in places), strict=True):
        yield _contents(narrow, row)


def values(series: Any, label: str, modality_of: ModalityOf, base: Path) -> Iterator[tuple[str, Any, bool]]:
    """Each value of ``series`` that is not missing: how it is shown, the value, and whether it is a text as it stands.

    Strings are texts, unless the name or most of the values say that they name files.
    """
    strings = series[[isinstance(value, str) for value in series]]
    kind = _kind(series.name, strings, modality_of, base)
    for index, value in zip(series.index, series, strict=True):
        if _has_content(value):
            yield within(label, _key(index)), value, kind in {"", "text"}


def _contents(columns: Columns, row: Sequence[Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(
        (kind, value) for place, kind in columns.contents for value in members(row[place]) if _has_content(value)
    )


def _metadata(columns: Columns, row: Sequence[Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """What a row says, and why some of its cells say nothing."""
    said = {name: row[place] for place, name in columns.metadata}
    with suppress(SourceError):
        return plain_metadata(said), {}
    fitting, wrong = dict[str, Any](), dict[str, str]()
    for name, cell in said.items():
        try:
            fitting |= plain_metadata({name: cell})
        except SourceError as error:  # noqa: PERF203 - one cell is not to cost the others
            wrong[name] = f"{error}; left out"
    return fitting, wrong


def _has_content(value: Any) -> bool:
    return bool(value.strip()) if isinstance(value, str) else bool(members(value))


def _key(value: Any) -> str:
    """A name, id or index as the end of a label."""
    if isinstance(value, tuple):
        return short(", ".join(map(str, value)))
    if not members(value) or isinstance(value, (list, dict)):
        return ""
    return short(value)


# -- guessing ----------------------------------------------------------------------------------------------------------


def _kind(given: Any, column: Any, modality_of: ModalityOf, base: Path) -> str:
    """One of :data:`CONTENT_KEYS`, or nothing where ``column`` is metadata."""
    kept = column[column.notna()]
    if len(kept) and getattr(column.dtype, "kind", "O") in "biufcmM":
        return ""  # however it is called, numbers and times are no content
    name = mended([given])[0].casefold()
    if name == "caption":
        return ""  # said of a picture
    named = _NAMED.fullmatch(name)
    if named:
        return named[1] or named[2]
    sample = list(kept.iloc[:: -(-len(kept) // SAMPLE) or 1])
    guessed = Counter(kind for cell in sample if (kind := _kind_of_cell(cell, modality_of, base)))
    if sample and 2 * guessed.total() >= len(sample):
        return guessed.most_common(1)[0][0]
    texts = [cell for cell in sample if isinstance(cell, str)]
    if texts and 2 * len(texts) >= len(sample) and median(map(_words, texts)) >= TELLING_WORDS:
        return "text"
    return ""


def _words(text: str) -> int:
    return len(_WORD.findall(text[:1_000]))


def _kind_of_cell(cell: Any, modality_of: ModalityOf, base: Path) -> str:
    """What a picture, a sound, a file's name or an address, or the first of a list of these, leads to."""
    if isinstance(cell, (list, tuple)) and not is_sound(cell):
        cell = cell[0] if cell else None
    if is_a(cell, "PIL.Image", "Image"):
        return "image"
    if is_sound(cell) or is_a(cell, "pydub", "AudioSegment"):
        return "audio"
    found: str = ""
    if isinstance(cell, os.PathLike):
        found = modality_of(os.fsdecode(cell), "") or "path"
    elif isinstance(cell, str) and len(cell) <= 1_000 and cell.isprintable():
        found = _of_name(cell, modality_of, base)
    return found if found in {"", "image", "audio"} else "path"


def _of_name(typed: str, modality_of: ModalityOf, base: Path) -> str:
    if is_url(typed):
        return modality_of(urlsplit(typed).path, "") or ""
    found = modality_of(typed, "")
    # by its ending first: most strings are not looked for on the disk
    return found if found and os.path.isfile(base / expand_home(typed)) else ""  # noqa: PTH113


def _said(given: Sequence[Any], contents: Sequence[tuple[int, str]], metadata: Sequence[tuple[int, str]]) -> str:
    shown = [short(name) for name in given]
    held = _listed([f"{shown[place]} -> {kind}" for place, kind in contents])
    rest = _listed([name if shown[place] == name else f"{shown[place]} as {name}" for place, name in metadata])
    return f"columns: {held}" + (f"; {rest} -> metadata" if rest else "")


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
