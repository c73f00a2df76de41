"""What emoji are called: Unicode's names and annotations, and the aliases that platforms gave them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .packages import unpack
from .sets import KEYWORDS_PACKAGE, KEYWORDS_VERSION, NAMES_PACKAGE, NAMES_VERSION

if TYPE_CHECKING:
    from pathlib import Path

COMPONENTS = 2
"""Emojibase's group of skin tones and hair, which are no pictures of their own."""


@dataclass(frozen=True)
class Emoji:
    """One emoji, whoever draws it; skin tones are no emoji of their own."""

    code: str
    """Code points in hexadecimal, joined by hyphens, without variation selectors: ``1f468-200d-1f373``."""
    name: str
    """Unicode's short name: ``red apple``."""
    aliases: tuple[str, ...]
    """Other names: the platforms' shortcodes in words."""
    keywords: tuple[str, ...]
    group: int
    """Emojibase's number of Unicode's group: 0 smileys, 1 people, 3 animals, ... 9 flags."""


def plain_code(code: str) -> str:
    """Return a code point sequence in lower case without variation selectors, so that two packages' spellings agree."""
    return "-".join(part for part in re.split(r"[-_ ]", code.lower()) if part != "fe0f")


def squeeze(name: str) -> str:
    """Return the letters and digits of ``name`` only, so that ``T-shirt`` and ``tshirt`` agree."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def load_emoji(cache: Path) -> list[Emoji]:
    """List the emoji that Unicode names, in Unicode's order, without skin tone variants."""
    folder = unpack(NAMES_PACKAGE, NAMES_VERSION, cache) / "en"
    rows = json.loads((folder / "data.json").read_text("utf-8"))
    shortcodes = [
        json.loads((folder / "shortcodes" / f"{source}.json").read_text("utf-8"))
        for source in ("emojibase", "github", "iamcal")
    ]
    library = unpack(KEYWORDS_PACKAGE, KEYWORDS_VERSION, cache) / "dist" / "emoji-en-US.json"
    more = {_glyph(glyph): words for glyph, words in json.loads(library.read_text("utf-8")).items()}
    emoji = []
    for row in sorted(rows, key=lambda row: row.get("order", 0)):
        if row.get("group", COMPONENTS) == COMPONENTS:
            continue
        name = row["label"]
        aliases: list[str] = []
        for table in shortcodes:
            found = table.get(row["hexcode"], [])
            aliases += [found] if isinstance(found, str) else found
        words = [*row.get("tags", []), *more.get(_glyph(row["emoji"]), [])]
        emoji.append(
            Emoji(
                code=plain_code(row["hexcode"]),
                name=name,
                aliases=_distinct([_words(alias) for alias in aliases], but={name.lower()}),
                keywords=_distinct([_words(word) for word in words], but={name.lower()}),
                group=row["group"],
            )
        )
    return emoji


def _glyph(text: str) -> str:
    return text.replace("\ufe0f", "")


def _words(shortcode: str) -> str:
    return shortcode.replace("_", " ").strip()


def _distinct(names: list[str], but: set[str]) -> tuple[str, ...]:
    seen = dict.fromkeys(name for name in names if name.lower() not in but and re.search(r"[a-z0-9]", name.lower()))
    return tuple(seen)
