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

from mmrag_nb.errors import SourceError, UnknownName, nearest

from .dicts import CONTENT_KEYS, IGNORE, KINDS, METADATA, members
from .exchange import is_url
from .globs import expand_home
from .metadata import mended, plain_metadata
from .naming import NAMING, short, within
from .optional import is_a
from .sound import is_sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mmrag_nb.types import Modality

    ModalityOf = Callable[[str, str], Modality | None]
    Leads = Callable[[str], bool]
    """Whether there is a file of that name."""

SAMPLE = 500
"""Cells of a column that are looked at to guess what it holds, evenly spread."""
TELLING_WORDS = 5
"""From this median number of words on, a column of strings is text and no metadata."""

_NAMED = re.compile(r"(?:.*_)?(path|url)s?|(text|image|audio|video)s?")
_WORD = re.compile(r"[぀-ヿ㐀-鿿가-힯]{1,2}|[^\s぀-ヿ㐀-鿿가-힯]+")
"""Chinese, Japanese and Korean write no spaces that tell words apart: two signs count as one."""
_WITHOUT_CONTENT = (
    "no column holds content, so each row is a text of its cells (say otherwise with columns= in Python, --columns in "
    "the magic)"
)
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


def checked_kinds(kinds: Mapping[str, str]) -> dict[str, str]:
    """``{"photo": "image", "note": "text"}``, where each is one of :data:`KINDS`.

    Raises
    ------
    UnknownName
        One is none of them; the message names the nearest.
    """
    for kind in kinds.values():
        if kind not in KINDS:
            raise UnknownName("kind of column", kind, KINDS)
    return dict(kinds)


def columns_of(
    frame: Any,
    modality_of: ModalityOf,
    base: Path,
    kinds: Mapping[str, str] | None = None,
    *,
    leads: Leads | None = None,
    plain: Sequence[bool] = (),
) -> Columns:
    """Tell content from metadata: by what is said of the columns, by their names, then by some of their cells.

    Where none holds content, :func:`rows` makes each row a text of its cells, and the note says so.

    Parameters
    ----------
    frame, modality_of, base
        The table, what loads which file, and what relative paths are relative to.
    kinds
        What some columns hold, by name: one of :data:`KINDS`.
    leads
        Whether there is a file of a name, instead of looking into ``base``.
    plain
        Whether each column is known to hold numbers, times or the like, which are no content.

    Raises
    ------
    SourceError
        There are no rows or no columns, or no column of a name that is in ``kinds``.
    """
    if not len(frame):
        raise SourceError("a table without rows")
    if not len(frame.columns):
        raise SourceError("a table without columns")
    leads = leads or (lambda typed: os.path.isfile(base / expand_home(typed)))  # noqa: PTH113
    given = _given(frame)
    names = mended("caption" if str(name).casefold() == "caption" else name for name in given)
    said = _places(kinds or {}, given, names)
    found = [
        said[place]
        if place in said
        else ""
        if plain and plain[place]
        else _kind(name, frame.iloc[:, place], modality_of, leads)
        for place, name in enumerate(given)
    ]
    contents = sorted(
        ((place, kind) for place, kind in enumerate(found) if kind in CONTENT_KEYS),
        key=lambda pair: CONTENT_KEYS.index(pair[1]),
    )
    metadata = [(place, name) for place, name in enumerate(names) if found[place] in {"", METADATA}]
    ignored = [place for place, kind in enumerate(found) if kind == IGNORE]
    folded = [name.casefold() for name in names]
    naming = [tuple(folded.index(name) for name in wanted if name in folded) for wanted in (NAMING, ("id",))]
    note = _said(given, contents, metadata, ignored) + ("" if contents else f"; {_WITHOUT_CONTENT}")
    return Columns(tuple(contents), tuple(metadata), note, *naming)


def _given(frame: Any) -> list[Any]:
    """The columns' names; one of several levels is joined."""
    return ["_".join(filter(None, map(str, name))) if isinstance(name, tuple) else name for name in frame.columns]


def _places(kinds: Mapping[str, str], given: Sequence[Any], names: Sequence[str]) -> dict[int, str]:
    """``kinds`` by the columns' places; each may be named as it is, or as metadata would be."""
    known = {name: place for place, name in reversed(list(enumerate(names)))}
    known |= {str(name): place for place, name in reversed(list(enumerate(given)))}
    places = {}
    for name, kind in kinds.items():
        if name not in known:
            near = nearest(str(name), known)
            hint = f"did you mean {near!r}?" if near else f"there are {_listed([short(one) for one in given])}"
            raise SourceError(f"no column {name!r}: {hint}")
        places[known[name]] = kind
    return places


