"""What is asked, made a query: words, a picture, a sound, something indexed, or a mix of these."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .completing import Completing
from .describing import describe, texts
from .errors import EmptyIndex, InvalidSetting, MissingVectors, MMRagError
from .parts import short_name
from .queries import Facet, heard, mean, mixed_query, picture_query, sound_query, stored_query, text_query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

    from .catalog.catalog import Catalog
    from .completing import Lacking
    from .parts import Parts
    from .protocols import Encoder, Progress
    from .queries import Query
    from .retrieval.ways import Way
    from .settings import Settings
    from .types import Modality

DISLIKED = 0.5
"""What all that is disliked counts, where all that is liked counts 1: less, as Rocchio (1971) found it to serve."""


class Asking:
    """Questions to one index, by the settings in force.

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
        self._completing = Completing(parts, catalog, settings)
        self._known: tuple[object, set[Modality], set[object]] = (None, set(), set())
        """State of the index, what it holds, and the models that were compared with those that made it."""
        self._whole: object = None
        """State of the index and the settings for which it has all that is needed."""
        self._completed: list[str] = []
        """What was computed for the strategy since the last search, and what it cost."""

    def query(self, question: str = "", image: Any = None, audio: Any = None, balance: float | None = None) -> Query:
        """What is asked: in words or by voice, with a picture, or both.

        Raises
        ------
        MMRagError
            Nothing is asked, or in words and by voice too; see also :mod:`mmrag_nb.queries`.
        """
        question = _text(question)
        if audio is not None and question:
            raise MMRagError("ask in words or by voice, not both: audio= is the question itself, spoken")
        if image is not None:
            return self.picture(image, question, audio, balance)
        if audio is not None:
            return self.voice(audio)
        if not question:
            raise MMRagError("nothing was asked: give a question, image= or audio=")
        return self.text(question)

    def text(self, question: str) -> Query:
        """A question in words."""
        return text_query(self.encoders(), question, self._parts.remembered)

    def picture(self, image: Any, words: str = "", audio: Any = None, balance: float | None = None) -> Query:
        """A picture (path or ``PIL.Image``) to find what is like it; words beside it, or spoken ones, count as well.

        Where something is found by an encoder that sees no pictures, the picture is put into words for it.
        """
        ways = self._ways(pictures=True)
        encoders = _encoders(ways)
        query, pixels = picture_query(encoders, self._parts.loader("image", ways[0].encoder), image)
        said = self.voice(audio) if audio is not None else self.text(words) if words else None
        blind = {space: encoder for space, encoder in encoders.items() if "image" not in encoder.modalities}
        if blind and (said is None or not query.facets):
            query = self._in_words(query, pixels, blind)
        if not query.facets:
            if said is not None:
                return replace(said, notes=("nothing could be said of the picture", *said.notes), picture=query.picture)
            if self._parts.described_by():
                raise MMRagError("nothing could be said of the picture: ask in words, or by strategy shared")
            raise InvalidSetting(
                "clip is 'none' and nothing puts pictures into words, so they cannot be asked with: set clip to "
                "'emoji' or a CLIP model, or captioner to 'tags'"
            )
        return query if said is None else mixed_query(query, said, self._balance(balance))

    def _balance(self, balance: float | None) -> float:
        if balance is None:
            return float(self._settings.balance)
        if not 0 <= balance <= 1:
            raise InvalidSetting(f"balance is {balance!r}: the picture's share is from 0 (words alone) to 1")
        return float(balance)

    def _in_words(self, query: Query, pixels: Image, blind: dict[str, Encoder]) -> Query:
        # Reading takes longer than looking; where pictures are found by their pixels anyway, looking has to do.
        kinds = ("caption",) if query.facets else ("caption", "ocr")
        told = texts(describe([pixels], self._parts, None, kinds)[0])
        if not told:
            return query
        words = " ".join(told.values())
        vectors = text_query(blind, words, self._parts.remembered).facets[0].vectors
        facets = (Facet({**(query.facets[0].vectors if query.facets else {}), **vectors}),)
        note = f"picture put into words: {words if len(words) <= 80 else words[:79] + '…'}"
        return replace(query, facets=facets, notes=(*query.notes, note))

    def load_describers(self, progress: Progress | None) -> None:
        """Load what puts a picture into words, where pictures are asked with and not everything is found by pixels."""
        encoders = self.encoders(pictures=True)
        seeing = [encoder for encoder in encoders.values() if "image" in encoder.modalities]
        if len(seeing) < len(encoders):
            self._parts.describers(progress, ("caption",) if seeing else ("caption", "ocr"))

    def voice(self, audio: Any) -> Query:
        """A spoken question (path, ``(samples, rate)`` or a pydub ``AudioSegment``), as the transcriber hears it."""
        reader = next(iter(self.encoders().values()))  # an empty index is told before anything is listened to
        words = heard(self._parts.transcriber(), self._parts.loader("audio", reader), audio)
        query = self.text(words)
        return replace(query, notes=(f"heard by {short_name(self._settings.chosen('speech'))}", *query.notes))

    def sound(self, audio: Any) -> Query:
        """A sound (as for :meth:`voice`) to find what sounds or, where no encoder hears, is spoken like it."""
        ways = self._ways(sounds=True)
        query = sound_query(_encoders(ways), self._parts.loader("audio", ways[0].encoder), audio)
        if query.facets:
            return query
        said = self.voice(audio)
        return replace(said, shown="more like this sound", words="", notes=(*said.notes, f"as “{said.words}”"))

    def like(
        self, liked: Sequence[Sequence[int]], shown: str, disliked: Sequence[Sequence[int]] = (), without: Any = ()
    ) -> Query:
        """What is in the index already, each thing by the ids of its chunks: nothing is embedded again.

        Several count alike, and what is disliked against them (Rocchio 1971, "Relevance feedback in information
        retrieval", on calibrated scores instead of term weights).

        Raises
        ------
        MissingVectors
            None of those liked has a vector of the models in force.
        """
        towards = [facet for chunks in liked if (facet := self._facet(chunks, 1 / len(liked)))]
        if not towards:
            raise MissingVectors(f"{shown} has no vector of the models in force: index it again")
        away = [facet for chunks in disliked if (facet := self._facet(chunks, -DISLIKED / len(disliked)))]
        own = {chunk for chunks in (*liked, *disliked) for chunk in self._siblings(chunks)}
        return stored_query(shown, [*towards, *away], frozenset(own | set(without)))

    def _facet(self, chunks: Sequence[int], weight: float) -> Facet | None:
        vectors: dict[tuple[str, Modality], list[Any]] = {}
        for way in self._ways():
            channel = self._parts.channel(self._catalog, way)
            for chunk in chunks if channel is not None else ():
                if channel is not None and (vector := channel.vector(chunk)) is not None:
                    vectors.setdefault((way.encoder.space, way.modality), []).append(vector)
        return Facet({place: mean(several) for place, several in vectors.items()}, weight) if vectors else None

    def _siblings(self, chunks: Sequence[int]) -> list[int]:
        """All chunks of the items and records that these belong to."""
        items = {stored.item.id for stored in self._catalog.records(chunks).values()}
        own = [chunk for item in items for chunk in self._catalog.chunk_ids(item)]
        return [*own, *chunks, *self._catalog.record_parts(chunks)]

    # -- models ----------------------------------------------------------------------------------------------------

    def encoders(self, *, pictures: bool = False, progress: Progress | None = None) -> dict[str, Encoder]:
        """The encoders in force by their space, the one of ``pictures`` in any case or where the index has some."""
        return _encoders(self._ways(pictures=pictures, progress=progress))

    def _ways(self, *, pictures: bool = False, sounds: bool = False, progress: Progress | None = None) -> list[Way]:
        state = self._catalog.generation
        if self._known[0] != state:  # looked up once per state of the index, not for each question
            if not self._catalog.chunk_count():
                raise EmptyIndex
            self._known = (state, self._catalog.kinds(), set())
        _, holds, compared = self._known
        ways = self._parts.ways(progress, pictures=pictures or "image" in holds, sounds=sounds or "audio" in holds)
        for encoder in _encoders(ways).values():
            model = (encoder.space, *encoder.fingerprint.items())
            if model not in compared:
                self._catalog.holds(encoder.space, encoder.fingerprint)
                compared.add(model)
        self._complete(ways, progress)
        return ways

    def lacking(self) -> Lacking:
        """What the index lacks for the strategy in force."""
        if not self._catalog.chunk_count():
            raise EmptyIndex
        holds = self._catalog.kinds()
        return self._completing.lacking(self._parts.ways(pictures="image" in holds, sounds="audio" in holds))

    def _complete(self, ways: Sequence[Way], progress: Progress | None) -> None:
        """Compute what the strategy needs and the index lacks, once; what was made with other models stays as it is."""
        describing = self._parts.described_by(self._parts.telling)
        needed = (*(way.encoder.space + way.view for way in ways), *describing.values())
        state = self._catalog.generation
        if self._whole == (state, needed):
            return
        if self._completing.same_models() and not self._catalog.read_only:
            lacking = self._completing.lacking(ways)
            if lacking:
                self._completed.append(self._completing.complete(ways, lacking, progress))
        now = self._catalog.generation
        if now[1] == state[1]:  # else others have added something meanwhile, which was not looked at
            self._whole = (now, needed)


def _text(question: object) -> str:
    if not isinstance(question, str):
        kind = type(question).__name__
        raise MMRagError(f"a question is a text, not an object of type {kind}: pictures go to image=, sound to audio=")
    # Halves of surrogate pairs, as undecodable file names have them, are no text that a tokenizer takes.
    return question.encode("utf-8", "replace").decode() if question.strip() else ""


def _encoders(ways: Sequence[Way]) -> dict[str, Encoder]:
    return {way.encoder.space: way.encoder for way in ways}
