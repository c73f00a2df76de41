"""A lasting place for files that were dropped in: an index names its sources, so they have to stay."""

from __future__ import annotations

import filecmp
from itertools import count
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING

from mmrag_nb.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .uploads import Dropped


def keep(files: Sequence[Dropped], folder: Path) -> list[Path]:
    """Copy ``files`` into ``folder``, made where absent; one of another content gets another name.

    Raises
    ------
    SourceError
        The folder cannot be written.
    """
    kept = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            places = (folder / _numbered(Path(file.path.name), n) for n in count(1))
            place = next(one for one in places if not one.exists() or _equal(one, file.path))
            if not place.exists():
                copyfile(file.path, place)
            kept.append(place)
    except OSError as error:
        raise SourceError(f"cannot keep files in {folder}: {error.strerror or error}") from error
    return kept


def _numbered(path: Path, n: int) -> str:
    return path.name if n == 1 else f"{path.stem}-{n}{path.suffix}"


def _equal(one: Path, other: Path) -> bool:
    return filecmp.cmp(one, other, shallow=False)
