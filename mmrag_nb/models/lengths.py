"""Texts that are too long for a network are the caller's to split: nothing is cut silently."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def all_fit(texts: Sequence[str], lengths: Sequence[int], most: int) -> None:
    """Make sure that no text has more than ``most`` tokens.

    Raises
    ------
    ValueError
        One has; the message shows its beginning.
    """
    for text, length in zip(texts, lengths, strict=True):
        if length > most:
            raise ValueError(f"a text of {length} tokens, more than {most}: {text[:60]!r}")
