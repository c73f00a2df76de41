"""Where a question is looked for, and everything it finds there, ranked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .asking import Asking
from .catalog.words import terms as split_terms
from .errors import InvalidSetting, MissingVectors, nearest
from .retrieval import lexical
from .retrieval.search import How, Words, candidates, rank
from .retrieval.telling import tell
from .types import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from .catalog.catalog import Catalog
    from .parts import Parts
    from .queries import Query
    from .results import Hit
    from .retrieval.channels import Probe
    from .retrieval.search import Order
    from .retrieval.telling import Scored
    from .settings import Settings
    from .types import Modality, Preview

_MOST_WORDS = 100
"""Words of a question that the lexical channel looks up; a longer one is a text, which its vector stands for."""


@dataclass(frozen=True)
class Scope:
    """What of the index may be found, and how it is ranked; ``None`` as the settings say."""

    k: int | None = None
    raw: bool | None = None
    modalities: tuple[Modality, ...] | None = None
    where: str | None = None


@dataclass(frozen=True)
class Ranking:
    """A question put to the index, and everything it found."""

    probes: tuple[Probe, ...]
    words: Words
    how: How
    order: Order
    remarks: tuple[str, ...] = ()

    def scored(self, places: Sequence[int]) -> list[Scored]:
        """What there is to say of the chunks at these places, from 0."""
        return tell(self.order, self.probes, self.words, [int(self.order.rows[place]) for place in places], self.how)

    def shown(self, places: Sequence[int]) -> tuple[list[Scored], Scored | None]:
        """The same, and the best of those that were found by their pixels, wherever it stands; ``None`` where none was.

        Together, since the whole index is looked at for their raw ranks.
        """
        order = self.order
        seen = [row for row, probe in enumerate(self.probes) if probe.channel.modality == "image"]
        found = np.flatnonzero(np.isin(order.by, seen) & ~np.isnan(order.cosines))
        best = [int(found[np.argmax(order.own[found])])] if len(found) else []
        told = tell(order, self.probes, self.words, [*(int(order.rows[place]) for place in places), *best], self.how)
        return told[: len(places)], told[-1] if best else None


class Finding(Asking):
    """Rankings over one index, by the settings in force; see :class:`~mmrag_nb.asking.Asking`."""

    def __init__(self, parts: Parts, catalog: Catalog, settings: Settings) -> None:
        super().__init__(parts, catalog, settings)
        self._reach: tuple[object, list[str]] = (None, [])
        self._with_records: tuple[object, bool] = (None, False)
        self._allowed: tuple[object, NDArray[np.int64] | None] = (None, None)

    def ranking(self, query: Query, scope: Scope | None = None, depth: int | None = None) -> Ranking:
        """The ``depth`` best chunks of each channel, ranked; all chunks where absent."""
        scope, settings = scope or Scope(), self._settings
        probes, remarks = self.probes(query)
        if depth is None:
            depth = max((probe.channel.most for probe in probes), default=1)
        allowed = self.among(scope.modalities, scope.where)
        raw = settings.raw if scope.raw is None else scope.raw
        weight = settings.lexical_weight * query.words_weight
        how = How(weight, settings.fusion, dict(settings.weights), settings.pool, raw)  # type: ignore[arg-type]
        words = Words() if raw else self.by_words(query, depth, allowed)
        chunks = candidates(probes, depth, words, allowed)
        records: Mapping[int, int] = {}
        if self._has_records():
            records = self._catalog.record_parts(chunks.tolist())
            siblings = np.fromiter(records, np.int64, len(records))
            if allowed is not None:
                siblings = self._catalog.within(siblings, allowed)
            chunks = np.union1d(chunks, siblings)
        order = rank(probes, chunks, words, how, records=records, without=query.without)
        return Ranking(tuple(probes), words, how, order, tuple(remarks))

    def _has_records(self) -> bool:
        state = self._catalog.generation
        if self._with_records[0] != state:
            self._with_records = (state, self._catalog.has_records())
        return self._with_records[1]

    def by_words(self, query: Query, depth: int, allowed: NDArray[np.int64] | None) -> Words:
        """The chunks that share words with the question."""
        words = content_words(query.words)
        described = self.described
        found = self._catalog.bm25(words, depth, allowed, described=described)
        bm25 = {chunk: score for chunk, score in found.items() if chunk not in query.without}
        total = self._catalog.chunk_count()
        each = [self._catalog.document_frequency(word, described=described) for word in words] if bm25 else []
        return Words(bm25, lexical.relative(bm25, each, total))

    @property
    def described(self) -> bool:
        """Whether the words that models say of pictures count."""
        return bool(self._parts.telling)

    # -- what is kept of a hit --------------------------------------------------------------------------------------

    def chunks_of(self, hits: Sequence[Hit]) -> list[int]:
        """Ids of the chunks that these hits are, of those that are still there."""
        by_item = {hit.item.id: self._catalog.chunk_ids(hit.item.id) for hit in hits}
        places = [(by_item[hit.item.id], hit.chunk.ordinal) for hit in hits]
        return [ids[ordinal] for ids, ordinal in places if ordinal < len(ids)]

    def kept(self, hit: Hit, kind: str) -> Preview | None:
        """What of that kind the index keeps of a hit's chunk."""
        return self._catalog.previews(hit.item.id, hit.chunk.ordinal, (kind,)).get(kind)

    # -- where it is looked ----------------------------------------------------------------------------------------

    def probes(self, query: Query) -> tuple[list[Probe], list[str]]:
        """The query in each channel it can be put to, and what of the index none of them reaches."""
        probes: list[Probe] = []
        kinds = {asked for _, asked in query.vectors}
        ways = self._ways(pictures="image" in kinds, sounds="audio" in kinds)
        state = self._catalog.generation  # before it is looked at: others may write meanwhile
        for way in ways:
            for part, facet in enumerate(query.facets):
                for (space, asked), vector in facet.vectors.items():
                    if space == way.encoder.space:
                        probe = self._parts.probe(self._catalog, way, ways, asked, vector)
                        if probe is not None:
                            probes.append(replace(probe, part=part, weight=facet.weight))
        spaces = list(dict.fromkeys(space for space, _ in query.vectors))
        only_seen: Modality | None = "image" if kinds == {"image"} else None
        return probes, self._unreached(probes, spaces, only_seen, state)

    def among(self, modalities: Iterable[Modality] | None, where: str | None = None) -> NDArray[np.int64] | None:
        """Ids of the chunks of these modalities that fit the filter; ``None`` where all may be found.

        Raises
        ------
        InvalidSetting
            One is no modality, or none is named; the filter cannot be read.
        UnknownName
            The filter names what no item has.
        """
        chosen = _modalities(modalities)
        where = where if where and where.strip() else None
        if chosen is None and where is None:
            return None
        state = (chosen, where, self._catalog.generation)
        if self._allowed[0] == state:  # one question after the other is asked within the same limits
            return self._allowed[1]
        allowed: NDArray[np.int64] | None = self._catalog.limit(chosen, where)  # of a corpus, what Milvus is told
        self._allowed = (state, allowed)
        return allowed

    def _unreached(
        self, probes: Sequence[Probe], spaces: Sequence[str], modality: Modality | None, generation: object
    ) -> list[str]:
        """What of the index (of its views as ``modality``) the models in force cannot find: others embedded it.

        Raises
        ------
        MissingVectors
            That is all of it.
        """
        named = " and ".join(spaces)
        state = (named, modality, self._settings.strategy, generation)
        if self._reach[0] == state:  # counting costs more the larger the index, so it is not done for each question
            return self._reach[1]
        views = [modality] if modality else [way.view for way in self._ways() if way.encoder.space in spaces]
        embeddable = self._catalog.embeddable(views)
        reached = probes[0].channel.distinct([probe.channel for probe in probes[1:]]) if probes else 0
        if not reached and (modality or self._catalog.spaces()):
            if modality == "image" and "image" not in self._catalog.kinds():
                raise MissingVectors("the index has no pictures, and a picture finds only these: ask in words")
            same = self._catalog.completes and self._completing.same_models()
            if same and not self._catalog.read_only and not embeddable:  # a drawing that no words were found for, say
                told = [f"nothing here can be found by strategy {self._settings.strategy}: there is nothing to embed"]
                self._reach = (state, told)
                return told
            if same and self._catalog.read_only:
                raise MissingVectors(
                    f"{self._catalog.path} has nothing for strategy {self._settings.strategy}, and may only be read: "
                    "save it under a new name first, or choose another strategy"
                )
            made = ", ".join(self._catalog.spaces())
            raise MissingVectors(
                f"the index has vectors in {made}, none in {named}: index the sources again, or choose the models it "
                "was made with"
            )
        missing = embeddable - reached
        told = [f"{missing:,} of {embeddable:,} chunks have no vector in {named}: index them again"] * (missing > 0)
        self._reach = (state, told)
        return told


def _modalities(modalities: Iterable[Modality] | None) -> list[Modality] | None:
    if modalities is None:
        return None
    chosen = list(modalities)
    for one in chosen:
        if one not in MODALITIES:
            near = nearest(str(one), MODALITIES)
            hint = f"did you mean {near!r}? " if near else ""
            raise InvalidSetting(f"{one!r} is no modality: {hint}choose among {', '.join(MODALITIES)}")
    if not chosen:
        raise InvalidSetting(f"no modality is chosen: take at least one of {', '.join(MODALITIES)}")
    return None if set(chosen) == set(MODALITIES) else chosen


def content_words(question: str) -> list[str]:
    """The words of a question that the lexical channel looks up."""
    return lexical.content_terms(split_terms(question))[:_MOST_WORDS]
