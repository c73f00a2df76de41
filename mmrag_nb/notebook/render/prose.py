"""An answer's text as HTML: paragraphs, lists, ``**bold**``, code in backticks, citations; nothing else.

No links and no pictures: the text comes from a model that has read foreign documents, and an address in a picture is a
way to carry what it read out of the notebook.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .escape import escape, visible
from .place import kind, short_place, title

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmrag_nb.results import Hit

_BLANK = re.compile(r"\n[ \t]*\n\s*")
_ITEM = re.compile(r"[ \t]*(?:(?P<bullet>[-*•])|(?P<number>\d{1,3})[.)])[ \t]+(?P<rest>\S.*)")
_INLINE = re.compile(r"`(?P<code>[^`\n]+)`|\*\*(?P<bold>[^*\n]+)\*\*|\[(?P<cite>\d{1,4}(?:\s*[,;]\s*\d{1,4})*)\]")


def prose(text: str, cited: Mapping[int, Hit], prefix: str) -> str:
    """Return ``text`` as HTML.

    Parameters
    ----------
    text
        What the generator wrote.
    cited
        Hits by the number that the text calls them; other numbers stay text.
    prefix
        Begin of the ids of the evidence on the page: number 1 links to ``#{prefix}1``.
    """
    return "".join(
        _block(block.split("\n"), cited, prefix) for block in _BLANK.split(visible(text).strip()) if block.strip()
    )


def _block(lines: list[str], cited: Mapping[int, Hit], prefix: str) -> str:
    """One paragraph or list, or several of them without blank lines between."""
    parts: list[str] = []
    paragraph: list[str] = []
    close = ""

    def flush() -> None:
        if paragraph:
            parts.append(f'<p dir="auto">{"<br>".join(paragraph)}</p>')
            paragraph.clear()

    for line in lines:
        item = _ITEM.fullmatch(line)
        if item is None:
            parts.append(close)
            close = ""
            paragraph.append(_inline(line.strip(), cited, prefix))
            continue
        flush()
        kind = "ul" if item["bullet"] else "ol"
        if close != f"</{kind}>":
            start = f' start="{int(item["number"])}"' if item["number"] else ""
            parts.append(f'{close}<{kind} dir="auto"{start}>')
            close = f"</{kind}>"
        parts.append(f"<li>{_inline(item['rest'], cited, prefix)}</li>")
    flush()
    return "".join(parts) + close


def _inline(text: str, cited: Mapping[int, Hit], prefix: str) -> str:
    parts: list[str] = []
    at = 0
    for match in _INLINE.finditer(text):
        parts.append(escape(text[at : match.start()]))
        at = match.end()
        if match["code"]:
            parts.append(f"<code>{escape(match['code'])}</code>")
        elif match["bold"]:
            parts.append(f"<strong>{_inline(match['bold'], cited, prefix)}</strong>")
        else:
            parts.extend(_citation(int(n), cited, prefix) for n in re.findall(r"\d+", match["cite"]))
    parts.append(escape(text[at:]))
    return "".join(parts)


def _citation(number: int, cited: Mapping[int, Hit], prefix: str) -> str:
    hit = cited.get(number)
    if hit is None:
        return f"[{number}]"
    named = ", ".join(part for part in (title(hit), short_place(hit)) if part)
    # the style hides the brackets; they are what tells 1 from a digit of the text where no style is
    return (
        f'<a class="mm-cite mm-{kind(hit)}" href="#{prefix}{hit.rank}" title="{escape(named)}">'
        f"<span>[</span>{number}<span>]</span></a>"
    )
