"""Patterns over the items of an index."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mmrag_nb.types import Item


def matches(items: Iterable[Item], pattern: str) -> list[Item]:
    """The items whose URI ends like ``pattern``, or lies in the folder that it names.

    As in sources, ``*`` stands for anything within a name, ``**`` for any folders; ``?`` and ``[abc]`` for one
    character. ``*.jpg`` is any picture of that kind, ``photos/*.jpg`` one in a folder of that name. Capitals count.
    """
    parts = pattern.split("/")
    folder = f"{pattern.rstrip('/')}/"
    found = []
    for item in items:
        uri = item.uri.replace("\\", "/")
        names = [uri] if uri.startswith("{{") else uri.split("/")  # what stands in braces is no path
        if uri.startswith(folder) or any(_fits(names[start:], parts) for start in range(len(names))):
            found.append(item)
    return found


def _fits(names: Sequence[str], parts: Sequence[str]) -> bool:
    if not parts or not names:
        return not parts and not names
    if parts[0] == "**":
        return len(parts) == 1 or any(_fits(names[skip:], parts[1:]) for skip in range(len(names)))
    return fnmatchcase(names[0], parts[0]) and _fits(names[1:], parts[1:])
