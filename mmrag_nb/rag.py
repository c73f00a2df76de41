"""The one place where the parts meet: index, search, ask, save, open."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .catalog.catalog import Catalog
from .catalog.words import terms as split_terms
from .errors import EmptyIndex, GenerationError, IndexFileError, InvalidSetting, MissingVectors, MMRagError
from .evidence import evidence
from .generation.citations import cited
from .generation.prompt import INSTRUCTIONS
from .indexing import Indexing
from .parts import Parts, library_versions, short_name
from .queries import embed_picture, embed_question
from .results import Answer, Hit, Hits, IndexReport, Status
from .retrieval import lexical
from .retrieval.gap import gap_line
from .retrieval.search import rank
from .settings import MODELS, MOST_HITS, NONE, Settings
from .sources.given import as_sources
from .types import Prompt

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from typing_extensions import Self

    from .protocols import Progress
    from .retrieval.search import Channel
    from .retrieval.shared import Way
    from .types import Modality

_SHOWN = ("thumbnail", "peaks", "clip")
_MOST_WORDS = 100
"""Words of a question that the lexical channel looks up; a longer one is a text, which its vector stands for."""


class MultimodalRAG:
    """An index of pictures, sound and text, and the models that fill and question it.

    Parameters
    ----------
    settings
        The choices, instead of single ones by keyword.
    path
        The file to keep the index in, created where absent; ``None`` keeps it in memory until :meth:`save`.
    **choices
        Settings by name: ``preset="offline"``, ``clip=``, ``text=``, ``speech=``, ``generator=``, ``store=``,
        ``strategy=``, ``device=``, ``precision=``, ``k=``.

    Raises
    ------
    UnknownName, InvalidSetting
        A setting is misnamed or cannot be.
    IndexFileError
        ``path`` is no index.

    Examples
    --------
    >>> rag = MultimodalRAG(preset="offline")
    >>> rag.index([{"text": "A harp has forty-seven strings."}, {"text": "The ferry leaves at noon."}])
    indexed 2 items (2 text): 2 embedded, 0 reused, 0 skipped, ...
    >>> rag.search("how many strings does a harp have?", k=1)[0].chunk.text
    'A harp has forty-seven strings.'
    """

    def __init__(self, *, settings: Settings | None = None, path: str | Path | None = None, **choices: Any) -> None:
        if settings is not None and choices:
            raise InvalidSetting(f"give settings= or single choices such as {next(iter(choices))}=, not both")
        self.settings = settings or Settings(**choices)
        self._catalog = Catalog(Path(path).expanduser() if path is not None else None)
        self._parts = Parts(self.settings)
        self.report: IndexReport | None = None
        """What the last :meth:`index` did, also when it was interrupted."""
        self._reach: tuple[object, list[str]] = (None, [])

    # -- index -----------------------------------------------------------------------------------------------------

    def index(self, sources: Any, *, progress: Progress | None = None) -> IndexReport:
        """Index ``sources``; what is in the index already, unchanged, is not embedded again.

        Parameters
        ----------
        sources
            One or a list of: path, glob, folder, http(s) URL (``str``); ``pathlib.Path``; ``PIL.Image``; sound as
            ``(samples, rate)`` or ``pydub.AudioSegment``; a dict with one of ``text``, ``image``, ``audio``, ``path``
            or ``url`` and any metadata (``caption`` is searchable text).
        progress
            Told of each step.

        Returns
        -------
        IndexReport
            What was indexed, reused and skipped, and why.

        Raises
        ------
        ModelUnavailable, NotInstalled
            An encoder cannot be had. What was committed before stays.
        """
        indexing = Indexing(self._parts, self._catalog, self.settings, progress)
        interrupted = True
        try:
            indexing.run(as_sources(sources))
            interrupted = False
        finally:
            self.report = indexing.tally.report(interrupted=interrupted)
        return self.report

    # -- search ----------------------------------------------------------------------------------------------------

    def search(self, question: str = "", k: int | None = None, *, raw: bool | None = None, image: Any = None) -> Hits:
        """Retrieve the ``k`` chunks that fit a question, or a picture, best, best first.

        Parameters
        ----------
        question
            What is asked or looked for.
        image
            A picture to look for, instead of a question: a path or a ``PIL.Image``.
        k
            How many, 1 to 100; the setting's where absent.
        raw
            Rank by raw cosine alone; the setting's where absent.

        Raises
        ------
        EmptyIndex
            Nothing has been indexed.
        MissingVectors
            What is indexed was embedded by other models than the settings choose now.
        IndexMismatch
            A model of the same name made other vectors.
        """
        if bool(question.strip()) == (image is not None):
            raise MMRagError("ask with a question or with image=, one of the two")
        settings = self.settings
        k = settings.k if k is None else k
        raw = settings.raw if raw is None else raw
        if not 1 <= k <= MOST_HITS:
            raise InvalidSetting(f"k is {k}: 1 to {MOST_HITS} hits can be asked for")
        total = self._catalog.chunk_count()
        if not total:
            raise EmptyIndex("nothing is indexed yet: run %%mmrag_index, or rag.index([...]), first")
        start = time.perf_counter()
        ways = self._parts.ways(pictures=image is not None or bool(self._catalog.counts().get("image")))
        for encoder in {way.encoder.space: way.encoder for way in ways}.values():
            self._catalog.register(encoder.space, encoder.dimension, encoder.fingerprint, library_versions())
        asked: Modality = "text" if image is None else "image"
        ways = [way for way in ways if asked in way.encoder.modalities]
        if not ways:
            raise InvalidSetting("clip is 'none', so pictures cannot be asked with: set it to 'emoji' or a CLIP model")
        channels = [found for way in ways if (found := self._parts.channel(self._catalog, way, asked)) is not None]
        remarks = self._unreached(channels, ways, None if image is None else "image")
        encoders = {way.encoder.space: way.encoder for way in ways}
        if image is None:
            queries, cut = embed_question(encoders, question)
        else:
            loader = self._parts.loader("image", ways[0].encoder)
            queries, cut = embed_picture(encoders, loader, image), []
        embedded = time.perf_counter()

        words = lexical.content_terms(split_terms(question))[:_MOST_WORDS]
        bm25 = {} if raw else self._catalog.bm25(words, max(50, 5 * k))
        shares = lexical.relative(bm25, [self._catalog.document_frequency(word) for word in words], total)
        scored, picture = rank(
            channels, queries, k=k, bm25=bm25, lexical=shares, lexical_weight=settings.lexical_weight, raw=raw
        )
        records = self._catalog.records([one.chunk for one in (*scored, *([picture] if picture else []))])
        hits = tuple(
            Hit(
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
            for place, one in enumerate(scored, 1)
            for record in [records[one.chunk]]
        )
        timings = {"embed": embedded - start, "search": time.perf_counter() - embedded}
        speech = settings.chosen("speech")
        facts = (
            f"{settings.strategy}{', raw' if raw else ''}",
            *dict.fromkeys(way.encoder.description for way in ways),
            *([short_name(speech)] if speech != NONE and any(hit.chunk.modality == "audio" for hit in hits) else []),
            *(cut or ["nothing truncated"]),
            *remarks,
        )
        gap = ""
        if image is None and picture is not None and any(channel.modality != "image" for channel in channels):
            place = next((place for place, one in enumerate(scored, 1) if one.chunk == picture.chunk), None)
            gap = gap_line(picture, records[picture.chunk].item.name, place, total=total, raw=raw)
        return Hits(hits, question or "more like this picture", facts, timings, gap)

    def _unreached(self, channels: Sequence[Channel], ways: Sequence[Way], modality: Modality | None) -> list[str]:
        """What of the index (of its views as ``modality``) the models in force cannot find: others embedded it.

        Raises
        ------
        MissingVectors
            That is all of it.
        """
        spaces = " and ".join(dict.fromkeys(way.encoder.space for way in ways))
        state = (spaces, modality, self._catalog.generation)
        if self._reach[0] == state:  # counting costs more the larger the index, so it is not done for each question
            return self._reach[1]
        embeddable = self._catalog.embeddable(modality)
        reached = len(set().union(*(channel.ids.tolist() for channel in channels)))
        if not reached and (embeddable or modality):
            made = ", ".join(space for space, n in self._catalog.spaces().items() if n)
            raise MissingVectors(
                f"the index has vectors in {made}, none in {spaces}: index the sources again, or choose the models it "
                "was made with"
            )
        missing = embeddable - reached
        told = [f"{missing:,} of {embeddable:,} chunks have no vector in {spaces}: index them again"] if missing else []
        self._reach = (state, told)
        return told

    # -- ask -------------------------------------------------------------------------------------------------------

    def ask(self, question: str, k: int | None = None, *, raw: bool | None = None) -> Answer:
        """Answer ``question`` from the index, with numbered citations of the evidence.

        Raises
        ------
        EmptyIndex
            Nothing has been indexed.
        GenerationError
            The generator failed; its ``answer`` has the retrieved hits.
        """
        hits = self.search(question, k, raw=raw)
        generator, stands_in = self._parts.generator()
        prompt = Prompt(question, INSTRUCTIONS, tuple(evidence(hit, self._catalog) for hit in hits))
        start = time.perf_counter()
        try:
            generation = generator.generate(prompt)
        except GenerationError as error:
            timings = {**hits.timings, "generate": time.perf_counter() - start}
            error.answer = Answer(
                question, "", hits, generator=generator.description, prompt=prompt, timings=timings, error=str(error)
            )
            raise
        by_number = {hit.rank: hit for hit in hits}
        text = generation.text
        if stands_in:
            text += f"\n\n(Quoted, not written: {stands_in}.)"
        return Answer(
            question,
            text,
            hits,
            citations={number: by_number[number] for number in cited(generation.text, by_number)},
            generator=generation.model,
            prompt=prompt,
            usage=generation.usage,
            timings={**hits.timings, "generate": time.perf_counter() - start},
        )

    # -- the file --------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write the index to ``path`` and keep it there from now on: later work is committed to that file.

        Raises
        ------
        IndexFileError
            The file cannot be written; the index is as it was.
        """
        path = Path(path).expanduser()
        self._catalog.save(path)
        return path

    @classmethod
    def open(cls, path: str | Path, **choices: Any) -> MultimodalRAG:
        """Open an index file with the models that made it, unless ``choices`` name others.

        Raises
        ------
        IndexFileError
            The file is absent, or no index.
        IndexMismatch, MissingVectors
            On first use, where ``choices`` name models that make other vectors.
        """
        path = Path(path).expanduser()
        if not path.is_file():
            raise IndexFileError(f"there is no index at {path}: MultimodalRAG(path=...) makes a new one")
        rag = cls(path=path, **choices)
        if not {"preset", "settings"} & set(choices):
            rag.use_models_of_index(but=choices)
        return rag

    def use_models_of_index(self, but: Container[str] = ()) -> None:
        """Set the settings, except those named in ``but``, to what the index was made with."""
        for name, model in self._catalog.meta().items():
            if name in {"preset", *MODELS} and name not in but:
                setattr(self.settings, name, model)

    # -- what is in it ---------------------------------------------------------------------------------------------

    @property
    def path(self) -> Path | None:
        """The file the index is kept in; ``None`` while it is in memory."""
        return self._catalog.path

    def status(self) -> Status:
        """Where the index is, what is in it, which models are chosen."""
        settings = self.settings
        chosen = {name: settings.chosen(name) for name in MODELS}
        return Status(
            path=str(self.path or "in memory, until saved"),
            items=self._catalog.counts(),
            chunks=self._catalog.chunk_count(),
            vectors=self._catalog.spaces(),
            settings={"preset": settings.preset, "strategy": settings.strategy, **chosen},
        )

    def close(self) -> None:
        """Close the index's file."""
        self._catalog.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        items = ", ".join(f"{n} {modality}" for modality, n in self._catalog.counts().items())
        return f"<MultimodalRAG {items or 'empty'}; {self.path or 'in memory'}>"
