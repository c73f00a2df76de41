"""As much of a text as an encoder takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .protocols import Encoder


def truncated(text: str, encoder: Encoder) -> str:
    """As much of the beginning of ``text`` as ``encoder`` takes: all of it, or up to the last blank that fits."""
    if encoder.count_tokens(text) <= encoder.max_tokens:
        return text
    # A token has seldom more than 16 characters; what lies far beyond need not be counted again and again.
    low, high = 1, min(len(text), 16 * encoder.max_tokens)
    while low < high:
        middle = (low + high + 1) // 2
        fits = encoder.count_tokens(text[:middle]) <= encoder.max_tokens
        low, high = (middle, high) if fits else (low, middle - 1)
    head = text[:low]
    return head if text[low : low + 1].isspace() or not head.strip().count(" ") else head.rsplit(None, 1)[0]
