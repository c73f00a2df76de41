"""The ask panel: a question, how it is to be asked, the evidence card that answers it, and what was asked before."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from traitlets import Any as Anything
from traitlets import Bool, Enum, Float, Instance, Int, List, Unicode, validate

from mmrag_nb.catalog.where import parse
from mmrag_nb.errors import GenerationError, InvalidSetting, MMRagError, UnknownName
from mmrag_nb.notebook.progress import Meter, line
from mmrag_nb.notebook.render import card, plain
from mmrag_nb.notebook.render.escape import escape, one_line
from mmrag_nb.notebook.render.media import ROOM
from mmrag_nb.notebook.render.quantities import count, duration
from mmrag_nb.registry import names
from mmrag_nb.results import Answer, Hit
from mmrag_nb.settings import MOST_HITS

from .controls import button
from .live import Act, LivePanel
from .question_form import KINDS, called, form, thumbnail
from .question_form import LOOK as FORM_LOOK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mmrag_nb.rag import MultimodalRAG

_REMEMBERED = 50
"""Answers that the history keeps; each holds its pictures and sounds."""
_TITLE = 80
"""Characters of a question in the history."""

LOOK = """
.mmrag .mm-history ul {display:flex;flex-wrap:wrap;gap:4px;max-height:7.5em;margin:2px 0 12px;padding:0;overflow:auto;
  list-style:none}
.mmrag .mm-history {color:var(--mm-soft);font-size:12px}
.mmrag .mm-history li {max-width:100%}
.mmrag .mm-history button {max-width:100%;overflow:hidden;font-size:13px;text-overflow:ellipsis;white-space:nowrap}
.mmrag button.mm-pick {min-width:24px;min-height:24px;margin-inline-end:4px;padding:0 5px;border-radius:12px;
  color:var(--mm-m);font-weight:600;font-size:13px}
