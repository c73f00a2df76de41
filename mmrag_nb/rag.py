"""The one place where the parts meet: index, search, ask, save, open."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .answering import Answering
from .catalog.catalog import Catalog
from .conversing import Conversation, last
from .errors import InvalidSetting, MMRagError
from .fillable import Fillable
from .generation.metering import SESSION
from .generation.rewriting import FollowUp, full_question, within_budget
from .keeping import existing, opened
from .results import Answer
from .searchable import scope
from .settings import Settings
from .warming import HEAD_START, Warming, in_kernel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from .generation.metering import Spent
    from .generation.rewriting import History
    from .protocols import Progress
    from .types import Modality, Turn

_FIRST = "what is there to be seen and heard?"
"""Embedded in the background: a network's first text takes longer than the next ones."""


class MultimodalRAG(Fillable):
    """An index of pictures, sound, film and text, and the models that fill and question it.

    Parameters
    ----------
    settings
        The choices, instead of single ones by keyword.
    path
        The file to keep the index in, created where absent; ``None`` keeps it in memory until :meth:`save`. Or
        ``milvus:FILE.db`` or ``milvus:http://host:port/name``, for an index that outgrows the memory here.
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
        catalog = opened(path) if path is not None else Catalog()
        super().__init__(catalog, settings or Settings(**choices))
        self._warmed: tuple[object, Warming] | None = None

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

    def warm(self, after: float = 0.0) -> Warming:
        """Begin to load, in a thread of its own, what the first question in words needs; returns at once.

        In a notebook, opening an index does so by itself, unless the setting ``warm`` is off. Nothing is downloaded,
        and what cannot be loaded is told by the question that needs it. A question that comes earlier waits for the
        same load. To wait for all of it, in a script say, ``rag.warm().wait()``. It begins ``after`` so many seconds.
        """
        state = (str(self.path), self._catalog.generation, repr(sorted(self.settings.trait_values().items())))
        if self._warmed is not None:
            known, before = self._warmed
            if known == state and not (before.over and before.error):
                return before
            before.stop()
        holds, parts = self._catalog.kinds(), self._parts

        def load(step: Progress) -> None:
            if not holds:
                return
            for way in parts.ways(step, pictures="image" in holds, sounds="audio" in holds):
                if "text" in way.encoder.modalities:
                    way.encoder.embed_texts([_FIRST])
            if self.settings.chosen("reranker") != "judge":
                parts.reranker(step)
            if not self.settings.chosen("generator").startswith("local"):
                step("making the generator", 0, None)
                with suppress(MMRagError):  # told by the question, with what was found
                    parts.generator()

        self._warmed = state, Warming(load, after)
        return self._warmed[1]

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
        """Open an index, a file or in Milvus, with the models that made it, unless ``choices`` name others.

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
        if rag.settings.warm and in_kernel():
            rag.warm(HEAD_START)
        return rag
