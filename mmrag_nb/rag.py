"""The one place where the parts meet: index, search, ask, save, open."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .catalog.catalog import Catalog
from .errors import GenerationError, IndexFileError, InvalidSetting, MMRagError, UnknownName
from .evidence import evidence
from .generation.citations import cited
from .generation.prompt import INSTRUCTIONS
from .indexing import Indexing
from .parts import Parts
from .results import Answer, Hit, Hits, IndexReport, Status
from .searching import Searching
from .settings import MODELS, Settings
from .sources.given import as_sources
from .types import Item, Prompt

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from typing_extensions import Self

    from .protocols import Progress
    from .queries import Query
    from .types import Modality

_ID_DIGITS = 8
"""Hexadecimal digits from which the begin of an id stands for an item."""


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
        self._searching = Searching(self._parts, self._catalog, self.settings)
        self.report: IndexReport | None = None
        """What the last :meth:`index` did, also when it was interrupted."""

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

    def search(
        self,
        question: str = "",
        k: int | None = None,
        *,
        raw: bool | None = None,
        image: Any = None,
        audio: Any = None,
        modalities: Iterable[Modality] | None = None,
    ) -> Hits:
        """Retrieve the ``k`` chunks that fit what is asked best, best first.

        Parameters
        ----------
        question
            What is asked or looked for. Beside a picture, its words count for the lexical channel.
        k
            How many, 1 to 100; the setting's where absent.
        raw
            Rank by raw cosine alone; the setting's where absent.
        image
            A picture to look for: a path or a ``PIL.Image``.
        audio
            The question, spoken: a path, ``(samples, rate)`` or a pydub ``AudioSegment``.
        modalities
            Kinds of chunks to find, ``("image", "audio")``; all where absent.

        Raises
        ------
        EmptyIndex
            Nothing has been indexed.
        MissingVectors
            What is indexed was embedded by other models than the settings choose now.
        IndexMismatch
            A model of the same name made other vectors.
        LoadError
            The picture or the sound cannot be read.
        """
        start = time.perf_counter()
        query = self._searching.query(question, image, audio)
        return self._found(query, start, k, raw=raw, modalities=modalities)

    def similar(
        self,
        to: Any,
        k: int | None = None,
        *,
        raw: bool | None = None,
        modalities: Iterable[Modality] | None = None,
    ) -> Hits:
        """Retrieve what is most like something in the index, or like a picture that is not, itself left out.

        Parameters
        ----------
        to
            A :class:`Hit`, an ``Item``, a name, URI or id of an item in the index; or a path or ``PIL.Image``.

        Raises
        ------
        UnknownName
            Nothing of that name is in the index, and no picture is there either.
        """
        start = time.perf_counter()
        if isinstance(to, Hit):
            shown = f"more like {to.item.name}"
            query = self._searching.like([self._catalog.chunk_ids(to.item.id)[to.chunk.ordinal]], shown)
        elif hasattr(to, "convert") or (isinstance(to, (str, os.PathLike)) and not self.named(to) and _is_file(to)):
            query = self._searching.picture(to)
        else:
            item = self.item(to)
            query = self._searching.like(self._catalog.chunk_ids(item.id), f"more like {item.name}")
        return self._found(query, start, k, raw=raw, modalities=modalities)

    def _found(
        self, query: Query, start: float, k: int | None, *, raw: bool | None, modalities: Iterable[Modality] | None
    ) -> Hits:
        embedded = time.perf_counter() - start
        hits = self._searching.hits(query, k, raw=raw, modalities=modalities)
        return replace(hits, timings={"embed": embedded, **hits.timings})

    # -- ask -------------------------------------------------------------------------------------------------------

    def ask(
        self,
        question: str = "",
        k: int | None = None,
        *,
        raw: bool | None = None,
        image: Any = None,
        audio: Any = None,
        modalities: Iterable[Modality] | None = None,
    ) -> Answer:
        """Answer a question from the index, with numbered citations of the evidence.

        It may be asked in words, by voice (``audio=``), or with a picture (``image=``, with or without words): then
        the picture finds the evidence, and goes to the generator with it. For the parameters see :meth:`search`.

        Raises
        ------
        EmptyIndex
            Nothing has been indexed.
        GenerationError
            The generator failed; its ``answer`` has the retrieved hits.
        """
        start = time.perf_counter()
        query = self._searching.query(question, image, audio)
        hits = self._found(query, start, k, raw=raw, modalities=modalities)
        asked = query.words if query.picture is None else question.strip()
        generator, stands_in = self._parts.generator()
        pictures = () if query.picture is None else (query.picture,)
        prompt = Prompt(asked, INSTRUCTIONS, tuple(evidence(hit, self._catalog) for hit in hits), pictures)
        asked = asked or query.shown
        start = time.perf_counter()
        try:
            generation = generator.generate(prompt)
        except GenerationError as error:
            timings = {**hits.timings, "generate": time.perf_counter() - start}
            error.answer = Answer(
                asked, "", hits, generator=generator.description, prompt=prompt, timings=timings, error=str(error)
            )
            raise
        by_number = {hit.rank: hit for hit in hits}
        text = generation.text
        if stands_in:
            text += f"\n\n(Quoted, not written: {stands_in}.)"
        return Answer(
            asked,
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

    def items(self) -> list[Item]:
        """What is in the index, in the order in which it came."""
        return self._catalog.items()

    def named(self, name: str | os.PathLike[str]) -> list[Item]:
        """The items that ``name`` may mean: a name, a URI, or the first eight or more digits of an id."""
        text = os.fspath(name)
        items = self.items()
        exact = [item for item in items if text in {item.uri, item.id}]
        begun = [item for item in items if len(text) >= _ID_DIGITS and item.id.startswith(text)]
        return exact or [item for item in items if item.name == text] or begun

    def item(self, which: Item | str | os.PathLike[str]) -> Item:
        """The one item that ``which`` means; see :meth:`named`.

        Raises
        ------
        UnknownName
            There is none.
        MMRagError
            There are several.
        """
        if isinstance(which, Item):
            return which
        found = self.named(which)
        if not found:
            raise UnknownName("item", os.fspath(which), [item.name for item in self.items()])
        if len(found) > 1:
            places = ", ".join(item.uri for item in found[:3])
            raise MMRagError(f"{which} names {len(found)} items: say which by its path, {places}")
        return found[0]

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


def _is_file(name: str | os.PathLike[str]) -> bool:
    return Path(name).expanduser().is_file()
