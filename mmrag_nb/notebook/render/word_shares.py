"""What each word brings: marked in its text, and in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import plain
from .escape import escape, one_line, visible
from .highlight import flowing
from .quantities import NONE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmrag_nb.insight.why import Term, WordShare

STYLE = """
.mmrag .mm-shares {line-height:2;white-space:pre-line;margin:0 0 8px}
.mmrag .mm-s1, .mmrag .mm-s2, .mmrag .mm-s3, .mmrag .mm-s4 {text-decoration:underline;text-underline-offset:3px;
  text-decoration-color:var(--mm-m);text-decoration-skip-ink:none}
.mmrag .mm-s1 {text-decoration-thickness:1px}
.mmrag .mm-s2 {text-decoration-thickness:2px}
.mmrag .mm-s3 {text-decoration-thickness:3px;font-weight:600}
.mmrag .mm-s4 {text-decoration-thickness:5px;font-weight:700}
.mmrag .mm-legend {margin:-4px 0 8px;color:var(--mm-soft);font-size:12px}
.mmrag .mm-words {display:grid;gap:0 28px;grid-template-columns:repeat(auto-fit,minmax(min(100%,380px),1fr))}
.mmrag .mm-words .mm-table tbody th {min-width:5.5em}
"""
LEGEND = "underlined: what carries the cosine, the thicker the more; on a ground: words of the question"
LONGEST = 2_000
"""Characters of a text that are shown."""
_ROWS = 8
"""Words of a text that its table has: those that bring most."""
_WORD = 40
_STEPS = 4
_FAINTEST = 0.1
"""Share of the strongest word's from which on a word is underlined."""


def marked(text: str, words: Sequence[WordShare], matches: Sequence[tuple[int, int]]) -> str:
    """Return ``text`` with each word underlined by what it brings; ``matches`` are the question's words in it."""
    most = max((word.share for word in words), default=0.0)
    text = flowing(text)
    parts, at = [], 0
    for word in words:
        if word.end > LONGEST:
            break
        parts.append(escape(text[at : word.start]))
        shown = escape(text[word.start : word.end])
        if any(start < word.end and end > word.start for start, end in matches):
            shown = f"<mark>{shown}</mark>"
        strength = _strength(word.share, most)
        title = f"{_percent(word.share)} of what all words bring"
        parts.append(f'<span class="mm-s{strength}" title="{title}">{shown}</span>' if strength else shown)
        at = word.end
    rest = text[at:LONGEST]
    return "".join(parts) + escape(rest) + (" …" if len(text) > max(at, LONGEST) else "")


def _strength(share: float, most: float) -> int:
    return min(_STEPS, 1 + int(share / most * _STEPS)) if most > 0 and share >= _FAINTEST * most else 0


def question_table(words: Sequence[WordShare], terms: Sequence[Term], unit: str) -> str:
    """Return the question's words: what each brings to the cosine, and to the score, in ``unit``, by being found."""
    found = {term.text: term for term in terms}
    rows: list[tuple[str, WordShare | None, Term | None]]
    rows = [(word.text, word, found.pop(word.text.lower(), None)) for word in words]
    rows += [(term.text, None, term) for term in found.values()]
    most = max((word.share for word in words), default=0.0)
    body = "\n".join(
        f'<tr><th scope="row">{_word(text)}</th>{_share(word, most)}<td class="mm-n">{_looked_up(term)}</td></tr>'
        for text, word, term in rows
    )
    return _table("the question's words", ("word", "share", "cosine", f"matched, {unit}"), body) if rows else ""


def text_table(words: Sequence[WordShare], *, times: str) -> str:
    """Return those of a text's words that bring most, with their seconds where ``times`` says that they have some."""
    best = sorted(words, key=lambda word: -word.share)[:_ROWS]
    most = max((word.share for word in best), default=0.0)
    when = "about, s" if times == "estimated" else "at, s"
    body = "\n".join(
        f'<tr><th scope="row">{_word(word.text)}</th>{_share(word, most)}'
        + (f'<td class="mm-n">{NONE if word.said_from is None else f"{word.said_from:.1f}"}</td>' if times else "")
        + "</tr>"
        for word in best
    )
    title = "its words" if len(words) <= _ROWS else f"its {_ROWS} words that bring most, of {len(words):,}"
    return _table(title, ("word", "share", "cosine", *([when] if times else [])), body) if best else ""


def text(words: Sequence[WordShare], terms: Sequence[Term] = ()) -> list[str]:
    """Return a line a word for terminals: those that bring most, and all that were looked up."""
    found = {term.text: term for term in terms}
    lines = []
    for word in sorted(words, key=lambda word: -word.share)[:_ROWS]:
        term = found.pop(word.text.lower(), None)
        bar = "█" * round(20 * max(word.share, 0.0))
        when = f"{word.said_from:.1f} s" if word.said_from is not None else ""
        looked = f"looked up: {_looked_up(term)}" if term else ""
        name = plain.padded(plain.shortened(one_line(word.text), 20), 20)
        numbers = f"{_percent(word.share):>5} {_signed(word.drop)}  {plain.padded(when, 7)}"
        lines.append(f"    {name} {numbers} {bar} {looked}".rstrip())
    lines += [f"    {plain.padded(visible(term.text), 20)} looked up: {_looked_up(term)}" for term in found.values()]
    return lines


def _looked_up(term: Term | None) -> str:
    if term is None:
        return NONE
    return f"{term.brought:+.1f}" if term.brought else f"not in it (worth {term.worth:.1f})"


def _share(word: WordShare | None, most: float) -> str:
    if word is None:
        return f'<td class="mm-n">{NONE}</td>' * 2
    filled = max(0.0, word.share / most) if most > 0 else 0.0
    bar = f'<i class="mm-bar"><i style="width:{filled:.0%}"></i></i>'
    return f'<td class="mm-n">{bar}<span>{_percent(word.share)}</span></td><td class="mm-n">{_signed(word.drop)}</td>'


def _percent(share: float) -> str:
    return f"{round(100 * share)}%"


def _signed(fall: float) -> str:
    return f"{round(fall, 3) + 0.0:+.3f}"  # no -0.000


def _word(text: str) -> str:
    shown = one_line(text)
    return f"<bdi>{escape(shown if len(shown) <= _WORD else shown[:_WORD] + '…')}</bdi>"


def _table(caption: str, heads: Sequence[str], body: str) -> str:
    head = "".join(f'<th scope="col"{" class=mm-n" if i else ""}>{escape(text)}</th>' for i, text in enumerate(heads))
    return (
        f'<div class="mm-scroll"><table class="mm-table"><caption>{escape(caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )
