"""The recorded split: which drawings were learned from and which were held out; small enough to ship."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .sets import KEYWORDS_PACKAGE, KEYWORDS_VERSION, NAMES_PACKAGE, NAMES_VERSION, find_set

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .drawings import Drawings
    from .names import Emoji

DIGEST = 8
"""Hexadecimal digits kept of a drawing's SHA-256."""


def record_split(names: Sequence[Emoji], drawings: Sequence[Drawings], captioned: Iterable[int]) -> dict[str, Any]:
    """Describe a training: JSON values only.

    ``styles`` has for each style its role, package, version, licence, the digests of its drawings (`DIGEST` hexadecimal
    digits each, joined), and the emoji it draws as a bit mask over ``codes`` (hexadecimal, the first emoji the lowest
    bit). ``captioned`` is the mask of the emoji whose names, aliases and keywords were used as captions.
    """
    return {
        "names": {NAMES_PACKAGE: NAMES_VERSION, KEYWORDS_PACKAGE: KEYWORDS_VERSION},
        "codes": [each.code for each in names],
        "captioned": pack(captioned),
        "styles": {each.style: _describe(each) for each in drawings},
    }


def pack(numbers: Iterable[int]) -> str:
    """Write a set of numbers as a bit mask in hexadecimal."""
    return f"{sum(1 << number for number in set(numbers)):x}"


def unpack_mask(mask: str) -> set[int]:
    """Read a set of numbers from a bit mask in hexadecimal."""
    bits = int(mask, 16)
    return {number for number in range(bits.bit_length()) if bits >> number & 1}


def digests(style: dict[str, Any]) -> set[str]:
    """Read the digests of a recorded style."""
    joined = style["drawings"]
    return {joined[start : start + DIGEST] for start in range(0, len(joined), DIGEST)}


def _describe(drawings: Drawings) -> dict[str, Any]:
    which = find_set(drawings.style)
    return {
        "role": which.role,
        "package": which.package,
        "version": which.version,
        "licence": which.licence,
        "count": len(drawings.digests),
        "emoji": pack(drawings.emoji.tolist()),
        "drawings": "".join(digest[:DIGEST] for digest in drawings.digests),
    }
