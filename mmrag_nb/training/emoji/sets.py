"""The emoji sets: where each style comes from, under which licence, and what it may be used for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class EmojiSet:
    """One style: the same emoji drawn by one house."""

    style: str
    title: str
    package: str
    """npm package, fetched with ``npm pack``."""
    version: str
    author: str
    licence: str
    """SPDX identifier of the drawings' licence."""
    source: str
    role: Role
    """``train``; ``validation``: looked at for choices, never trained on; ``test``: looked at once, for the figures."""
    form: Literal["iconify", "pictures", "font"] = "iconify"


SETS: tuple[EmojiSet, ...] = (
    EmojiSet(
        "noto", "Noto Emoji", "@iconify-json/noto", "1.2.9", "Google", "Apache-2.0", "github.com/googlefonts/noto-emoji", "train"
    ),
    EmojiSet(
        "noto-v1", "Noto Emoji (blobs)", "@iconify-json/noto-v1", "1.2.5", "Google", "Apache-2.0",
        "github.com/googlefonts/noto-emoji", "train",
    ),
    EmojiSet(
        "noto-line", "Noto Emoji (monochrome font)", "@fontsource/noto-emoji", "5.3.2", "Google", "OFL-1.1",
        "github.com/googlefonts/noto-emoji", "train", "font",
    ),
    EmojiSet(
        "twemoji", "Twemoji", "@iconify-json/twemoji", "1.2.5", "Twitter and contributors", "CC-BY-4.0",
        "github.com/jdecked/twemoji", "train",
    ),
    EmojiSet(
        "fluent", "Fluent Emoji (colour)", "@iconify-json/fluent-emoji", "1.2.7", "Microsoft Corporation", "MIT",
        "github.com/microsoft/fluentui-emoji", "train",
    ),
    EmojiSet(
        "fluent-flat", "Fluent Emoji (flat)", "@iconify-json/fluent-emoji-flat", "1.2.6", "Microsoft Corporation", "MIT",
        "github.com/microsoft/fluentui-emoji", "train",
    ),
    EmojiSet(
        "fluent-line", "Fluent Emoji (high contrast)", "@iconify-json/fluent-emoji-high-contrast", "1.2.6",
        "Microsoft Corporation", "MIT", "github.com/microsoft/fluentui-emoji", "train",
    ),
    EmojiSet(
        "fluent-3d", "Fluent Emoji (3D)", "@lobehub/fluent-emoji-3d", "1.1.0", "Microsoft Corporation; packaged by LobeHub",
        "MIT", "github.com/lobehub/fluent-emoji", "train", "pictures",
    ),
    EmojiSet(
        "emojione", "Emoji One 2.3 (colour)", "@iconify-json/emojione", "1.2.3", "Emoji One, EmojiTwo", "CC-BY-4.0",
        "github.com/EmojiTwo/emojitwo", "train",
    ),
    EmojiSet(
        "emojione-line", "Emoji One 2.2 (monotone)", "@iconify-json/emojione-monotone", "1.2.1", "Emoji One, EmojiTwo",
        "CC-BY-4.0", "github.com/EmojiTwo/emojitwo", "train",
    ),
    EmojiSet(
        "fxemoji", "Firefox OS Emoji", "@iconify-json/fxemoji", "1.2.2", "Mozilla", "Apache-2.0", "github.com/mozilla/fxemoji",
        "train",
    ),
    EmojiSet(
        "streamline", "Streamline Emojis", "@iconify-json/streamline-emojis", "1.2.4", "Streamline", "CC-BY-4.0",
        "github.com/webalys-hq/streamline-vectors", "train",
    ),
    EmojiSet(
        "emojione-v1", "Emoji One 1.5", "@iconify-json/emojione-v1", "1.2.3", "Emoji One", "CC-BY-SA-4.0",
        "github.com/joypixels/emojione-legacy", "validation",
    ),
    EmojiSet(
        "openmoji", "OpenMoji", "@iconify-json/openmoji", "1.2.29", "OpenMoji, HfG Schwaebisch Gmuend", "CC-BY-SA-4.0",
        "github.com/hfg-gmuend/openmoji", "test",
    ),
)  # fmt: skip

NAMES_PACKAGE, NAMES_VERSION = "emojibase-data", "17.0.0"
"""Names and keywords of Unicode's CLDR and the shortcodes of several platforms (MIT; data under the Unicode licence)."""
KEYWORDS_PACKAGE, KEYWORDS_VERSION = "emojilib", "4.0.3"
"""More keywords (MIT)."""


def find_set(style: str) -> EmojiSet:
    """Return the set of ``style``; ``KeyError`` where there is none."""
    return {each.style: each for each in SETS}[style]


def styles(role: Role) -> tuple[str, ...]:
    """List the styles of ``role``."""
    return tuple(each.style for each in SETS if each.role == role)
