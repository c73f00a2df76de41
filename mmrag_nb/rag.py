"""The one place where the parts meet: index, search, ask, save, open."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .answering import Answering
from .catalog.catalog import Catalog
from .conversing import Conversation, last
from .errors import InvalidSetting, MMRagError
from .explained import Explained
from .generation.metering import SESSION
from .generation.rewriting import FollowUp, full_question, within_budget
from .indexing import Indexing
from .keeping import existing
from .planning import Planning
from .reports import IndexReport, Plan, Removal
from .results import Answer
from .searchable import scope
from .settings import Settings
from .sources.given import as_patterns, as_sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .generation.metering import Spent
    from .generation.rewriting import History
    from .protocols import Progress
    from .types import Modality, Turn


class MultimodalRAG(Explained):
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
        catalog = Catalog(Path(path).expanduser() if path is not None else None)
        super().__init__(catalog, settings or Settings(**choices))

    # -- index -----------------------------------------------------------------------------------------------------

    def index(
        self,
        sources: Any,
        *,
        records: bool = False,
        columns: Mapping[str, str] | None = None,
        ignore: str | Sequence[str] = (),
        prune: bool = False,
        progress: Progress | None = None,
    ) -> IndexReport:
        """Index ``sources``; what is in the index already, unchanged, is not embedded again.

        What a file or URL held before it changed is taken out of the index; a file that was moved keeps its vectors.

        Parameters
        ----------
        sources
            One or a list of: path, glob, folder, http(s) URL (``str``); ``pathlib.Path``; ``PIL.Image``; sound as
            ``(samples, rate)`` or ``pydub.AudioSegment``; a dict with one of ``text``, ``image``, ``audio``, ``path``
            or ``url`` and any metadata (``caption`` is searchable text). A dict with several of these, or with a list,
            is a record: its parts are scored as one. A ``pandas.DataFrame``, a CSV or a Parquet file gives a record for
            each row.
        records
            Every folder that holds files is a record of them.
        columns
            What columns of tables hold, by name: ``text``, ``image``, ``audio``, ``video``, ``path``, ``url``,
            ``metadata`` or ``ignore``. The others are guessed, and the report says how.
        ignore
            What folders and globs leave out, as in ``.gitignore``, besides what the settings and ``.mmragignore`` files
            in the folders say.
        prune
            Take out of the index what these folders, globs and tables held when they were indexed before, and no longer
            hold. Otherwise the report names it.
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
        UnknownName
            ``columns`` says what no column can hold.
        """
        indexing = Indexing(self._parts, self._catalog, self.settings, progress)
        interrupted = True
        try:
            indexing.run(as_sources(sources), records=records, columns=columns, ignore=as_patterns(ignore), prune=prune)
            interrupted = False
        finally:
            self.report = indexing.tally.report(interrupted=interrupted)
        return self.report

    def plan(
        self,
        sources: Any,
        *,
        records: bool = False,
        columns: Mapping[str, str] | None = None,
        ignore: str | Sequence[str] = (),
        progress: Progress | None = None,
    ) -> Plan:
        """Tell what :meth:`index` would do with ``sources``, how long it would take and how large the index would grow.

        Nothing is written, fetched or downloaded. The estimates are measured on a few of the very items, with models
        that are on this machine.

        Raises
        ------
        InvalidSetting, IndexMismatch, ModelUnavailable
            As :meth:`index` would raise.
        """
        planning = Planning(self._parts, self._catalog, self.settings, progress)
        return planning.run(as_sources(sources), records=records, columns=columns, ignore=as_patterns(ignore))

    def remove(self, *which: Any, dry_run: bool = False) -> Removal:
        """Take items out of the index, with all that belongs to them alone; ``remove("*")`` empties it.

        Parameters
        ----------
        which
            Each a name, URI or pattern (``"photos/*.jpg"``) of items, the first eight or more digits of an id, an
            ``Item``, a :class:`Hit`, or a sequence of these.
        dry_run
            Tell what would be removed, and leave it.

        Raises
        ------
        EmptyIndex, UnknownName
            Nothing in the index is meant; nothing is removed then.
        MMRagError
            A name stands for items in several places.
        """
        items = {item.id: item for one in which for item in self._meant(one)}
        counts = self._catalog.chunks_by_item()
        left = Counter[str](item.modality for item in self.items() if item.id not in items)
        if items and not dry_run:
            self._catalog.remove(list(items))
        chunks = {item_id: counts.get(item_id, 0) for item_id in items}
        return Removal(tuple(items.values()), chunks, dict(left), dry_run=dry_run)

    # -- ask -------------------------------------------------------------------------------------------------------

    def ask(
        self,
        question: str = "",
        k: int | None = None,
        *,
        raw: bool | None = None,
        strategy: str | None = None,
        image: Any = None,
        audio: Any = None,
        modalities: Modality | Iterable[Modality] | None = None,
        where: str | None = None,
        balance: float | None = None,
        history: Sequence[Turn] = (),
    ) -> Answer:
        """Answer a question from the index, with numbered citations of the evidence.

        It may be asked in words, by voice (``audio=``), or with a picture (``image=``, with or without words): then
        the picture finds the evidence, and goes to the generator with it.

        Where nothing in the index seems to answer it, the answer says so and no generator is asked, unless the setting
        ``abstain`` is off.

        Parameters
        ----------
        question, k, raw, strategy, image, audio, modalities, where, balance
            As for :meth:`search`.
        history
            What was asked and answered before, so that a follow-up ("and who wrote it?") is understood; :meth:`chat`
            keeps it by itself.

        Raises
        ------
        EmptyIndex
            Nothing has been indexed.
        GenerationError
            The generator failed; its ``answer`` has the retrieved hits, and what had been written.
        GenerationInterrupted
            Ctrl-C while the answer was written; the same.
        """
        how = {"raw": raw, "strategy": strategy, "modalities": modalities, "where": where, "balance": balance}
        *_, answer = self.stream(question, k, image=image, audio=audio, history=history, **how)  # type: ignore[arg-type]
        return answer

    def stream(
        self,
        question: str = "",
        k: int | None = None,
        *,
        raw: bool | None = None,
        strategy: str | None = None,
        image: Any = None,
        audio: Any = None,
        modalities: Modality | Iterable[Modality] | None = None,
        where: str | None = None,
        balance: float | None = None,
        history: Sequence[Turn] = (),
    ) -> Iterator[Answer]:
        """Answer as :meth:`ask` does, and yield the answer as it grows.

        The first has the evidence and no text yet, each after it more of the text (``writing`` is true), the last is
        whole and checked. A generator that writes at once gives the last alone.
        """
        by, limits = self._by(strategy), scope(k, raw, modalities, where)
        start = time.perf_counter()
        kept, follow_up = self._follow_up(question, history)
        rewriting = {"rewrite": time.perf_counter() - start} if kept.turns else {}
        start = time.perf_counter()
        query = by[0].query(follow_up.question, image, audio, balance)
        hits = self._found(by, query, start, limits)
        asked = Answer(
            query.words if query.picture is None and not follow_up.rewritten else question.strip(),
            "",
            hits,
            pictured=query.picture is not None and bool(question.strip()),
            asked_as=follow_up.question if follow_up.rewritten else "",
            notes=(*kept.notes, *follow_up.notes),
            usage=follow_up.usage,
            dollars=follow_up.dollars,
            timings={**rewriting, **hits.timings},
        )
        yield from Answering(self._parts, self._catalog, self.settings, by).stream(asked, query, kept.turns)

    def _follow_up(self, question: str, history: Sequence[Turn]) -> tuple[History, FollowUp]:
        """What of ``history`` is sent, and the question in full."""
        kept = within_budget(history, self.settings.history_tokens)
        if not kept.turns or not isinstance(question, str):  # what is no text is told by whoever embeds it
            return kept, FollowUp(question)
        try:
            generator = self._parts.generator()[0]
        except MMRagError:  # told with what is found
            generator = None
        return kept, full_question(question, kept.turns, generator)

    async def aask(self, question: str = "", k: int | None = None, **how: Any) -> Answer:
        """Answer as :meth:`ask` does, while the event loop goes on; several questions at once share the models.

        >>> answers = await asyncio.gather(*(rag.aask(one) for one in questions))  # doctest: +SKIP

        Cancelled, a provider is left at once; a model on this machine stops at its next piece of text.
        """
        return await last(lambda: self.stream(question, k, **how))

    def chat(self) -> Conversation:
        """Begin a conversation, in which follow-up questions are understood."""
        return Conversation(self.stream)

    @property
    def spent(self) -> Spent:
        """What generators have taken in this process: requests, tokens, dollars."""
        return SESSION.spent

    # -- the file --------------------------------------------------------------------------------------------------

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
        rag = cls(path=existing(path), **choices)
        if not {"preset", "settings"} & set(choices):
            try:
                rag.use_models_of_index(but=choices)
            except InvalidSetting:
                rag.close()
                raise
        return rag
