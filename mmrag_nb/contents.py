"""What is in an index: its items, what they can be called, and what is kept of each."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

from .catalog.patterns import matches
from .corpora.corpus import Corpus
from .errors import EmptyIndex, MMRagError, UnknownName
from .presets import MODELS
from .reports import Status
from .results import Hit, Hits
from .types import Item, name_of

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

    from .catalog.catalog import Catalog
    from .settings import Settings
    from .types import Chunk, Metadata, Preview

_PREVIEWS = ("thumbnail", "proxy", "peaks", "clip", "film", "page", "words", "placed")
_ID_DIGITS = 8
"""Hexadecimal digits from which the begin of an id stands for an item."""


class Contents:
    """An index to look into; :class:`~mmrag_nb.MultimodalRAG` is one that can be filled and asked as well."""

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self.settings = settings
        self._catalog = catalog
        self._names: tuple[object, list[str]] = (None, [])
        self._items: tuple[object, list[Item]] = (None, [])

    # -- items -----------------------------------------------------------------------------------------------------

    def items(self) -> list[Item]:
        """What is in the index, in the order in which it came."""
        return list(self._all())

    def _all(self) -> list[Item]:
        state = self._catalog.generation
        if self._items[0] != state:  # names are looked up here, one after the other where many are removed
            self._items = (state, self._catalog.items())
        return self._items[1]

    def names(self) -> list[str]:
        """What each item can be asked for by, see :meth:`item`: its name, or its URI where others have that name."""
        state = self._catalog.generation
        if self._names[0] != state:  # completion asks at every key
            uris = self._catalog.uris()
            names = [name_of(uri) for uri in uris]
            shared = Counter(names)
            self._names = (
                state,
                [name if shared[name] == 1 else uri for name, uri in zip(names, uris, strict=True)],
            )
        return list(self._names[1])

    def _bearing(self, name: str) -> list[Item]:
        """Items among which are those of that name: of a corpus these alone."""
        return self._catalog.called(name) if isinstance(self._catalog, Corpus) else self._all()

    def named(self, name: str | os.PathLike[str]) -> list[Item]:
        """The items that ``name`` may mean: a name, a URI, or the first eight or more digits of an id."""
        text = os.fspath(name)
        items = self._bearing(text)
        exact = [item for item in items if text in {item.uri, item.id}]
        begun = [item for item in items if len(text) >= _ID_DIGITS and item.id.startswith(text)]
        return exact or [item for item in items if item.name == text] or begun

    def item(self, which: Item | str | os.PathLike[str]) -> Item:
        """The one item that ``which`` means; see :meth:`named`.

        Raises
        ------
        EmptyIndex
            Nothing has been indexed.
        UnknownName
            There is none.
        MMRagError
            There are several.
        """
        if isinstance(which, Item):
            return which
        found = self.named(which)
        if not found:
            raise self._unknown(os.fspath(which))
        if len(found) > 1:
            places = ", ".join(item.uri for item in found[:3])
            raise MMRagError(f"{which} names {len(found)} items: say which by its path, {places}")
        return found[0]

    def recorded(self, name: str | os.PathLike[str]) -> list[Item]:
        """The items that make up the record of that name."""
        text = os.fspath(name)
        return [
            item
            for item in self._bearing(text)
            if item.record is not None and text in {item.record.name, item.record.id}
        ]

    def _meant(self, which: Any) -> list[Item]:
        """All items that ``which`` means: a name, a pattern, an item, a hit, or a sequence of these."""
        if isinstance(which, (list, tuple, Hits)):
            return [item for one in which for item in self._meant(one)]
        if isinstance(which, (Hit, Item)):
            return [self._there(which)]
        if not isinstance(which, (str, os.PathLike)):
            raise MMRagError(f"an object of type {type(which).__name__} names no item: give a name, an Item or a Hit")
        named = self.named(which)
        if len({item.uri for item in named}) == 1:  # several of one place are its earlier contents
            return named
        matching = [] if named else self._matching(os.fspath(which))
        return matching or [self.item(which)]

    def _matching(self, pattern: str) -> list[Item]:
        if isinstance(self._catalog, Corpus):  # of which not all are listed
            return self._catalog.matching(pattern)
        return matches(self._all(), pattern)

    def _there(self, which: Item | Hit) -> Item:
        """The item, or that of the hit.

        Raises
        ------
        EmptyIndex, UnknownName
            It is in the index no longer.
        """
        item = which.item if isinstance(which, Hit) else which
        if self._catalog.find(item.id) is None:
            raise self._unknown(item.name)
        return item

    def _unknown(self, name: str) -> MMRagError:
        return UnknownName("item", name, self.names()) if self._all() else EmptyIndex()

    # -- what is kept of them --------------------------------------------------------------------------------------

    def chunks(self, which: Item | str | os.PathLike[str]) -> list[Chunk]:
        """The chunks of an item, in order."""
        with self._catalog.snapshot():
            ids = self._catalog.chunk_ids(self.item(which).id)
            records = self._catalog.records(ids)
        return [records[chunk].chunk for chunk in ids]

    def facts(self, which: Item | str | os.PathLike[str]) -> Metadata:
        """An item's properties, as its loader found them: ``width``, ``height`` (pixels), ``seconds``, ``passages``."""
        with self._catalog.snapshot():
            ids = self._catalog.chunk_ids(self.item(which).id)[:1]
            return next((record.facts for record in self._catalog.records(ids).values()), {})

    def previews(self, which: Item | str | os.PathLike[str], ordinal: int = 0) -> dict[str, Preview]:
        """What is kept to show of an item and its chunk ``ordinal``.

        Of pictures ``thumbnail`` and ``proxy``, of sounds ``peaks``, ``clip`` and ``words`` (when each is heard), of
        films ``film``, of documents' pages ``page``, and of their passages ``placed`` (where each word stands); see
        :attr:`~mmrag_nb.types.LoadedChunk.previews`.
        """
        return self._catalog.previews(self.item(which).id, ordinal, _PREVIEWS)

    # -- the whole -------------------------------------------------------------------------------------------------

    @property
    def path(self) -> Path | str | None:
        """The file the index is kept in, absolute, or ``milvus:`` and an address; ``None`` while it is in memory."""
        return self._catalog.path or self._catalog.place or None

    def status(self) -> Status:
        """Where the index is, what is in it, which models are chosen."""
        settings = self.settings
        chosen = {name: settings.chosen(name) for name in MODELS}
        return Status(
            path=str(self.path or "in memory, until saved"),
            items=self._catalog.counts(),
            chunks=self._catalog.chunk_count(),
            vectors=self._catalog.spaces(),
            settings={**self._to_compare(), "preset": settings.preset, "strategy": settings.strategy, **chosen},
        )

    def _to_compare(self) -> dict[str, str]:
        if not (waiting := self._catalog.unsettled()):
            return {}
        told = f"{', '.join(waiting)}: imported while the model was not at hand, compared with it when it first is"
        return {"to compare": told}

    def close(self) -> None:
        """Close the index's file."""
        self._catalog.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        items = ", ".join(f"{n} {modality}" for modality, n in self._catalog.counts().items())
        return f"<{type(self).__name__} {items or 'empty'}; {self.path or 'in memory'}>"
