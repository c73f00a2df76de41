"""HTML to the text that a reader sees."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mmrag_nb.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bs4.element import PageElement, Tag

_HTML = re.compile(r"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)
_UNSEEN = frozenset({"script", "style", "template", "noscript", "svg", "math", "head", "iframe", "object"})
_BLOCKS = frozenset(
    "address article aside body br caption dd details dialog div dl dt fieldset figcaption figure footer form header "
    "hgroup hr legend li main nav option section summary tbody tfoot thead tr".split()
)
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "table", "ul", "ol"})
_CELLS = frozenset({"td", "th"})
_SPACES = re.compile(r"\s+")


def is_html(name: str, text: str) -> bool:
    """Tell by the name, or by how the text begins."""
    return name.lower().endswith((".html", ".htm", ".xhtml")) or _HTML.match(text[:4096]) is not None


def readable_text(html: str) -> str:
    """Title and visible text of ``html``: one line a block element, entities decoded, no scripts or styles.

    Raises
    ------
    LoadError
        The markup cannot be read.
    """
    from bs4 import BeautifulSoup
    from bs4.builder import ParserRejectedMarkup

    try:
        soup = BeautifulSoup(html, "html.parser")
    except (ParserRejectedMarkup, RecursionError) as error:
        raise LoadError("damaged HTML: save the page as text") from error
    pieces = [soup.title.get_text() + "\n\n"] if soup.title else []
    pieces += _visible(soup)
    lines = (" ".join(line.split()) for line in "".join(pieces).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _visible(soup: Tag) -> Iterator[str]:
    """Walk the tree with a stack of its own: pages nest deeper than Python's recursion goes."""
    from bs4.element import CData, NavigableString, Tag

    stack: list[tuple[PageElement | str, bool]] = [(child, False) for child in reversed(soup.contents)]
    while stack:
        node, preformatted = stack.pop()
        if isinstance(node, Tag):
            if node.name in _UNSEEN:
                continue
            border = _border(node.name)
            inside = preformatted or node.name in {"pre", "textarea"}
            stack.append((border, True))
            stack += [(child, inside) for child in reversed(node.contents)]
            yield border
        elif type(node) in {NavigableString, CData}:  # its other kinds are comments and declarations
            text = str(node)
            yield text if preformatted else _SPACES.sub(" ", text)
        elif type(node) is str:
            yield node


def _border(tag: str) -> str:
    if tag in _PARAGRAPHS:
        return "\n\n"
    if tag in _BLOCKS:
        return "\n"
    return " " if tag in _CELLS else ""
