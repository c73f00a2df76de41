"""HTML to the text that a reader sees."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mmrag_nb.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from bs4.element import PageElement, Tag

# No comment runs on over its end: with several ways to divide a text into comments, all of them would be tried.
_HTML = re.compile(
    r"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
)
_UNSEEN = frozenset({"script", "style", "template", "noscript", "svg", "math", "head", "iframe", "object"})
_BLOCKS = frozenset(
    "address article aside body br caption dd details dialog div dl dt fieldset figcaption figure footer form header "
    "hgroup hr legend li main nav option section summary tbody tfoot thead tr".split()
)
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "table", "ul", "ol"})
_CELLS = frozenset({"td", "th"})
_HIDING = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE)
_SECONDS = 2.0
"""Of processor time that a page may take, and one more for each..."""
_RATE = 200_000
"""...bytes: honest ones take a fraction of that."""
_SPACES = re.compile(r"\s+")


def is_html(name: str, text: str) -> bool:
    """Tell by the name, or by how the text begins."""
    return name.lower().endswith((".html", ".htm", ".xhtml")) or _HTML.match(text[:4096]) is not None


def readable_text(html: str) -> str:
    """What :func:`visible_text` gives, within bounds of time and memory: some markup takes Python's parser for ever.

    Raises
    ------
    LoadError
        The markup cannot be read, or not within these bounds.
    """
    from mmrag_nb.isolation.calling import Limits, stream

    body = html.encode("utf-8", "surrogatepass")
    worked = _SECONDS + len(body) / _RATE
    limits = Limits(seconds=10 * worked, processor=worked)
    found = list(stream("mmrag_nb.loaders.markup:page_text", body, limits))
    return b"".join(blob for _, blobs in found for blob in blobs).decode("utf-8", "surrogatepass")


def page_text(handle: BinaryIO) -> Iterator[tuple[dict[str, str], tuple[bytes, ...]]]:
    """Yield the text of the page in ``handle``, UTF-8, as one piece: for a process of its own."""
    text = visible_text(handle.read().decode("utf-8", "surrogatepass"))
    yield {}, (text.encode("utf-8", "surrogatepass"),)


def visible_text(html: str) -> str:
    """Title and visible text of ``html``: one line a block element, entities decoded; pictures by their name.

    No scripts, styles or comments, and nothing that the page itself hides (``hidden``, ``display: none``): what no
    reader sees is no evidence, and a place for instructions to models.

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
            if node.name in _UNSEEN or _is_hidden(node):
                continue
            if node.name == "img" and (alt := str(node.get("alt") or "").strip()):
                yield f" {alt} "
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


def _is_hidden(tag: Tag) -> bool:
    """Whether the page says that it is not to be shown; ``aria-hidden`` hides from screen readers alone."""
    return "hidden" in tag.attrs or _HIDING.search(str(tag.attrs.get("style", ""))) is not None


def _border(tag: str) -> str:
    if tag in _PARAGRAPHS:
        return "\n\n"
    if tag in _BLOCKS:
        return "\n"
    return " " if tag in _CELLS else ""
