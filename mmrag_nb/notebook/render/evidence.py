"""Each hit as what it is: a picture, a waveform with a player, a passage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmrag_nb.insight.occlusion import where

from . import besides, page, waveform
from .escape import escape, name, one_line
from .highlight import excerpt, marked_html
from .media import ROOM
from .place import kind, part, place, short_place, title
from .quantities import number, score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmrag_nb.insight.why import Box
    from mmrag_nb.results import Hit

    from .media import Media

_SIDE = 240
"""Pixels, longest side of a picture where no style applies."""


def html(hits: Sequence[Hit], prefix: str, media: Media, *, quiet: bool = False) -> str:
    """Return the list of ``hits``; ``quiet`` for what was found without being used."""
    items = "\n".join(_item(hit, prefix, media) for hit in hits)
    css = "mm-evidence mm-quiet" if quiet else "mm-evidence"
    style = f"<style>{page.STYLE}</style>\n" if any((hit.rank, "page") in media.uris for hit in hits) else ""
    return f'{style}<ul class="{css}" role="list">\n{items}\n</ul>' if hits else ""


def metadata(hit: Hit) -> str:
    """Return what the user said of the item, in one line; its caption is shown as text."""
    said = ((key, value) for key, value in hit.item.metadata.items() if key != "caption" and value not in (None, ""))
    return " · ".join(f"{one_line(key)}: {one_line(value)}"[:120] for key, value in said)


def _item(hit: Hit, prefix: str, media: Media) -> str:
    where = " · ".join(one for one in (_what(hit), escape(place(hit))) if one)
    said = metadata(hit)[: media.detail.letters]
    body = {"audio": _sound, "image": _picture, "video": _picture}.get(kind(hit), _passage)(hit, media)
    seen = kind(hit) in {"image", "video"} or hit.item.modality == "video"
    pictured = " mm-pictured" if seen and (hit.rank, "thumbnail") in media.uris else ""
    if shown := page.html(hit, prefix, media):
        body, pictured = shown + body, " mm-pictured" if (hit.rank, "page") in media.uris else ""
    # a role instead of <h4>: JupyterLab lists the headings of outputs in the notebook's table of contents
    return (
        f'<li class="mm-item mm-{kind(hit)}" id="{prefix}{hit.rank}"><div class="mm-in{pictured}">'
        f'<div class="mm-head" role="heading" aria-level="4"><b>{hit.rank}</b> {name(title(hit), hit.item.uri)} '
        f'<small class="mm-place">{where}</small></div>\n{body}'
        + "".join(f"\n{one}" for one in (besides.html(hit, media.detail.letters), _said(said)) if one)
        + "</div></li>"
    )


def _what(hit: Hit) -> str:
    """The modality; of a record, which of its parts matched, and how well where all of them count."""
    modality, record = one_line(hit.chunk.modality), hit.item.record
    if record is None:
        return escape(modality)
    own = f" ({score(besides.own_score(hit), hit.unit)})" if besides.is_pooled(hit) else ""
    return f"{name(part(hit.item.name, modality, record.name))} matched{escape(own)}"


def _said(metadata: str) -> str:
    return f'<p class="mm-meta" dir="auto">{escape(metadata)}</p>' if metadata else ""


def _picture(hit: Hit, media: Media) -> str:
    uri = media.uris.get((hit.rank, "thumbnail"))
    caption = _text(hit, "", media.detail.letters)
    if film := "" if hit.region is not None else _film(hit, media):
        return film + caption
    if uri is None:
        return _absent("picture", (hit.rank, "thumbnail") in media.left_out) + caption
    alt = f"picture {one_line(hit.item.name)}"
    if hit.chunk.start is not None:
        alt += f" at {short_place(hit).split('-')[0]}"
    if hit.item.record is not None:
        alt += f" of {one_line(hit.item.record.name)}"
    if hit.region is not None:
        alt += f"; what matches lies in the {where(hit.region)}"
    shown = f'<img src="{uri}" alt="{escape(alt)}"{_size(hit)}>'
    if hit.region is not None:
        shown = framed(shown, hit.region)
    return f'<div class="mm-stage">{shown}</div>{_too_large(hit, media)}{caption}'


def _film(hit: Hit, media: Media) -> str:
    """A film to play, from the hit's second; empty where there is none, or no room for it."""
    uri, poster = media.uris.get((hit.rank, "film")), media.uris.get((hit.rank, "thumbnail"))
    if uri is None:
        return ""
    label = f"play {one_line(hit.item.name)}, {place(hit)}"
    still = f' poster="{poster}"' if poster else ""
    player = f'<video controls preload="none"{still} src="{uri}"{_size(hit)} aria-label="{escape(label)}"></video>'
    return f'<div class="mm-stage">{player}</div>'


