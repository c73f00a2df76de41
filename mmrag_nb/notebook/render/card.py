"""The evidence card: an answer, what it rests on, and why that was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import evidence, facts, hits, plain
from .escape import escape
from .prose import prose
from .style import section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmrag_nb.results import Answer, Hit

    from .media import Media


def html(answer: Answer) -> str:
    """Return a self-contained section; of at most :data:`~mmrag_nb.notebook.render.media.ROOM` bytes."""
    prefix = hits.new_prefix()
    ranks = {hit.rank for hit in answer.hits}
    cited = {number: hit for number, hit in answer.citations.items() if hit.rank in ranks}

    def draw(media: Media) -> str:
        parts = [hits.question(answer.question).rstrip()]
        if answer.text.strip():
            parts.append(f'<div class="mm-answer">{prose(answer.text, cited, prefix)}</div>')
        if answer.error:
            parts.append(f'<p class="mm-error" role="note"><b>{_failed(answer)}</b> {escape(answer.error)}</p>')
        parts += [_evidence(answer, {hit.rank for hit in cited.values()}, prefix, media)]
        body = "\n".join(parts) + hits.below(answer.hits, facts.of_answer(answer))
        return section(hits.labelled("answer with evidence", answer.question), body, _outlined(cited, prefix))

    return hits.fitted(answer.hits, {hit.rank for hit in cited.values()}, draw)


def text(answer: Answer) -> str:
    """Return the same for a terminal of 80 to 100 columns."""
    cited = {hit.rank for hit in answer.citations.values()}
    return plain.joined(
        plain.wrapped(answer.question),
        plain.wrapped(answer.text),
        plain.wrapped(f"{_failed(answer)} {answer.error}") if answer.error else "",
        *(plain.item(hit, remark="" if hit.rank in cited or not cited else "not cited") for hit in answer.hits),
        plain.table(answer.hits) or hits.NOTHING,
        plain.gap(answer.hits.gap),
        plain.facts(facts.of_answer(answer)),
    )


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
        return evidence.html(answer.hits, prefix, media)
    used = evidence.html([hit for hit in answer.hits if hit.rank in cited], prefix, media)
    besides = evidence.html([hit for hit in answer.hits if hit.rank not in cited], prefix, media, quiet=True)
    also = '\n<div class="mm-also" role="heading" aria-level="4">also found, not cited</div>\n' if besides else ""
    return used + also + besides
