"""Why something was found, or was not: its place, its views, its words, its pixels."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from . import carrying
from .cases import Asked, Case
from .describing import texts
from .errors import InvalidSetting, UnknownName
from .finding import content_words
from .insight import changes, spoken, word_shares
from .insight.why import Placing, Term, View, Why
from .results import Hit, Hits
from .retrieval import lexical
from .retrieval.telling import tell
from .settings import MOST_HITS
from .truncation import truncated
from .unfound import unseen
from .views import text_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .catalog.catalog import Catalog
    from .finding import Ranking, Scope
    from .insight.why import Heat, WordShare
    from .parts import Parts
    from .queries import Query
    from .retrieval.channels import Probe
    from .retrieval.search import How, Order
    from .searching import Searching
    from .settings import Settings
    from .types import Item

_OCCLUSION = "picture by occlusion (Zeiler and Fergus 2014)"
_ROUNDING = 1e-5
"""Float32 products of one row and of a whole matrix differ in the last bits."""
_ERASURE = "words by leaving one out (Li et al. 2016)"


class Explaining:
    """Explanations over one index.

    Parameters
    ----------
    parts, catalog, settings
        As for :class:`~mmrag_nb.searching.Searching`.
    searching
        What found the hits.
    """

    def __init__(self, parts: Parts, catalog: Catalog, settings: Settings, searching: Searching) -> None:
        self._parts, self._catalog, self._settings, self._searching = parts, catalog, settings, searching

    def asked(self, query: Query, hits: Hits, scope: Scope) -> Asked:
        """Note a search, as it was asked for, and what it found."""
        settings = self._settings
        k = settings.k if scope.k is None else scope.k
        raw = settings.raw if scope.raw is None else scope.raw
        return Asked(query, hits, replace(scope, k=k, raw=raw))

    # -- why -------------------------------------------------------------------------------------------------------

    def why(self, which: int | Hit | Item, asked: Asked) -> Why:
        """Explain a rank of a search, one of its hits, or an item's best chunk; see :meth:`MultimodalRAG.why`."""
        start = time.perf_counter()
        ranking = self._searching.ranking(asked.query, asked.scope)
        otherwise_raw = self._searching.ranking(asked.query, replace(asked.scope, raw=not asked.raw))
        order = ranking.order
        number = self._number(which, asked, order)
        stored = self._catalog.records([number])[number]
        case = Case(stored.chunk, stored.item, number, tuple(_views(number, ranking.probes, raw=asked.raw)))
        reasons = unseen(case, asked, self._parts, self._catalog)
        views = tuple(view for _, view in case.probes)
        name, question = stored.item.name, asked.hits.question
        if order.place(number) is None:
            told = f"It could not be found: {'; '.join(reasons)}." if reasons else "It could not be found."
            return Why(question, name, told, views=views, facts=self._facts(case), timings=_since(start, "rank"))
        hit = self._hit(case, asked, ranking)
        placing = self._placing(case, hit, asked, order)
        brought = float(order.words[order.candidates == number][0])
        terms = () if asked.raw else self._terms(case, asked.query, brought, ranking.how)
        counted, alone = case.counted, _of_one_view(case, ranking)
        otherwise = [
            *changes.margin(hit, counted[1] if counted and alone else None, placing, order.scores.tolist()),
            *(f"It stands behind {other.item.name}, of which it is a near-duplicate." for other in _before(hit, asked)),
            *(changes.words(terms, case.chunk.modality, captioned=bool(case.chunk.text)) if placing.rank > 1 else []),
            *(f"{reason[0].upper()}{reason[1:]}." for reason in reasons),
            *changes.other_ways(placing, otherwise_raw.order.place(number), MOST_HITS),
        ]
        timings = _since(start, "rank")
        start = time.perf_counter()
        of_question = self._of_question(case, asked.query)
        text, of_text, times = self._of_text(case)
        timings |= _since(start, "words")
        start = time.perf_counter()
        heat = self._heat(case, hit)
        return Why(
            question,
            name,
            changes.verdict(placing, case.chunk.modality),
            hit,
            placing,
            views,
            terms,
            tuple(of_question),
            tuple(of_text),
            text,
            times,
            heat,
            tuple(otherwise),
            (*self._facts(case), *[_OCCLUSION] * (heat is not None), *[_ERASURE] * bool(of_text or of_question)),
            {**timings, **(_since(start, "picture") if heat else {})},
        )

    # -- where it stands -------------------------------------------------------------------------------------------

    def _number(self, which: int | Hit | Item, asked: Asked, order: Order) -> int:
        """The chunk's id.

        Raises
        ------
        InvalidSetting
            The ranking is not so long.
        UnknownName
            The item is not in the index, or no longer.
        """
        if isinstance(which, int):
            if not 1 <= which <= max(len(order), len(asked.hits)):
                raise InvalidSetting(f"there is no hit {which}: {len(order):,} chunks were ranked, from 1")
            if which > len(asked.hits):
                return int(order.chunks[which - 1])
            which = asked.hits[which - 1]
        item = which.item if isinstance(which, Hit) else which
        chunks = self._catalog.chunk_ids(item.id)
        if not chunks or (isinstance(which, Hit) and which.chunk.ordinal >= len(chunks)):
            raise UnknownName("item", item.name, [one.name for one in self._catalog.items()])
        if isinstance(which, Hit):
            return chunks[which.chunk.ordinal]
        own = np.flatnonzero(np.isin(order.candidates, chunks))
        return int(order.candidates[own[np.argmax(order.own[own])]]) if len(own) else chunks[0]

    def _hit(self, case: Case, asked: Asked, ranking: Ranking) -> Hit:
        for hit in asked.hits:
            if (hit.item.id, hit.chunk.ordinal) == (case.item.id, case.chunk.ordinal):
                return hit
        order = ranking.order
        row = int(np.flatnonzero(order.candidates == case.number)[0])
        scored = tell(order, ranking.probes, ranking.words, [row], ranking.how)[0]
        record = case.item.record
        shown = [hit.rank for hit in asked.hits if record is not None and hit.item.record == record]
        place = shown[0] if shown else max(order.place(case.number) or 0, len(asked.hits) + 1)
        return self._searching.hit(scored, place, asked.query, ranking.how)

    def _placing(self, case: Case, hit: Hit, asked: Asked, order: Order) -> Placing:
        kind = np.isin(order.chunks, self._catalog.chunks_among([case.chunk.modality]))
        place = order.place(case.number) or 0
        return Placing(
            rank=hit.rank,
            of=len(order),
            among_kind=max(int(kind[:place].sum()), 1),
            kinds=int(kind.sum()),
            k=asked.k,
            raw=asked.raw,
        )

    def _terms(self, case: Case, query: Query, brought: float, how: How) -> tuple[Term, ...]:
        """What each word that the lexical channel looks up brought, and what it could have brought."""
        words = content_words(query.words)
        total = self._catalog.chunk_count()
        described = self._searching.described
        frequencies = [self._catalog.document_frequency(word, described=described) for word in words]
        rarities = [lexical.rarity(n, total) for n in frequencies]
        only = np.asarray([case.number])
        found = [self._catalog.bm25([word], 1, only, described=described) if brought else {} for word in words]
        each = [one.get(case.number, 0.0) for one in found]
        bound, all_found = sum(rarities) or 1.0, sum(each) or 1.0
        weight = 0.0 if how.fusion == "rrf" else how.lexical_weight  # what a place among the words' ranks is worth
        return tuple(
            Term(
                word,
                brought * score / all_found,
                weight * rarity / bound,
                n,
                lexical.matches(case.chunk.text, [word]),
            )
            for word, score, rarity, n in zip(words, each, rarities, frequencies, strict=True)
        )

    # -- what carries it -------------------------------------------------------------------------------------------

    def _of_question(self, case: Case, query: Query) -> list[WordShare]:
        """What each word of the question brings to the cosine that counted."""
        if case.counted is None or (case.counted[0].channel.space, "text") not in query.vectors:
            return []
        probe = case.counted[0]
        encoder = self._searching.encoders()[probe.channel.space]
        return carrying.shares(truncated(query.words, encoder), encoder, case.vector(probe))

    def _of_text(self, case: Case) -> tuple[str, list[WordShare], str]:
        """The text as it was embedded, what each of its words brings, and where their seconds come from."""
        probe = next((probe for probe, view in case.probes if view.modality == "text"), None)
        if probe is None:
            return "", [], ""
        ways = self._parts.ways(pictures=case.chunk.modality == "image", sounds=False)
        view = next(way.view for way in ways if way.modality == "text")
        encoder = self._searching.encoders()[probe.channel.space]
        stored = self._catalog.records([case.number])[case.number]
        text = truncated(text_view(view, case.chunk, case.item, texts(stored.described, self._parts.telling)), encoder)
        words = carrying.shares(text, encoder, probe.query)
        start, end = case.chunk.start, case.chunk.end
        if case.chunk.modality != "audio" or start is None or end is None:
            return text, words, ""
        kept = self._catalog.previews(case.item.id, case.chunk.ordinal, (spoken.WORDS,)).get(spoken.WORDS)
        times = spoken.heard(kept, case.chunk.text, start, end)
        known = times if times is not None else spoken.estimated(case.chunk.text, start, end)
        return text, word_shares.timed(words, case.chunk.text, known), "estimated" if times is None else "heard"

    def _heat(self, case: Case, hit: Hit) -> Heat | None:
        """Which parts of the picture carry its cosine; ``None`` where its pixels were not compared."""
        for probe, view in case.probes:
            if view.modality == "image":
                encoder = self._searching.encoders()[view.space]
                return carrying.heat(hit.previews.get("thumbnail"), encoder, probe.query, view.deviation)
        return None

    def regions(self, hits: Hits, query: Query) -> Hits:
        """The same hits; of the best pictures among them, seen as pictures, with the part that matches."""
        for probe in self._searching.probes(query)[0]:
            if probe.channel.modality == "image":
                encoder = self._searching.encoders()[probe.channel.space]
                return carrying.regions(hits, encoder, probe.query, probe.scale.deviation)
        return hits

    def _facts(self, case: Case) -> tuple[str, ...]:
        spaces = {view.space for _, view in case.probes}
        encoders = self._searching.encoders().items()
        return (self._settings.strategy, *(encoder.description for space, encoder in encoders if space in spaces))


