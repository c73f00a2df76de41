"""An answer's statements: its sentences, what each cites, and which of them state nothing that could be checked.

Answers are Markdown. A list's item, a table's row and a heading end a sentence as a full stop does; marks right after
a full stop (``He did.[1]``) belong to the sentence before it, unless a word in lower case goes on from them (``He did.
[2] says when.``). Models often put one mark at the end of a paragraph for several sentences, or after the line that
leads to a list for all its items: a sentence without a mark is first held against the next one of its paragraph, or
the lead-in's (``lent``). Where that does not bear it out, it counts as one that cites nothing.

Nothing is stated by questions, code, headings, a line that leads to a list ("I found the following:"), what the writer
says of the writing ("Here is what I found."), a list of sources at the end, and the sentence that the sources do not
say it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from .citations import marks
from .sentences import spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .citations import Mark

_SHORT = 600
"""Characters in which an answer says that it has none."""
_FENCED = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL)
_INLINE = re.compile(r"`[^`\n]*`")
_QUOTED = re.compile(r"“[^“”\n]{1,800}”|\"[^\"\n]{1,800}\"|„[^„“”\n]{1,800}[“”]|«[^«»\n]{1,800}»|「[^「」\n]{1,800}」")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_OPENS = re.compile(
    r"[ \t]{0,20}(?:(?P<head>#{1,6}[ \t])|(?P<item>(?:[-*+•]|\d{1,3}[.)])[ \t]+)|(?P<row>\|)|(?P<quote>>[ \t]?))"
)
_BOLD_LINE = re.compile(r"\s{0,20}(?:\*\*[^*\n]+\*\*|__[^_\n]+__):?\s*")
_RULE = re.compile(r"[\s|:*_-]*")
_MARKUP = re.compile(r"\*\*|__|`|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)")
_SOURCES = re.compile(
    r"(?:sources?|references?|citations?|evidence|footnotes|quellen|belege|fuentes|referencias|références|fonti|bronnen|fontes|参考文献|参考|来源|出典)",
    re.IGNORECASE,
)
_OF_ITSELF = re.compile(
    r"(?:sure|certainly|of course|sorry|thanks?|yes|no|here(?: is|’s|'s| are)\b.{0,80}|i hope\b.{0,200}"
    r"|(?:please )?let me know\b.{0,200}|in (?:short|summary))?[,.!: ]{0,3}",
    re.IGNORECASE,
)
_POINTS = re.compile(r"the (?:picture|recording|video|text) .{1,300} matches best\.?", re.IGNORECASE)

_OF_SOURCES = (
    r"(?:evidence|sources?|documents?|context|texts?|passages?|materials?|transcripts?|recordings?|excerpts?"
    r"|information|pictures?|images?)"
)
_SAY = (
    r"(?:contain|mention|hold|say|state|provide|include|answer|specif|give|tell|describe|identif|indicate|cover"
    r"|address|have|show|reveal|explain|name|discuss|list|refer|support)"
)
_NOT = r"(?:do not|does not|did not|don['’]t|doesn['’]t|didn['’]t|cannot|can['’]t)"
_HOLDS = r"(?:holds?|contains?|ha(?:s|ve)|gives?|provides?|mentions?|makes?|says?|tells?)"
_SAID = (
    r"(?:mentioned|stated|said|given|specified|provided|answered|found|described|included|named|covered|part of|in"
    r"|available)"
)
_ABLE = r"(?:do not|don['’]t|cannot|can['’]t|could not|couldn['’]t|(?:am|are|was|were) (?:not able|unable) to)"
_ABSENT = re.compile(
    "|".join(
        [
            rf"\b{_OF_SOURCES}\b.{{0,60}}\b{_NOT}\b.{{0,20}}\b{_SAY}",
            rf"\b{_OF_SOURCES}\b.{{0,40}}\b{_HOLDS} (?:no|nothing|not enough)\b",
            rf"\b(?:not|nowhere|never) (?:\w{{1,20}} ){{0,2}}{_SAID}\b.{{0,40}}\b{_OF_SOURCES}\b",
            rf"\b(?:none of|no|nothing in|neither of) .{{0,26}}\b{_OF_SOURCES}\b.{{0,60}}\b{_SAY}",
            rf"\b(?:is|i have|i found|i find|i see) (?:no|not enough|insufficient|nothing)\b.{{0,60}}\b{_OF_SOURCES}\b",
            rf"\b(?:i|we) {_ABLE} (?:know|find|answer|determine|tell|say)\b",
            r"^(?:not enough|insufficient|no) (?:information|evidence)\b",
            r"\b(?:quellen?|belegen?|dokumente?n?|texten?|unterlagen)\b.{0,60}\b(?:nicht|kein\w{0,3}|nichts)\b",
            r"\b(?:nicht|keine[rn]?|nichts)\b.{0,30}\b(?:quellen|belegen?|dokumenten?|texten?|unterlagen)\b",
            r"\b(?:sources?|documents?|textes?|preuves?)\b.{0,20}\b(?:ne|n['’])\b.{0,30}\b(?:pas|rien|aucune?)\b",
            r"\b(?:fuentes|documentos|textos|evidencia|texto)\b.{0,20}\bno\b",
            r"\b(?:fonti|documenti|testi|testo)\b.{0,20}\bnon\b",
            r"\b(?:bronnen|documenten)\b.{0,60}\b(?:niet|geen|niets)\b",
            r"\b(?:fontes|documentos)\b.{0,20}\bnão\b",
            r"(?:资料|来源|证据|文件|文本|文档|材料)[^。]{0,20}(?:没有|未|不)",
            r"(?:資料|情報源|証拠|文書)[^。]{0,30}(?:ありません|ない|いません)",
        ]
    ),
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Statement:
    """A sentence of an answer."""

    text: str
    """Without its marks and Markdown."""
    span: tuple[int, int]
    """Characters of the answer, its marks among them."""
    cites: tuple[int, ...]
    """Numbers, whether or not there is evidence of them."""
    lent: tuple[int, ...] = ()
    """Of a sentence that cites nothing: what the next mark of its paragraph names."""


@dataclass(frozen=True)
class _Block:
    start: int
    end: int
    kind: str
    """``head``, ``item``, ``row``, ``quote``, or empty for a paragraph."""


def statements(text: str) -> list[Statement]:
    """Return what ``text`` states, in order."""
    found: list[Statement] = []
    bare = _FENCED.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), text)
    cites = list(marks(text))
    masked = _masked(bare, cites)
    lead: tuple[int, ...] = ()
    for block in _blocks(masked):
        line = masked[block.start : block.end].strip("#*_ \t\n")
        if block.kind == "head" and _SOURCES.fullmatch(line.rstrip(":")):
            break
        if block.kind == "head":
            continue
        sentences = _sentences(text, masked, block, cites)
        found += [one for one in _lent(sentences, lead if block.kind in {"item", "row"} else ()) if _states(one)]
        if line.endswith((":", "：")):  # noqa: RUF001
            lead = sentences[-1].cites if sentences else ()
        elif block.kind not in {"item", "row"}:
            lead = ()
    return found


def absent(text: str) -> bool:
    """Whether ``text`` says that the sources do not hold the answer, and nothing else.

    Where it does not begin with :data:`~mmrag_nb.generation.citations.ABSENT`, this is told by what is usually said
    then, in one or two sentences; an answer that says so in passing is an answer.
    """
    said = " ".join(text.split())
    return len(said) <= _SHORT and len(spans(said)) <= 2 and _ABSENT.search(said) is not None and not statements(text)


def _masked(bare: str, cites: Sequence[Mark]) -> str:
    """``bare`` with blanks in place of marks, and nothing in inline code that could end a sentence."""
    pieces, at = [], 0
    for mark in cites:
        pieces += [bare[at : mark.start], " " * (mark.end - mark.start)]
        at = mark.end
    return _INLINE.sub(lambda code: re.sub(r"[^\w`]", "_", code[0]), "".join([*pieces, bare[at:]]))


def _blocks(masked: str) -> Iterator[_Block]:
    """Paragraphs, list items, rows and headings, each without what it begins with."""
    current: _Block | None = None
    lines = [found.span() for found in _LINE.finditer(masked)]
    for (start, end), (_, below) in zip_longest(lines, lines[1:], fillvalue=(0, len(masked))):
        line = masked[start:end]
        opens = _OPENS.match(line)
        kind = opens.lastgroup or "" if opens else ""
        ruled = kind == "row" and "-" in masked[end:below] and _RULE.fullmatch(masked[end:below])
        if ruled or _BOLD_LINE.fullmatch(line) or _SOURCES.fullmatch(line.strip("#*_: \t\n")):
            kind = "head"
        empty = not line.strip() or (_RULE.fullmatch(line) is not None)
        if current is not None and (empty or kind or current.kind in {"head", "row"}):
            yield current
            current = None
        if empty:
            continue
        begins = opens.end() if opens and kind in {"item", "quote"} else 0
        current = replace(current, end=end) if current is not None else _Block(start + begins, end, kind)
        if line.rstrip().endswith((":", "：")):  # noqa: RUF001 - what it leads to begins
            yield current
            current = None
    if current is not None:
        yield current


def _sentences(text: str, masked: str, block: _Block, cites: Sequence[Mark]) -> list[Statement]:
    inside = masked[block.start : block.end]
    quotes = [quote.span() for quote in _QUOTED.finditer(inside)]
    found: list[Statement] = []
    start = block.start
    for end in (block.start + end for _, end in spans(inside)):
        quote = quotes[bisect_left(quotes, (end - block.start,)) - 1] if quotes else (0, 0)
        if quote[0] < end - block.start <= quote[1] and end < block.end:
            continue
        stop = end
        if masked[end : end + 1].islower():  # goes on from a mark: "He did. [2] says when."
            full_stop = start + len(masked[start:end].rstrip())
            stop = full_stop if text[full_stop].isspace() else end
        left = start + len(text[start:stop]) - len(text[start:stop].lstrip())
        right = start + len(text[start:stop].rstrip())
        start = stop
        said = _plain(text, masked, left, right)
        if re.search(r"\w", said):
            first, last = (bisect_left(cites, place, key=_starts) for place in (left, right))
            numbers = dict.fromkeys(n for mark in cites[first:last] for n in mark.numbers)
            found.append(Statement(said, (left, right), tuple(numbers)))
    return found


def _starts(mark: Mark) -> int:
    return mark.start


def _plain(text: str, masked: str, left: int, right: int) -> str:
    kept = "".join(" " if b.isspace() else a for a, b in zip(text[left:right], masked[left:right], strict=True))
    said = " ".join(_MARKUP.sub("", kept).split())
    said = said.strip("| ").replace(" | ", ", ") if said.startswith("|") else said
    return re.sub(r" ([.,;:!?。，！？)])", r"\1", said)  # noqa: RUF001


def _lent(sentences: Sequence[Statement], lead: tuple[int, ...]) -> list[Statement]:
    lent: list[Statement] = []
    ahead = lead
    for one in reversed(sentences):
        ahead = one.cites or ahead
        lent.append(one if one.cites else replace(one, lent=ahead))
    return lent[::-1]


def _states(one: Statement) -> bool:
    said = one.text[:_SHORT]
    if one.text.rstrip('"”’)* ').endswith(("?", "？", ":", "：")):  # noqa: RUF001
        return False
    of_itself = not one.cites and _OF_ITSELF.fullmatch(said)
    return not (of_itself or _POINTS.fullmatch(said) or _ABSENT.search(said))
