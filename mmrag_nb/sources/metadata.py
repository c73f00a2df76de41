"""What the user said of a source, as values that fit into JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import date, time
from typing import Any

from mmrag_nb.errors import SourceError

_DEEPEST = 32
"""Lists and mappings within each other; one that holds itself has no end."""


def plain_metadata(metadata: Mapping[Any, Any]) -> dict[str, Any]:
    """``metadata`` with NumPy numbers, dates and tuples as their JSON counterparts; what is missing (NaN) is ``None``.

    Raises
    ------
    SourceError
        A name is no identifier, or a value has no JSON form.
    """
    return {check_name(name): _plain(str(name), value, 0) for name, value in metadata.items()}


def check_name(name: Any) -> str:
    """``name``, where it can name metadata.

    Raises
    ------
    SourceError
        It is no identifier; the message proposes one.
    """
    if isinstance(name, str) and name.isidentifier():
        return name
    near = _identifier(name, "caption")
    raise SourceError(f"{name!r} cannot name metadata: names are letters, digits and _, such as {near}")


def mended(names: Iterable[Any]) -> list[str]:
    """``names`` as identifiers, each once: ``unit price`` is ``unit_price``; a second one ``unit_price_2``."""
    names = list(names)
    free = {name for name in names if isinstance(name, str) and name.isidentifier()}
    made: dict[str, None] = {}
    for name in names:
        one = plain = name if name in free else _identifier(name, "unnamed")
        count = 1
        # a name that is right as it is goes to the first that bears it
        while one in made or (one in free and one != name):
            count += 1
            one = f"{plain}_{count}"
        made[one] = None
    return list(made)


def _identifier(name: Any, otherwise: str) -> str:
    near = re.sub(r"\W+", "_", str(name)).strip("_")
    return near if near.isidentifier() else f"_{near}" if near else otherwise


def _plain(name: str, value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise SourceError(f"metadata {name!r} is nested more than {_DEEPEST} deep")
    if hasattr(value, "tolist") and getattr(value, "ndim", None) in {0, 1}:  # NumPy's scalars and short arrays
        value = value.tolist()
    if type(value).__name__ in {"NoneType", "NAType", "NaTType"}:  # pandas has two more ways to miss a value
        return None
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (str, bool, int)):
        # half a surrogate pair cannot be kept in any file
        return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {_plain(name, str(key), depth): _plain(name, inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(name, inner, depth + 1) for inner in value]
    raise SourceError(
        f"metadata {name!r} is of type {type(value).__name__}: it takes text, numbers, true/false and lists of these"
    )
