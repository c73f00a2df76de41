"""What can be written at a place, by the ``metavar`` that a magic declares for it.

============= =======================================================================
SOURCE        a file that can be indexed, a folder, a glob; behind it the names of metadata
EXAMPLE       something to find more of: in the index by its name, else a picture's or a sound's file
EXAMPLES      the former, with commas between them
PICTURE       a picture's file, or a folder on the way to it
SOUND         the same of sound
FILE          an index file, or a folder on the way to it
PARQUET       a Parquet file, or a folder on the way to it
VECTORS       an array's file or an export, and behind it a table's
ITEM          something that is in the index, by its name
FILTER        the names that a filter can ask for, each where one may stand
SPACE         a vector space of the index
MODALITIES    kinds of content, with commas between them
PROVIDER      whose key it is
PROMPT        a prompt that can be chosen by name
SETTING=VALUE a setting and its value, with commas between several
STRATEGY      what that setting can be; so too CLIP, PRESET, STORE, DEVICE and PRECISION
============= =======================================================================

``choices=`` are offered as they are. Anything else is the user's to think of. One FILE or ITEM (``nargs="?"``) may be
written with blanks in it.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traitlets import Bool

from mmrag_nb.generation.keys import NAMES
from mmrag_nb.registry import modality_of
from mmrag_nb.settings import known_values
from mmrag_nb.types import MODALITIES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

    from .session import Session

_TEXT = re.compile(r"""'[^']*'|"[^"]*\"""")
_BEFORE_A_NAME = re.compile(r"(^|[(,=<>]|(^|\W)(and|or|not|in))\s*$")
_ARRAYS, _TABLES = (".npy", ".parquet"), (".csv", ".tsv", ".parquet")
_MOST_FILES = 5_000
"""Names of a folder that are looked at."""


@dataclass(frozen=True)
class Place:
    """Where something is being written."""

    typed: str
    """What stands there so far, without an opening quote."""
    words: tuple[str, ...] = ()
    """The free words before it on its line."""
    cell: str = ""
    """The whole cell."""


def takes_whole_line(action: argparse.Action | None) -> bool:
    """Whether the free words are one name, which may hold blanks."""
    return action is not None and action.nargs == "?" and action.metavar in {"FILE", "ITEM", "PARQUET"}


def candidates(action: argparse.Action | None, place: Place, session: Session) -> list[str]:
    """What may be written for ``action`` at ``place``, best first; not all of it begins with what was typed."""
    if action is None:
        return []
    if action.choices is not None:
        return [] if place.words and not action.option_strings else [str(choice) for choice in action.choices]
    kind = str(action.metavar or "")
    return _KINDS[kind](place, session) if kind in _KINDS else []


def setting_values(setting: str, session: Session) -> list[str]:
    """The values worth offering for a setting; none where there is no such setting, or any number will do."""
    trait = session.settings.traits(config=True).get(setting)
    if trait is None:
        return []
    return ["True", "False"] if isinstance(trait, Bool) else known_values(setting)


def _listed(typed: str, names: Iterable[str]) -> list[str]:
    """Each of ``names`` behind the last comma of ``typed``, if it is not there yet."""
    before, comma, _ = typed.rpartition(",")
    used = {one.strip() for one in before.split(",")}
    return [f"{before}{comma}{name}" for name in names if name not in used]


def _assignments(typed: str, session: Session) -> list[str]:
    start = typed.rfind(",") + 1
    start += len(typed[start:]) - len(typed[start:].lstrip())
    name, equals, _ = typed[start:].partition("=")
    if equals:
        values = [f"{name}={value}" for value in setting_values(name, session)]
    else:
        values = [f"{setting}=" for setting in sorted(session.settings.trait_names(config=True))]
    return [typed[:start] + value for value in values]


def _examples(place: Place, session: Session) -> list[str]:
    there = [name for name in session.example_names() if name not in place.words]
    begun = any(name.lower().startswith(place.typed.lower()) for name in there)
    return there if begun else _files(place.typed, lambda name: modality_of(name) in {"image", "audio"})


