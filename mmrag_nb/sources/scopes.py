"""Which places lie under what was typed, whether or not there is anything any more."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from .exchange import is_url
from .folders import folder_record
from .globs import expand_home, fixed_part, has_magic, is_folder
from .sound import is_sound
from .tables import is_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mmrag_nb.types import Source

_DEEPEST = 8


@dataclass(frozen=True)
class Scope:
    """A folder or glob that was typed."""

    root: str
    """The folder, or what the glob names as it is: absolute, without ``..``."""
    parts: tuple[str, ...]
    """Of the pattern below it."""
    records: bool
    """Whether folders that match are looked into."""

    def covers(self, place: str) -> bool:
        """Whether a file at ``place``, as told by :func:`place_of`, would be found."""
        inside = place.startswith(self.root.rstrip(os.sep) + os.sep)
        return inside and _fits(PurePath(place[len(self.root) :].lstrip(os.sep)).parts, self.parts, deeper=self.records)


def scopes(sources: Iterable[Source], base: Path, *, records: bool) -> list[Scope]:
    """The folders and globs among ``sources``, of those that are there."""
    found = []
    for source in sources:
        if source.label.startswith("{{") and isinstance(source.value, str):
            continue
        for typed in _typed(source.value):
            path = base / expand_home(typed)
            folder = is_folder(path)
            if not folder and (not has_magic(typed) or os.path.lexists(path)):
                continue
            fixed, parts = (PurePath(typed), ("**",)) if folder else fixed_part(PurePath(typed))
            root = place_of(str(fixed), base)
            if root and is_folder(Path(root)):
                found.append(Scope(root, parts, records))
    return found


def place_of(uri: str, base: Path) -> str:
    """Where an item was found: a path, absolute and without ``..``, or an address; empty for a Python object."""
    if uri.startswith("{{"):
        return ""
    return uri if is_url(uri) else os.path.normpath(os.path.join(base, expand_home(uri) if uri[:1] == "~" else uri))  # noqa: PTH118


def is_relative(uri: str) -> bool:
    """Whether it depends on the working directory where an item was found."""
    return not (uri.startswith(("{{", "~")) or is_url(uri) or os.path.isabs(uri))  # noqa: PTH117


def table_of(uri: str) -> str:
    """The table's file whose row ``uri`` names; empty where it names none."""
    file, mark, _ = uri.partition("#")
    while mark and not is_table(file):
        more, mark, _ = uri[len(file) + 1 :].partition("#")
        file = f"{file}#{more}"
    return file if mark else ""


def is_gone(place: str) -> bool:
    """Whether there is surely no file at ``place``: neither a link that leads nowhere nor what may not be seen."""
    if "?" in place:  # this may stand for what no text can hold
        return False
    try:
        os.lstat(place)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def of_its_folder(place: str, record: str | None) -> bool:
    """Whether a file at ``place`` was indexed for itself, or as a part of its folder: of no table's or object's."""
    return record is None or record == folder_record(Path(place).parent).id


def _typed(value: Any, within: tuple[int, ...] = ()) -> Iterator[str]:
    """The names that a source is, or that lists in it hold."""
    if isinstance(value, (str, os.PathLike)):
        name = os.fsdecode(value)
        if name.strip() and "\0" not in name and not is_url(name):
            yield name
    elif (
        isinstance(value, (list, tuple)) and not is_sound(value) and id(value) not in within and len(within) < _DEEPEST
    ):
        for one in value:
            yield from _typed(one, (*within, id(value)))


def _fits(names: Sequence[str], parts: Sequence[str], *, deeper: bool) -> bool:
    if not parts:
        return deeper or not names
    if not names:
        return False
    head, rest = parts[0], parts[1:]
    if head == "**":
        return not rest or _fits(names, rest, deeper=deeper) or _fits(names[1:], parts, deeper=deeper)
    same = fnmatch(names[0], head) if has_magic(head) else names[0] == head
    return same and _fits(names[1:], rest, deeper=deeper)
