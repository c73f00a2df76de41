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
    """``train``; ``validation``: looked at for choices, never trained on; ``test``: never trained on, measured
    for the figures (the model card says how often)."""
    form: Literal["iconify", "pictures", "font"] = "iconify"


SETS: tuple[EmojiSet, ...] = (
    EmojiSet(
        style="noto",
        title="Noto Emoji",
        package="@iconify-json/noto",
        version="1.2.9",
        author="Google",
        licence="Apache-2.0",
        source="github.com/googlefonts/noto-emoji",
        role="train",
    ),
    EmojiSet(
        style="noto-v1",
        title="Noto Emoji (blobs)",
        package="@iconify-json/noto-v1",
        version="1.2.5",
        author="Google",
        licence="Apache-2.0",
        source="github.com/googlefonts/noto-emoji",
        role="train",
    ),
    EmojiSet(
        style="noto-line",
        title="Noto Emoji (monochrome font)",
        package="@fontsource/noto-emoji",
        version="5.3.2",
        author="Google",
        licence="OFL-1.1",
        source="github.com/googlefonts/noto-emoji",
        role="train",
        form="font",
    ),
    EmojiSet(
        style="twemoji",
        title="Twemoji",
        package="@iconify-json/twemoji",
        version="1.2.5",
        author="Twitter and contributors",
        licence="CC-BY-4.0",
        source="github.com/jdecked/twemoji",
        role="train",
    ),
    EmojiSet(
        style="fluent",
        title="Fluent Emoji (colour)",
        package="@iconify-json/fluent-emoji",
        version="1.2.7",
        author="Microsoft Corporation",
        licence="MIT",
        source="github.com/microsoft/fluentui-emoji",
        role="train",
    ),
    EmojiSet(
        style="fluent-flat",
        title="Fluent Emoji (flat)",
        package="@iconify-json/fluent-emoji-flat",
        version="1.2.6",
        author="Microsoft Corporation",
        licence="MIT",
        source="github.com/microsoft/fluentui-emoji",
        role="train",
    ),
    EmojiSet(
        style="fluent-line",
        title="Fluent Emoji (high contrast)",
        package="@iconify-json/fluent-emoji-high-contrast",
        version="1.2.6",
        author="Microsoft Corporation",
        licence="MIT",
        source="github.com/microsoft/fluentui-emoji",
        role="train",
    ),
    EmojiSet(
        style="fluent-3d",
        title="Fluent Emoji (3D)",
        package="@lobehub/fluent-emoji-3d",
        version="1.1.0",
        author="Microsoft Corporation; packaged by LobeHub",
        licence="MIT",
        source="github.com/lobehub/fluent-emoji",
        role="train",
        form="pictures",
    ),
    EmojiSet(
        style="emojione",
        title="Emoji One 2.3 (colour)",
        package="@iconify-json/emojione",
        version="1.2.3",
        author="Emoji One, EmojiTwo",
        licence="CC-BY-4.0",
        source="github.com/EmojiTwo/emojitwo",
        role="train",
    ),
    EmojiSet(
        style="emojione-line",
        title="Emoji One 2.2 (monotone)",
        package="@iconify-json/emojione-monotone",
        version="1.2.1",
        author="Emoji One, EmojiTwo",
        licence="CC-BY-4.0",
        source="github.com/EmojiTwo/emojitwo",
        role="train",
    ),
    EmojiSet(
        style="fxemoji",
        title="Firefox OS Emoji",
        package="@iconify-json/fxemoji",
        version="1.2.2",
        author="Mozilla",
        licence="Apache-2.0",
        source="github.com/mozilla/fxemoji",
        role="train",
    ),
    EmojiSet(
        style="streamline",
        title="Streamline Emojis",
        package="@iconify-json/streamline-emojis",
        version="1.2.4",
        author="Streamline",
        licence="CC-BY-4.0",
        source="github.com/webalys-hq/streamline-vectors",
        role="train",
    ),
    EmojiSet(
        style="emojione-v1",
        title="Emoji One 1.5",
        package="@iconify-json/emojione-v1",
        version="1.2.3",
        author="Emoji One",
        licence="CC-BY-SA-4.0",
        source="github.com/joypixels/emojione-legacy",
        role="validation",
    ),
    EmojiSet(
        style="openmoji",
        title="OpenMoji",
        package="@iconify-json/openmoji",
        version="1.2.29",
        author="OpenMoji, HfG Schwaebisch Gmuend",
        licence="CC-BY-SA-4.0",
        source="github.com/hfg-gmuend/openmoji",
        role="test",
    ),
)

NAMES_PACKAGE, NAMES_VERSION = "emojibase-data", "17.0.0"
"""Unicode's names and keywords (CLDR) and the shortcodes of several platforms (MIT; data: Unicode licence)."""
KEYWORDS_PACKAGE, KEYWORDS_VERSION = "emojilib", "4.0.3"
"""More keywords (MIT)."""


def find_set(style: str) -> EmojiSet:
    """Return the set of ``style``; ``KeyError`` where there is none."""
    return {each.style: each for each in SETS}[style]


def styles(role: Role) -> tuple[str, ...]:
    """List the styles of ``role``."""
    return tuple(each.style for each in SETS if each.role == role)
