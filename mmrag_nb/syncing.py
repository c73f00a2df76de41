"""Sources that are indexed again: what was added, changed and moved since, and what is no longer there."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .copies import Copies
from .sources.exchange import is_url
from .sources.scopes import is_gone, is_relative, of_its_folder, place_of, scopes, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .catalog.catalog import Catalog
    from .catalog.reading import Place
    from .reports import Skipped
    from .sources.scopes import Scope
    from .types import Resolved, Source
    from .workload import Tally

_BASE = "base"
"""What the index notes of the working directory that relative paths in it begin at."""
_SEVERAL = "several"


@dataclass(frozen=True)
class _Seen:
    """An item that this run came by."""

    uri: str
    before: str
    """Where it was found last; empty where it is new."""


class Syncing:
    """Compares what one run comes by with what is in the index.

    An item is known by its content, so a file that has changed is a new one: the old one goes, once the new one is
    there. Where it cannot be told which file a relative path means, because the index was filled from other working
    directories, everything stays.
    """

    def __init__(self, catalog: Catalog, *, records: bool) -> None:
        self._catalog, self._records = catalog, records
        self._base = Path.cwd()
        self._seen: dict[str, _Seen] = {}
        self._places: dict[str, str] = {}
        self._instead: dict[str, str] = {}
        """By item of which the place holds something else now: that item."""
        self._here = hashlib.sha256(os.fsencode(os.path.realpath(self._base))).hexdigest()[:8]
        if not catalog.read_only and _BASE not in catalog.meta() and not catalog.chunk_count():
            catalog.amend(_BASE, lambda now: now or self._here)

    def notice(self, batch: Sequence[Resolved]) -> None:
        """Remember where items are found now and were found before; called before the index takes them in."""
        known = self._catalog.found([one.item.id for one in batch])
        for one in batch:
            before = known.get(one.item.id)
            self._seen[one.item.id] = _Seen(one.item.uri, before[0].uri if before else "")

    def finish(self, sources: Sequence[Source], tally: Tally, *, prune: bool) -> None:
        """Take out the earlier contents of what has changed, and with ``prune`` what is gone; the tally tells it."""
        places = self._catalog.places()
        found = [scope for scope in scopes(sources, self._base, records=self._records) if self._finds(scope)]
        relative = self._same_base(places, found)
        rest = [one for one in places if one.item not in self._seen and (relative or not is_relative(one.uri))]
        copies = self._copied(tally.skipped, tally.before)
        changed = self._replaced(places, rest)
        self._compare(places, changed, tally, relative=relative)
        replaced = self._elsewhere(changed, copies)
        left = {one.item: one for one in self._gone([one for one in rest if one.item not in changed], found, tally)}
        gone = list(self._elsewhere(left, copies).values())
        copies.keep()
        going = [*replaced.values(), *(gone if prune else ())]
        out = {one.item: one.uri for one in [*going, *_parts_of_rows(going, rest)]}
        if out:
            self._catalog.remove(list(out), at=out, instead={item: self._instead[item] for item in replaced})
        told = tuple(one.uri for one in gone)
        tally.gone, tally.removed = ((), told) if prune else (told, ())
        self._tell_kept(tally, [one for one in rest if one.item not in out])

    # -- what is where ---------------------------------------------------------------------------------------------

    def _at(self, uri: str) -> str:
        if uri not in self._places:
            self._places[uri] = place_of(uri, self._base)
        return self._places[uri]

    def _finds(self, scope: Scope) -> bool:
        """Whether anything was found there: of a disk that is not in, nothing is gone."""
        return any(scope.covers(self._at(table_of(one.uri) or one.uri)) for one in self._seen.values())

    def _same_base(self, places: Sequence[Place], found: Sequence[Scope]) -> bool:
        """Whether relative paths in the index begin at this working directory."""
        unseen = [one.uri for one in places if one.item not in self._seen]
        earlier = [*unseen, *(one.before for one in self._seen.values() if one.before)]
        earlier = [uri for uri in earlier if is_relative(uri)]
        known = self._catalog.meta().get(_BASE)
        if known == self._here:
            return True
        # A folder that was moved with its index: most of what is known of it is found where it was.
        stays = {one.before for one in self._seen.values() if one.before and self._at(one.before) == self._at(one.uri)}
        meant = [uri for uri in earlier if uri in stays or any(scope.covers(self._at(uri)) for scope in found)]
        same = not earlier or (known != _SEVERAL and 2 * len(stays.intersection(meant)) >= max(1, len(meant)))
        if not self._catalog.read_only and any(is_relative(one.uri) for one in self._seen.values()):
            if same:  # unless another notebook has said otherwise meanwhile
                self._catalog.amend(_BASE, lambda now: self._here if now in {known, self._here} else _SEVERAL)
            elif known is not None:
                self._catalog.amend(_BASE, lambda _: _SEVERAL)
        return same

    def _replaced(self, places: Sequence[Place], rest: Sequence[Place]) -> dict[str, Place]:
        """Earlier contents of what was found and is in the index as a whole, by id."""
        earlier: dict[str, list[Place]] = {}
        for one in rest:
            if place := self._at(one.uri):
                earlier.setdefault(place, []).append(one)
        replaced = {}
        for now in places:
            if now.item in self._seen and now.whole and (place := self._at(now.uri)):
                for old in earlier.get(place, ()):
                    # The same file may be a part of other records: these stay as they are.
                    if old.record == now.record or table_of(now.uri):
                        replaced[old.item] = old
                        self._instead[old.item] = now.item
        return replaced

    # -- copies ----------------------------------------------------------------------------------------------------

    def _copied(self, skipped: Sequence[Skipped], before: Mapping[str, str]) -> Copies:
        """The places where the same content lies besides, those of this run among them."""
        copies = Copies(self._catalog)
        for twice in skipped:
            if twice.same in self._seen:
                copies.add(twice.same, self._at(twice.source), twice.source)
        for item, one in self._seen.items():
            # Another notebook may have found it at yet another place since it was noticed.
            for place in {one.before, before.get(item, "")} - {"", one.uri}:
                copies.add(item, self._at(place), place)
        now = {self._at(one.uri): item for item, one in self._seen.items()}
        copies.forget(lambda item, place: is_gone(place) or now.get(place, item) != item)
        return copies

    def _elsewhere(self, going: Mapping[str, Place], copies: Copies) -> dict[str, Place]:
        """Those of ``going`` that are nowhere else; what has a copy stays, as that."""
        for item in [item for item in going if item in copies]:
            self._catalog.move(item, going[item].uri, copies.take(item))
        return {item: one for item, one in going.items() if item not in copies.taken}

    # -- what has become of it -------------------------------------------------------------------------------------

    def _compare(self, places: Sequence[Place], replaced: dict[str, Place], tally: Tally, *, relative: bool) -> None:
        there = {one.item for one in places if one.whole}
        left = {self._at(one.uri) for one in replaced.values()}
        left |= {self._at(one.before) for one in self._seen.values() if one.before and one.before != one.uri}
        now = {self._at(one.uri) for one in self._seen.values()}
        added, changed, moved = [], dict[str, None](), []
        for item, one in self._seen.items():
            if item not in there:
                continue
            if not one.before:
                if self._at(one.uri) in left - {""}:
                    changed[one.uri] = None
                else:
                    added.append(one.uri)
            elif self._has_moved(one, now, relative=relative):
                moved.append((one.before, one.uri))
        # What an interrupted run left beside its new content, too.
        places_changed = {self._at(uri) for uri in changed}
        changed |= {old.uri: None for old in replaced.values() if self._at(old.uri) not in places_changed}
        tally.added, tally.changed, tally.moved = tuple(added), tuple(changed), tuple(moved)

    def _has_moved(self, one: _Seen, now: set[str], *, relative: bool) -> bool:
        """Whether a file is where it was no longer; where it is, too, this is a copy."""
        if one.before == one.uri or not (relative or not is_relative(one.before)):
            return False
        was, is_at = self._at(one.before), self._at(one.uri)
        files = was and is_at and not is_url(was) and not is_url(is_at)
        within = table_of(one.uri) and table_of(one.before) == table_of(one.uri)  # a row that others went before
        return bool(files and was != is_at and not within and (was in now or is_gone(table_of(was) or was)))

    def _gone(self, rest: Sequence[Place], found: Sequence[Scope], tally: Tally) -> list[Place]:
        """What is known of the folders, globs and tables of this run, and no longer there."""
        tables = {self._at(table) for one in self._seen.values() if (table := table_of(one.uri))}
        tables -= {self._at(one.source) for one in tally.skipped}  # not read to its end
        gone = []
        for one in rest:
            table = table_of(one.uri)
            place = self._at(table or one.uri)
            if not place or is_url(place):
                continue
            row = table and place in tables
            file = any(scope.covers(place) for scope in found) and (table or of_its_folder(place, one.record))
            if row or (file and is_gone(place)):
                gone.append(one)
        return gone

    def _tell_kept(self, tally: Tally, rest: Sequence[Place]) -> None:
        """Say of what could not be indexed that it was once, and that this stays."""
        kept = {self._at(one.uri) for one in rest} - {""}
        tally.skipped[:] = [
            replace(one, reason=f"{one.reason}; what was indexed of it before stays")
            if self._at(one.source) in kept
            else one
            for one in tally.skipped
        ]


def _parts_of_rows(going: Sequence[Place], rest: Sequence[Place]) -> list[Place]:
    """The other parts of rows that go: pictures that were named in them."""
    rows = {one.record for one in going if one.record is not None and table_of(one.uri)}
    return [one for one in rest if one.record in rows]