def _filters(typed: str, session: Session) -> list[str]:
    """``typed`` with each name that it may go on with; none within a text, or where a name cannot stand."""
    before = _TEXT.sub("0", typed)
    before, begun = re.fullmatch(r"(.*?)(`?\w*)", before, re.DOTALL).groups()  # type: ignore[union-attr]
    if "'" in before or '"' in before or not _BEFORE_A_NAME.search(before):
        return []
    kept = typed[: len(typed) - len(begun)]
    return [f"{kept}{f'`{name}`' if iskeyword(name) else name} " for name in session.field_names()]


def _values_of(setting: str) -> Callable[[Place, Session], list[str]]:
    return lambda _, session: setting_values(setting, session)


def _sources(place: Place) -> list[str]:
    if not place.words:
        return _files(place.typed, lambda name: modality_of(name) is not None, globs=True)
    if place.words[0].startswith("#"):
        return []
    # A line has one source; what follows is said of it.
    used = re.findall(r"(?<=\s)([^\W\d]\w*)=", place.cell)
    return [f"{name}=" for name in dict.fromkeys(["caption", *used]) if f"{name}=" not in " ".join(place.words)]


def _files(typed: str, wanted: Callable[[str], bool], *, globs: bool = False) -> list[str]:
    """Files and folders in the folder that ``typed`` is on the way to, written as it is."""
    if "://" in typed:
        return []
    folder, slash, begun = typed.rpartition("/")
    folder += slash
    try:
        with os.scandir(Path(folder or ".").expanduser()) as entries:
            there = [
                (entry.name, entry.is_dir())
                for entry in islice(entries, _MOST_FILES)
                if begun.startswith(".") or not entry.name.startswith(".")
            ]
    except (OSError, RuntimeError, ValueError):  # no such folder, or home, or name
        return []
    folders = sorted(f"{folder}{name}/" for name, is_folder in there if is_folder)
    names = sorted(name for name, is_folder in there if not is_folder and wanted(name))
    return [*folders, *(folder + name for name in [*names, *(_globs(names) if globs else [])])]


def _globs(names: Iterable[str]) -> list[str]:
    """Patterns for the kinds of which there are several, the most frequent first."""
    kinds = Counter(Path(name).suffix for name in names)
    return [f"*{suffix}" for suffix, n in kinds.most_common() if suffix and n > 1]


def _prompts() -> list[str]:
    from mmrag_nb.generation.templates import template_names

    return list(template_names())


_KINDS: dict[str, Callable[[Place, Session], list[str]]] = {
    "SOURCE": lambda place, _: _sources(place),
    "PICTURE": lambda place, _: _files(place.typed, lambda name: modality_of(name) == "image"),
    "SOUND": lambda place, _: _files(place.typed, lambda name: modality_of(name) == "audio"),
    "PARQUET": lambda place, _: _files(place.typed, lambda name: name.endswith(".parquet")),
    "VECTORS": lambda place, _: _files(place.typed, lambda name: name.endswith(_TABLES if place.words else _ARRAYS)),
    "FILE": lambda place, _: _files(place.typed, lambda name: name.endswith(".mmrag")),
    "ITEM": lambda place, session: [name for name in session.item_names() if name not in place.words],
    "EXAMPLE": _examples,
    "EXAMPLES": lambda place, session: _listed(place.typed, session.example_names()),
    "FILTER": lambda place, session: _filters(place.typed, session),
    "SPACE": lambda _, session: session.space_names(),
    "MODALITIES": lambda place, _: _listed(place.typed, MODALITIES),
    "PROVIDER": lambda place, _: [] if place.words else list(NAMES),
    "PROMPT": lambda place, _: [] if place.words else _prompts(),
    "SETTING=VALUE": lambda place, session: _assignments(place.typed, session),
    **{
        setting.upper(): _values_of(setting)
        for setting in ("clip", "strategy", "preset", "store", "device", "precision")
    },
}


def names_in(namespace: dict[str, Any], hidden: Iterable[str]) -> list[str]:
    """The user's own names, for ``{{name}}``."""
    skipped = {*hidden, "In", "Out", "exit", "quit", "open", "get_ipython"}
    names = (name for name in namespace if isinstance(name, str) and not name.startswith("_"))
    return sorted(name for name in names if name not in skipped)
