"""Dicts to what they hold: contents and metadata."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from mmrag_nb.errors import SourceError

from .exchange import is_url
from .naming import short
from .objects import kind_of
from .sound import is_sound

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTENT_KEYS = ("text", "image", "audio", "video", "path", "url")
"""The names of content, in the order of a record's parts; each may be a plural. The rest is metadata."""

METADATA, IGNORE = "metadata", "ignore"
KINDS = (*CONTENT_KEYS, METADATA, IGNORE)
"""What a column or a dict's entry can be said to hold."""


class Apart(NamedTuple):
    """A dict or a row, taken apart."""

    contents: tuple[tuple[str, Any], ...]
    """One or more (one of :data:`CONTENT_KEYS`, value), in their order."""
    metadata: dict[Any, Any]


def take_apart(record: Mapping[Any, Any], kinds: Mapping[str, str] | None = None) -> Apart:
    """Split ``{"image": [front, side], "text": "a red shoe", "price": 3}`` into its contents and its metadata.

    Missing values (``None``, NaN) are no content, unless there is no other. ``kinds`` says of other names what they
    hold: one of :data:`KINDS`.

    Raises
    ------
    SourceError
        Nothing in it is named as content.
    """
    said = {key: kind for key, kind in (kinds or {}).items() if key in record}
    named = {
        kind: [
            *(key for key in (kind, f"{kind}s") if key in record and key not in said),
            *(key for key, other in said.items() if other == kind),
        ]
        for kind in CONTENT_KEYS
    }
    keys = [key for some in named.values() for key in some]
    if not keys:
        names = ", ".join(short(key) for key in list(record)[:5]) or "nothing"
        raise SourceError(f"a dict with {names}: one of {', '.join(CONTENT_KEYS)} must name its content")
    contents = [(kind, value) for kind, some in named.items() for key in some for value in members(record[key])]
    first = next((kind, record[key]) for kind, some in named.items() for key in some)
    left = {*keys, *(key for key, kind in said.items() if kind == IGNORE)}
    rest = {name: value for name, value in record.items() if name not in left}
    return Apart(tuple(contents) or (first,), rest)


def unfit_content(kind: str, value: Any) -> str:
    """Why ``value`` cannot be content of that ``kind``; empty where its type names or is such content."""
    if kind in {"text", "url"} and not isinstance(value, str):
        return f"its {kind} is {kind_of(value)}: it takes a str"
    if kind == "path" and not isinstance(value, (str, os.PathLike)):
        return f"its path is {kind_of(value)}: it takes a str or a pathlib.Path"
    if kind == "url" and not is_url(value):
        return "its url has no http:// or https://: name files by path"
    return ""


def members(value: Any) -> list[Any]:
    """The contents that a field or cell holds: those of a list, of an array of objects, or ``value`` itself."""
    if getattr(value, "ndim", 0) == 1 and getattr(getattr(value, "dtype", None), "kind", "") in {"O", "U"}:
        value = value.tolist()
    if isinstance(value, (list, tuple)) and not is_sound(value):
        return [member for member in value if not is_missing(member)]
    return [] if is_missing(value) else [value]


def is_missing(value: Any) -> bool:
    """Whether ``value`` stands for none: ``None``, NaN, and pandas' two more."""
    if type(value).__name__ in {"NoneType", "NAType", "NaTType"}:
        return True
    return isinstance(value, float) and math.isnan(value)
