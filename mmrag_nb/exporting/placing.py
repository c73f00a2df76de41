"""Files and folders that are written beside their place and moved there once they are whole."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mmrag_nb.errors import MMRagError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OF_DATASETS = ("dataset_info.json", "state.json")
"""What every folder has that ``datasets`` saved."""


@contextmanager
def beside(path: Path, *, folder: bool, overwrite: bool) -> Iterator[Path]:
    """A place beside ``path`` to write to; it takes that name once the block is through, and is gone if that fails.

    Parameters
    ----------
    path
        Where it goes; the folder it is in must be there.
    folder
        Whether it will be a folder, of ``datasets``.
    overwrite
        Replace what is there.

    Raises
    ------
    MMRagError
        Something is there, or it cannot be written.
    """
    _free(path, folder=folder, overwrite=overwrite)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        yield temporary
        _free(path, folder=folder, overwrite=overwrite)  # it may have come meanwhile
        _synced(temporary)
        _moved(temporary, path)
    except OSError as error:
        raise MMRagError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def _free(path: Path, *, folder: bool, overwrite: bool) -> None:
    if not path.parent.is_dir():
        raise MMRagError(f"there is no folder {path.parent} to write {path.name} to: make it, or name another")
    if not os.path.lexists(path):
        return
    if path.is_dir() != folder:
        right = "name a new folder" if folder else f"name a file in it, such as {path / 'lesson.parquet'}"
        raise MMRagError(f"{path} is a {'file' if folder else 'folder'}: {right}")
    if not overwrite:
        raise MMRagError(f"{path} is there already: name another, or replace it by overwrite=True (--overwrite)")
    if folder and any(path.iterdir()) and not all((path / name).is_file() for name in _OF_DATASETS):
        raise MMRagError(f"{path} holds other things than a dataset, so it is not replaced: name a new folder")


def _synced(place: Path) -> None:
    """See to it that what was written outlives a power cut, before it takes another's name."""
    for file in [place] if place.is_file() else [one for one in place.rglob("*") if one.is_file()]:
        with file.open("rb+") as handle:
            os.fsync(handle.fileno())


def _moved(temporary: Path, path: Path) -> None:
    if not (temporary.is_dir() and path.exists()):
        temporary.replace(path)
        return
    before = path.with_name(f".{path.name}.{secrets.token_hex(4)}")  # a folder takes no other's place
    path.replace(before)
    try:
        temporary.replace(path)
    except OSError:
        before.replace(path)
        raise
    shutil.rmtree(before, ignore_errors=True)
