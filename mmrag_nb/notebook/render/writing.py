"""An answer while it is written: what has come so far, and what it is expected to take."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from . import facts, hits, plain, prose
from .card import asked_how, shown_text
from .quantities import count

if TYPE_CHECKING:
    from mmrag_nb.results import Answer

LOOK = """
.mmrag .mm-writing {margin:0 0 10px}
.mmrag .mm-writing .mm-answer {margin:0 0 8px}
.mmrag .mm-writing :is(.mm-answer > :is(p, pre):last-child, .mm-answer > :last-child > li:last-child)::after {
  content:"";display:inline-block;width:.5em;height:1em;margin-inline-start:2px;background:var(--mm-soft);
  vertical-align:-.12em;animation:mm-caret 1s steps(2) infinite}
@keyframes mm-caret {to {opacity:0}}
@media (prefers-reduced-motion:reduce) {.mmrag .mm-writing :is(p, pre, li)::after {animation:none !important}}
"""
"""What it needs beside the rules that all share."""


def html(answer: Answer) -> str:
    """Return what has been written, for a page that has the style of a result already."""
    shown = shown_text(answer.text, {}, "")[0] if answer.text.strip() else ""
    return (
        f'<div class="mm-writing" aria-busy="true">{hits.question(answer.question, asked_how(answer))}'
        + (f'<div class="mm-answer">{shown}</div>' if shown else "")
        + f"{facts.html(_facts(answer))}</div>"
    )


def page(answer: Answer) -> str:
    """Return the same as a section that stands above :func:`evidence`."""
    return (
        '<section class="mmrag mathjax_ignore" aria-label="an answer that is being written">'
        f"<style>{prose.LOOK}{LOOK}</style>\n{html(answer)}</section>"
    )


def evidence(answer: Answer) -> str:
    """Return what was found, without the question, as a section with its style."""
    return hits.html(replace(answer.hits, question=""))


def text(answer: Answer) -> str:
    """Return what has been written, for a terminal."""
    return plain.joined(plain.wrapped(answer.text), plain.facts(_facts(answer)))


def words(answer: Answer) -> int:
    """Count the words that have come."""
    return len(answer.text.split())


def _facts(answer: Answer) -> list[str]:
    written = words(answer)
    told = f"writing, {count(written, 'word')}…" if written else f"asking {answer.generator}…"
    return [told, facts.estimated(answer.estimate), *answer.notes]
