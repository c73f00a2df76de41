"""From what is asked to ranked hits: vectors, channels, fusion with the words, records."""

from __future__ import annotations

import time
from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING, Any

from .catalog.words import terms as split_terms
from .errors import EmptyIndex, InvalidSetting, MissingVectors, MMRagError, nearest
from .parts import short_name
from .queries import heard, picture_query, stored_query, text_query
from .results import Hit, Hits
from .retrieval import lexical
from .retrieval.gap import gap_line
from .retrieval.search import Probe, rank
from .settings import MOST_HITS, NONE
from .types import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .catalog.catalog import Catalog
    from .catalog.entries import Record
    from .parts import Parts
    from .protocols import Encoder, Progress
    from .queries import Query
    from .retrieval.search import Channel, Scored
    from .retrieval.shared import Way
    from .settings import Settings
    from .types import Modality

_SHOWN = ("thumbnail", "peaks", "clip")
_MOST_WORDS = 100
"""Words of a question that the lexical channel looks up; a longer one is a text, which its vector stands for."""


class Searching:
    """Retrieval over one index, by the settings in force.

    Parameters
    ----------
    parts
        The models, and the channels over the index's vectors.
    catalog
        The index.
    settings
        The choices; they may change between calls.
    """

    def __init__(self, parts: Parts, catalog: Catalog, settings: Settings) -> None:
        self._parts, self._catalog, self._settings = parts, catalog, settings
        self._known: tuple[object, bool, set[object]] = (None, False, set())
        """State of the index, whether it has pictures, and the models that were compared with those that made it."""
        self._reach: tuple[object, list[str]] = (None, [])

    # -- what is asked ---------------------------------------------------------------------------------------------

    def query(self, question: str = "", image: Any = None, audio: Any = None) -> Query:
        """What is asked: in words, by voice, or with a picture, with or without words.

        Raises
        ------
        MMRagError
            Nothing is asked, or by voice and otherwise too; see also :mod:`mmrag_nb.queries`.
        """
        question = _text(question)
        if audio is not None and (question or image is not None):
            raise MMRagError("ask by voice alone: audio= is the question itself, spoken")
        if image is not None:
            return self.picture(image, question)
        if audio is not None:
            return self.voice(audio)
        if not question:
            raise MMRagError("nothing was asked: give a question, image= or audio=")
        return self.text(question)

    def text(self, question: str) -> Query:
        """A question in words."""
        return text_query(self.encoders(), question)

    def picture(self, image: Any, words: str = "") -> Query:
        """A picture (path or ``PIL.Image``) to find what is like it; ``words`` count beside it."""
        ways = self._ways(pictures=True)
        return picture_query(_encoders(ways), self._parts.loader("image", ways[0].encoder), image, words)

    def voice(self, audio: Any) -> Query:
        """A spoken question (path, ``(samples, rate)`` or a pydub ``AudioSegment``), as the transcriber hears it."""
        reader = next(iter(self.encoders().values()))  # an empty index is told before anything is listened to
        words = heard(self._parts.transcriber(), self._parts.loader("audio", reader), audio)
        query = self.text(words)
        return replace(query, notes=(f"heard by {short_name(self._settings.chosen('speech'))}", *query.notes))

    def like(self, chunks: Sequence[int], shown: str) -> Query:
        """What is in the index already, by its ids: nothing is embedded, its vectors are there.

        Raises
        ------
        MissingVectors
            None of them has a vector of the models in force.
        """
        vectors: dict[tuple[str, Modality], list[Any]] = {}
        for way in self._ways():
            channel = self._parts.channel(self._catalog, way, way.modality)
            for row in [] if channel is None else channel.rows(chunks):
                assert channel is not None
                vectors.setdefault((way.encoder.space, way.modality), []).append(channel.vectors[row])
        if not vectors:
            raise MissingVectors(f"{shown} has no vector of the models in force: index it again")
        items = {record.item.id for record in self._catalog.records(chunks).values()}
        own = [chunk for item in items for chunk in self._catalog.chunk_ids(item)]
        return stored_query(shown, vectors, frozenset([*own, *chunks]))

    def encoders(self, *, pictures: bool = False, progress: Progress | None = None) -> dict[str, Encoder]:
        """The encoders in force by their space, the one of ``pictures`` in any case or where the index has some."""
        return _encoders(self._ways(pictures=pictures, progress=progress))

    def _ways(self, *, pictures: bool = False, progress: Progress | None = None) -> list[Way]:
        state = self._catalog.generation
        if self._known[0] != state:  # looked up once per state of the index, not for each question
            if not self._catalog.chunk_count():
                raise EmptyIndex
            self._known = (state, bool(self._catalog.counts().get("image")), set())
        _, has_pictures, compared = self._known
        ways = self._parts.ways(progress, pictures=pictures or has_pictures)
        for encoder in _encoders(ways).values():
            model = (encoder.space, *encoder.fingerprint.items())
            if model not in compared:
                self._catalog.holds(encoder.space, encoder.fingerprint)
                compared.add(model)
        return ways

    # -- what is found ---------------------------------------------------------------------------------------------

    def hits(
        self,
        query: Query,
        k: int | None = None,
        *,
        raw: bool | None = None,
        modalities: Iterable[Modality] | None = None,
    ) -> Hits:
        """Rank the chunks for ``query``, best first; see :meth:`mmrag_nb.MultimodalRAG.search`."""
        settings = self._settings
        k = settings.k if k is None else _number(k)
        raw = settings.raw if raw is None else raw
        start = time.perf_counter()
        probes, remarks = self.probes(query)
        words = content_words(query.words)
        scored, picture = self.ranking(query, k, raw=raw, modalities=modalities, probes=probes)
        records = self._catalog.records([one.chunk for one in (*scored, *([picture] if picture else []))])
        hits = tuple(self._hit(place, one, records[one.chunk], words) for place, one in enumerate(scored, 1))
        gap = ""
        asked_in_words = any(asked == "text" for _, asked in query.vectors) and not query.without
        if asked_in_words and picture is not None and any(probe.channel.modality != "image" for probe in probes):
            place = next((place for place, one in enumerate(scored, 1) if one.chunk == picture.chunk), None)
            total = self._catalog.chunk_count()
            gap = gap_line(picture, records[picture.chunk].item.name, place, total=total, raw=raw)
        facts = self._facts(query, hits, raw=raw, remarks=remarks)
        return Hits(hits, query.shown, facts, {"search": time.perf_counter() - start}, gap)

    def ranking(
        self,
        query: Query,
        k: int,
        *,
        raw: bool = False,
        modalities: Iterable[Modality] | None = None,
        probes: Sequence[Probe] | None = None,
    ) -> tuple[list[Scored], Scored | None]:
        """The ``k`` best chunks with their scores, and the best picture, wherever it stands; ``k`` may be all."""
        probes = self.probes(query)[0] if probes is None else probes
        allowed = self.among(modalities)
        bm25, shares = ({}, {}) if raw else self.by_words(query, k, allowed)
        return rank(
            probes,
            k=k,
            bm25=bm25,
            lexical=shares,
            lexical_weight=self._settings.lexical_weight,
            raw=raw,
            allowed=allowed,
            without=query.without,
        )

    def by_words(
        self, query: Query, k: int, allowed: NDArray[np.int64] | None
    ) -> tuple[dict[int, float], dict[int, float]]:
        """The chunks that share words with the question: id to BM25, and to its share of the best possible."""
        words = content_words(query.words)
        found = self._catalog.bm25(words, max(50, 5 * k), allowed)
        bm25 = {chunk: score for chunk, score in found.items() if chunk not in query.without}
        total = self._catalog.chunk_count()
        frequencies = [self._catalog.document_frequency(word) for word in words] if bm25 else []
        return bm25, lexical.relative(bm25, frequencies, total)

    def hit(self, one: Scored, place: int, query: Query) -> Hit:
        """One chunk of a ranking, with its item and previews."""
        return self._hit(place, one, self._catalog.records([one.chunk])[one.chunk], content_words(query.words))

    def _hit(self, place: int, one: Scored, record: Record, words: Sequence[str]) -> Hit:
        return Hit(
            rank=place,
            score=one.score,
            cosine=one.cosine,
            lexical=one.lexical,
            chunk=record.chunk,
            item=record.item,
            calibrated=one.calibrated,
            seen_as=one.seen_as,
            space=one.space,
            raw_rank=one.raw_rank,
            matches=lexical.matches(record.chunk.text, words),
            facts=record.facts,
            previews=self._catalog.previews(record.item.id, record.chunk.ordinal, _SHOWN),
        )

    def _facts(self, query: Query, hits: Sequence[Hit], *, raw: bool, remarks: Sequence[str]) -> tuple[str, ...]:
        settings = self._settings
        speech = settings.chosen("speech")
        spaces = {space for space, _ in query.vectors}
        heard = speech != NONE and any(hit.chunk.modality == "audio" for hit in hits)
        return (
            f"{settings.strategy}{', raw' if raw else ''}",
            *(encoder.description for space, encoder in self.encoders().items() if space in spaces),
            *([short_name(speech)] if heard else []),
            *(query.notes or ["nothing truncated"]),
            *remarks,
        )

    # -- where it is looked ----------------------------------------------------------------------------------------

    def probes(self, query: Query) -> tuple[list[Probe], list[str]]:
        """The query in each channel it can be put to, and what of the index none of them reaches."""
        probes: list[Probe] = []
        for way in self._ways(pictures=any(asked == "image" for _, asked in query.vectors)):
            for (space, asked), vector in query.vectors.items():
                if space == way.encoder.space:
                    channel = self._parts.channel(self._catalog, way, asked)
                    if channel is not None:
                        probes.append(Probe(channel, vector))
        kinds = {asked for _, asked in query.vectors}
        spaces = list(dict.fromkeys(space for space, _ in query.vectors))
        only_seen: Modality | None = "image" if kinds == {"image"} else None
        return probes, self._unreached([probe.channel for probe in probes], spaces, only_seen)

    def among(self, modalities: Iterable[Modality] | None) -> NDArray[np.int64] | None:
        """Ids of the chunks of these modalities; ``None`` where all may be found.

        Raises
        ------
        InvalidSetting
            One is no modality, or none is named.
        """
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
        return None if set(chosen) == set(MODALITIES) else self._catalog.chunks_among(chosen)

    def _unreached(self, channels: Sequence[Channel], spaces: Sequence[str], modality: Modality | None) -> list[str]:
        """What of the index (of its views as ``modality``) the models in force cannot find: others embedded it.

        Raises
        ------
        MissingVectors
            That is all of it.
        """
        named = " and ".join(spaces)
        state = (named, modality, self._catalog.generation)
        if self._reach[0] == state:  # counting costs more the larger the index, so it is not done for each question
            return self._reach[1]
        embeddable = self._catalog.embeddable(modality)
        reached = len(set().union(*(channel.ids.tolist() for channel in channels)))
        if not reached and (embeddable or modality):
            if modality == "image" and not self._catalog.counts().get("image"):
                raise MissingVectors("the index has no pictures, and a picture finds only these: ask in words")
            made = ", ".join(self._catalog.spaces())
            raise MissingVectors(
                f"the index has vectors in {made}, none in {named}: index the sources again, or choose the models it "
                "was made with"
            )
        missing = embeddable - reached
        told = [f"{missing:,} of {embeddable:,} chunks have no vector in {named}: index them again"] if missing else []
        self._reach = (state, told)
        return told


def _text(question: object) -> str:
    if not isinstance(question, str):
        kind = type(question).__name__
        raise MMRagError(f"a question is a text, not an object of type {kind}: pictures go to image=, sound to audio=")
    # Halves of surrogate pairs, as undecodable file names have them, are no text that a tokenizer takes.
    return question.encode("utf-8", "replace").decode() if question.strip() else ""


def _number(k: object) -> int:
    if not isinstance(k, Integral) or not 1 <= int(k) <= MOST_HITS:
        raise InvalidSetting(f"k is {k!r}: 1 to {MOST_HITS} hits can be asked for")
    return int(k)


def content_words(question: str) -> list[str]:
    """The words of a question that the lexical channel looks up."""
    return lexical.content_terms(split_terms(question))[:_MOST_WORDS]


def _encoders(ways: Sequence[Way]) -> dict[str, Encoder]:
    return {way.encoder.space: way.encoder for way in ways}
