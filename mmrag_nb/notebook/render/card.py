"""The evidence card: an answer, what it rests on, and why that was found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import evidence, facts, hits, plain, prose, remarks
from .escape import escape
from .quantities import count
from .style import section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmrag_nb.results import Answer, Hit

    from .media import Media


_PICTURED = "asked with a picture"
LONGEST = 40_000
"""Characters of an answer that are shown; one of as many tokens as are asked for at most has half of that."""
_WIDEST = 200_000
"""Characters of it as HTML: half of the room that a card has."""
ABSENT = "The sources do not answer this."


def html(answer: Answer) -> str:
    """Return a self-contained section; of at most :data:`~mmrag_nb.notebook.render.media.ROOM` bytes."""
    prefix = hits.new_prefix()
    answer = _with_passages(answer)
    ranks = {hit.rank for hit in answer.hits}
    cited = {number: hit for number, hit in answer.citations.items() if hit.rank in ranks}

    def draw(media: Media) -> str:
        parts = [
            hits.question(answer.question, asked_how(answer)).rstrip(),
            _doubt(answer, cited, prefix),
            _text(answer, cited, prefix) if answer.text.strip() and not answer.abstained else "",
            remarks.below_html(answer, prefix),
            remarks.notes_html(answer),
            remarks.trouble_html(answer),
            f'<p class="mm-error" role="note"><b>{_failed(answer)}</b> {escape(answer.error)}</p>' * bool(answer.error),
            _evidence(answer, {hit.rank for hit in cited.values()}, prefix, media),
        ]
        body = "\n".join(part for part in parts if part) + hits.below(answer.hits, facts.of_answer(answer))
        style = prose.LOOK + remarks.LOOK + _outlined(cited, prefix)
        sent = remarks.sent_html(answer, media.detail.letters)
        return section(hits.labelled("answer with evidence", answer.question), body + sent, style)

    return hits.fitted(answer.hits, {hit.rank for hit in cited.values()}, draw)


def text(answer: Answer) -> str:
    """Return the same for a terminal of 80 to 100 columns."""
    answer = _with_passages(answer)
    cited = {hit.rank for hit in answer.citations.values()}
    how = asked_how(answer)
    return plain.joined(
        plain.wrapped(f"{answer.question} ({how})" if how else answer.question),
        plain.wrapped(_reason(answer)) if not answer.abstained else "",
        plain.wrapped(prose.plain_prose(_said(answer), answer.invalid, remarks.doubted(answer))),
        plain.wrapped(_reason(answer)) if answer.abstained else "",
        remarks.below_text(answer),
        remarks.notes_text(answer),
        plain.wrapped(f"{remarks.NOT_WHOLE} {answer.trouble}") if answer.trouble else "",
        plain.wrapped(f"{_failed(answer)} {answer.error}") if answer.error else "",
        f"{hits.NEAREST}:" if _unsure(answer) and answer.hits and not cited else "",
        *(plain.item(hit, remark="" if hit.rank in cited or not cited else "not cited") for hit in answer.hits),
        plain.table(answer.hits) or hits.NOTHING,
        plain.gap(answer.hits.gap),
        plain.facts([*facts.of_answer(answer), "what was sent is in answer.sent" * bool(answer.sent)]),
    )


def asked_how(answer: Answer) -> str:
    """Return what was asked with besides the question's words, and what was looked for in their place."""
    looked_for = f"looked for: {answer.asked_as}" if answer.asked_as else ""
    return "; ".join(part for part in (_PICTURED if _pictured(answer) else "", looked_for) if part)


def _with_passages(answer: Answer) -> Answer:
    """The answer, its hits those that its citations lead to: they know where its statements are found."""
    known = {hit.rank: hit for hit in answer.citations.values()}
    return replace(answer, hits=replace(answer.hits, hits=tuple(known.get(hit.rank, hit) for hit in answer.hits)))


def _text(answer: Answer, cited: Mapping[int, Hit], prefix: str) -> str:
    marks = remarks.doubted(answer) if answer.text.strip() else ()
    said = _said(answer)
    shown, left = shown_text(said, cited, prefix, invalid=answer.invalid, doubted=marks)
    more = f'<p class="mm-none">… {count(left, "more character")} in answer.text</p>' if left > 0 else ""
    return f'<div class="mm-answer">{shown}{more}</div>'


def shown_text(text: str, cited: Mapping[int, Hit], prefix: str, **marked: Any) -> tuple[str, int]:
    """Return ``text`` as HTML of at most about :data:`_WIDEST` characters, and how many of its letters are left out."""
    longest = min(len(text), LONGEST)
    while len(shown := prose.prose(text[:longest], cited, prefix, **marked)) > _WIDEST:
        longest = longest * _WIDEST // len(shown) * 9 // 10  # a text that is all citations or cells: a model that loops
    return shown, len(text) - longest


def _said(answer: Answer) -> str:
    """The answer's text; a sentence for it where a generator only marked that the sources do not answer."""
    silent = answer.abstained and not answer.text.strip() and not answer.hits.doubt
    return ABSENT if silent else answer.text


def _pictured(answer: Answer) -> bool:
    """Whether a picture stood beside the question's words."""
    return answer.pictured


def _unsure(answer: Answer) -> bool:
    return bool(answer.abstained or answer.hits.doubt)


def _reason(answer: Answer) -> str:
    """Why nothing seems to answer the question, where the answer does not say it itself."""
    return "" if answer.hits.doubt in answer.text else answer.hits.doubt


def _doubt(answer: Answer, cited: Mapping[int, Hit], prefix: str) -> str:
    told = _text(answer, cited, prefix) if answer.abstained and _said(answer) else ""
    reason = f"<p>{escape(_reason(answer))}</p>" if _reason(answer) else ""
    return f'<div class="mm-doubt" role="note">{told}{reason}</div>' if told or reason else ""


def _outlined(cited: Mapping[int, Hit], prefix: str) -> str:
    """Rules that outline what the citation in use leads to: JupyterLab scrolls there without making it the target."""
    return "".join(
        f"\n.mmrag:has([href='#{prefix}{rank}']:focus) #{prefix}{rank} {{outline:2px solid var(--mm-m)}}"
        for rank in sorted({hit.rank for hit in cited.values()})
    )


def _failed(answer: Answer) -> str:
    return "The answer may be incomplete." if answer.text.strip() else "No answer."


def _evidence(answer: Answer, cited: set[int], prefix: str, media: Media) -> str:
    """What the answer cites, then, quieter, what was found besides; one list where nothing is cited."""
    if not answer.hits:
        return f"<p>{hits.NOTHING}</p>"
    if not cited:
        heading = hits.nearest(answer.hits) if _unsure(answer) else ""
        return heading + evidence.html(answer.hits, prefix, media, quiet=bool(heading))
    used = evidence.html([hit for hit in answer.hits if hit.rank in cited], prefix, media)
    besides = evidence.html([hit for hit in answer.hits if hit.rank not in cited], prefix, media, quiet=True)
    also = '\n<div class="mm-also" role="heading" aria-level="4">also found, not cited</div>\n' if besides else ""
    return used + also + besides
