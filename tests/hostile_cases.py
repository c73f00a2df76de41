"""What has to become of each file of the cases folder's ``hostile``, as its manifest says, and how to see it."""

import csv
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("MMRAG_CASES", Path(__file__).parents[2] / "shared" / "cases")) / "hostile"
SECONDS = 5.0
MEMORY = 1_000_000_000
"""Bytes, of the process and those that it starts."""

_REASONS = {
    "encrypted": r"password|encrypted",
    "too_large": r"too large",
    "too short": r"too short|zero samples",
    "empty audio": r"zero samples|no sound in it|empty",
    "empty": r"empty",
    "truncated": r"truncated|damaged",
    "corrupt": r"damaged|cannot be read|too short|no sound",
    "pillow-heif": r"pip install pillow-heif",
    "allow-list": r"not on the list of safe formats",
    "NEVER unpickle": r"never opened",
    "unsupported": r"not supported|needs a plug-in",
}
"""By words of the manifest: what the reason must say. The first that fits counts."""
_ORDER = ("pillow-heif", "empty audio", *(word for word in _REASONS if word not in {"pillow-heif", "empty audio"}))
_NOTES = {
    "img_iss634.gif": r"first of 42 frames",
    "img_mode_16bit.png": r"first of 3 frames",
    "img_no_palette.gif": r"first of 2 frames",
    "img_hopper_bad_exif.jpg": r"damaged EXIF ignored",
    "doc_umlauts-non-utf8.md": r"decoded as cp1252",
    "doc_iso8859.txt": r"decoded as cp1252",
}
_SIZES = {
    "img_Landscape_6.jpg": (1800, 1200),
    "img_hopper_orientation_6.jpg": (128, 128),
    "img_p_trns_single.png": (64, 64),
    "img_mode_16bit.png": (128, 64),
}
_TEXTS = {
    "doc_example-with-scripts.html": ("Russian Offensive Campaign Assessment", ("function(", "<script", "jQuery")),
    "doc_fake-text-utf-16.txt": ("", ("\0", "\ufffd")),
    "doc_iso8859.txt": ("", ("\ufffd",)),
    "doc_umlauts-non-utf8.md": ("ä", ("\ufffd",)),
    "doc_UDHR_first_article_all.txt": ("All human beings are born free and equal", ("\ufffd",)),
    "xml_external_file.xml": ("ENTITY", ("root:",)),
    "xml_xmlbomb.xml": ("ENTITY", ("aaaaaaaaaaaaaaaaaaaaa",)),
}
"""What must be in the text, and what must not."""


@dataclass(frozen=True)
class Case:
    """A row of the manifest."""

    name: str
    sensible: str

    @property
    def path(self) -> Path:
        return FOLDER / self.name

    @property
    def indexed(self) -> bool:
        """Whether it is a good file, in its way."""
        return self.sensible.startswith("INDEX")


def cases() -> list[Case]:
    """The manifest's rows; none where the folder is absent."""
    if not (FOLDER / "manifest.tsv").is_file():
        return []
    with (FOLDER / "manifest.tsv").open(encoding="utf-8", newline="") as table:
        rows = csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Case(row["file"], row["sensible_behaviour"]) for row in rows]


def faults(case: Case, seen: Mapping[str, Any]) -> list[str]:
    """What is not as it should be about what ``seen`` tells: see ``look`` of ``bench/hostile.py``."""
    found = _verdict_faults(case, seen)
    if len(set(map(str, seen["verdicts"]))) != 1:
        found.append(f"another verdict the second time: {seen['verdicts']}")
    found += [f"{what}: {seen[what]}" for what in ("started", "connected", "written") if seen[what]]
    if seen["seconds"] > SECONDS:
        found.append(f"took {seen['seconds']:.1f} s")
    if seen["peak"] > MEMORY:
        found.append(f"took {seen['peak'] / 1e6:,.0f} MB")
    return found


def _verdict_faults(case: Case, seen: Mapping[str, Any]) -> list[str]:
    reasons = [reason for _, reason in seen["skipped"]]
    if not case.indexed:
        word = next((word for word in _ORDER if word in case.sensible), "")
        if seen["items"] or len(reasons) != 1:
            return [f"not skipped once: {seen['items']} items, {reasons}"]
        if "\n" in reasons[0] or not re.search(_REASONS.get(word, "."), reasons[0]):
            return [f"the reason for {case.sensible!r} is {reasons[0]!r}"]
        return []
    if reasons or seen["items"] != 1 or not seen["chunks"]:
        return [f"not indexed: {reasons}, {seen['chunks']} chunks"]
    found = []
    notes = " | ".join(note for _, note in seen["notes"])
    if not re.search(_NOTES.get(case.name, ""), notes):
        found.append(f"its notes are {notes!r}")
    size = (seen["facts"].get("width"), seen["facts"].get("height"))
    if size != _SIZES.get(case.name, size):
        found.append(f"its size is {size}")
    wanted, unwanted = _TEXTS.get(case.name, ("", ()))
    if wanted not in seen["text"]:
        found.append(f"{wanted!r} is not in its text")
    found += [f"{one!r} is in its text" for one in unwanted if one in seen["text"]]
    return found
