"""One question put to several settings, over one index and, where they name the same models, over the same ones."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import registry
from .errors import EmptyIndex, InvalidSetting, MMRagError
from .insight.comparison import Column, Comparison, Row, Standing, cell, kendall, summary
from .searching import Searching
from .settings import Settings
from .variants import changes, models

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .catalog.catalog import Catalog
    from .finding import Ranking
    from .queries import Query
    from .results import Hit, Hits
    from .retrieval.telling import Scored
    from .types import Modality
    from .variants import Variant, Variants

_DEEPEST = 20_000
"""Places down to which a ranking is followed."""


class Comparing:
    """Comparisons over one index.

    Parameters
    ----------
    variants
        Settings other than those in force, and their parts.
    catalog
        The index.
    """

    def __init__(self, variants: Variants, catalog: Catalog) -> None:
        self._variants, self._catalog = variants, catalog

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
        for name, told, settings in planned:
            try:
                searching = Searching(self._variants.parts(settings), self._catalog, settings)
                column, whole, ranking, query = self._run(name, told, searching, settings, (question, image))
            except EmptyIndex:
                raise
            except MMRagError as error:
                failure = failure or error
                column, ranking = Column(name, told, settings.k, settings.raw, error=str(error)), []
            else:
                shown = query.shown
                for place, one in enumerate(ranking[: settings.k], 1):
                    if one.chunk not in found:
                        found[one.chunk] = searching.hit(one, place, query, whole.how)
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
        if isinstance(variants, int):  # where a search has its k
            raise InvalidSetting(
                f"{variants} is no variant: write settings to change, 'raw=true', and k={variants} by name"
            )
        force = self._variants.settings({} if k is None else {"k": k})
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
            settings = self._variants.settings({**({} if k is None else {"k": k}), **changed})
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

    # -- what is found ---------------------------------------------------------------------------------------------

    def _run(
        self, name: str, changed: str, searching: Searching, settings: Settings, asked: tuple[str, Any]
    ) -> tuple[Column, Ranking, list[Scored], Query]:
        searching.query(*asked)  # once beforehand: loading, and the slower first time, are no part of searching
        start = time.perf_counter()
        query = searching.query(*asked)
        embedded = time.perf_counter() - start
        depth = max(settings.k, min(self._catalog.chunk_count(), _DEEPEST))
        whole = searching.ranking(query, depth=depth)
        ranking = whole.scored(range(min(len(whole.order), depth)))
        hits = searching.hits(query)  # what a search takes, now that the channels are there
        ranking = self._as_shown(hits, ranking)
        column = Column(
            name,
            changed,
            settings.k,
            settings.raw,
            whole.how.unit,
            levels=_levels(ranking),
            facts=hits.facts,
            timings={"embed": embedded, **hits.timings},
        )
        return column, whole, ranking, query

    def _as_shown(self, hits: Hits, ranking: Sequence[Scored]) -> list[Scored]:
        """``ranking`` with the hits before all others: what folds, diversifies and reranks comes after ranking."""
        scored = {one.chunk: one for one in ranking}
        chunks = [self._catalog.chunk_ids(hit.item.id)[hit.chunk.ordinal] for hit in hits]
        first = {chunk: scored.pop(chunk) for chunk in chunks if chunk in scored}
        return [*first.values(), *scored.values()]


def _named(variants: str | Mapping[str, Any]) -> bool:
    """Whether a mapping names variants rather than being one."""
    return not isinstance(variants, str) and any(
        isinstance(value, Mapping) or name not in Settings.class_trait_names() for name, value in variants.items()
    )


def _in_force(settings: Settings) -> str:
    return f"{settings.strategy}, raw" if settings.raw else settings.strategy


def _effect(settings: Settings) -> tuple[object, ...]:
    """What decides the hits: two settings of the same effect need no two columns."""
    weight = 0.0 if settings.raw else settings.lexical_weight
    named = tuple(str(getattr(settings, name)) for name in ("fusion", "weights", "pool", "diversity", "fold"))
    return *models(settings), settings.strategy, settings.store, settings.k, settings.raw, weight, *named


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
        {one.chunk: _standing(place, one, column) for place, one in enumerate(ranking, 1)}
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


def _standing(place: int, one: Scored, column: Column) -> Standing:
    words = 0.0 if column.raw else one.words
    return Standing(place, one.score, one.cosine, one.calibrated, words, one.seen_as, one.space, column.unit)


def _levels(ranking: Sequence[Scored]) -> dict[Modality, float]:
    cosines: dict[Modality, list[float]] = {}
    for one in ranking:
        if one.cosine is not None:
            cosines.setdefault(one.seen_as, []).append(one.cosine)
    return {kind: sum(values) / len(values) for kind, values in cosines.items()}
