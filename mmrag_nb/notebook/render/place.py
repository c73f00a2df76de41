"""What a hit is and where in its item it lies, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmrag_nb.types import MODALITIES, page_of

from .escape import middle_cut, one_line
from .quantities import TIMES, number

if TYPE_CHECKING:
    from mmrag_nb.results import Hit, Passage

_MOST = 3
"""Passages of a hit that are told at once."""
_WORDS = 120
"""Characters of each."""
_CLOCKED = 60.0
"""Seconds from which on times are told as a clock does."""


def kind(hit: Hit) -> str:
    """Return the hit's modality, safe to build a class name from: an index can come from anywhere."""
    return hit.chunk.modality if hit.chunk.modality in MODALITIES else "text"


def title(hit: Hit) -> str:
    """Return what the hit is called: by its record, where it is a part of one."""
    return hit.item.name if hit.item.record is None else hit.item.record.name


def part(name: str, modality: str, record: str) -> str:
    """Return what a record's part is called in it: ``image side.jpg``, ``image 2`` for ``{{shoes 3}} image 2``."""
    own = name.removeprefix(f"{record} ")
    if own.startswith("{{") and "}} " in own:  # a row that has a title is labelled by its table, too
        own = own.rsplit("}} ", 1)[1]
    own = own.rpartition(f"#{record} ")[2]  # and a row of a file that has one, by the file
    return own if own.startswith(modality) else f"{modality} {own}"


def place(hit: Hit) -> str:
    """Return the seconds, page, passage or pixel size: ``11.9-16.0 s of 25.8 s``; empty where nothing is known."""
    parts = (_page(hit), _seconds(hit), _passage(hit), _pixels(hit))
    return " · ".join(part for part in parts if part)


def short_place(hit: Hit) -> str:
    """Return what tells the hit from its item's other hits, for tables: ``11.9-16.0 s``, ``passage 2``.

    Of a record's part, which part it is comes first: ``image side.jpg``.
    """
    where = (place(hit) if hit.chunk.modality != "image" else _page(hit) or _time(hit)).split(" of ")[0]
    if hit.item.record is None:
        return where
    which = one_line(part(hit.item.name, hit.chunk.modality, hit.item.record.name))
    return ", ".join(one for one in (which, where) if one)


def passages(hit: Hit) -> str:
    """Return where in the hit an answer's statements are found; where the hit lies, where that is not known."""
    found = dict.fromkeys(_passage_place(one, hit.item.uri) for one in hit.cited)
    return ", ".join(one for one in list(found)[:_MOST] if one) or short_place(hit)


def _passage_place(passage: Passage, uri: str) -> str:
    """``page 3``, ``11.9-16.0 s``, and its first words."""
    seconds = "" if passage.start is None else _span(passage.start, passage.end)
    page = "" if passage.page is None else page_of(uri, passage.page)
    words = middle_cut(one_line(passage.text), _WORDS)
    where = " ".join(one for one in (page, seconds) if one)
    return ": ".join(one for one in (where, f"“{words}”" if words else "") if one)


def _span(start: float, end: float | None, whole: float | None = None) -> str:
    """``11.9-16.0 s``; from a minute on, of what is so long, ``12:07-12:15``."""
    if max(start, end or 0.0, whole or 0.0) >= _CLOCKED:
        return _clock(start) if end is None else f"{_clock(start)}-{_clock(end)}"
    return f"{start:.1f} s" if end is None else f"{start:.1f}-{end:.1f} s"


def _clock(seconds: float) -> str:
    """``0:07``, ``12:07``, ``1:02:07``: the second that a player shows then."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _time(hit: Hit) -> str:
    return "" if hit.chunk.start is None else _seconds(hit)


def _page(hit: Hit) -> str:
    if hit.chunk.page is None:
        return ""
    which, total = page_of(hit.item.uri, hit.chunk.page), number(hit.facts.get("pages"))
    return which if total is None else f"{which} of {total:.0f}"


def _seconds(hit: Hit) -> str:
    start, end = hit.chunk.start, hit.chunk.end
    whole = number(hit.facts.get("seconds"))
    if start is None:
        return "" if whole is None or hit.chunk.modality == "text" else f"{whole:.1f} s"
    where = _span(start, end, whole)
    return where if whole is None else f"{where} of {_clock(whole) if whole >= _CLOCKED else f'{whole:.1f} s'}"


def _passage(hit: Hit) -> str:
    if hit.chunk.modality != "text" or hit.chunk.page is not None or hit.chunk.start is not None:
        return ""  # the ordinal counts a document's or a film's pictures, too
    which, total = f"passage {hit.chunk.ordinal + 1}", number(hit.facts.get("passages"))
    return which if total is None else f"{which} of {total:.0f}"


def _pixels(hit: Hit) -> str:
    width, height = number(hit.facts.get("width")), number(hit.facts.get("height"))
    if hit.chunk.modality not in {"image", "video"}:  # what is said in a film has no size
        return ""
    if width is None or height is None:
        return ""
    return f"{width:.0f} {TIMES} {height:.0f} px"
