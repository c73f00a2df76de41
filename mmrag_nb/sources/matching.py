"""Which files a folder or glob leads to, once ignore patterns and what belongs to other files are left out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from .folders import by_folder
from .globs import Matches, below, expand_home, fixed_part, has_magic, is_folder, match
from .ignoring import Ignoring

if TYPE_CHECKING:
    from mmrag_nb.reports import Skipped
    from mmrag_nb.types import Modality

ModalityOf = Callable[[str, str], "Modality | None"]
"""Which modality a file name and a MIME type (empty where unknown) are loaded as; ``None`` where unsupported."""

SUBTITLES = frozenset({".srt", ".vtt"})
"""Beside a video of the same name these are read with it."""


@dataclass(frozen=True)
class Search:
    """How folders and globs are looked through."""

    modality_of: ModalityOf
    base: Path
    """What relative names are relative to."""
    ignore: Sequence[str] = ()
    """Patterns as in ``.gitignore``, relative to the folder that is named, or to what a glob names as it is."""
    records: bool = False
    """Whether folders that a glob finds are looked into, and files sorted by folder."""


@dataclass(frozen=True)
class Found:
    """What a folder or glob led to."""

    matches: Matches
    ignored: str = ""
    """What patterns left out, in one line."""
    skipped: list[Skipped] = field(default_factory=list)
    """Patterns that are of no use."""


def find(typed: str, search: Search) -> Found | None:
    """Look through the folder or glob ``typed``; ``None`` where it names one file. An existing file is no glob."""
    shown, path = PurePath(typed), search.base / expand_home(typed)
    folder = is_folder(path)
    if not folder and (not has_magic(typed) or os.path.lexists(path)):
        return None
    root = path if folder else search.base / expand_home(str(fixed_part(shown)[0]))
    ignoring = Ignoring(search.ignore, root, search.base)
    matches = below(shown, path, ignoring) if folder else match(shown, search.base, ignoring)
    if search.records:
        matches = by_folder(matches, search.base, ignoring)
    matches = replace(matches, files=_without_subtitles(matches.files, search.modality_of))
    return Found(matches, ignoring.told(), ignoring.skipped)


def subtitles_beside(video: Path) -> list[Path]:
    """The subtitles that lie beside a video: ``talk.srt`` and ``talk.de.srt`` of ``talk.mp4``, by name."""
    try:
        with os.scandir(video.parent) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(f"{video.stem}.") and entry.is_file()]
    except OSError:
        return []
    near = [video.with_name(name) for name in sorted(names)]
    return [one for one in near if one.suffix.lower() in SUBTITLES and video.stem in _stems(one)]


def _stems(subtitles: Path) -> set[str]:
    """What the video may be called."""
    return {subtitles.stem, PurePath(subtitles.stem).stem}


def _without_subtitles(files: list[tuple[PurePath, Path]], modality_of: ModalityOf) -> list[tuple[PurePath, Path]]:
    """``files`` without the subtitles of videos among them, ``talk.srt`` and ``talk.de.srt`` of ``talk.mp4``."""
    if not any(file.suffix.lower() in SUBTITLES for _, file in files):
        return files
    videos = {(file.parent, file.stem) for _, file in files if modality_of(file.name, "") == "video"}

    def belongs(file: Path) -> bool:
        return file.suffix.lower() in SUBTITLES and any((file.parent, stem) in videos for stem in _stems(file))

    return [(shown, file) for shown, file in files if not belongs(file)]
