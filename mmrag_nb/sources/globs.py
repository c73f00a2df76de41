"""Patterns and folders to files."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path, PurePath

from mmrag_nb.reports import Skipped

MAGIC = frozenset("*?[")


def has_magic(text: str) -> bool:
    """Whether ``text`` can be read as a glob."""
    return not MAGIC.isdisjoint(text)


@dataclass(frozen=True)
class Matches:
    """What a pattern led to, each as (what to show, where it is), sorted by what is shown."""

    files: list[tuple[PurePath, Path]] = field(default_factory=list)
    """Everything that is no folder, special files among them."""
    folders: list[PurePath] = field(default_factory=list)
    """Folders that the pattern named; their contents were not asked for."""
    skipped: list[Skipped] = field(default_factory=list)
    """Folders that could not be read."""


def match(pattern: PurePath, base: Path) -> Matches:
    """Find the files that ``pattern`` names below ``base``.

    ``**`` stands for any folders, none included; at the end, for all files below. Hidden names are matched by
    patterns that begin with a dot only. Links to folders are followed, each folder once.
    """
    # pathlib's and glob's own ``**`` either skip links or walk a loop of links until the path is too long.
    found = Matches()
    first, *rest = pattern.parts
    if pattern.anchor or first.startswith("~"):
        _match(base / expand_home(first), PurePath(first), tuple(rest), found, set())
    else:
        _match(base, PurePath(), pattern.parts, found, set())
    found.files.sort(key=lambda pair: pair[0].parts)
    return found


def is_folder(path: Path) -> bool:
    """Whether there is a folder, without an error for names that no file can have."""
    return os.path.isdir(path)  # noqa: PTH112 - pathlib's raises where a name is too long or a folder is closed


def expand_home(path: str) -> Path:
    """``path`` with a leading ``~`` or ``~name`` replaced by that home, where there is one."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def below(folder: PurePath, where: Path) -> Matches:
    """All files below the folder ``where``, hidden ones left out, shown as lying in ``folder``."""
    found = Matches()
    _match(where, folder, ("**",), found, set())
    found.files.sort(key=lambda pair: pair[0].parts)
    return found


def _match(
    folder: Path, shown: PurePath, parts: tuple[str, ...], found: Matches, visited: set[tuple[int, int, int]]
) -> None:
    """Add to ``found`` what ``parts`` match in ``folder``; ``visited`` has (device, inode, parts left) of ``**``."""
    head, rest = parts[0], parts[1:]
    if not has_magic(head):
        _step(folder / head, shown / head, rest, found, visited)
        return
    if head == "**":
        if _seen(folder, len(parts), visited):
            return
        if rest:
            _match(folder, shown, rest, found, visited)
    for name in _names(folder, shown, found):
        hidden = name.startswith(".")
        if head == "**" and not hidden:
            if is_folder(folder / name):
                _match(folder / name, shown / name, parts, found, visited)
            elif not rest:
                found.files.append((shown / name, folder / name))
        elif head != "**" and fnmatch(name, head) and (not hidden or head.startswith(".")):
            _step(folder / name, shown / name, rest, found, visited)


def _step(
    path: Path, shown: PurePath, rest: tuple[str, ...], found: Matches, visited: set[tuple[int, int, int]]
) -> None:
    if is_folder(path):
        if rest:
            _match(path, shown, rest, found, visited)
        else:
            found.folders.append(shown)
    elif not rest and os.path.lexists(path):
        found.files.append((shown, path))


def _names(folder: Path, shown: PurePath, found: Matches) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        found.skipped.append(Skipped(f"{shown}{os.sep}", f"the folder cannot be read: {error.strerror}"))
        return []


def _seen(folder: Path, parts_left: int, visited: set[tuple[int, int, int]]) -> bool:
    try:
        facts = folder.stat()
    except OSError:
        return True
    key = (facts.st_dev, facts.st_ino, parts_left)
    if key in visited:
        return True
    visited.add(key)
    return False
