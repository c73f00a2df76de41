"""What is to be said of an answer besides: what in it was not borne out, why it is not whole, what was sent for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import plain
from .escape import escape, middle_cut, one_line
from .prose import NOT_SENT
from .quantities import count

if TYPE_CHECKING:
    from mmrag_nb.results import Answer, Claim

LOOK = """
.mmrag .mm-struck, .mmrag .mm-claims {margin:-8px 0 12px;color:var(--mm-soft);font-size:13px}
.mmrag .mm-struck del {color:var(--mm-warn)}
.mmrag .mm-struck + .mm-claims {margin-top:-6px}
.mmrag .mm-claims {scroll-margin-top:24px}
.mmrag .mm-claims:target summary, .mmrag:has(a.mm-why:focus) .mm-claims summary {outline:2px solid var(--mm-warn)}
.mmrag .mm-claims li {margin:4px 0}
.mmrag .mm-claims q {color:var(--mm-ink)}
.mmrag .mm-trouble {margin:0 0 14px;padding:8px 12px;border:1px solid var(--mm-line);border-radius:6px;
  border-inline-start:3px solid var(--mm-soft);background:var(--mm-wash)}
.mmrag .mm-sent {margin:8px 0 0;font-size:12px}
.mmrag .mm-sent pre {max-height:24em;margin:4px 0 0;padding:8px 12px;overflow:auto;border:1px solid var(--mm-line);
  border-radius:6px;background:var(--mm-wash);color:inherit;font:12px/1.45 var(--jp-code-font-family,monospace);
  white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere}
.mmrag .mm-bears {border-bottom:2px solid var(--mm-m)}
@media print {.mmrag .mm-sent pre {max-height:none}}
"""
"""What these need beside the rules that all share, and the evidence that an answer cites."""

NOT_WHOLE = "Not whole:"
_OTHERWISE = ("quoted, not written", "not rewritten")
"""What notes begin with that tell of something other than was asked for: they are seen at once."""
_MOST = 20
"""Statements that are listed."""
_SENTENCE = 300
"""Characters of each."""
_NEARLY_ALL = 0.9
_MARKUP = re.compile(r"\*\*|`")
_SENT = 10
"""How many times as much of what was sent is shown as of a passage."""


def doubted(answer: Answer) -> list[Claim]:
    """Return the statements that the evidence does not bear out."""
    return [claim for claim in answer.claims if claim.supported is False]


def below_html(answer: Answer, prefix: str) -> str:
    """Return what stands right under the answer's text: what was struck out, and what is not borne out."""
    parts = []
    if answer.invalid:
        numbers = " ".join(f"<del>[{n}]</del>" for n in answer.invalid[:_MOST])
        parts.append(f'<p class="mm-struck" role="note">Struck out: {numbers} {NOT_SENT}.</p>')
    if found := doubted(answer):
        items = "".join(f"<li><q>{escape(_sentence(one))}</q> {escape(_because(one))}</li>" for one in found[:_MOST])
        parts.append(
            f'<details class="mm-claims" id="{prefix}why"><summary>{escape(_counted(answer))}</summary>'
            f'<ul dir="auto">{items}</ul></details>'
        )
    return "\n".join(parts)


def below_text(answer: Answer) -> str:
    """Return the same for a terminal."""
    struck = " ".join(f"[{n}]" for n in answer.invalid[:_MOST])
    found = doubted(answer)
    listed = [plain.wrapped(f"- “{_sentence(one)}” {_because(one)}", hanging="  ") for one in found[:_MOST]]
    return plain.joined(
        plain.wrapped(f"{struck}: {NOT_SENT}.") if struck else "",
        "\n".join([plain.wrapped(f"[?] {_counted(answer)}:"), *listed]) if found else "",
    )


def is_loud(note: str) -> bool:
    """Whether ``note`` stands under the answer, not in the last line."""
    return note.startswith(_OTHERWISE)


def notes_html(answer: Answer) -> str:
    """Return why the answer is another than was asked for: quoted, say, where there is no key."""
    told = ((what, why) for what, _, why in (note.partition(": ") for note in answer.notes if is_loud(note)))
    return "\n".join(
        f'<p class="mm-trouble" role="note"><b>{escape(what.capitalize())}:</b> {escape(why)}</p>' for what, why in told
    )


def notes_text(answer: Answer) -> str:
    """Return the same for a terminal."""
    return "\n".join(plain.wrapped(f"{note[0].upper()}{note[1:]}") for note in answer.notes if is_loud(note))


def trouble_html(answer: Answer) -> str:
    """Return why the answer is not whole; empty where it is."""
    told = escape(answer.trouble)
    return f'<p class="mm-trouble" role="note"><b>{NOT_WHOLE}</b> {told}</p>' if told else ""


def sent_html(answer: Answer, letters: int) -> str:
    """Return what was sent, to be opened; of what is very long, the begin. ``letters`` are those of a passage."""
    if not answer.sent:
        return ""
    shown = answer.sent[: letters * _SENT]
    left = len(answer.sent) - len(shown)
    more = f"<p>… {count(left, 'more character')} in <code>answer.sent</code></p>" if left else ""
    return (
        f'<details class="mm-sent"><summary>what was sent</summary><pre dir="auto" tabindex="0">{escape(shown)}</pre>'
        f"{more}</details>"
    )


def _counted(answer: Answer) -> str:
    found = doubted(answer)
    judged = sum(claim.supported is not None for claim in answer.claims)
    by = "what they cite" if all(claim.cites for claim in found) else "the evidence"
    which = f"{len(found)} of {count(judged, 'sentence')}"
    return f"{which} {'is' if len(found) == 1 else 'are'} not borne out by {by}"


def _sentence(claim: Claim) -> str:
    return middle_cut(_MARKUP.sub("", one_line(claim.text)), _SENTENCE)


def _because(claim: Claim) -> str:
    share = "" if claim.overlap is None else f"{claim.overlap:.0%} of its words are there"
    if claim.reason and (claim.overlap or 0.0) > _NEARLY_ALL:  # it would speak for what a wrong number speaks against
        share = ""
    told = "; ".join(part for part in (one_line(claim.reason), share) if part)
    return f"({told})" if told else ""
