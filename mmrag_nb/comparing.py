"""One question put to several settings, over one index and, where they name the same models, over the same ones."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from traitlets import Bool

from . import registry
from .errors import EmptyIndex, InvalidSetting, MMRagError
from .insight.comparison import Column, Comparison, Row, Standing, cell, kendall, summary
from .parts import Parts
from .searching import Searching
from .settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    from .catalog.catalog import Catalog
    from .queries import Query
    from .results import Hit
    from .retrieval.search import Scored
    from .types import Modality

    Variant: TypeAlias = str | Mapping[str, Any]
    """Settings to change: ``"raw=true"``, ``"clip=emoji, text=words"``, ``{"raw": True}``."""

COMPARABLE = ("strategy", "raw", "lexical_weight", "k", "store", "preset", "clip", "text", "device", "precision")
"""The settings that decide what is found."""
_KEPT = 4
"""Sets of parts, models among them, that stay loaded for the next comparison."""
_DEEPEST = 20_000
"""Places down to which a ranking is followed."""
_PAIR = re.compile(r"\s*(\w+)\s*(?:=\s*(.*?)\s*)?(?:,(?=\s*\w+\s*=)|$)", re.DOTALL)


class Comparing:
    """Comparisons over one index.

    Parameters
    ----------
    parts
        The models in force; variants that name the same ones use them, too.
    catalog
        The index.
    settings
        The choices in force; they are copied, never changed.
    """

    def __init__(self, parts: Parts, catalog: Catalog, settings: Settings) -> None:
        self._parts, self._catalog, self._settings = parts, catalog, settings
        self._kept: dict[tuple[str, ...], Parts] = {}
        self._kept_beside: tuple[str, ...] = ()

    def compare(
        self,
        question: str = "",
        variants: Iterable[Variant] | Mapping[str, Variant] | None = None,
        k: int | None = None,
        image: Any = None,
    ) -> Comparison:
        """Search by the settings in force and by each variant; see :meth:`mmrag_nb.MultimodalRAG.compare`."""
        planned = self._planned(variants, k)
        columns: list[Column] = []
        rankings: list[list[Scored]] = []
        found: dict[int, Hit] = {}
        shown, failure = question, None
        for name, changes, settings in planned:
            try:
                searching = Searching(self._parts_for(settings), self._catalog, settings)
                column, ranking, query = self._run(name, changes, searching, settings, (question, image))
            except EmptyIndex:
                raise
            except MMRagError as error:
                failure = failure or error
                column, ranking = Column(name, changes, settings.k, settings.raw, error=str(error)), []
            else:
                shown = query.shown
                for place, one in enumerate(ranking[: settings.k], 1):
                    if one.chunk not in found:
                        found[one.chunk] = searching.hit(one, place, query)
            columns.append(column)
            rankings.append(ranking)
        if failure is not None and all(column.error for column in columns):
            raise failure
        return _side_by_side(shown, columns, rankings, found, self._catalog.chunk_count())

    # -- what is compared ------------------------------------------------------------------------------------------

    def _planned(
        self, variants: Iterable[Variant] | Mapping[str, Variant] | None, k: int | None
    ) -> list[tuple[str, str, Settings]]:
        """Name, what it changes and settings of each column: those in force first, none twice."""
        force = self._with({} if k is None else {"k": k})
        planned = [(_in_force(force), "", force)]
        if isinstance(variants, (str, Mapping)) and not _named(variants):
            variants = [variants]
        if variants is None:
            named = self._usual(force)
        elif isinstance(variants, Mapping):
            named = [(str(name), changes(variant)) for name, variant in variants.items()]
        else:
            named = [("", changes(variant)) for variant in variants]
        for name, changed in named:
            settings = self._with({**({} if k is None else {"k": k}), **changed})
            if all(_effect(settings) != _effect(other) for _, _, other in planned):
                told = ", ".join(f"{key}={_written(value)}" for key, value in changed.items())
                planned.append((name or told, told if name and name != changed.get("strategy") else "", settings))
        return planned

    def _usual(self, force: Settings) -> list[tuple[str, Mapping[str, Any]]]:
        strategies = registry.names("strategy")
        if len(strategies) > 1:
            return [(name, {"strategy": name}) for name in strategies]
        if force.raw:
            return [("calibrated", {"raw": False}), ("no words", {"raw": False, "lexical_weight": 0.0})]
        return [("raw", {"raw": True}), ("no words", {"lexical_weight": 0.0})]

    def _with(self, changed: Mapping[str, Any]) -> Settings:
        for name in changed:
            if name in Settings.class_trait_names(config=True) and name not in COMPARABLE:
                raise InvalidSetting(f"{name} does not change what is found: compare by one of {', '.join(COMPARABLE)}")
        kept = {name: getattr(self._settings, name) for name in Settings.class_trait_names(config=True)}
        if "preset" in changed:
            kept = {name: value for name, value in kept.items() if name not in {"clip", "text"}}
        return Settings(**{**kept, **changed})

    def _parts_for(self, settings: Settings) -> Parts:
        """The parts for ``settings``: those in force, others with the same models, or others altogether."""
        here, there = _models(self._settings), _models(settings)
        place, other = (self._settings.strategy, self._settings.store), (settings.strategy, settings.store)
        if (here, place) == (there, other):
            return self._parts
        if here != self._kept_beside:  # what shared the models that were in force would load them again
            self._kept, self._kept_beside = {}, here
        key = (*there, *other)
        parts = self._kept.pop(key, None) or (self._parts.under(settings) if here == there else Parts(settings))
        self._kept[key] = parts  # the last used last
        while len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        return parts

    # -- what is found ---------------------------------------------------------------------------------------------

    def _run(
        self, name: str, changed: str, searching: Searching, settings: Settings, asked: tuple[str, Any]
    ) -> tuple[Column, list[Scored], Query]:
        searching.query(*asked)  # once beforehand: loading, and the slower first time, are no part of searching
        start = time.perf_counter()
        query = searching.query(*asked)
        embedded = time.perf_counter() - start
        depth = max(settings.k, min(self._catalog.chunk_count(), _DEEPEST))
        ranking, _ = searching.ranking(query, depth, raw=settings.raw)
        hits = searching.hits(query)  # what a search takes, now that the channels are there
        column = Column(
            name,
            changed,
            settings.k,
            settings.raw,
            levels=_levels(ranking),
            facts=hits.facts,
            timings={"embed": embedded, **hits.timings},
        )
        return column, ranking, query


def changes(variant: Variant) -> dict[str, Any]:
    """The settings that ``variant`` changes, by name.

    >>> changes("raw=true, lexical_weight=0")
    {'raw': True, 'lexical_weight': 0.0}
    >>> changes("shared")
    {'strategy': 'shared'}

    Raises
    ------
    InvalidSetting
        It is not of the form ``setting=value``, or the value cannot be.
    """
    if not isinstance(variant, str):
        return dict(variant)
    traits = Settings.class_traits(config=True)
    changed: dict[str, Any] = {}
    at = 0
    while at < len(variant):
        pair = _PAIR.match(variant, at)
        if pair is None or (pair[2] is None and not _speaks_for_itself(pair[1])):
            raise InvalidSetting(f"{variant!r} is no variant: write setting=value, as in raw=true or strategy=shared")
        at = pair.end()
        name, text = pair[1], pair[2]
        if text is None:
            name, text = (name, "true") if name in traits else ("strategy", name)
        try:
            changed[name] = traits[name].from_string(text) if name in traits else text
        except ValueError as error:
            right = "true or false" if isinstance(traits[name], Bool) else "a number"
            raise InvalidSetting(f"{name}={text} cannot be: {name} is {right}") from error
    if not changed:
        raise InvalidSetting("a variant is empty: write setting=value, as in raw=true")
    return changed


def _speaks_for_itself(word: str) -> bool:
    """Whether a word alone is a variant: a strategy's name, or what can only be on or off."""
    return word in registry.names("strategy") or isinstance(Settings.class_traits().get(word), Bool)


