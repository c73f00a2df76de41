"""What the Python API is given, as sources."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from mmrag_nb.types import Source

from .sound import is_sound


def as_sources(sources: Any) -> list[Source]:
    """What the Python API accepts, as sources: one, or any iterable of, paths, globs, URLs and objects, nested too."""
    flat: list[Source] = []

    def add(one: Any) -> None:
        many = isinstance(one, Iterable) and not isinstance(one, (str, bytes, Mapping)) and not hasattr(one, "columns")
        if isinstance(one, Source):
            flat.append(one)
        elif many and not is_sound(one) and not hasattr(one, "shape") and not hasattr(one, "raw_data"):
            for part in one:
                add(part)
        else:
            label = "" if isinstance(one, (str, os.PathLike)) else f"{{{{{type(one).__name__} {len(flat) + 1}}}}}"
            flat.append(Source(one, label=label))

    add(sources)
    return flat
