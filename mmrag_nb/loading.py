"""Items to chunks on their way: read what is new, leave what is in the index already."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .catalog.entries import BEGUN
from .completing import Completing
from .errors import MMRagError
from .parts import loader_name
from .reports import Skipped
from .types import LoadedChunk, LoadedItem
from .views import captioned, recipe
from .workload import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from .catalog.catalog import Catalog
    from .parts import Parts
    from .retrieval.ways import Way
    from .settings import Settings
    from .types import Item, Modality, Resolved
    from .workload import Tally


class Loading:
    """Reads items for one run of indexing.

    Parameters
    ----------
    parts, catalog, settings, tally
        Those of the run; what cannot be read is told in the tally.
    tell
        Reports that items of a modality are being read, and how many of this batch are through.
    """

    def __init__(
        self,
        parts: Parts,
        catalog: Catalog,
        settings: Settings,
        tally: Tally,
        tell: Callable[[str, Modality, int], None],
    ) -> None:
        self._parts, self._catalog, self._settings = parts, catalog, settings
        self._tally, self._tell = tally, tell

    def whole(self, resolved: Resolved, ways: Sequence[Way], ahead: Sequence[Resolved]) -> Work | None:
        """Read an item, unless all of it is in the index already; what cannot be read is told in the tally."""
        item = resolved.item
        known = self._catalog.find(item.id)
        if self.reused(resolved, ways):
            return None
        self._tell("reading", item.modality, sum(one.item.modality == item.modality for one in ahead))
        kind = loader_name(resolved)
        loader = self._parts.loader(kind, ways[-1].encoder)
        try:
            loaded = loader.load(resolved.content, resolved.file_name or item.name)
        except MMRagError as error:
            self._tally.skipped.append(Skipped(item.uri, str(error)))
            return None
        self._note(resolved, (*resolved.notes, *loaded.notes))
        made = recipe(item.modality, loader.version, self._settings)
        loaded = captioned(loaded, item)
        same = known is not None and known[1] == made and _caption(known[0]) == _caption(item)
        if kind == "text" and same:
            # Another strategy's reader may have cut it: passages that differ would cost the other its vectors.
            loaded = replace(loaded, chunks=self._passages(item))
        return Work(item, loaded, made, loader.version, [])

    def sections(self, resolved: Resolved, ways: Sequence[Way]) -> Generator[Work, None, None]:
        """Read an item of any length, section by section, and last what comes only when all of it was read."""
        item = resolved.item
        if self.reused(resolved, ways):
            return
        self._tell("reading", item.modality, 0)
        loader: Any = self._parts.loader(loader_name(resolved), ways[-1].encoder)  # a LongLoader
        made = recipe(item.modality, loader.version, self._settings)
        known = self._catalog.find(item.id)
        same = known is not None and known[1].removesuffix(BEGUN) == made
        heard = self._catalog.texts(item.id) if same else []
        facts: dict[str, Any] = {}
        began = False
        try:
            for loaded in loader.sections(resolved.content, resolved.file_name or item.name):
                self._note(resolved, (*([] if began else resolved.notes), *loaded.notes))
                began = True
                facts |= loaded.facts
                yield Work(
                    item, replace(loaded, facts=dict(facts)), made + BEGUN, loader.version, heard, section=(0, False)
                )
        except MMRagError as error:
            told = f"{error}; what comes before is indexed" if began else str(error)
            self._tally.skipped.append(Skipped(item.uri, told))
            return
        last = captioned(LoadedItem((), facts=facts), item)
        yield Work(item, last, made, loader.version, [], section=(0, True))

    def reused(self, resolved: Resolved, ways: Sequence[Way]) -> bool:
        """Whether all of an item is in the index already; then only what is said of it is taken over."""
        item = resolved.item
        if not up_to_date(resolved, self._catalog, self._parts, self._settings, ways):
            return False
        known = self._catalog.find(item.id)
        if known is not None and known[0] != item:  # moved, or more is said of it
            self._catalog.update(item)
        self._tally.count(item, fresh=False)
        return True

    def _note(self, resolved: Resolved, notes: Sequence[str]) -> None:
        for note in notes:
            self._tally.note(resolved.item.name, note)

    def _passages(self, item: Item) -> tuple[LoadedChunk, ...]:
        """Those of a text as they are in the index."""
        ids = self._catalog.chunk_ids(item.id)
        stored = self._catalog.records(ids)
        kept = (stored[one].chunk for one in ids)
        return tuple(LoadedChunk(one.modality, one.text, one.start, one.end, one.page) for one in kept)


def up_to_date(resolved: Resolved, catalog: Catalog, parts: Parts, settings: Settings, ways: Sequence[Way]) -> bool:
    """Whether all of an item is in the index already, made and embedded as it would be now."""
    item = resolved.item
    known = catalog.find(item.id)
    version = parts.loader(loader_name(resolved), ways[-1].encoder).version
    return (
        known is not None
        and known[1] == recipe(item.modality, version, settings)
        and _caption(known[0]) == _caption(item)
        and (item.modality != "image" or not _tells_otherwise(known[0], item, ways))
        and not Completing(parts, catalog, settings).lacking(ways, item.id)
    )


def _caption(item: Item) -> object:
    return item.metadata.get("caption")


def _tells_otherwise(known: Item, item: Item, ways: Sequence[Way]) -> bool:
    """Whether a picture's name, or what is said of it, is embedded and has changed."""
    views = {way.view for way in ways}
    renamed = known.words != item.words
    return (renamed and bool(views & {"titled", "grounded"})) or (
        "grounded" in views and known.metadata != item.metadata
    )
