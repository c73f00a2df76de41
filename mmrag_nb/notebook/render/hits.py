"""Ranked hits, or one of them: evidence, similarity table, gap, facts."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from mmrag_nb.results import Hit

from . import evidence, facts, plain, table
from .escape import escape, one_line
from .media import DETAILS, ROOM, Media, embed
from .style import section

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence

    from mmrag_nb.results import Hits

_NAMED = 60
"""Characters of a question that a section's name holds."""
NOTHING = "Nothing was found."
NEAREST = "Nearest, for what they are worth"


def html(result: Hits | Hit) -> str:
    """Return a self-contained section; of at most :data:`~mmrag_nb.notebook.render.media.ROOM` bytes."""
    if isinstance(result, Hit):
        one = (result,)
        return fitted(
            one, (), lambda media: section("hit", f"{evidence.html(one, new_prefix(), media)}\n{table.html(one)}")
        )
    hits = result
    prefix = new_prefix()
    return fitted(
        hits,
        (),
        lambda media: section(
            labelled("hits", hits.question),
            question(hits.question)
            + doubt(hits)
            + (evidence.html(hits, prefix, media) or f"<p>{NOTHING}</p>")
            + below(hits, facts.of_hits(hits)),
        ),
    )


def text(result: Hits | Hit) -> str:
    """Return the same for a terminal of 80 to 100 columns."""
    if isinstance(result, Hit):
        return plain.joined(plain.item(result), plain.table((result,)))
    hits = result
    return plain.joined(
        plain.wrapped(hits.question),
        plain.wrapped(hits.doubt),
        f"{NEAREST}:" if hits.doubt and hits else "",
        *(plain.item(hit) for hit in hits),
        plain.table(hits) or NOTHING,
        plain.gap(hits.gap),
        plain.facts(facts.of_hits(hits)),
    )


def new_prefix() -> str:
    """Return a begin of ids that no other card of the page has: the same answer can be shown twice."""
    return f"mm-{secrets.token_hex(4)}-"


def labelled(what: str, asked: str) -> str:
    """Return a section's name with its question, so that a list of a page's regions tells them apart."""
    begin = one_line(asked)
    return f"{what}: {begin[:_NAMED]}{'…' * (len(begin) > _NAMED)}" if begin else what


def question(asked: str, besides: str = "") -> str:
    """Return the question, for the top of a card, with what was asked with ``besides`` its words."""
    more = f" <small>· {escape(besides)}</small>" if besides else ""
    shown = f'<div class="mm-question" role="heading" aria-level="3" dir="auto">{escape(asked)}{more}</div>\n'
    return shown if asked else ""


def doubt(hits: Hits) -> str:
    """Return why nothing here seems to answer what was asked, for the top of a card; empty where something does."""
    if not hits.doubt:
        return ""
    return f'<p class="mm-doubt" role="note">{escape(hits.doubt)}</p>\n{nearest(hits)}'


def nearest(hits: Sequence[Hit]) -> str:
    """Return the heading of what was found all the same."""
    return f'<div class="mm-also" role="heading" aria-level="4">{NEAREST}</div>\n' if hits else ""


def below(hits: Hits, produced_by: Iterable[str]) -> str:
    """Return what follows the evidence: the table, the gap, the line of facts."""
    gap = f'<p class="mm-gap"><b>Gap.</b> {escape(hits.gap)}</p>' if hits.gap else ""
    return "\n" + "\n".join(part for part in (table.html(hits), gap, facts.html(produced_by)) if part)


def fitted(hits: Sequence[Hit], first: Container[int], draw: Callable[[Media], str]) -> str:
    """Return what ``draw`` makes with as many previews as fit beside all the rest.

    Texts and waveforms get coarser only where they would leave previews less than a quarter of the room: those of a
    hundred hits, say.
    """
    everything = frozenset((hit.rank, kind) for hit in hits for kind in hit.previews)
    for detail in DETAILS:
        bare = len(draw(Media({}, everything, detail)).encode())
        if bare < (ROOM * 3 // 4 if everything else ROOM):
            break
    room = ROOM - bare
    while True:
        drawn = draw(embed(hits, first, room, detail))
        over = len(drawn.encode()) - ROOM
        if over < 0 or room <= 0:
            return drawn
        room -= over + 1  # what stands around a preview, its name above all, takes room as well
