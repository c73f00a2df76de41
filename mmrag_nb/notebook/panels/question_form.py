"""The ask panel's form: what is asked, in words or with a picture, and how it is to be found."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.catalog.where import parse
from mmrag_nb.errors import InvalidSetting, UnknownName
from mmrag_nb.notebook.render.escape import escape, one_line
from mmrag_nb.registry import find, names
from mmrag_nb.settings import MOST_HITS
from mmrag_nb.types import MODALITIES

from .controls import button, check, choice, field

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from .ask import AskPanel

KINDS = [kind for kind in MODALITIES if kind in names("loader")]
_NAMES = {"text": "text", "image": "images", "audio": "audio", "video": "video"}

LOOK = """
.mmrag .mm-with {display:flex;flex-wrap:wrap;align-items:center;gap:4px 10px;min-height:32px;padding:3px 10px}
.mmrag .mm-with img {max-width:64px;max-height:48px;border-radius:4px}
.mmrag .mm-with figcaption {max-width:16em;overflow:hidden;font-size:13px;text-overflow:ellipsis;white-space:nowrap}
.mmrag .mm-with input {max-width:100%;color:var(--mm-ink)}
.mmrag .mm-with input[type=range] {width:10em;min-height:24px;margin:0;accent-color:var(--mm-image)}
.mmrag figure.mm-with {margin:0}
"""


def form(panel: AskPanel) -> str:
    """Return the form, as it stands."""
    question = f'<input name="question" value="{escape(one_line(panel.question))}" autocomplete="off" dir="auto">'
    fewer = f'<input type="number" name="k" min="1" max="{MOST_HITS}" value="{panel.k}" data-mm-act="set">'
    kinds = "".join(check(kind, _NAMES[kind], on=kind in panel.modalities, act="set") for kind in KINDS)
    where = (
        f'<input name="where" value="{escape(panel.where)}" placeholder="species == &#39;rose&#39; and price &lt; 50" '
        'autocomplete="off" spellcheck="false" data-mm-act="set">'
    )
    return (
        '<form data-mm-act="ask" role="search" aria-label="question">'
        f'<div class="mm-fields">{field("Question", question, "mm-wide")}'
        '<button type="submit" class="mm-main">Ask</button></div>'
        f'<div class="mm-fields">{field("Hits", fewer)}'
        + field("Strategy", choice("strategy", names("strategy"), panel.strategy, act="set"))
        + f'<fieldset><legend>Search in</legend><div class="mm-checks">{kinds}</div></fieldset>'
        + check("raw", "raw cosines", on=panel.raw, act="set")
        + check("follow_up", "follow-up", on=panel.follow_up, act="set")
        + f'</div><div class="mm-fields">{field("Only where", where, "mm-wide")}{_picture(panel)}</div></form>'
    )


def chosen(said: Mapping[str, Any], kinds: Collection[str]) -> dict[str, Any]:
    """Return what the form says, as the panel's traits; ``kinds`` are the modalities that are on so far.

    Raises
    ------
    InvalidSetting, UnknownName
        Something of it cannot be.
    """
    read = {"k": _hits, "strategy": _strategy, "where": _filter, "balance": _share, "raw": _on, "follow_up": _on}
    found = {name: reader(said[name]) for name, reader in read.items() if name in said}
    wanted = [kind for kind in KINDS if said.get(kind, kind in kinds) is True]
    if not wanted:
        raise InvalidSetting("nothing would be searched: leave one of text, images and audio on")
    return {**found, "modalities": wanted}


def _hits(said: object) -> int:
    k = str(said).strip()
    if not (k.isascii() and k.isdigit() and len(k) < 4 and 1 <= int(k) <= MOST_HITS):
        raise InvalidSetting(f"{k or 'nothing'} hits cannot be asked for: 1 to {MOST_HITS} can")
    return int(k)


def _strategy(said: object) -> str:
    if not isinstance(said, str) or said not in names("strategy"):
        raise UnknownName("strategy", said, names("strategy"))
    return said


def _filter(said: object) -> str:
    where = str(said).strip()
    if where:
        parse(where)
    return where


def _share(said: object) -> float:
    if not isinstance(said, str) or not re.fullmatch(r"0(\.\d{1,9})?|1(\.0{1,9})?", said):
        raise InvalidSetting("a picture counts from 0 (the words alone) to 1 (the picture alone)")
    return float(said)


def _on(said: object) -> bool:
    return said is True


def _picture(panel: AskPanel) -> str:
    if panel.image is None:
        return (
            '<div class="mm-with" data-mm-drop="picture"><label class="mm-field"><span>Ask with a picture</span>'
            '<input type="file" accept="image/*"></label></div>'
        )
    name = escape(called(panel.image))
    slider = (
        f'<input type="range" name="balance" min="0" max="1" step="0.1" value="{panel.balance:g}" data-mm-act="set">'
    )
    return (
        f'<figure class="mm-with" data-mm-drop="picture"><img src="{panel.thumbnail}" alt="asked with {name}">'
        f"<figcaption>{name}</figcaption>{button('without', 'Remove', label=f'Remove {called(panel.image)}')}"
        f"{field(f'Picture counts {panel.balance:.0%} beside words', slider)}</figure>"
    )


def called(image: Any) -> str:
    """Return what a picture (a path or ``PIL.Image``) is called."""
    return one_line(Path(image).name) if isinstance(image, (str, os.PathLike)) else "the picture"


def thumbnail(image: Any) -> str:
    """Return a small copy of a picture (a path or ``PIL.Image``) as a data URI.

    Raises
    ------
    LoadError
        It cannot be read as a picture.
    """
    content = Path(image).expanduser() if isinstance(image, (str, os.PathLike)) else image
    preview = find("loader", "image")().load(content, called(image)).previews["thumbnail"]
    return f"data:{preview.mime};base64,{b64encode(preview.data).decode('ascii')}"