def _views(number: int, probes: Sequence[Probe], *, raw: bool) -> list[tuple[Probe, View]]:
    """The chunk in each channel that holds it; the one with the best score counts."""
    found: list[tuple[Probe, View]] = []
    for probe in probes:
        channel = probe.channel
        cosine = float(probe.cosines([number])[0])
        if not math.isnan(cosine):  # it is there
            place = 1 + channel.nearer(probe.query, cosine + _ROUNDING)
            calibrated = float(probe.scale.score(cosine))
            scale, seen = probe.scale, (channel.modality, channel.space, cosine, calibrated)
            found.append((probe, View(*seen, scale.deviation, place, len(channel), below=scale.below)))
    best = max(found, key=lambda one: _towards(*one, raw=raw), default=(None, None))[1]
    return [(probe, replace(view, counted=view is best)) for probe, view in found]


def _of_one_view(case: Case, ranking: Ranking) -> bool:
    """Whether one cosine makes the score, besides words: no other part of the question, channel or part of a record."""
    how = ranking.how
    parts = {probe.part for probe in ranking.probes}
    return len(parts) == 1 and (how.raw or how.fusion == "calibrated") and (not case.item.record or how.pool == "max")


def _towards(probe: Probe, view: View, *, raw: bool) -> float:
    """How much a view speaks for its chunk; one like what is disliked speaks against it."""
    return math.copysign(1.0, probe.weight) * (view.cosine if raw else view.calibrated)


def _before(hit: Hit, asked: Asked) -> list[Hit]:
    """The hit that ``hit`` is folded onto."""
    return [other for other in asked.hits if hit.item.name in other.alike and other.item.id != hit.item.id]


def _since(start: float, stage: str) -> dict[str, float]:
    return {stage: time.perf_counter() - start}