def _seen(hit: Hit, media: Media) -> str:
    """What is seen while something is said: the film, or a picture of it."""
    if film := _film(hit, media):
        return film
    uri = media.uris.get((hit.rank, "thumbnail"))
    if uri is None or hit.item.modality != "video":
        return ""
    alt = escape(f"{one_line(hit.item.name)} at {short_place(hit).split('-')[0]}")
    return f'<div class="mm-stage"><img src="{uri}" alt="{alt}"{_size(hit)}></div>{_too_large(hit, media)}'


def _too_large(hit: Hit, media: Media) -> str:
    return _absent("film", left_out=True) if (hit.rank, "film") in media.left_out else ""


def framed(picture: str, region: Box) -> str:
    """Return ``picture``, an ``<img>``, with an outline around ``region``."""
    left, top, right, bottom = (100 * min(1.0, max(0.0, side)) for side in region)
    box = f"left:{left:.1f}%;top:{top:.1f}%;width:{right - left:.1f}%;height:{bottom - top:.1f}%"
    return f'<span class="mm-framed">{picture}<span class="mm-region" style="{box}"></span></span>'


def _sound(hit: Hit, media: Media) -> str:
    uri = media.uris.get((hit.rank, "clip"))
    if uri is not None:
        label = f"play {one_line(hit.item.name)}, {place(hit)}"
        player = f'<audio controls preload="none" src="{uri}" aria-label="{escape(label)}"></audio>'
    elif (hit.rank, "clip") in media.left_out:
        player = _absent("clip", left_out=True)
    else:
        player = ""
    return (
        _seen(hit, media)
        + waveform.svg(hit, media.detail.bars)
        + player
        + _text(hit, "nothing was understood in this part", media.detail.letters)
    )


def _passage(hit: Hit, media: Media) -> str:
    return _seen(hit, media) + _text(hit, "no text", media.detail.letters)


def _text(hit: Hit, nothing: str, longest: int) -> str:
    if not hit.chunk.text.strip():
        return f'<p class="mm-none">{nothing}</p>' if nothing else ""
    shown = excerpt(hit.chunk.text, hit.matches, longest, [passage.span for passage in hit.cited])
    return f'<p class="mm-body" dir="auto">{marked_html(shown, f"the answer cites this as [{hit.rank}]")}</p>'


def _absent(what: str, left_out: bool) -> str:
    why = f"{what} left out: the card would exceed {ROOM // 1000} kB" if left_out else f"no preview of this {what}"
    return f'<p class="mm-none">{why}</p>'


def _size(hit: Hit) -> str:
    """Width and height where no style applies, so that a picture is neither huge nor a jump while loading."""
    width, height = number(hit.facts.get("width")), number(hit.facts.get("height"))
    if not width or not height or width < 0 or height < 0:
        return f' width="{_SIDE}"'
    scale = min(1.0, _SIDE / max(width, height))
    return f' width="{max(1, round(width * scale))}" height="{max(1, round(height * scale))}"'
