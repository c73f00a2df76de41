"""Pictures that are blurred, blank or doubled, sounds that are silent, texts of no words: told, or left out.

A finding is a note of the run, and stands among the item's facts (``flags``), so that a filter finds it:
``'blurred' in flags``. What would leave a gap is never left out, only told: a part of a record, a page or frame of
something longer, what the index has already.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import LoadError
from .insight.doubles import BITS, DIFFERENT, difference, distances, perceptual_hash
from .insight.quality import BLANK, BLURRED, BRIGHT, DARK, quality
from .insight.sounding import CLIPPED, SILENT, sounding
from .reports import Skipped
from .types import name_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from PIL.Image import Image

    from .catalog.catalog import Catalog
    from .settings import Settings
    from .types import Item
    from .workload import Tally, Work

HASH = "phash"
"""The fact that holds a picture's perceptual hash."""
FLAGS = "flags"
"""The fact that lists what was found."""
WORDS = 3
"""Words that a text has at least."""

_KEEP = '%config MMRag.clean = "flag" indexes it all the same'
_NAMED = 3  # places in something long that are named


@dataclass(frozen=True)
class Finding:
    """What is wrong with an item, or a part of it."""

    flag: str
    """One word: ``blurred``."""
    reason: str
    """What was measured, and where the border lies."""
    worthless: bool = False
    """Whether it is left out where the setting is ``skip``."""


@dataclass(frozen=True)
class _Known:
    """A picture that others are compared with."""

    item: str
    name: str
    hash: str


class Cleaning:
    """Looks at what a run has loaded, by the setting ``clean``; what is found goes to the tally."""

    def __init__(self, catalog: Catalog, settings: Settings, tally: Tally) -> None:
        self._catalog, self._settings, self._tally = catalog, settings, tally
        self._known: list[_Known] | None = None
        self._batch: dict[str, Image] = {}
        """The pictures that are not in the index yet, by item."""
        self._flags: dict[str, dict[str, None]] = {}
        """What was found in sections of what is long, by item."""

    def clean(self, works: list[Work]) -> list[Work]:
        """Flag ``works``, and leave out those that the settings have skipped.

        Raises
        ------
        NotInstalled
            imagehash is absent, and there are pictures to compare.
        """
        if self._settings.clean == "off":
            return works
        self._batch = {}
        with self._tally.clock("clean"):
            return [work for work in works if self._flagged(work)]

    def _flagged(self, work: Work) -> bool:
        """Note what is found; whether the item is kept."""
        item, facts = work.item, dict(work.loaded.facts)
        if item.modality == "image":
            found = list(self._of_picture(work, facts))
        elif item.modality == "text" and work.section is None:
            found = list(_of_text(work))
        else:
            found = [*_of_sound(work), *_of_pictures_within(work)]
        worthless = next((one for one in found if one.worthless), None)
        if worthless and self._settings.clean == "skip" and item.record is None and self._catalog.find(item.id) is None:
            self._tally.skipped.append(Skipped(item.uri, f"{worthless.reason}: {_KEEP}"))
            return False
        for one in found:
            self._tally.note(item.name, one.reason)
        flags = self._flags.setdefault(item.id, dict.fromkeys(facts.get(FLAGS, ())))
        flags |= dict.fromkeys(one.flag for one in found)
        if flags:
            facts[FLAGS] = list(flags)
        if work.section is None or work.section[1]:
            del self._flags[item.id]
        work.loaded = replace(work.loaded, facts=facts)
        if item.modality == "image" and HASH in facts:
            assert self._known is not None
            self._known.append(_Known(item.id, item.name, facts[HASH]))
            pixels = work.loaded.chunks[0].pixels
            assert pixels is not None
            self._batch[item.id] = pixels
        return True

    # -- pictures --------------------------------------------------------------------------------------------------

    def _of_picture(self, work: Work, facts: dict[str, Any]) -> Iterator[Finding]:
        pixels = work.loaded.chunks[0].pixels
        if pixels is None:
            return
        found = list(_seen(pixels))
        yield from found
        if any(one.flag == "blank" for one in found) or work.item.record is not None:
            return  # all blank pictures are alike, and a record's may well be somewhere else, too
        facts[HASH] = perceptual_hash(pixels)
        if (double := self._double(work.item, pixels, facts[HASH])) is not None:
            yield Finding("double", f"double: looks like {double.name}, whatever their size and format", worthless=True)

    def _double(self, item: Item, pixels: Image, own: str) -> _Known | None:
        """The first picture of this run, or in the index, that looks the same."""
        if self._known is None:
            facts = self._catalog.facts(HASH)
            self._known = [_Known(found, name_of(uri), str(value)) for found, uri, value in facts if _is_hash(value)]
            self._tell_unknown()
        if not self._known:
            return None
        apart = distances(own, [one.hash for one in self._known])
        for place in np.flatnonzero(apart <= BITS).tolist():
            known = self._known[place]
            other = None if known.item == item.id else self._kept(known.item)
            if other is not None and difference(pixels, other) <= DIFFERENT:
                return known
        return None

    def _kept(self, item: str) -> Image | None:
        if item in self._batch:
            return self._batch[item]
        from .loaders.image import ImageLoader

        thumbnail = self._catalog.previews(item, 0, ("thumbnail",)).get("thumbnail")
        if thumbnail is None:
            return None
        try:
            return ImageLoader(max_pixels=1_000_000).load(thumbnail.data, "thumbnail").chunks[0].pixels
        except LoadError:  # an index can come from anywhere
            return None

    def _tell_unknown(self) -> None:
        """Say which pictures others cannot be compared with."""
        assert self._known is not None
        alone = [item for item in self._catalog.items() if item.modality == "image" and item.record is None]
        without = len(alone) - len(self._known)
        if without > 0:
            self._tally.note(
                "doubles",
                f"{without:,} picture{'s' * (without != 1)} indexed while clean was off, or blank, "
                f"{'are' if without != 1 else 'is'} not compared with: %mmrag_remove and index again to have that",
            )


