"""From hits to an answer: evidence, prompt, generator, and the check of what it wrote."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from .checking import checked
from .errors import INTERRUPTED, GenerationEmpty, GenerationError, GenerationInterrupted, MMRagError
from .evidence import evidence
from .generation.citations import declined
from .generation.media import fitting
from .generation.templates import SHIPPED, template
from .types import Estimate, Generation, Prompt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .catalog.catalog import Catalog
    from .explaining import Explaining
    from .generation.templates import Template
    from .parts import Parts
    from .protocols import Generator
    from .queries import Query
    from .results import Answer, Hits
    from .searching import Searching
    from .settings import Settings
    from .types import Turn


class Answering:
    """Answers from what was found, by the settings in force.

    Parameters
    ----------
    parts
        The models.
    catalog
        The index.
    settings
        The choices.
    by
        Who searched, and who explains what was found.
    """

    def __init__(self, parts: Parts, catalog: Catalog, settings: Settings, by: tuple[Searching, Explaining]) -> None:
        self._parts, self._catalog, self._settings = parts, catalog, settings
        self._searching, self._explaining = by

    def stream(self, asked: Answer, query: Query, history: tuple[Turn, ...] = ()) -> Iterator[Answer]:
        """Yield the answer as it is written, the evidence first, the whole, checked, last.

        Parameters
        ----------
        asked
            The question and the hits; its text is still empty.
        query
            What was looked for.
        history
            What was asked and answered before, as much of it as is to be sent.

        Raises
        ------
        GenerationError
            The generator failed; its ``answer`` has the hits, and what had come.
        GenerationInterrupted
            Ctrl-C; the same.
        """
        if asked.hits.doubt:
            told = f"{asked.hits.doubt} It is answered all the same with %config MMRag.abstain = False."
            yield replace(asked, text=told, abstained=True)
            return
        named = replace(asked, question=asked.question or query.shown)
        try:
            generator, stands_in = self._parts.generator()
            chosen = template(self._settings.prompt)
            prompt = self._prompt(chosen, asked, query, history, generator)
            estimate = _estimate(generator, prompt)
        except GenerationError as error:
            error.answer = replace(named, error=str(error))
            raise
        except MMRagError as error:  # a model that cannot be had, a prompt's file that was damaged meanwhile
            failed = GenerationError(str(error))
            failed.answer = replace(named, error=str(error))
            raise failed from error
        notes = [*asked.notes]
        if stands_in:
            notes.append(f"quoted, not written: {stands_in}")
        elif chosen.origin != SHIPPED:  # a file beside the notebook goes before a shipped one of its name
            notes.append(f"prompt: {chosen.origin}")
        begun = replace(
            named,
            generator=generator.description,
            prompt=prompt,
            notes=tuple(notes),
            estimate=estimate,
            writing=True,
        )
        if not generator.instant:
            yield begun
        yield from self._write(begun, query, generator, prompt)

    def _write(self, begun: Answer, query: Query, generator: Generator, prompt: Prompt) -> Iterator[Answer]:
        start = time.perf_counter()
        text, whole = "", None
        # Where a picture matches is looked for while the generator writes, which is mostly waiting for a network.
        with ThreadPoolExecutor(1) as beside, closing(generator.stream(prompt)) as pieces:
            marked = beside.submit(self._regions, begun.hits, query)
            try:
                for piece in pieces:
                    if isinstance(piece, Generation):
                        whole = piece
                        break
                    text += piece
                    if not generator.instant:
                        yield replace(begun, text=declined(text)[1])
                if whole is None:
                    raise GenerationEmpty(f"{generator.description} ended without an answer: ask again")
                spent = {"generate": time.perf_counter() - start}
                hits = marked.result()
            except (GenerationError, KeyboardInterrupt) as error:
                spent = {"generate": time.perf_counter() - start}
                partial = self._finished(replace(begun, text=text, hits=marked.result(), dollars=None), spent)
                if isinstance(error, GenerationError):
                    error.answer = replace(partial, error=str(error))
                    raise
                interrupted = GenerationInterrupted()
                interrupted.answer = replace(partial, trouble=INTERRUPTED)
                raise interrupted from None
        if hits is not begun.hits:  # pictures were looked at; what the generator's own time did not cover
            spent["regions"] = time.perf_counter() - start - spent["generate"]
        wrote = replace(
            begun,
            text=whole.text,
            hits=hits,
            generator=whole.model,
            usage=dict(Counter(begun.usage) + Counter(whole.usage)),  # a follow-up was rewritten before
            dollars=None if whole.dollars is None or begun.dollars is None else begun.dollars + whole.dollars,
            sent=whole.sent,
            trouble=whole.trouble,
        )
        yield self._finished(wrote, spent)

    def _regions(self, hits: Hits, query: Query) -> Hits:
        try:
            return self._explaining.regions(hits, query)
        except MMRagError:  # the index was emptied meanwhile: the answer is worth more than a frame in its pictures
            return hits

    def _finished(self, answer: Answer, spent: dict[str, float]) -> Answer:
        start = time.perf_counter()
        likeness = self._searching if self._settings.check else None
        answer = checked(replace(answer, writing=False), likeness)
        timings = {**answer.timings, **spent}
        if answer.claims:
            timings["check"] = time.perf_counter() - start
        return replace(answer, timings=timings)

    def _prompt(
        self, chosen: Template, asked: Answer, query: Query, history: tuple[Turn, ...], generator: Generator
    ) -> Prompt:
        takes, picture = generator.takes, query.picture
        if picture is not None:  # one without data is told of, but not shown
            picture = fitting(picture, generator.side) if "image" in takes else replace(picture, data=b"")
        return Prompt(
            # what only quotes looks for the words of the follow-up itself
            asked.question if generator.instant else asked.asked_as or asked.question,
            chosen.instructions,
            tuple(evidence(hit, self._catalog, takes, generator.side) for hit in asked.hits),
            () if picture is None else (picture,),
            chosen.examples,
            history,
            self._settings.max_tokens,
        )


def _estimate(generator: Generator, prompt: Prompt) -> Estimate | None:
    return generator.estimate(prompt) if hasattr(generator, "estimate") else None
