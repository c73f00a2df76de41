"""What the Python API is given, as sources."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from mmrag_nb.types import Source

from .naming import short, told_name
from .optional import is_frame, is_series
from .sound import is_sound


def as_sources(sources: Any) -> list[Source]:
    """What the Python API accepts, as sources: one, or any iterable of, paths, globs, URLs and objects, nested too."""
    flat: list[Source] = []
    tables = 0

    def add(one: Any, within: tuple[int, ...]) -> None:
        nonlocal tables
        if isinstance(one, Source):
            flat.append(one)
        elif _is_many(one) and id(one) not in within:
            for part in one:
                add(part, (*within, id(one)))
        elif is_frame(one) or is_series(one):
            tables += 1  # what its rows are called follows
            flat.append(Source(one, label=f"{{{{table{tables if tables > 1 else ''}}}}}"))
        else:
            named = isinstance(one, (str, os.PathLike))
            flat.append(Source(one, label="" if named else f"{{{{{_name(one, len(flat) + 1)}}}}}"))

    add(sources, ())
    return flat


def as_patterns(ignore: str | Iterable[str]) -> list[str]:
    """What is to be ignored, as patterns: one, or several, or several with commas between them."""
    lines = [ignore] if isinstance(ignore, str) else list(ignore)
    return [one.strip() for line in lines for one in line.split(",") if one.strip()]


def _is_many(one: Any) -> bool:
    if isinstance(one, (str, bytes, Mapping)) or is_sound(one):
        return False
    whole = any(hasattr(one, mark) for mark in ("columns", "shape", "raw_data"))
    return isinstance(one, Iterable) and not whole


def _name(one: Any, number: int) -> str:
    """What an object is called: by itself, by its first words, or by its type and place."""
    if isinstance(one, Mapping):
        words = one.get("text")
        return told_name(one) or (short(words) if isinstance(words, str) else "") or f"dict {number}"
    return f"{type(one).__name__} {number}"