.mmrag .mm-head[data-mm-act], .mmrag tr[data-mm-act] {cursor:pointer}
.mmrag .mm-item.mm-chosen {outline:2px solid var(--mm-m);outline-offset:-1px}
.mmrag .mm-table tbody tr.mm-chosen:nth-child(n) {background:var(--mm-wash)}
"""

# Where a card names a hit by its rank. Foreign text in a card is escaped, so this is always our own markup.
_HEAD = re.compile(r'class="mm-head"([^>]*)><b>(\d+)</b>')
_ROW = re.compile(r'<tr( class="mm-\w+")><td class="mm-rank">(\d+)</td>')


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

    question = Unicode(help="What was asked last, or is to be asked.")
    k = Int(5, min=1, max=MOST_HITS, help="Hits to retrieve.")
    strategy = Enum(names("strategy"), help="How the question becomes ranked hits.")
    raw = Bool(default_value=False, help="Rank by raw cosines.")
    modalities = List(Enum(KINDS), minlen=1, help="What is retrieved.")
    where = Unicode(help="What the metadata of what is retrieved must fit; anything where empty.")
    image = Anything(help="A picture to ask with, words beside it or not: a path or ``PIL.Image``.")
    balance = Float(0.5, min=0.0, max=1.0, help="Of a picture beside words, what it counts.")
    answer = Instance(Answer, allow_none=True, help="What is shown.")
    selected = Instance(Hit, allow_none=True, help="The hit that the reader chose.")
    history = List(Instance(Answer), help="All answers, oldest first.")

    def __init__(self, rag: MultimodalRAG) -> None:
        self._rag = rag
        self._card: tuple[Answer | None, str] = (None, "")
        self.thumbnail = ""
        settings = rag.settings
        super().__init__(
            "ask panel",
            FORM_LOOK + LOOK,
            k=settings.k,
            strategy=settings.strategy,
            raw=settings.raw,
            modalities=KINDS,
            balance=settings.balance,
        )
        how = ["k", "strategy", "raw", "modalities", "where", "image", "balance"]
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
        with self.working("searching…"):
            self.question = asked
            self._rag.load_models(pictures=self.image is not None, strategy=self.strategy, progress=self._progress)
            try:
                answer = self._rag.ask(asked, self.k, raw=self.raw, strategy=self.strategy, **self._limits())
            except GenerationError as error:
                if error.answer is not None:
                    self._keep(error.answer)
                raise
            answer = self._keep(answer)
            self.tell(f"{count(len(answer.hits), 'hit')} in {duration(sum(answer.timings.values()))}")
        return answer

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
        """Ask, set how and with which picture, show an earlier answer, select a hit."""
        return {
            "ask": self._ask,
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
        said = act.values
        if "k" in said:
            k = str(said["k"]).strip()
            if not (k.isascii() and k.isdigit() and len(k) < 4 and 1 <= int(k) <= MOST_HITS):
                raise InvalidSetting(f"{k or 'nothing'} hits cannot be asked for: 1 to {MOST_HITS} can")
            self.k = int(k)
        if "strategy" in said:
            if said["strategy"] not in names("strategy"):
                raise UnknownName("strategy", said["strategy"], names("strategy"))
            self.strategy = said["strategy"]
        if "raw" in said:
            self.raw = said["raw"] is True
        if "where" in said:
            where = str(said["where"]).strip()
            if where:
                parse(where)
            self.where = where
        if "balance" in said:
            self.balance = _share(said["balance"])
        wanted = [kind for kind in KINDS if said.get(kind, kind in self.modalities) is True]
        if not wanted:
            raise InvalidSetting("nothing would be searched: leave one of text, images and audio on")
        self.modalities = wanted

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
        return {"form": form(self), "history": _history(self.history), "answer": self._answer()}

    def _answer(self) -> str:
        if self.answer is None:
            return ""
        if self._card[0] is not self.answer:
            self._card = (self.answer, pickable(card.html(self.answer)))
        return self._card[1]

    def still(self) -> str:
        """Return the answer's card, with what was asked before where there is room."""
        if self.answer is None:
            return super().still()
        shown = card.html(self.answer)
        asked = "".join(f"<li>{escape(_title(one))}</li>" for one in self.history)
        before = (
            f'<details class="mmrag mathjax_ignore"><summary>{count(len(self.history), "question")} asked</summary>'
            f"<ol>{asked}</ol></details>"
        )
        fits = len(self.history) > 1 and len(shown.encode()) + len(before.encode()) < ROOM
        return shown + before if fits else shown

    def text(self) -> str:
        """Return the answer's card for a terminal."""
        return plain.wrapped("Nothing has been asked yet.") if self.answer is None else card.text(self.answer)


def pickable(html: str) -> str:
    """Return a card in which each hit can be selected, by its head and by its row in the table."""

    def pick(rank: str) -> str:
        return button("select", rank, rank, label=f"{rank}, select this hit", css="mm-pick")

    html = html.replace('<ul class="mm-evidence', '<ul data-mm-roving class="mm-evidence')
    html = html.replace('<li class="mm-item', '<li data-mm-one class="mm-item')
    html = html.replace("<tbody>", "<tbody data-mm-roving>")
    html = _HEAD.sub(
        lambda m: f'class="mm-head" data-mm-act="select" data-mm-target="{m[2]}"{m[1]}>{pick(m[2])}',
        html,
    )
    return _ROW.sub(
        lambda m: (
            f'<tr data-mm-one data-mm-act="select" data-mm-target="{m[2]}"{m[1]}><td class="mm-rank">{pick(m[2])}</td>'
        ),
        html,
    )


def _history(answers: Sequence[Answer]) -> str:
    if len(answers) < 2:
        return ""
    items = "".join(
        f'<li data-mm-key="{i}">{button("show", _title(one), i)}</li>' for i, one in reversed(list(enumerate(answers)))
    )
    return f'<nav class="mm-history" aria-label="asked before">asked before<ul data-mm-roving>{items}</ul></nav>'


def _share(said: object) -> float:
    if not isinstance(said, str) or not re.fullmatch(r"0(\.\d{1,9})?|1(\.0{1,9})?", said):
        raise InvalidSetting("a picture counts from 0 (the words alone) to 1 (the picture alone)")
    return float(said)


def _title(answer: Answer) -> str:
    asked = one_line(answer.question) or "a picture"
    return asked if len(asked) <= _TITLE else asked[: _TITLE - 1] + "…"
