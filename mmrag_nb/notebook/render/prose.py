"""An answer's text as HTML: paragraphs, headings, lists, tables, ``**bold**``, ``*italics*``, code, citations.

Nothing else, above all no links and no pictures: the text comes from a model that has read foreign documents, and an
address in a picture is a way to carry what it read out of the notebook.

All places are characters of the text as it came, so that what a check found there can be marked: nothing is replaced
before it is drawn.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import deque
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from mmrag_nb.generation.citations import marks

from . import grid
from .escape import escape
from .place import kind, passages, title

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from mmrag_nb.results import Claim, Hit

NOT_SENT = "nothing with this number was sent"

LOOK = """
.mmrag .mm-answer pre {margin:8px 0;padding:8px 12px;overflow:auto;border:1px solid var(--mm-line);border-radius:6px;
  background:var(--mm-wash);color:inherit;font-size:13px;line-height:1.45;white-space:pre}
.mmrag .mm-answer pre code {padding:0;background:none;font-size:inherit;white-space:pre;overflow-wrap:normal}
.mmrag .mm-answer .mm-grid {width:auto;font-size:15px;line-height:1.5}
.mmrag .mm-answer .mm-grid thead th {font-size:13px}
.mmrag .mm-answer .mm-grid tr > * {padding-inline:0 20px;vertical-align:top}
.mmrag .mm-answer .mm-grid tr > :last-child {padding-inline-end:0}
.mmrag .mm-answer del {margin:0 2px;color:var(--mm-warn);font-size:13px}
.mmrag .mm-unsure {text-decoration:underline wavy 1px var(--mm-warn);text-underline-offset:4px;
  text-decoration-skip-ink:none}
.mmrag .mm-unsure .mm-cite {text-decoration:none}
.mmrag .mm-answer sup {line-height:0}
.mmrag a.mm-why {padding:0 4px;color:var(--mm-warn);font-size:12px;font-weight:700;text-decoration:none}
"""
"""What an answer's text needs beside the rules that all share."""

_FENCE = re.compile(r"(?P<fence>`{3,}|~{3,})[^`]*")
_HEADING = re.compile(r"#{1,6}[ \t]+(?P<rest>\S.*)")
_ITEM = re.compile(r"(?:(?P<bullet>[-*•])|(?P<number>\d{1,3})[.)])[ \t]+(?P<rest>\S.*)")
_INLINE = re.compile(
    r"``(?P<quoted>[^\n]{1,2000}?)``|`(?P<code>[^`\n]+)`|\*\*(?P<bold>[^*\n]+)\*\*"
    r"|(?<![\w*])\*(?P<starred>[^\s*](?:[^*\n]{0,500}[^\s*])?)\*(?![\w*])"
    r"|(?<![\w_])_(?P<slanted>[^\s_](?:[^_\n]{0,500}[^\s_])?)_(?![\w_])"
    r"|\\(?P<bar>\|)"
)
_TAGS = {"bold": "strong", "starred": "em", "slanted": "em"}


class _Line(NamedTuple):
    """A line of the text."""

    start: int
    """Where its first letter stands."""
    text: str
    """Without the white space around it."""
    raw: str


class _Piece(NamedTuple):
    """A part of a line, drawn."""

    start: int
    end: int
    html: str
    whole: bool = False
    """Whether it brings its own marks."""


def prose(
    text: str,
    cited: Mapping[int, Hit],
    prefix: str,
    *,
    invalid: Collection[int] = (),
    doubted: Sequence[Claim] = (),
) -> str:
    """Return ``text`` as HTML.

    Parameters
    ----------
    text
        What the generator wrote.
    cited
        Hits by the number that the text calls them; numbers that are neither here nor ``invalid`` stay text.
    prefix
        Begin of the ids of the evidence on the page: number 1 links to ``#{prefix}1``.
    invalid
        Numbers of what was never sent: they are struck out.
    doubted
        Statements of the text that its evidence does not bear out; what is told of them is at ``#{prefix}why``.
    """
    return _Prose(text, cited, prefix, invalid, doubted).html()


