"""The ask panel: a question, how it is to be asked, the evidence card that answers it, and what was asked before."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

from traitlets import Any as Anything
from traitlets import Bool, Enum, Float, Instance, Int, List, Unicode, validate

from mmrag_nb.checking import checked
from mmrag_nb.errors import INTERRUPTED, GenerationError, MMRagError
from mmrag_nb.jobs.metering import Meter
from mmrag_nb.notebook.pacing import Paced
from mmrag_nb.notebook.progress import line
from mmrag_nb.notebook.render import card, plain, prose, writing
from mmrag_nb.notebook.render.escape import escape
from mmrag_nb.notebook.render.media import ROOM
from mmrag_nb.notebook.render.quantities import count, duration
from mmrag_nb.registry import names
from mmrag_nb.results import Answer, Hit
from mmrag_nb.settings import MOST_HITS
from mmrag_nb.types import Turn

from .answered import LOOK, asked_before, pickable, short
from .controls import button
from .live import Act, LivePanel
from .question_form import KINDS, called, chosen, form, thumbnail
from .question_form import LOOK as FORM_LOOK
from .stopping import Stoppable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mmrag_nb.rag import MultimodalRAG

_REMEMBERED = 50
"""Answers that the history keeps; each holds its pictures and sounds."""
STOPPED = "stopped: this is what had come"


class AskPanel(LivePanel):
    """Questions to an index, and their answers.

    Parameters
    ----------
    rag
        The index.

    Examples
    --------
    >>> from mmrag_nb import MultimodalRAG
    >>> rag = MultimodalRAG(preset="offline")
    >>> rag.index([{"text": "A harp has forty-seven strings."}])
    indexed 1 item (1 text): 1 embedded, 0 reused, 0 skipped, ...
    >>> panel = AskPanel(rag)
    >>> panel.ask("how many strings has a harp?").hits[0].chunk.text
    'A harp has forty-seven strings.'
    """

    aside: ClassVar[frozenset[str]] = frozenset({"ask"})

    question = Unicode(help="What was asked last, or is to be asked.")
    k = Int(5, min=1, max=MOST_HITS, help="Hits to retrieve.")
    strategy = Enum(names("strategy"), help="How the question becomes ranked hits.")
    raw = Bool(default_value=False, help="Rank by raw cosines.")
    modalities = List(Enum(KINDS), minlen=1, help="What is retrieved.")
    where = Unicode(help="What the metadata of what is retrieved must fit; anything where empty.")
    image = Anything(help="A picture to ask with, words beside it or not: a path or ``PIL.Image``.")
    balance = Float(0.5, min=0.0, max=1.0, help="Of a picture beside words, what it counts.")
    follow_up = Bool(default_value=False, help="Ask with what was asked and answered before in mind.")
    answer = Instance(Answer, allow_none=True, help="What is shown.")
    selected = Instance(Hit, allow_none=True, help="The hit that the reader chose.")
    history = List(Instance(Answer), help="All answers, oldest first.")

    def __init__(self, rag: MultimodalRAG) -> None:
        self._rag = rag
        self._card: tuple[Answer | None, str] = (None, "")
        self.thumbnail = ""
        self._answering = Lock()
        self._written: Stoppable[Answer] | None = None
        settings = rag.settings
        super().__init__(
            "ask panel",
            FORM_LOOK + LOOK + prose.LOOK + writing.LOOK,
            k=settings.k,
            strategy=settings.strategy,
            raw=settings.raw,
            modalities=KINDS,
            balance=settings.balance,
        )
        how = ["k", "strategy", "raw", "modalities", "where", "image", "balance", "follow_up"]
        self.observe(self._asked_otherwise, ["question", *how, "history"])
        self.observe(self._answered, "answer")
        self.observe(self._selected, "selected")
        self.refresh()

    # -- for Python ------------------------------------------------------------------------------------------------

    def ask(self, question: str | None = None) -> Answer:
        """Ask, as the form does, and show the answer.

        Parameters
        ----------
        question
            What to ask; the trait of that name where absent. With a picture in ``image``, it may be empty.

        Raises
        ------
        MMRagError
            As :meth:`mmrag_nb.MultimodalRAG.ask`; where only the generator failed, what was found is shown.
        """
        asked = self.question if question is None else question
        with self.working("searching…"), self._alone():
            self.question = asked
            self._rag.load_models(
                pictures=self.image is not None, generator=True, strategy=self.strategy, progress=self._progress
            )
            how = {"history": self._before() if self.follow_up else (), **self._limits()}
            answers = self._rag.stream(asked, self.k, raw=self.raw, strategy=self.strategy, **how)
            try:
                answer = self._keep(self._follow(answers))
            except GenerationError as error:
                if error.answer is not None:
                    self._keep(error.answer)
                raise
            took = f"{count(len(answer.hits), 'hit')} in {duration(sum(answer.timings.values()))}"
            self.tell(answer.trouble or took)
        return answer

    def stop(self) -> None:
        """End the writing at once; what had come is kept and shown."""
        if self._written is not None:
            self._written.stop()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Answer one question at a time."""
        if not self._answering.acquire(blocking=False):
            raise MMRagError("another question is being answered: wait until that is done, or stop it")
        try:
            yield
        finally:
            self._written = None
            self.growing = {}
            self._answering.release()
            self.refresh()

    def _follow(self, answers: Iterator[Answer]) -> Answer:
        """The last of ``answers``; those before it are shown as they come."""
        answer = next(answers)  # the search, which nothing need stop
        if not answer.writing:
            return answer
        self._written = Stoppable(answers)
        self.answer = answer
        grow = Paced(self._grow)
        grow(answer)
        try:
            for answer in self._written:
                if answer.writing:
                    grow(answer)
        except KeyboardInterrupt:  # where a cell asks
            self.stop()
            self._keep(checked(replace(answer, writing=False, trouble=INTERRUPTED)))
            raise
        finally:
            grow.close()
        if answer.writing:
            return checked(replace(answer, writing=False, trouble=STOPPED))
        return answer

    def _grow(self, answer: Answer) -> None:
        stop = button("stop", "Stop", label="Stop writing")
        self.growing = {"writing": f'{writing.html(answer)}<p class="mm-stop">{stop}</p>'}
        self.tell("writing…" if answer.text else f"asking {answer.generator}…")

    def _before(self) -> tuple[Turn, ...]:
        """The conversation that a follow-up belongs to: up to the answer that is shown."""
        at = next((i for i, one in enumerate(self.history) if one is self.answer), len(self.history) - 1)
        answered = (one for one in self.history[: at + 1] if one.text.strip())
        return tuple(Turn(one.asked_as or one.question, one.text) for one in answered)

    def _keep(self, answer: Answer) -> Answer:
        if self.image is not None:
            beside = f", which counts {self.balance:.0%} beside the words" if self.question.strip() else ""
            others = [fact for fact in answer.hits.facts if not fact.startswith("asked with a picture")]
            facts = (*others, f"asked with {called(self.image)}{beside}")  # by its name, and once
            answer = replace(answer, hits=replace(answer.hits, facts=facts))
        self.history = [*self.history, answer][-_REMEMBERED:]
        self.answer = answer
        return answer

    def _limits(self) -> dict[str, Any]:
        """The picture and what is said of what may be found; nothing of modalities where all are wanted."""
        kinds = {} if set(self.modalities) == set(KINDS) else {"modalities": tuple(self.modalities)}
        return {"where": self.where or None, "image": self.image, "balance": self.balance, **kinds}

    def _progress(self, stage: str, done: int, total: int | None) -> None:
        self.tell(line(stage, done, total, Meter(), 0.0))

    @validate("image")
    def _seen(self, proposal: dict[str, Any]) -> Any:
        image = proposal["value"]
        self.thumbnail = "" if image is None else thumbnail(image)  # what cannot be read is refused here
        return image

    # -- what the reader does --------------------------------------------------------------------------------------

    def acts(self) -> Mapping[str, Callable[[Act], None]]:
        """Ask, stop the writing, set how and with which picture, show an earlier answer, select a hit."""
        return {
            "ask": self._ask,
            "stop": lambda _: self.stop(),
            "set": self._set,
            "picture": lambda act: self.set_trait("image", act.files[0].path if act.files else None),
            "without": lambda _: self.set_trait("image", None),
            "show": self._show,
            "select": self._select,
        }

    def _ask(self, act: Act) -> None:
        self._set(act)
        question = str(act.values.get("question", "")).strip()
        if not question and self.image is None:
            raise MMRagError("nothing was asked: type a question, such as: who is my favorite harpist?")
        self.ask(question)

    def _set(self, act: Act) -> None:
        for trait, value in chosen(act.values, self.modalities).items():
            setattr(self, trait, value)

    def _show(self, act: Act) -> None:
        if act.target.isdecimal() and int(act.target) < len(self.history):
            self.answer = self.history[int(act.target)]
            self.question = self.answer.question

    def _select(self, act: Act) -> None:
        hits = self.answer.hits if self.answer else ()
        self.selected = next((hit for hit in hits if str(hit.rank) == act.target), None)

    # -- what follows ----------------------------------------------------------------------------------------------

    def _asked_otherwise(self, _: object) -> None:
        self.refresh()

    def _answered(self, _: object) -> None:
        self.selected = None
        self.refresh()

    def _selected(self, _: object) -> None:
        self._mark()

    def _mark(self) -> None:
        shown = next((i for i, one in enumerate(self.history) if one is self.answer), None)
        self.chosen = {
            "select": str(self.selected.rank) if self.selected else "",
            "show": "" if shown is None else str(shown),
        }

    # -- how it looks ----------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Draw again, with what is chosen."""
        super().refresh()
        self._mark()

    def draw(self, *, live: bool) -> dict[str, str]:
        """Return the form, the history and the answer's card."""
        if not live:
            return {"answer": "<p>Nothing has been asked yet.</p>"}
        return {"form": form(self), "history": asked_before(self.history), "writing": "", "answer": self._answer()}

    def _answer(self) -> str:
        if self.answer is None:
            return ""
        if self._card[0] is not self.answer:
            shown = writing.evidence(self.answer) if self.answer.writing else card.html(self.answer)
            self._card = (self.answer, pickable(shown))
        return self._card[1]

    def still(self) -> str:
        """Return the answer's card, with what was asked before where there is room."""
        if self.answer is None:
            return super().still()
        shown = card.html(self.answer)
        asked = "".join(f"<li>{escape(short(one))}</li>" for one in self.history)
        before = (
            f'<details class="mmrag mathjax_ignore"><summary>{count(len(self.history), "question")} asked</summary>'
            f"<ol>{asked}</ol></details>"
        )
        fits = len(self.history) > 1 and len(shown.encode()) + len(before.encode()) < ROOM
        return shown + before if fits else shown

    def text(self) -> str:
        """Return the answer's card for a terminal."""
        return plain.wrapped("Nothing has been asked yet.") if self.answer is None else card.text(self.answer)
