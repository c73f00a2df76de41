"""What the user said of a source, as values that fit into JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, time
from typing import Any

from mmrag_nb.errors import SourceError


def plain_metadata(metadata: Mapping[Any, Any]) -> dict[str, Any]:
    """``metadata`` with NumPy numbers, dates and tuples as their JSON counterparts; what is missing (NaN) is ``None``.

    Raises
    ------
    SourceError
        A name is no identifier, or a value has no JSON form.
    """
    return {check_name(name): _plain(str(name), value) for name, value in metadata.items()}


def check_name(name: Any) -> str:
    """``name``, where it can name metadata.

    Raises
    ------
    SourceError
        It is no identifier; the message proposes one.
    """
    if isinstance(name, str) and name.isidentifier():
        return name
    near = re.sub(r"\W+", "_", str(name)).strip("_")
    near = near if near.isidentifier() else f"_{near}" if near else "caption"
    raise SourceError(f"{name!r} cannot name metadata: names are letters, digits and _, such as {near}")


def _plain(name: str, value: Any) -> Any:
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
        return {_plain(name, str(key)): _plain(name, inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(name, inner) for inner in value]
    raise SourceError(
        f"metadata {name!r} is of type {type(value).__name__}: it takes text, numbers, true/false and lists of these"
    )