def _named(variants: str | Mapping[str, Any]) -> bool:
    """Whether a mapping names variants rather than being one."""
    return not isinstance(variants, str) and any(
        isinstance(value, Mapping) or name not in Settings.class_trait_names() for name, value in variants.items()
    )


def _in_force(settings: Settings) -> str:
    return f"{settings.strategy}, raw" if settings.raw else settings.strategy


def _models(settings: Settings) -> tuple[str, ...]:
    return settings.chosen("clip"), settings.chosen("text"), settings.device, settings.precision


def _effect(settings: Settings) -> tuple[object, ...]:
    """What decides the hits: two settings of the same effect need no two columns."""
    weight = 0.0 if settings.raw else settings.lexical_weight
    return *_models(settings), settings.strategy, settings.store, settings.k, settings.raw, weight


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _side_by_side(
    question: str,
    columns: Sequence[Column],
    rankings: Sequence[Sequence[Scored]],
    found: Mapping[int, Hit],
    total: int,
) -> Comparison:
    standings = [
        {one.chunk: _standing(place, one, raw=column.raw) for place, one in enumerate(ranking, 1)}
        for column, ranking in zip(columns, rankings, strict=True)
    ]
    places = {chunk: [there[chunk].rank if chunk in there else total + 1 for there in standings] for chunk in found}

    def order(chunk: int) -> tuple[bool, int]:
        own = places[chunk][0]
        return own > columns[0].k, own if own <= columns[0].k else min(places[chunk])

    rows = tuple(
        Row(
            found[chunk],
            tuple(
                cell(column, there, columns[0], standings[0], chunk)
                for column, there in zip(columns, standings, strict=True)
            ),
        )
        for chunk in sorted(found, key=order)
    )
    told = tuple(
        column if number == 0 or column.error else _agreement(column, number, rows)
        for number, column in enumerate(columns)
    )
    return Comparison(question, told, rows, total, summary(told, rows))


def _agreement(column: Column, number: int, rows: Sequence[Row]) -> Column:
    of_either = [(row.cells[0], row.cells[number]) for row in rows if row.cells[0].found or row.cells[number].found]
    both = [(one.standing.rank, other.standing.rank) for one, other in of_either if one.standing and other.standing]
    return replace(
        column,
        shared=sum(one.found and other.found for one, other in of_either),
        tau=kendall([a for a, _ in both], [b for _, b in both]),
    )


def _standing(place: int, one: Scored, *, raw: bool) -> Standing:
    words = 0.0 if raw else one.score - one.calibrated
    return Standing(place, one.score, one.cosine, one.calibrated, words, one.seen_as, one.space)


def _levels(ranking: Sequence[Scored]) -> dict[Modality, float]:
    cosines: dict[Modality, list[float]] = {}
    for one in ranking:
        if one.cosine is not None:
            cosines.setdefault(one.seen_as, []).append(one.cosine)
    return {kind: sum(values) / len(values) for kind, values in cosines.items()}
