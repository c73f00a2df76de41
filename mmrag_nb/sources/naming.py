"""What things without a path are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMING = ("name", "title")
"""Metadata that says how the whole is called, the best first."""
_LABEL = 36
"""Longest name that is taken from a dict or row, characters."""


def told_name(metadata: Mapping[Any, Any]) -> str:
    """What ``metadata`` calls the whole; empty where it does not."""
    for wanted in NAMING:
        for key, value in metadata.items():
            if isinstance(key, str) and key.casefold() == wanted and isinstance(value, str) and value.strip():
                return short(value)
    return ""


def short(value: Any, length: int = _LABEL) -> str:
    """``value`` as a few plain words on one line, without the braces that mark labels."""
    text = value if isinstance(value, str) else str(value)
    plain = "".join(sign if sign.isprintable() and sign not in "{}" else " " for sign in text[: 20 * length])
    words = " ".join(plain.split())
    if len(words) <= length:
        return words
    cut = words[: length - 1]
    return (cut.rpartition(" ")[0] or cut).rstrip(" ,.;:") + "…"


def within(label: str, key: str) -> str:
    """How a row of what is shown as ``label`` is shown: ``{{shoes 3}}``."""
    whole = label.replace("{{", "").replace("}}", "")
    return f"{{{{{whole} {key}}}}}"