def rows(frame: Any, columns: Columns, label: str, labelled: Callable[[str, str], str] = within) -> Iterator[Row]:
    """The rows of ``frame`` one by one, each shown as ``label`` with its name or its index: ``{{shoes 3}}``.

    ``labelled`` joins the two. Where no column holds content, a row is a text of its cells. Cells that fit into no
    metadata are left out, which the first row of each column says.
    """
    said: set[str] = set()
    given = _given(frame)
    called = {name: short(given[place]) for place, name in columns.metadata}
    cells = zip(*(frame.iloc[:, place] for place in range(len(frame.columns))), strict=True)
    for index, row in zip(frame.index, cells, strict=True):
        metadata, wrong = _metadata(columns, row)
        notes = tuple(reason for name, reason in wrong.items() if name not in said)
        said |= wrong.keys()
        name = next((word for place in columns.names if (word := _key(row[place]))), "")
        key = name or next((word for place in columns.ids if (word := _key(row[place]))), "") or _key(index)
        held = _contents(columns, row) if columns.contents else _as_text(called, metadata)
        yield Row(labelled(label, key), name, held, metadata, notes)


def contents(frame: Any, columns: Columns) -> Iterator[tuple[tuple[str, Any], ...]]:
    """The contents of each row, without the rest."""
    if not columns.contents:
        yield from (row.contents for row in rows(frame, columns, ""))
        return
    places = [place for place, _ in columns.contents]
    narrow = Columns(tuple((new, kind) for new, (_, kind) in enumerate(columns.contents)), (), "")
    for row in zip(*(frame.iloc[:, place] for place in places), strict=True):
        yield _contents(narrow, row)


def values(series: Any, label: str, modality_of: ModalityOf, base: Path) -> Iterator[tuple[str, Any, bool]]:
    """Each value of ``series`` that is not missing: how it is shown, the value, and whether it is a text as it stands.

    Strings are texts, unless the name or most of the values say that they name files.
    """
    strings = series[[isinstance(value, str) for value in series]]
    kind = _kind(series.name, strings, modality_of, lambda typed: os.path.isfile(base / expand_home(typed)))  # noqa: PTH113
    for index, value in zip(series.index, series, strict=True):
        if _has_content(value):
            yield within(label, _key(index)), value, kind in {"", "text"}


def _contents(columns: Columns, row: Sequence[Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(
        (kind, value) for place, kind in columns.contents for value in members(row[place]) if _has_content(value)
    )


def _as_text(called: Mapping[str, str], metadata: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """``title: Dune; pages: 412``."""
    cells = [f"{called[name]}: {_plain(value)}" for name, value in metadata.items() if _has_content(value)]
    return (("text", "; ".join(cells)),) if cells else ()


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


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


def _kind(given: Any, column: Any, modality_of: ModalityOf, leads: Leads) -> str:
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
    guessed = Counter(kind for cell in sample if (kind := _kind_of_cell(cell, modality_of, leads)))
    if sample and 2 * guessed.total() >= len(sample):
        return guessed.most_common(1)[0][0]
    texts = [cell for cell in sample if isinstance(cell, str)]
    if texts and 2 * len(texts) >= len(sample) and median(map(_words, texts)) >= TELLING_WORDS:
        return "text"
    return ""


def _words(text: str) -> int:
    return len(_WORD.findall(text[:1_000]))


def _kind_of_cell(cell: Any, modality_of: ModalityOf, leads: Leads) -> str:
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
        found = _of_name(cell, modality_of, leads)
    return found if found in {"", "image", "audio", "video"} else "path"


def _of_name(typed: str, modality_of: ModalityOf, leads: Leads) -> str:
    if is_url(typed):
        return modality_of(urlsplit(typed).path, "") or ""
    found = modality_of(typed, "")
    # by its ending first: most strings are not looked for on the disk
    return found if found and leads(typed) else ""


def _said(
    given: Sequence[Any],
    contents: Sequence[tuple[int, str]],
    metadata: Sequence[tuple[int, str]],
    ignored: Sequence[int],
) -> str:
    shown = [short(name) for name in given]
    held = _listed([f"{shown[place]} -> {kind}" for place, kind in contents])
    rest = _listed([name if shown[place] == name else f"{shown[place]} as {name}" for place, name in metadata])
    left = _listed([shown[place] for place in ignored])
    parts = (held, f"{rest} -> metadata" if rest else "", f"{left} -> ignored" if left else "")
    return f"columns: {'; '.join(filter(None, parts))}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
