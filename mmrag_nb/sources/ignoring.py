"""What folders and globs leave out: by patterns as in .gitignore, and what nobody means to index."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pathspec import GitIgnoreSpec

from mmrag_nb.reports import Skipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

IGNORE_FILE = ".mmragignore"
"""Patterns for the folder it lies in, and all below."""
_MAX_BYTES = 1 << 20
"""Largest size of :data:`IGNORE_FILE`, bytes."""
_NOBODYS = frozenset({"__pycache__", "node_modules", "thumbs.db", "desktop.ini"})
_OUR_OWN = (".mmrag", ".mmrag-wal", ".mmrag-shm", ".mmrag-journal")
_ENVIRONMENT = "pyvenv.cfg"
_MOST_TOLD = 8
"""Patterns that are named in one line."""


@dataclass(frozen=True)
class _Level:
    """The patterns that count below one folder."""

    below: str
    """The folder, with a separator at its end."""
    lines: tuple[str, ...]

    @cached_property
    def spec(self) -> GitIgnoreSpec:
        return GitIgnoreSpec.from_lines(self.lines)

    def says(self, path: str, *, folder: bool) -> tuple[bool | None, str]:
        """Whether it leaves ``path`` out (``None``: it says nothing of it), and by which pattern."""
        shown = path[len(self.below) :].replace(os.sep, "/") + "/" * folder
        checked = self.spec.check_file(shown)
        return checked.include, "" if checked.index is None else self.lines[checked.index]


class Ignoring:
    """What one walk over folders leaves out.

    As with git, the last pattern that fits decides, ``!`` takes back, a folder's own :data:`IGNORE_FILE` counts before
    that of a folder around it, and nothing in a folder that is left out can be taken back.

    Parameters
    ----------
    patterns
        These count before any file's, below ``root``.
    root
        Where the walk begins.
    base
        The files of folders from here to ``root`` count as well, where ``root`` is below it.
    """

    def __init__(self, patterns: Sequence[str], root: Path, base: Path) -> None:
        self.skipped: list[Skipped] = []
        """Patterns, and files of them, that are of no use."""
        self._left: dict[str, tuple[str, bool]] = {}
        """What was left out: by which pattern, and whether it is a folder."""
        self._entered: set[Path] = set()
        self._levels: list[_Level] = []  # the innermost first
        around = [] if ".." in root.parts else [one for one in root.parents if one.is_relative_to(base)]
        for folder in [*reversed(around), root]:
            self.enter(folder)
        given = self._usable(patterns, "ignore")
        self._given = _Level(_within(root), given) if given else None

    def enter(self, folder: Path) -> None:
        """Count the patterns of a folder from here on."""
        if folder in self._entered:
            return
        self._entered.add(folder)
        file = folder / IGNORE_FILE
        try:
            if not os.path.isfile(file):  # noqa: PTH113 - pathlib's raises where a folder is closed
                return  # a pipe of that name would wait for ever
            if file.stat().st_size > _MAX_BYTES:
                self.skipped.append(Skipped(_clean(file), f"larger than {_MAX_BYTES:,} bytes, so it was not read"))
                return
            lines = file.read_text("utf-8-sig", errors="replace").splitlines()
        except OSError as error:
            self.skipped.append(Skipped(_clean(file), f"cannot be read: {error.strerror or type(error).__name__}"))
            return
        if usable := self._usable(lines, _clean(file)):
            self._levels.insert(0, _Level(_within(folder), usable))

    def leaves_out(self, path: Path, *, folder: bool, named: bool = False) -> bool:
        """Whether ``path`` is left out, which is counted; patterns alone decide where it is ``named``."""
        if not named and _nobody_means(path.name, folder=folder):
            return True
        if self._given is None and not self._levels:
            return False
        text = str(path)
        for level in (self._given, *self._levels):
            if level is None or not text.startswith(level.below):
                continue
            out, pattern = level.says(text, folder=folder)
            if out is not None:
                if out:
                    self._left[text] = pattern, folder
                return out
        return False

    def told(self) -> str:
        """What was left out by patterns, in one line; empty where nothing was."""
        folders = sum(folder for _, folder in self._left.values())
        files = len(self._left) - folders
        by = Counter(pattern for pattern, _ in self._left.values())
        counts = [f"{files:,} file{'s' * (files != 1)}"] * bool(files)
        counts += [f"{folders:,} folder{'s' * (folders != 1)}"] * bool(folders)
        each = ", ".join(f"{pattern} {count:,}" for pattern, count in by.most_common(_MOST_TOLD))
        more = f", and {len(by) - _MOST_TOLD} more patterns" if len(by) > _MOST_TOLD else ""
        return f"{' and '.join(counts)} ignored ({each}{more})" if counts else ""

    def _usable(self, lines: Iterable[str], where: str) -> tuple[str, ...]:
        usable = []
        for line in lines:
            if not line.strip() or line.startswith("#"):
                continue
            try:
                GitIgnoreSpec.from_lines([line])
            except ValueError:
                self.skipped.append(Skipped(where, f"{line!r} is no pattern as in .gitignore, so it ignores nothing"))
            else:
                usable.append(line)
        return tuple(usable)


def is_environment(names: Iterable[str]) -> bool:
    """Whether a folder of these names is a virtual environment of Python's."""
    return _ENVIRONMENT in names


def _nobody_means(name: str, *, folder: bool) -> bool:
    """Whether no one who names a folder means this in it: caches, what systems leave behind, our own index."""
    return name.lower() in _NOBODYS or (not folder and name.lower().endswith(_OUR_OWN))


def _within(folder: Path) -> str:
    text = str(folder)
    return text if text.endswith(os.sep) else text + os.sep


def _clean(path: Path) -> str:
    return str(path).encode("utf-8", "replace").decode()
