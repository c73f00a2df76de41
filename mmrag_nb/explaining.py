"""Why something was found, or was not: its place, its views, its words, its pixels."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from . import carrying
from .cases import Asked, Case
from .errors import InvalidSetting, UnknownName
from .insight import changes, spoken, word_shares
from .insight.placing import Ranked, Seen, ranked
from .insight.why import Placing, Term, View, Why
from .parts import truncated
from .results import Hit, Hits
from .retrieval import lexical
from .retrieval.search import Scored
from .searching import content_words
from .settings import MOST_HITS
from .unfound import unseen
from .views import by_name, text_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .catalog.catalog import Catalog
    from .insight.why import Heat, WordShare
    from .parts import Parts
    from .queries import Query
    from .retrieval.search import Probe
    from .searching import Searching
    from .settings import Settings
    from .types import Item, Modality

_OCCLUSION = "picture by occlusion (Zeiler and Fergus 2014)"
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

    def asked(
        self,
        query: Query,
        hits: Hits,
        k: int | None = None,
        *,
        raw: bool | None = None,
        modalities: tuple[Modality, ...] | None = None,
    ) -> Asked:
        """Note a search, as it was asked for, and what it found."""
        settings = self._settings
        return Asked(query, hits, settings.k if k is None else k, settings.raw if raw is None else raw, modalities)

    # -- why -------------------------------------------------------------------------------------------------------

    def why(self, which: int | Hit | Item, asked: Asked) -> Why:
        """Explain a rank of a search, one of its hits, or an item's best chunk; see :meth:`MultimodalRAG.why`."""
        start = time.perf_counter()
        probes = self._searching.probes(asked.query)[0]
        seen = [_seen(probe) for probe in probes]
        allowed = self._searching.among(asked.modalities)
        bm25, shares = self._searching.by_words(asked.query, asked.k, allowed)
        brought = {chunk: self._settings.lexical_weight * share for chunk, share in shares.items()}
        both = [
            ranked(seen, brought, raw=raw, allowed=allowed, without=asked.query.without)
            for raw in (asked.raw, not asked.raw)
        ]
        number = self._number(which, asked, both[0])
        record = self._catalog.records([number])[number]
        case = Case(record.chunk, record.item, number, tuple(_views(number, probes, seen, raw=asked.raw)))
        reasons = unseen(case, asked, self._parts, self._catalog)
        views = tuple(view for _, view in case.probes)
        name, question = record.item.name, asked.hits.question
        if both[0].place(number) is None:
            told = f"It could not be found: {'; '.join(reasons)}." if reasons else "It could not be found."
            return Why(question, name, told, views=views, facts=self._facts(case), timings=_since(start, "rank"))
        hit = self._hit(case, asked, both[0], bm25.get(number, 0.0), seen)
        placing = self._placing(case, hit, asked, both[0])
        terms = () if asked.raw else self._terms(case, asked.query, brought.get(number, 0.0))
        counted = case.counted
        otherwise = [
            *changes.margin(hit, counted and counted[1], placing, both[0].scores.tolist()),
            *(changes.words(terms, case.chunk.modality, captioned=bool(case.chunk.text)) if placing.rank > 1 else []),
            *(f"{reason[0].upper()}{reason[1:]}." for reason in reasons),
            *changes.other_ways(placing, both[1].place(number), MOST_HITS),
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

    def _number(self, which: int | Hit | Item, asked: Asked, order: Ranked) -> int:
        """The chunk's id.

        Raises
        ------
        InvalidSetting
            The ranking is not so long.
        UnknownName
            The item is not in the index, or no longer.
        """
        if isinstance(which, int):
            if not 1 <= which <= max(len(order.ids), len(asked.hits)):
                raise InvalidSetting(f"there is no hit {which}: {len(order.ids):,} chunks were ranked, from 1")
            if which > len(asked.hits):
                return int(order.ids[which - 1])
            which = asked.hits[which - 1]
        item = which.item if isinstance(which, Hit) else which
        chunks = self._catalog.chunk_ids(item.id)
        if not chunks or (isinstance(which, Hit) and which.chunk.ordinal >= len(chunks)):
            raise UnknownName("item", item.name, [one.name for one in self._catalog.items()])
        if isinstance(which, Hit):
            return chunks[which.chunk.ordinal]
        own = order.ids[[chunk in set(chunks) for chunk in order.ids.tolist()]]
        return int(own[0]) if len(own) else chunks[0]

    def _hit(self, case: Case, asked: Asked, order: Ranked, bm25: float, seen: Sequence[Seen]) -> Hit:
        for hit in asked.hits:
            if (hit.item.id, hit.chunk.ordinal) == (case.item.id, case.chunk.ordinal):
                return hit
        place = order.place(case.number) or 0
        view = case.counted[1] if case.counted else None
        raw = ranked(seen, {}, raw=True, without=asked.query.without).place(case.number) if view else None
        scored = Scored(
            chunk=case.number,
            score=float(order.scores[place - 1]),
            cosine=view.cosine if view else None,
            calibrated=view.calibrated if view else 0.0,
            lexical=0.0 if asked.raw else bm25,
            seen_as=view.modality if view else "text",
            space=view.space if view else "",
            raw_rank=raw,
        )
        return self._searching.hit(scored, max(place, len(asked.hits) + 1), asked.query)

    def _placing(self, case: Case, hit: Hit, asked: Asked, order: Ranked) -> Placing:
        kind = order.among(self._catalog.chunks_among([case.chunk.modality]))
        return Placing(
            rank=hit.rank,
            of=len(order.ids),
            among_kind=kind.place(case.number) or 0,
            kinds=len(kind.ids),
            k=asked.k,
            raw=asked.raw,
        )

    def _terms(self, case: Case, query: Query, brought: float) -> tuple[Term, ...]:
        """What each word that the lexical channel looks up brought, and what it could have brought."""
        import numpy as np

        words = content_words(query.words)
        total = self._catalog.chunk_count()
        frequencies = [self._catalog.document_frequency(word) for word in words]
        rarities = [lexical.rarity(n, total) for n in frequencies]
        only = np.asarray([case.number])
        each = [self._catalog.bm25([word], 1, only).get(case.number, 0.0) if brought else 0.0 for word in words]
        bound, found = sum(rarities) or 1.0, sum(each) or 1.0
        return tuple(
            Term(
                word,
                brought * score / found,
                self._settings.lexical_weight * rarity / bound,
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
        ways = self._parts.ways(pictures=case.chunk.modality == "image")
        encoder = self._searching.encoders()[probe.channel.space]
        text = truncated(text_view(case.chunk, case.item, names=by_name(ways)), encoder)
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
                return carrying.regions(hits, encoder, probe.query, probe.channel.calibration.deviation)
        return hits

    def _facts(self, case: Case) -> tuple[str, ...]:
        spaces = {view.space for _, view in case.probes}
        encoders = self._searching.encoders().items()
        return (self._settings.strategy, *(encoder.description for space, encoder in encoders if space in spaces))


def _seen(probe: Probe) -> Seen:
    channel = probe.channel
    calibration = channel.calibration
    cosines = channel.vectors @ probe.query
    return Seen(channel.space, channel.modality, channel.ids, cosines, calibration.mean, calibration.deviation)


def _views(number: int, probes: Sequence[Probe], seen: Sequence[Seen], *, raw: bool) -> list[tuple[Probe, View]]:
    """The chunk in each channel that holds it; the one with the best score counts."""
    found: list[tuple[Probe, View]] = []
    for probe, column in zip(probes, seen, strict=True):
        for cosine in probe.channel.cosines(probe.query, [number]).values():
            calibrated = probe.channel.calibration.score(cosine)
            place, of = column.place(cosine), len(column.ids)
            view = View(column.modality, column.space, cosine, calibrated, column.deviation, place, of)
            found.append((probe, view))
    best = max((view for _, view in found), key=lambda v: v.cosine if raw else v.calibrated, default=None)
    return [(probe, replace(view, counted=view is best)) for probe, view in found]


def _since(start: float, stage: str) -> dict[str, float]:
    return {stage: time.perf_counter() - start}
