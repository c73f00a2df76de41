"""Sources to names of files and addresses, one at a time: nothing is opened, hashed or kept."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from mmrag_nb.registry import modality_of
from mmrag_nb.reports import Skipped
from mmrag_nb.sources.exchange import is_url
from mmrag_nb.sources.globs import DEEPEST, expand_home, is_folder
from mmrag_nb.sources.ignoring import Ignoring, is_environment
from mmrag_nb.sources.matching import SUBTITLES, Search, find, subtitles_beside
from mmrag_nb.sources.refused import remedies
from mmrag_nb.sources.tables import with_tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mmrag_nb.types import Metadata


@dataclass(frozen=True)
class Named:
    """A file, an address or a table, still to be opened."""

    name: str
    """As it is shown in the end; relative names begin at the base of the run."""
    metadata: Metadata


@dataclass(frozen=True)
class Wanted:
    """What is to be listed."""

    sources: Sequence[Named]
    """Paths, globs, folders and http(s) addresses, as typed."""
    base: Path
    ignore: Sequence[str] = ()


def listed(wanted: Wanted) -> Iterator[Named | Skipped]:
    """All that the sources lead to, in the order of their names; what is known to be of no use with its reason.

    Folders are walked as the listing is read: of a folder of millions, the names of one subfolder at a time are in
    memory. Globs are matched first.
    """
    for source in wanted.sources:
        path = wanted.base / expand_home(source.name)
        if is_url(source.name) or not _is_name(source.name):
            yield source
        elif is_folder(path):
            yield from _Walk(source, path, Ignoring(wanted.ignore, path, wanted.base)).all()
        else:
            yield from _matched(source, wanted)


def _is_name(typed: str) -> bool:
    """Whether a file can be called so; if not, whoever opens it tells why."""
    return bool(typed.strip()) and "\0" not in typed


def _matched(source: Named, wanted: Wanted) -> Iterator[Named | Skipped]:
    found = find(source.name, Search(with_tables(modality_of), wanted.base, wanted.ignore))
    if found is None or not found.matches.files:  # a file, or nothing: whoever opens it tells
        yield source
        return
    yield from (*found.skipped, *found.matches.skipped)
    unsupported = _Unsupported()
    for shown, file in found.matches.files:
        if unsupported.takes(file.name):
            yield Named(str(shown), source.metadata)
    yield from unsupported.told(source.name)
    if found.ignored:
        yield Skipped(_clean(source.name), found.ignored)


@dataclass
class _Unsupported:
    """Files of kinds that nothing loads: counted, not named."""

    kinds: Counter[str] = field(default_factory=Counter)

    def takes(self, name: str) -> bool:
        """Whether a file of that name is loaded; counts it where it is not."""
        if with_tables(modality_of)(_clean(name), "") is not None:
            return True
        self.kinds[_clean(PurePath(name).suffix.lower()) or "without an extension"] += 1
        return False

    def told(self, source: str) -> Iterator[Skipped]:
        if self.kinds:
            kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(self.kinds.items()))
            total = self.kinds.total()
            files = f"{total:,} {'file' if total == 1 else 'files'} of unsupported kinds ({kinds})"
            yield Skipped(_clean(source), "; ".join(filter(None, (files, remedies(sorted(self.kinds))))))


@dataclass
class _Walk:
    """A walk through one folder that was typed, as the plain path takes it, but one subfolder at a time."""

    source: Named
    root: Path
    ignoring: Ignoring
    unsupported: _Unsupported = field(default_factory=_Unsupported)
    empty: bool = True
    visited: set[tuple[int, int]] = field(default_factory=set)
    """(device, inode) of the folders so far: links may lead in circles."""

    def all(self) -> Iterator[Named | Skipped]:
        yield from self.ignoring.skipped
        yield from self._below(self.root, PurePath(self.source.name))
        yield from self.unsupported.told(self.source.name)
        if told := self.ignoring.told():
            yield Skipped(_clean(self.source.name), told)
        elif self.empty:
            yield Skipped(_clean(self.source.name), "the folder holds no files (hidden ones are left out)")

    def _below(self, folder: Path, shown: PurePath) -> Iterator[Named | Skipped]:
        self.ignoring.enter(folder)
        try:
            facts = folder.stat()
            with os.scandir(folder) as entries:
                names = sorted((one.name, _leads_to_folder(one)) for one in entries)
        except FileNotFoundError:
            return
        except OSError as error:
            self.empty = False
            yield Skipped(_clean(f"{shown}{os.sep}"), f"the folder cannot be read: {error.strerror}")
            return
        if (facts.st_dev, facts.st_ino) in self.visited:
            return
        self.visited.add((facts.st_dev, facts.st_ino))
        if folder != self.root and is_environment(name for name, _ in names):
            return
        beside = _subtitles(folder, [name for name, is_dir in names if not is_dir])
        for name, is_dir in names:
            path = folder / name
            if name.startswith(".") or name in beside or self.ignoring.leaves_out(path, folder=is_dir):
                continue
            self.empty = False
            if not is_dir:
                if self.unsupported.takes(name):
                    yield Named(str(shown / name), self.source.metadata)
            elif len(path.parts) > DEEPEST:
                told = f"folders within more than {DEEPEST} others are not looked into"
                yield Skipped(_clean(f"{shown / name}{os.sep}"), told)
            else:
                yield from self._below(path, shown / name)


def _subtitles(folder: Path, names: Sequence[str]) -> set[str]:
    """Those of ``names`` that are read with a video beside them."""
    if not any(PurePath(name).suffix.lower() in SUBTITLES for name in names):
        return set()
    videos = [name for name in names if modality_of(name, "") == "video"]
    return {one.name for video in videos for one in subtitles_beside(folder / video)}


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
