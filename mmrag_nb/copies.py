"""Where the content of an item lies besides where the index says it is: it is not lost with one of its places."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .catalog.catalog import Catalog

    Places = dict[str, dict[str, str]]
    """By item, then place: the URI."""

_KEY = "copies"
"""What the index notes them under: JSON, by item the URI of each place."""


class Copies:
    """The further places of items, by item and place; what has become of them is written by :meth:`keep`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.taken: set[str] = set()
        """Items that are known by another of their places now."""
        noted = catalog.meta().get(_KEY)
        self._noted, self._places = _read(noted), _read(noted)

    def __contains__(self, item: str) -> bool:
        return bool(self._places.get(item))

    def add(self, item: str, place: str, uri: str) -> None:
        """Note that the content of ``item`` lies at ``place``, too, which is shown as ``uri``."""
        if place:
            self._places.setdefault(item, {})[place] = uri

    def forget(self, lost: Callable[[str, str], bool]) -> None:
        """Leave out the places for which ``lost(item, place)`` is true, and items that are no longer in the index."""
        known = self._catalog.found(list(self._places)) if self._places else {}
        left = {
            item: {place: uri for place, uri in places.items() if not lost(item, place)}
            for item, places in self._places.items()
            if item in known
        }
        self._places = {item: places for item, places in left.items() if places}

    def take(self, item: str) -> str:
        """The URI of one of the places of ``item``, which is a copy no longer."""
        place = min(self._places[item])
        self.taken.add(item)
        return self._places[item].pop(place)

    def keep(self) -> None:
        """Write down what has changed; what other notebooks have noted meanwhile stays."""
        before, now = _flat(self._noted), _flat(self._places)
        gone = before.keys() - now.keys()
        new = {place: uri for place, uri in now.items() if before.get(place) != uri}

        def merged(noted: str | None) -> str:
            there = {place: uri for place, uri in _flat(_read(noted)).items() if place not in gone} | new
            places: Places = {}
            for (item, place), uri in there.items():
                places.setdefault(item, {})[place] = uri
            return json.dumps(places, sort_keys=True)

        if (gone or new) and not self._catalog.read_only:
            self._catalog.amend(_KEY, merged)


def _flat(places: Places) -> dict[tuple[str, str], str]:
    return {(item, place): uri for item, of in places.items() for place, uri in of.items()}


def _read(noted: str | None) -> Places:
    """What an index holds, which can come from anywhere."""
    try:
        found = json.loads(noted or "{}")
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        item: {place: str(uri) for place, uri in places.items()}
        for item, places in found.items()
        if isinstance(places, dict)
    }
