"""Folders as records: the files of one folder belong together."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import SourceError
from mmrag_nb.reports import Skipped
from mmrag_nb.types import Record, Resolved

from .globs import Matches, below, expand_home
from .metadata import mended, plain_metadata
from .records import part_of

if TYPE_CHECKING:
    from mmrag_nb.types import Modality

    from .ignoring import Ignoring

METADATA = "metadata.json"
"""The file of a folder that says what is known of its record."""
_MAX_BYTES = 1 << 20
"""Largest size of :data:`METADATA`, bytes."""


def by_folder(matches: Matches, base: Path, ignoring: Ignoring) -> Matches:
    """``matches`` sorted by folder, with what is below the folders among them, and without :data:`METADATA`."""
    files, skipped = dict.fromkeys(matches.files), list(matches.skipped)
    for shown in matches.folders:
        within = below(shown, base / expand_home(str(shown)), ignoring, named=False)
        files |= dict.fromkeys(within.files)
        skipped += within.skipped
    kept = [(shown, file) for shown, file in files if file.name != METADATA]
    return Matches(sorted(kept, key=lambda pair: (pair[0].parent.parts, pair[0].name)), [], skipped)


def recorded(
    found: Iterator[Resolved | Skipped], matches: Matches, modality_of: Callable[[str, str], Modality | None]
) -> Iterator[Resolved | Skipped]:
    """What was ``found`` of ``matches``, the files of each folder as the parts of one record."""
    pictured = {file.parent for _, file in matches.files if modality_of(file.name, "") == "image"}
    folder: Path | None = None
    for outcome in found:
        if not isinstance(outcome, Resolved) or not isinstance(outcome.content, Path):
            yield outcome
            continue
        notes: tuple[str, ...] = ()
        first = outcome.content.parent != folder
        if first:
            folder = outcome.content.parent
            record, said = folder_record(folder), dict[str, Any]()
            try:
                said, notes = _metadata(folder / METADATA)
            except SourceError as error:
                place = os.path.join(os.path.dirname(outcome.item.uri), METADATA)  # noqa: PTH118, PTH120
                yield Skipped(place, f"{error}; its folder is indexed without it")
        item = replace(outcome.item, metadata={**outcome.item.metadata, **said})
        whole = replace(outcome, item=item, notes=(*outcome.notes, *notes))
        yield part_of(record, whole, caption=folder not in pictured and first)


def folder_record(folder: Path) -> Record:
    """The record that the files of ``folder`` make."""
    # Links are resolved: two ways to one folder lead to one record.
    place = hashlib.sha256(b"folder\n" + os.fsencode(os.path.realpath(folder)))
    name = os.path.basename(os.path.abspath(folder)) or str(folder)  # noqa: PTH100, PTH119
    return Record(place.hexdigest(), name.encode("utf-8", "replace").decode())


def _metadata(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What the file says, and a remark on it; nothing where there is none."""
    if not path.is_file():  # a pipe of that name would wait for ever
        return {}, ()
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise SourceError(f"larger than {_MAX_BYTES:,} bytes")
        said = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror or type(error).__name__}") from None
    except (ValueError, RecursionError) as error:
        line = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise SourceError(f"is no JSON{line}") from None
    if not isinstance(said, Mapping):
        raise SourceError('is no JSON object: write it as {"price": 3}')
    names = mended(said)
    plain = plain_metadata(dict(zip(names, said.values(), strict=True)))
    return plain, (f"{METADATA}: {', '.join(names)} -> metadata of its folder",) if names else ()