def plain_prose(text: str, invalid: Collection[int] = (), doubted: Sequence[Claim] = ()) -> str:
    """Return ``text`` for a terminal: ``[7: not sent]`` for an invalid citation, ``[?]`` after a doubted statement."""
    edits = [(claim.span[1], claim.span[1], " [?]") for claim in doubted]
    for mark in marks(text):
        if any(n in invalid for n in mark.numbers):
            told = "".join(f"[{n}: not sent]" if n in invalid else f"[{n}]" for n in mark.numbers)
            edits.append((mark.start, mark.end, told))
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


class _Prose:
    """One text on its way to HTML."""

    def __init__(
        self, text: str, cited: Mapping[int, Hit], prefix: str, invalid: Collection[int], doubted: Sequence[Claim]
    ) -> None:
        self._text = text.replace("\r\n", " \n").replace("\r", "\n")  # as long as before
        self._marks = list(marks(self._text))
        self._starts = [mark.start for mark in self._marks]
        self._cited, self._prefix, self._invalid, self._doubted = cited, prefix, invalid, doubted
        self._parts: list[str] = []
        self._paragraph: list[str] = []
        self._list = ""

    def html(self) -> str:
        """Return all of it."""
        lines = deque(self._lines())
        while lines:
            line = lines.popleft()
            fence, heading, item = (kind.fullmatch(line.text) for kind in (_FENCE, _HEADING, _ITEM))
            if fence:
                self._end()
                self._code(fence["fence"], lines)
            elif heading:
                self._end()
                inner = self._inline(*(line.start + place for place in heading.span("rest")))
                self._parts.append(f'<p dir="auto"><strong>{inner}</strong></p>')
            elif columns := grid.columns(line.text, lines[0].text if lines else ""):
                self._end()
                self._table(columns, line, lines)
            elif item:
                self._item(item, self._inline(*(line.start + place for place in item.span("rest"))))
            elif line.text:
                self._end(paragraph=False)
                self._paragraph.append(self._inline(line.start, line.start + len(line.text)))
            else:
                self._end()
        self._end()
        return "".join(self._parts)

    def _lines(self) -> Iterator[_Line]:
        at = 0
        for raw in self._text.split("\n"):
            yield _Line(at + len(raw) - len(raw.lstrip()), raw.strip(), raw)
            at += len(raw) + 1

    def _end(self, *, paragraph: bool = True) -> None:
        """End the list in hand, and the paragraph."""
        if paragraph and self._paragraph:
            self._parts.append(f'<p dir="auto">{"<br>".join(self._paragraph)}</p>')
            self._paragraph.clear()
        if self._list:
            self._parts.append(f"</{self._list}>")
            self._list = ""

    def _item(self, item: re.Match[str], inner: str) -> None:
        kind = "ul" if item["bullet"] else "ol"
        if self._list != kind:
            self._end()
            start = f' start="{int(item["number"])}"' if item["number"] else ""
            self._parts.append(f'<{kind} dir="auto"{start}>')
            self._list = kind
        self._parts.append(f"<li>{inner}</li>")

    def _table(self, columns: list[str], head: _Line, lines: deque[_Line]) -> None:
        """A table, up to the first line that is no row; its rule is the next line."""
        lines.popleft()
        heads = self._row(columns, head, "th")
        rows = []
        while lines and grid.is_row(lines[0].text):
            rows.append(self._row(columns, lines.popleft(), "td"))
        self._parts.append(
            f'<div class="mm-scroll" tabindex="0"><table class="mm-table mm-grid" dir="auto"><thead>{heads}</thead>'
            f"<tbody>{''.join(rows)}</tbody></table></div>"
        )

    def _row(self, columns: list[str], line: _Line, tag: str) -> str:
        drawn = []
        for side, (start, end) in zip(columns, grid.cells(line.text, len(columns)), strict=False):  # some are short
            inner = self._inline(line.start + start, line.start + end)
            scope = ' scope="col"' if tag == "th" and inner else ""
            style = f' style="text-align:{side}"' if side else ""
            name = tag if inner else "td"  # a heading that says nothing is none
            drawn.append(f"<{name}{scope}{style}>{inner}</{name}>")
        return f"<tr>{''.join(drawn)}</tr>"

    def _code(self, fence: str, lines: deque[_Line]) -> None:
        """A block of code, up to its fence's like, or to the end of what has been written."""
        body = []
        while lines:
            line = lines.popleft()
            if line.text.startswith(fence) and not line.text.strip(fence[0]):
                break
            body.append(line.raw)
        self._parts.append(f'<pre dir="ltr" tabindex="0"><code>{escape(chr(10).join(body))}</code></pre>')

    def _inline(self, start: int, end: int) -> str:
        """What stands between two places of a line."""
        drawn: list[str] = []
        for which, group in groupby(self._pieces(start, end), key=self._doubt):
            pieces = list(group)
            inner = "".join(piece.html for piece in pieces)
            if which is None:
                drawn.append(inner)
                continue
            claim = self._doubted[which]
            reason = escape(f"not borne out: {claim.reason}" if claim.reason else "not borne out")
            drawn.append(f'<span class="mm-unsure" title="{reason}">{inner}</span>')
            if not self._text[pieces[-1].end : claim.span[1]].strip(" \t\n*_#`|"):
                told = f'href="#{self._prefix}why" aria-label="{reason}" title="{reason}"'
                drawn.append(f'<sup><a class="mm-why" {told}>?</a></sup>')
        return "".join(drawn)

    def _doubt(self, piece: _Piece) -> int | None:
        if piece.whole:
            return None
        inside = (i for i, claim in enumerate(self._doubted) if claim.span[0] <= piece.start < claim.span[1])
        return next(inside, None)

    def _pieces(self, start: int, end: int) -> Iterator[_Piece]:
        at = start
        for piece in sorted([*self._special(start, end), *self._citations(start, end)]):
            if piece.start >= at:  # what stands within another is that one's to draw
                yield from self._words(at, piece.start)
                yield piece
                at = piece.end
        yield from self._words(at, end)

    def _special(self, start: int, end: int) -> Iterator[_Piece]:
        for match in _INLINE.finditer(self._text, start, end):
            kind = match.lastgroup or ""
            if tag := _TAGS.get(kind):
                inner = self._inline(*match.span(kind))
                yield _Piece(*match.span(), f"<{tag}>{inner}</{tag}>", whole=True)
            elif kind == "bar":
                yield _Piece(*match.span(), "|")
            else:
                yield _Piece(*match.span(), f"<code>{escape(match['quoted'] or match['code'])}</code>")

    def _citations(self, start: int, end: int) -> Iterator[_Piece]:
        for mark in self._marks[bisect_left(self._starts, start) : bisect_left(self._starts, end)]:
            if mark.end <= end:
                drawn = "".join(self._citation(n) for n in mark.numbers)
                known = any(n in self._cited or n in self._invalid for n in mark.numbers)
                yield _Piece(mark.start, mark.end, drawn if known else escape(self._text[mark.start : mark.end]))

    def _words(self, start: int, end: int) -> Iterator[_Piece]:
        """Plain text, in parts where a doubted statement begins or ends in it."""
        borders = sorted({place for claim in self._doubted for place in claim.span if start < place < end})
        for a, b in zip([start, *borders], [*borders, end], strict=True):
            if a < b:
                yield _Piece(a, b, escape(self._text[a:b]))

    def _citation(self, number: int) -> str:
        hit = self._cited.get(number)
        if hit is None:
            return f'<del title="{NOT_SENT}">[{number}]</del>' if number in self._invalid else f"[{number}]"
        named = ", ".join(part for part in (title(hit), passages(hit)) if part)
        # the style hides the brackets; they are what tells 1 from a digit of the text where no style is
        return (
            f'<a class="mm-cite mm-{kind(hit)}" href="#{self._prefix}{hit.rank}" title="{escape(named)}">'
            f"<span>[</span>{number}<span>]</span></a>"
        )
