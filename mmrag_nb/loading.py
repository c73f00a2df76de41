"""Items to chunks on their way: read what is new, leave what is in the index already."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .catalog.entries import BEGUN
from .completing import Completing
from .errors import MMRagError
from .insight.spoken import WORDS
from .parts import loader_name
from .reading import as_read_now
from .reports import Skipped
from .types import LoadedChunk, LoadedItem
from .views import captioned, recipe, version_of
from .workload import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from .ahead import Seen
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

    def whole(self, resolved: Resolved, ways: Sequence[Way], before: Sequence[Resolved], seen: Seen) -> Work | None:
        """Read an item; what cannot be read is told in the tally.

        ``before`` are those of its batch that come first, ``seen`` is what was made of it ahead.
        """
        item = resolved.item
        known = self._catalog.find(item.id)
        self._tell("reading", item.modality, sum(one.item.modality == item.modality for one in before))
        self._remark(resolved)
        kind = loader_name(resolved)
        loader = self._parts.loader(kind, ways[-1].encoder)
        try:
            if seen.error is not None:
                raise seen.error
            loaded = seen.loaded or loader.load(resolved.content, resolved.file_name or item.name)
        except MMRagError as error:
            self._tally.skipped.append(Skipped(item.uri, str(error)))
            return None
        self._note(resolved, (*resolved.notes, *loaded.notes))
        made = recipe(item.modality, loader.version, self._settings)
        loaded = captioned(loaded, item)
        same = known is not None and known[1] == made and _caption(known[0]) == _caption(item)
        if kind == "text" and same:
            # Another strategy's reader may have cut it: passages that differ would cost the other its vectors.
            loaded = replace(loaded, chunks=self._passages(item, made) or loaded.chunks)
        return Work(item, loaded, made, version_of(made), {}, vectors=seen.vectors)

    def sections(self, resolved: Resolved, ways: Sequence[Way]) -> Generator[Work, None, None]:
        """Read an item of any length, section by section, and last what comes only when all of it was read."""
        item = resolved.item
        self._tell("reading", item.modality, 0)
        self._remark(resolved)
        loader: Any = self._parts.loader(loader_name(resolved), ways[-1].encoder)  # a LongLoader
        made = recipe(item.modality, loader.version, self._settings)
        known = self._catalog.find(item.id)
        same = known is not None and known[1].removesuffix(BEGUN) == made
        heard = self._catalog.heard(item.id, WORDS) if same else {}
        facts: dict[str, Any] = {}
        began = False
        try:
            for loaded in loader.sections(resolved.content, resolved.file_name or item.name):
                self._note(resolved, (*([] if began else resolved.notes), *loaded.notes))
                began = True
                facts |= loaded.facts
                yield Work(
                    item, replace(loaded, facts=dict(facts)), made + BEGUN, version_of(made), heard, section=(0, False)
                )
        except MMRagError as error:
            told = f"{error}; what comes before is indexed" if began else str(error)
            self._tally.skipped.append(Skipped(item.uri, told))
            return
        last = captioned(LoadedItem((), facts=facts), item)
        yield Work(item, last, made, version_of(made), {}, section=(0, True))

    def new(self, batch: Sequence[Resolved], ways: Sequence[Way]) -> list[Resolved]:
        """Those that are still to be read: of what is in the index already only what is said of it is taken over."""
        ready = up_to_date(batch, self._catalog, self._parts, self._settings, ways)
        reused = [one.item for one in batch if one.item.id in ready]
        changed = [item for item in reused if ready[item.id] != item]
        if changed:  # moved, or more is said of them
            before = self._catalog.update(*changed)
            self._tally.remember(before)
            for gone in {item.id for item in changed} - before.keys():  # removed elsewhere meanwhile
                del ready[gone]
        for item in reused:
            if item.id in ready:
                self._tally.count(item, fresh=False)
        return [one for one in batch if one.item.id not in ready]

    def _note(self, resolved: Resolved, notes: Sequence[str]) -> None:
        for note in notes:
            self._tally.note(resolved.item.name, note)

    def _remark(self, resolved: Resolved) -> None:
        for name, remark in resolved.remarks:
            self._tally.note(name, remark)

    def _passages(self, item: Item, made: str) -> tuple[LoadedChunk, ...]:
        """Those of a text as they are in the index, if that recipe still made them."""
        with self._catalog.snapshot():
            known = self._catalog.find(item.id)
            ids = self._catalog.chunk_ids(item.id) if known is not None and known[1] == made else []
            stored = self._catalog.records(ids)
        kept = (stored[one].chunk for one in ids)
        return tuple(LoadedChunk(one.modality, one.text, one.start, one.end, one.page) for one in kept)


def up_to_date(
    batch: Sequence[Resolved], catalog: Catalog, parts: Parts, settings: Settings, ways: Sequence[Way]
) -> dict[str, Item]:
    """Those items, by id and as they are known, that are in the index already: made and embedded as they would be now.

    A few queries tell it of the whole batch, where nothing has changed.
    """
    known = catalog.found([one.item.id for one in batch])
    same = {}
    for one in batch:
        item, (there, made) = one.item, known.get(one.item.id, (None, ""))
        version = parts.loader(loader_name(one), ways[-1].encoder).version
        if (
            there is not None
            and as_read_now(made, parts) == recipe(item.modality, version, settings)
            and _caption(there) == _caption(item)
            and (item.modality != "image" or not _tells_otherwise(there, item, ways))
        ):
            same[item.id] = there
    completing = Completing(parts, catalog, settings)
    if same and completing.lacking(ways, list(same)):
        return {one: there for one, there in same.items() if not completing.lacking(ways, one)}
    return same


def _caption(item: Item) -> object:
    return item.metadata.get("caption")


def _tells_otherwise(known: Item, item: Item, ways: Sequence[Way]) -> bool:
    """Whether a picture's name, or what is said of it, is embedded and has changed."""
    views = {way.view for way in ways}
    renamed = known.words != item.words
    return (renamed and bool(views & {"titled", "grounded"})) or (
        "grounded" in views and known.metadata != item.metadata
    )
