"""Patterns and folders to files."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path, PurePath

from mmrag_nb.reports import Skipped

from .ignoring import Ignoring, is_environment

MAGIC = frozenset("*?[")

DEEPEST = 300
"""Folders within each other that are looked into: more would exhaust Python's stack."""


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


def match(pattern: PurePath, base: Path, ignoring: Ignoring) -> Matches:
    """Find the files that ``pattern`` names below ``base``.

    ``**`` stands for any folders, none included; at the end, for all files below. Hidden names are matched by
    patterns that begin with a dot only. Links to folders are followed, each folder once.
    """
    # pathlib's and glob's own ``**`` either skip links or walk a loop of links until the path is too long.
    fixed, rest = fixed_part(pattern)
    where = base / expand_home(str(fixed))
    walk = _Walk(ignoring)
    if is_folder(where):
        walk.go(where, fixed, rest)
    return walk.matches()


def fixed_part(pattern: PurePath) -> tuple[PurePath, tuple[str, ...]]:
    """The folders that a pattern names as they are, and its parts from the first with a wildcard in it."""
    parts = pattern.parts
    first = next((place for place, part in enumerate(parts) if has_magic(part)), len(parts))
    return PurePath(*parts[:first]), parts[first:]


def is_folder(path: Path) -> bool:
    """Whether there is a folder, without an error for names that no file can have."""
    return os.path.isdir(path)  # noqa: PTH112 - pathlib's raises where a name is too long or a folder is closed


def expand_home(path: str) -> Path:
    """``path`` with a leading ``~`` or ``~name`` replaced by that home, where there is one."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def below(folder: PurePath, where: Path, ignoring: Ignoring, *, named: bool = True) -> Matches:
    """All files below the folder ``where``, hidden ones left out, shown as lying in ``folder``.

    One that was not ``named``, but met on the way, may be what nobody means.
    """
    walk = _Walk(ignoring)
    walk.go(where, folder, ("**",), named=named)
    return walk.matches()


class _Walk:
    """A walk through folders; each is looked through once for the same parts of a pattern."""

    def __init__(self, ignoring: Ignoring) -> None:
        self._ignoring = ignoring
        self._found = Matches()
        self._visited: set[tuple[int, int, int]] = set()
        """(device, inode, parts left) of ``**``."""

    def matches(self) -> Matches:
        """What was found."""
        self._found.files.sort(key=lambda pair: pair[0].parts)
        return self._found

    def go(self, folder: Path, shown: PurePath, parts: tuple[str, ...], *, named: bool = True) -> None:
        """Add what ``parts`` match in ``folder``, which was ``named`` as it is or else met on the way."""
        head, rest = parts[0], parts[1:]
        self._ignoring.enter(folder)
        if not has_magic(head):
            self._step(folder / head, shown / head, rest, named=True)
            return
        if head == "**" and self._seen(folder, len(parts)):
            return
        entries = self._entries(folder, shown)
        if not named and is_environment(entries):
            return
        if head == "**":
            self._all(folder, shown, parts, entries)
            return
        for name in sorted(entries):
            if fnmatch(name, head) and (head.startswith(".") or not name.startswith(".")):
                self._step(folder / name, shown / name, rest, named=False)

    def _all(self, folder: Path, shown: PurePath, parts: tuple[str, ...], entries: dict[str, bool]) -> None:
        """Go on with ``**``: in this folder, and in all below."""
        rest = parts[1:]
        if rest:
            self.go(folder, shown, rest)
        for name, is_dir in sorted(entries.items()):
            path = folder / name
            if name.startswith(".") or (rest and not is_dir) or self._ignoring.leaves_out(path, folder=is_dir):
                continue
            if is_dir and len(path.parts) > DEEPEST:
                told = f"folders within more than {DEEPEST} others are not looked into"
                self._found.skipped.append(Skipped(f"{shown / name}{os.sep}", told))
            elif is_dir:
                self.go(path, shown / name, parts, named=False)
            else:
                self._found.files.append((shown / name, path))

    def _step(self, path: Path, shown: PurePath, rest: tuple[str, ...], *, named: bool) -> None:
        is_dir = is_folder(path)
        if (rest and not is_dir) or not os.path.lexists(path):
            return
        if self._ignoring.leaves_out(path, folder=is_dir, named=named):
            return
        if not is_dir:
            self._found.files.append((shown, path))
        elif rest:
            self.go(path, shown, rest, named=named)
        else:
            self._found.folders.append(shown)

    def _entries(self, folder: Path, shown: PurePath) -> dict[str, bool]:
        """The names in ``folder``, each with whether it is a folder."""
        try:
            with os.scandir(folder) as entries:
                return {entry.name: _leads_to_folder(entry) for entry in entries}
        except FileNotFoundError:
            return {}
        except OSError as error:
            told = f"the folder cannot be read: {error.strerror}"
            self._found.skipped.append(Skipped(f"{shown}{os.sep}", told))
            return {}

    def _seen(self, folder: Path, parts_left: int) -> bool:
        try:
            facts = folder.stat()
        except OSError:
            return True
        key = (facts.st_dev, facts.st_ino, parts_left)
        if key in self._visited:
            return True
        self._visited.add(key)
        return False


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, say
        return False
