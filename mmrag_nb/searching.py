"""From what is asked to ranked hits: channels, fusion with the words, records, what is shown of them."""

from __future__ import annotations

import time
from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np

from .describing import texts
from .errors import InvalidSetting
from .finding import Finding, Scope, content_words
from .loaders.pdf_words import PLACED
from .parts import short_name
from .presets import NONE
from .reranking import rerank
from .results import Hit, Hits, Part
from .retrieval import lexical
from .retrieval.abstention import judge
from .retrieval.gap import gap_line
from .retrieval.search import CANDIDATES, How
from .selecting import Selected, select
from .settings import MOST_HITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .catalog.entries import Stored
    from .finding import Ranking
    from .queries import Query
    from .retrieval.telling import Scored
    from .types import Chunk, Preview

_SHOWN = ("thumbnail", "peaks", "clip", "film")
_DEEPER = 4
"""So many times more candidates are looked at where near-duplicates and records left fewer than were asked for."""


class Searching(Finding):
    """Retrieval over one index, by the settings in force; see :class:`~mmrag_nb.asking.Asking`."""

    # -- what is found ---------------------------------------------------------------------------------------------

    def hits(self, query: Query, scope: Scope | None = None) -> Hits:
        """Rank the chunks for ``query``, best first; see :meth:`mmrag_nb.MultimodalRAG.search`."""
        while True:
            state = self._catalog.generation
            try:
                return self._hits(query, scope or Scope())
            except KeyError:  # what was ranked has been removed meanwhile, by a panel or another process
                if self._catalog.generation == state:
                    raise

    def _hits(self, query: Query, scope: Scope) -> Hits:
        settings = self._settings
        k = settings.k if scope.k is None else _number(scope.k)
        start = time.perf_counter()
        raw = settings.raw if scope.raw is None else scope.raw
        reranker = None if raw else self._parts.reranker()
        wanted = k if reranker is None else max(k, settings.rerank_depth)
        ranking, chosen = self._chosen(query, wanted, scope)
        scored, picture = ranking.shown(chosen.places)
        order = ranking.order
        named = {place: [int(order.chunks[one]) for one in alike] for place, alike in chosen.alike.items()}
        told = [one.chunk for one in (*scored, *([picture] if picture else []))]
        parts = [part for one in scored for part, _ in one.parts]
        stored = self._catalog.records([*told, *parts, *(one for alike in named.values() for one in alike)])
        words = content_words(query.words)
        hits = tuple(
            replace(
                self._hit(rank_, one, stored, words, ranking.how.unit),
                alike=tuple(stored[other].item.name for other in named.get(place, [])),
            )
            for rank_, (place, one) in enumerate(zip(chosen.places, scored, strict=True), 1)
        )
        gap = ""
        in_words = any(asked == "text" for _, asked in query.vectors) and not query.without and len(query.facets) == 1
        in_words = in_words and reranker is None and ranking.how.fusion == "calibrated"
        if in_words and picture is not None and any(probe.channel.modality != "image" for probe in ranking.probes):
            place_ = next((place for place, one in enumerate(scored, 1) if one.chunk == picture.chunk), None)
            stood_for = any(picture.chunk in dict(one.parts) for one in scored)  # by another part of its record
            if place_ is not None or not stood_for:
                total = self._catalog.chunk_count()
                gap = gap_line(picture, stored[picture.chunk].item.name, place_, total=total, raw=ranking.how.raw)
        facts = self._facts(query, hits, ranking, chosen, scope)
        doubt = self._doubt(query, ranking, scope)
        found = Hits(hits, query.shown, facts, {"search": time.perf_counter() - start}, gap, doubt)
        return found if reranker is None else rerank(found, query, reranker, self._catalog, k)

    def _chosen(self, query: Query, k: int, scope: Scope) -> tuple[Ranking, Selected]:
        """A ranking deep enough for ``k`` hits, and those that are shown."""
        settings = self._settings
        depth = max(5 * k, CANDIDATES)
        while True:
            ranking = self.ranking(query, scope, depth)
            folded = settings.fold and not ranking.how.raw
            diversity = 0.0 if ranking.how.raw else settings.diversity
            chosen = select(ranking.order, ranking.probes, self._catalog, k, folded=folded, diversity=diversity)
            longest = max((probe.channel.most for probe in ranking.probes), default=0)
            if len(chosen.places) >= k or depth >= longest:
                return ranking, chosen
            depth *= _DEEPER

    # -- hits ------------------------------------------------------------------------------------------------------

    def hit(self, one: Scored, place: int, query: Query, how: How) -> Hit:
        """One chunk of a ranking, with its item and previews."""
        stored = self._catalog.records([one.chunk, *(part for part, _ in one.parts)])
        return self._hit(place, one, stored, content_words(query.words), how.unit)

    def _hit(self, place: int, one: Scored, stored: Mapping[int, Stored], words: Sequence[str], unit: str) -> Hit:
        kept = stored[one.chunk]
        described = texts(kept.described) if self.described else {}
        return Hit(
            rank=place,
            score=one.score,
            cosine=one.cosine,
            lexical=one.lexical,
            chunk=kept.chunk,
            item=kept.item,
            calibrated=one.calibrated,
            seen_as=one.seen_as,
            space=one.space,
            raw_rank=one.raw_rank,
            unit=unit,
            matches=lexical.matches(kept.chunk.text, words),
            described=described,
            described_matches={kind: lexical.matches(said, words) for kind, said in described.items()},
            parts=tuple(
                Part(stored[part].item.name, stored[part].chunk.modality, score)
                for part, score in one.parts
                if part in stored
            ),
            facts=kept.facts,
            previews=self._previews(kept.chunk),
        )

    def _previews(self, chunk: Chunk) -> dict[str, Preview]:
        """What of a chunk is shown; of a page's passage its page, and where on it each word is."""
        shown = self._catalog.previews(chunk.item_id, chunk.ordinal, _SHOWN)
        if chunk.modality == "text" and chunk.page is not None:
            shown |= self._catalog.previews(chunk.item_id, chunk.ordinal, (PLACED,))
            shown |= self._catalog.page_previews(chunk.item_id, chunk.page, ("page",))
        return shown

    def _doubt(self, query: Query, ranking: Ranking, scope: Scope) -> str:
        """Why nothing seems to answer the question; empty where something does, or where it cannot be told."""
        how, order = ranking.how, ranking.order
        in_words = bool(query.words) and {asked for _, asked in query.vectors} == {"text"} and len(query.facets) == 1
        whole = scope.where is None and scope.modalities is None
        if not (self._settings.abstain and in_words and whole and len(order)) or how.raw or how.fusion != "calibrated":
            return ""
        # By their cosines: what words chance shares with an arbitrary question was not measured.
        there = np.flatnonzero(~np.isnan(order.cosines))
        if not len(there):
            return ""
        row = int(there[np.argmax(order.calibrated[there])])
        best = float(order.calibrated[row])
        verdict = judge(best, ranking.probes[order.by[row]].chance)
        if verdict.answerable:
            return ""
        often = f"about 1 in {round(1 / verdict.surprise)}" if verdict.surprise < 0.5 else "most"
        reach = "reaches" if verdict.surprise < 0.5 else "reach"
        return (
            f"Nothing here seems to answer this: by its cosine the best stands at {round(best, 1) or 0:+.1f} σ, which "
            f"{often} of the questions that have nothing to do with this index {reach}, too."
        )

    def _facts(
        self, query: Query, hits: Sequence[Hit], ranking: Ranking, chosen: Selected, scope: Scope
    ) -> tuple[str, ...]:
        settings, how = self._settings, ranking.how
        speech = settings.chosen("speech")
        spaces = {space for space, _ in query.vectors}
        heard = speech != NONE and any(
            hit.chunk.modality == "audio" and "transcript" not in hit.facts
            for hit in hits  # else subtitles
        )
        fused = f", {how.fusion}" if how.fusion != "calibrated" and not how.raw else ""
        completed, self._completed = self._completed, []
        return (
            f"{settings.strategy}{', raw' if how.raw else fused}",
            *(encoder.description for space, encoder in self.encoders().items() if space in spaces),
            *([short_name(speech)] if heard else []),
            *([f"where {scope.where}"] if scope.where else []),
            *(query.notes or ["nothing truncated"]),
            *chosen.notes,
            *ranking.remarks,
            *completed,
        )


def _number(k: object) -> int:
    if not isinstance(k, Integral) or not 1 <= int(k) <= MOST_HITS:
        raise InvalidSetting(f"k is {k!r}: 1 to {MOST_HITS} hits can be asked for")
    return int(k)
