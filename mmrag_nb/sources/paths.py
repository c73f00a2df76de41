"""Paths, globs and folders to items."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from itertools import islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from mmrag_nb.errors import SourceError, nearest
from mmrag_nb.reports import Skipped
from mmrag_nb.types import Item, Metadata, Modality, Resolved

from .folders import recorded
from .globs import Matches, expand_home, has_magic, is_folder
from .matching import Found, ModalityOf, Search, find, subtitles_beside
from .refused import reason, remedies

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FILE_BYTES = 10 << 30
"""Larger files are refused; each loader has a limit of its own below this."""

_SPECIAL = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def resolve_path(
    typed: str, metadata: Metadata, search: Search, *, max_bytes: int = MAX_FILE_BYTES
) -> Iterator[Resolved | Skipped]:
    """Turn one path, glob or folder into items, in the order of their names.

    An existing file wins over the reading of its name as a glob. Hidden files in folders are left out, and what is
    ignored by patterns; that, and files of unsupported kinds that a glob or folder holds, is told in a line each.

    Parameters
    ----------
    typed
        As the user wrote it; relative to the ``base`` of ``search``. Items are shown under this name.
    search
        Where ``records`` are wished, the files that a glob or folder finds in each folder make one record.
    max_bytes
        Largest size of a file, bytes.
    """
    if unusable := _unusable(typed):
        yield Skipped(repr(typed), unusable)
        return
    path, modality_of = search.base / expand_home(typed), search.modality_of
    led = find(typed, search)
    if led is None:
        yield _one(typed, path, metadata, modality_of, max_bytes)
        return
    found = _several(typed, path, led, metadata, modality_of, max_bytes=max_bytes)
    yield from recorded(found, led.matches, modality_of) if search.records else found


def _one(typed: str, path: Path, metadata: Metadata, modality_of: ModalityOf, max_bytes: int) -> Resolved | Skipped:
    name = _clean(typed)
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # never opened: a pipe would wait for ever
            return Skipped(name, f"{_SPECIAL.get(stat.S_IFMT(mode), 'something special')}, not a file")
        modality = modality_of(_clean(path.name), "")
        if modality is None:
            return Skipped(name, reason(_clean(path.suffix.lower())))
        return _item(name, path, modality, metadata, max_bytes)
    except FileNotFoundError:
        return Skipped(name, missing(typed, path))
    except (SourceError, OSError) as error:
        return Skipped(name, _reason(error))


def _unusable(typed: str) -> str:
    if not typed.strip():
        return "an empty name: type a path, a glob or a URL"
    try:
        return "a path cannot hold a NUL character" if b"\0" in os.fsencode(typed) else ""
    except UnicodeEncodeError:
        return "a path cannot hold half a surrogate pair"


def _several(
    typed: str, path: Path, led: Found, metadata: Metadata, modality_of: ModalityOf, *, max_bytes: int
) -> Iterator[Resolved | Skipped]:
    unsupported: Counter[str] = Counter()
    matches = led.matches
    yield from (*led.skipped, *matches.skipped)
    for shown, file in matches.files:
        name = _clean(str(shown))
        try:
            if not stat.S_ISREG(file.stat().st_mode):
                unsupported["special files"] += 1
            elif (modality := modality_of(_clean(file.name), "")) is None:
                unsupported[_clean(file.suffix.lower()) or "without an extension"] += 1
            else:
                yield _item(name, file, modality, metadata, max_bytes)
        except FileNotFoundError:
            yield Skipped(name, "a link that leads nowhere" if file.is_symlink() else "no longer there")
        except (SourceError, OSError) as error:
            yield Skipped(name, _reason(error))
    if unsupported:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(unsupported.items()))
        total = unsupported.total()
        files = f"{total} {'file' if total == 1 else 'files'} of unsupported kinds ({kinds})"
        yield Skipped(_clean(typed), "; ".join(filter(None, (files, remedies(sorted(unsupported))))))
    if led.ignored:
        yield Skipped(_clean(typed), led.ignored)
    elif not matches.files and not matches.skipped:
        yield Skipped(_clean(typed), _nothing(typed, path, matches))


def _nothing(typed: str, path: Path, matches: Matches) -> str:
    if matches.folders:
        return f"matches folders only: name one, such as {_clean(str(matches.folders[0]))!r}, to take what is in it"
    if is_folder(path):
        return "the folder holds no files (hidden ones are left out)"
    return _unmatched(typed, path)


def _item(name: str, path: Path, modality: Modality, metadata: Metadata, max_bytes: int) -> Resolved:
    size = path.stat().st_size
    if size == 0:
        raise SourceError("empty file")
    if size > max_bytes:
        raise SourceError(f"{size:,} bytes; files of up to {max_bytes:,} are taken: cut it into parts")
    # A film is another with other subtitles: with the same hash, they would never be read.
    beside = subtitles_beside(path) if modality == "video" else []
    return Resolved(Item(_hash(path, *beside), name, modality, metadata), path)


def _hash(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def missing(typed: str, path: Path) -> str:
    """Say what is missing of the file ``path``, written ``typed``, and name the nearest that exists."""
    if path.is_symlink():
        return "a link that leads nowhere"
    folder, name = _first_missing(path)
    if folder != path.parent:
        return _no_folder(name, folder)
    near = _nearest(name, folder)
    if not near:
        return f"no such file in {_clean(_shown(folder))!r}"
    return f"no such file: did you mean {_clean(str(PurePath(typed).parent / near))!r}?"


def _unmatched(typed: str, path: Path) -> str:
    """The same of a pattern that matches nothing: a folder's name may be wrong, or the files' ending."""
    folder, name = _first_missing(path)
    if not has_magic(name):
        return _no_folder(name, folder)
    near = nearest(name, {f"*{PurePath(one).suffix}" for one in _names(folder)} - {"*"}, cutoff=0.7)
    if folder != path.parent or not near:
        return "no file matches this pattern"
    return f"no file matches this pattern: did you mean {_clean(str(PurePath(typed).parent / near))!r}?"


def _first_missing(path: Path) -> tuple[Path, str]:
    """The innermost folder on the way to ``path`` that exists, and the name that is not in it."""
    folder, name = path.parent, path.name
    while not is_folder(folder) and folder != folder.parent:
        folder, name = folder.parent, folder.name
    return folder, name


def _no_folder(name: str, folder: Path) -> str:
    near = _nearest(name, folder)
    if not near:
        return f"no folder {_clean(name)!r} in {_clean(_shown(folder))!r}"
    return f"no folder {_clean(name)!r}: did you mean {_clean(near)!r}?"


def _shown(folder: Path) -> str:
    try:
        return str(Path("~") / folder.relative_to(Path.home()))
    except (ValueError, RuntimeError):
        return str(folder)


def _nearest(name: str, folder: Path) -> str:
    return nearest(name, _names(folder), cutoff=0.6)


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in islice(entries, 5_000)]
    except OSError:
        return []


def _reason(error: SourceError | OSError) -> str:
    """One line, without the path that an ``OSError`` repeats."""
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or type(error).__name__}"
    return str(error)


def _clean(text: str) -> str:
    """``text`` without the surrogates that stand for a file name's undecodable bytes: no database takes them."""
    return text.encode("utf-8", "replace").decode()