def _is_hash(value: object) -> bool:
    try:
        return int(str(value), 16) < 1 << 64
    except ValueError:  # an index can come from anywhere
        return False


def _seen(pixels: Image) -> Iterator[Finding]:
    """What is wrong with the pixels of a picture."""
    seen = quality(pixels)
    if seen.spread < BLANK:
        told = f"blank: its greys deviate by {seen.spread:.1f} of 255, and below {BLANK:g} there is nothing to be seen"
        yield Finding("blank", told, worthless=True)
        return
    if seen.sharpness is not None and seen.sharpness < BLURRED:
        told = f"blurred: its sharpest part has {seen.sharpness:.2f}, and below {BLURRED:g} edges are lost"
        yield Finding("blurred", told, worthless=True)
    if seen.brightest < DARK:
        yield Finding("dark", f"dark: nothing in it is lighter than {seen.brightest:.0f} of 255")
    if seen.darkest > BRIGHT:
        yield Finding("bright", f"bright: nothing in it is darker than {seen.darkest:.0f} of 255")


def _of_pictures_within(work: Work) -> Iterator[Finding]:
    """Of pages and frames."""
    places: dict[str, list[str]] = {}
    pictures = 0
    for chunk in work.loaded.chunks:
        if chunk.pixels is None:
            continue
        pictures += 1
        where = f"p. {chunk.page}" if chunk.page is not None else f"{chunk.start or 0:.1f} s"
        for one in _seen(chunk.pixels):
            places.setdefault(one.flag, []).append(where)
    for flag, found in places.items():
        yield Finding(flag, f"{flag}: {len(found)} of {pictures} pictures in it, {_listed(found)}")


# -- sounds and texts --------------------------------------------------------------------------------------------------


def _of_sound(work: Work) -> Iterator[Finding]:
    """Of utterances; a recording as a whole is silent only where it comes in one section."""
    from .loaders.audio import samples

    places: dict[str, list[str]] = {}
    loudest, clips = -120.0, 0
    for chunk in work.loaded.chunks:
        if chunk.audio is None:
            continue
        clips += 1
        heard = sounding(samples(chunk.audio), chunk.audio.frame_rate)
        loudest = max(loudest, heard.loudest)
        where = f"{chunk.start or 0:.1f} s"
        if heard.loudest < SILENT:
            places.setdefault("silent", []).append(where)
        elif heard.noise:
            places.setdefault("noise", []).append(where)
        if heard.clipped > CLIPPED:
            places.setdefault("clipped", []).append(where)
    meaning = {
        "silent": f"never louder than {loudest:.0f} dB, and below {SILENT:g} hardly anything is heard",
        "noise": "steady, and of all frequencies alike: nobody seems to speak",
        "clipped": "its tops are cut off: recorded too loud",
    }
    for flag, found in places.items():
        if len(found) == clips:
            loaded = work.loaded
            whole = work.first == 0 and (loaded.of is None or loaded.reached >= loaded.of)
            worthless = flag == "silent" and whole and work.item.modality == "audio"
            yield Finding(flag, f"{flag}: {meaning[flag]}", worthless=worthless)
        else:
            yield Finding(flag, f"{flag}: {len(found)} of {clips} utterances, {_listed(found)}")


def _of_text(work: Work) -> Iterator[Finding]:
    from .models.words import words

    said = sum(len(words(chunk.text)) for chunk in work.loaded.chunks)
    if said < WORDS:
        yield Finding("short", f"short: {said} word{'s' * (said != 1)} in it")


def _listed(places: Sequence[str]) -> str:
    more = len(places) - _NAMED
    return ", ".join(places[:_NAMED]) + f" and {more:,} more" * (more > 0)
