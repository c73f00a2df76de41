"""How the ask panel shows answers: their cards, in which hits can be chosen, and what was asked before."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mmrag_nb.notebook.render.escape import one_line

from .controls import button

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmrag_nb.results import Answer

_TITLE = 80
"""Characters of a question in the history."""

LOOK = """
.mmrag .mm-history ul {display:flex;flex-wrap:wrap;gap:4px;max-height:7.5em;margin:2px 0 12px;padding:0;overflow:auto;
  list-style:none}
.mmrag .mm-stop {margin:0 0 14px}
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


def asked_before(answers: Sequence[Answer]) -> str:
    """Return the questions of ``answers`` as buttons that show them again; nothing where there is one alone."""
    if len(answers) < 2:
        return ""
    items = "".join(
        f'<li data-mm-key="{i}">{button("show", short(one), i)}</li>' for i, one in reversed(list(enumerate(answers)))
    )
    return f'<nav class="mm-history" aria-label="asked before">asked before<ul data-mm-roving>{items}</ul></nav>'


def short(answer: Answer) -> str:
    """Return an answer's question, in at most :data:`_TITLE` characters."""
    asked = one_line(answer.question) or "a picture"
    return asked if len(asked) <= _TITLE else asked[: _TITLE - 1] + "…"
