"""The image grid: thumbnails of the index's pictures by the page, one enlarged, and more like it."""

from __future__ import annotations

import io
from base64 import b64encode
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from traitlets import Instance, Int, Unicode

from mmrag_nb.errors import MMRagError
from mmrag_nb.notebook.render import plain
from mmrag_nb.notebook.render.escape import escape, name, one_line
from mmrag_nb.notebook.render.media import KINDS, ROOM
from mmrag_nb.notebook.render.quantities import TIMES, count, number
from mmrag_nb.settings import MOST_HITS
from mmrag_nb.types import Item

from .controls import button, field
from .live import Act, LivePanel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mmrag_nb.rag import MultimodalRAG
    from mmrag_nb.results import Hits
    from mmrag_nb.types import Preview

PAGE = 48
"""Pictures on a page."""
_TILE = 144
"""Pixels, longest side of a tile's picture."""
_MARKUP = 60_000
"""Bytes that style, names and metadata may take of the static picture."""

LOOK = """
.mmrag ul.mm-grid {display:grid;gap:8px;margin:0 0 10px;padding:0;list-style:none;
  grid-template-columns:repeat(auto-fill,minmax(104px,1fr))}
.mmrag .mm-grid li {min-width:0;margin:0}
.mmrag .mm-grid .mm-tile {display:flex;flex-direction:column;gap:3px;width:100%;height:100%;padding:5px;
  border:1px solid var(--mm-line);border-radius:6px;color:var(--mm-soft);background:none;font-size:12px;
  text-align:center}
.mmrag .mm-grid .mm-chosen .mm-tile {border-color:var(--mm-image);outline:1px solid var(--mm-image)}
.mmrag .mm-tile img {display:block;width:100%;height:92px;margin:0;object-fit:contain;border-radius:3px}
.mmrag .mm-tile .mm-none {height:92px;display:grid;place-items:center}
.mmrag .mm-tile bdi {overflow:hidden;text-overflow:ellipsis;white-space:nowrap;font-weight:400}
.mmrag .mm-large {display:flex;flex-wrap:wrap;gap:10px 16px;margin:0 0 14px;padding:12px;
  border:1px solid var(--mm-line);border-inline-start:3px solid var(--mm-image);border-radius:6px}
.mmrag .mm-large img {display:block;width:auto;max-width:min(100%,520px);height:auto;max-height:420px;margin:0;
  border-radius:4px}
.mmrag .mm-large > div {flex:1 1 14em;min-width:0}
.mmrag .mm-large p {margin:0 0 8px}
.mmrag .mm-turn {display:flex;flex-wrap:wrap;gap:8px;align-items:center;margin:0 0 10px;color:var(--mm-soft);
  font-size:13px}
"""


class ImageGridPanel(LivePanel):
    """The pictures of an index, however many.

    Parameters
    ----------
    rag
        The index.
    items
        The pictures to show, in this order; all of the index where absent.
    """

    selected = Instance(Item, allow_none=True, help="The picture that was enlarged.")
    page = Int(0, min=0, help="From 0.")
    filter = Unicode("", help="Part of the name or caption of the pictures to show.")
    like = Instance(Item, allow_none=True, help="The picture whose like are shown, most alike first.")

    def __init__(self, rag: MultimodalRAG, items: Sequence[Item] | None = None) -> None:
        self._rag = rag
        self._given = list(items) if items is not None else None
        self._alike: Hits | None = None
        super().__init__("image grid", LOOK)
        self.observe(self._selection, "selected")
        self.observe(self._turned, ["page", "filter", "like"])
        self.refresh()

    @property
    def items(self) -> list[Item]:
        """The pictures that are shown, over all pages."""
        if self.like is not None and self._alike is not None:
            found = list(dict.fromkeys(hit.item.id for hit in self._alike))
            by_id = {hit.item.id: hit.item for hit in self._alike}
            return [by_id[one] for one in found]
        pictures = self._rag.items() if self._given is None else self._given
        wanted = self.filter.casefold().split()
        return [
            item for item in pictures if item.modality == "image" and all(word in _findable(item) for word in wanted)
        ]

    def more_like(self, item: Item | str) -> None:
        """Show the pictures most like one of the index, the most alike first.

        Raises
        ------
        UnknownName
            There is none of that name.
        """
        found = self._rag.item(item)
        self._alike = self._rag.similar(found, MOST_HITS, modalities=["image"])
        with self.hold_trait_notifications():
            self.like, self.page = found, 0
        self.refresh()

    def show_all(self) -> None:
        """Show all pictures again."""
        with self.hold_trait_notifications():
            self.like, self.filter, self.page = None, "", 0
        self.refresh()

    # -- how it looks ----------------------------------------------------------------------------------------------

    def draw(self, *, live: bool) -> dict[str, str]:
        """Return the controls, the enlarged picture and the page of thumbnails."""
        items = self.items
        last = max(0, (len(items) - 1) // PAGE)
        page = min(self.page, last)
        shown = items[page * PAGE : (page + 1) * PAGE]
        turn = self._turn(page, last, len(items), live=live)
        large = self._large(live=live)
        room = ROOM - _MARKUP - len(large)
        return {
            "find": self._find() if live else "",
            "large": large,
            "what": f'<div class="mm-turn">{turn}</div>',
            "grid": self._grid(shown, room, live=live)
            if shown
            else f'<p class="mm-none">{escape(self._nothing())}</p>',
        }

    def text(self) -> str:
        """Return the names of the page's pictures."""
        items = self.items
        shown = items[self.page * PAGE : (self.page + 1) * PAGE]
        head = f"{self._what(len(items))}, page {self.page + 1} of {max(0, len(items) - 1) // PAGE + 1}"
        mark = self.selected.id if self.selected else ""
        lines = (f"{'*' if item.id == mark else ' '} {one_line(item.name)}" for item in shown)
        return plain.joined(head, "\n".join(plain.shortened(line, plain.WIDTH) for line in lines) or self._nothing())

    def _find(self) -> str:
        box = f'<input type="search" name="filter" value="{escape(self.filter)}" autocomplete="off">'
        return (
            f'<form data-mm-act="find" class="mm-fields">{field("name or caption holds", box, "mm-wide")}'
            '<button type="submit">Show</button></form>'
        )

    def _what(self, n: int) -> str:
        if self.like is not None:
            return f"{count(n, 'picture')} like {one_line(self.like.name)}, the most alike first"
        return count(n, "picture") + (f" with “{one_line(self.filter)}”" if self.filter else "")

    def _nothing(self) -> str:
        return "no picture of that name or caption" if self.filter else "no pictures are indexed"

    def _turn(self, page: int, last: int, n: int, *, live: bool) -> str:
        where = f"page {page + 1} of {last + 1}" if last else ""
        said = f"<span>{escape(self._what(n))}{' · ' + where if where else ''}</span>"
        if not live:
            hidden = n - PAGE
            return said + (f"<span>· {count(hidden, 'other')} on other pages</span>" if hidden > 0 else "")
        back = button("all", "All pictures") if self.like is not None or self.filter else ""
        if not last:
            return said + back
        return (
            said
            + button("page", "Previous", page - 1, label="Previous page", disabled=page == 0)
            + button("page", "Next", page + 1, label="Next page", disabled=page == last)
            + back
        )

    def _grid(self, shown: Sequence[Item], room: int, *, live: bool) -> str:
        tiles = []
        for item in shown:
            uri = self._tile(item)
            fits = live or len(uri) <= room
            room -= len(uri) if fits else 0
            none = f'<span class="mm-none">{"no preview" if fits else f"left out: over {ROOM // 1000} kB"}</span>'
            picture = f'<img src="{uri}" alt="" width="{_TILE // 2}">' if uri and fits else none
            inner = f"{picture}{name(item.name, item.uri)}"
            tile = (
                f'<button type="button" class="mm-tile" data-mm-act="open" data-mm-target="{escape(item.id)}" '
                f'aria-label="enlarge {escape(one_line(item.name))}">{inner}</button>'
                if live
                else f'<div class="mm-tile">{inner}</div>'
            )
            chosen = ' class="mm-chosen"' if not live and self.selected and item.id == self.selected.id else ""
            tiles.append(f'<li data-mm-one data-mm-key="{escape(item.id)}"{chosen}>{tile}</li>')
        roving = ' data-mm-roving="grid"' if live else ""
        return f'<ul class="mm-grid" role="list" aria-label="pictures"{roving}>{"".join(tiles)}</ul>'

    def _large(self, *, live: bool) -> str:
        item = self.selected
        if item is None:
            return ""
        previews = self._rag.previews(item)
        uri = _uri(previews.get("thumbnail") if not live else previews.get("proxy") or previews.get("thumbnail"))
        facts = self._rag.facts(item)
        width, height = number(facts.get("width")), number(facts.get("height"))
        size = f"{width:.0f} {TIMES} {height:.0f} px" if width and height else ""
        said = [(key, value) for key, value in item.metadata.items() if value not in (None, "")]
        lines = "".join(f'<p dir="auto"><b>{escape(one_line(k))}</b> {escape(str(v)[:500])}</p>' for k, v in said[:12])
        buttons = (
            f'<div class="mm-turn">{button("like", "More like this", item.id)}{button("close", "Close")}</div>'
            if live
            else ""
        )
        alt = escape(f"picture {one_line(item.name)}")
        picture = f'<img src="{uri}" alt="{alt}" width="320">' if uri else '<p class="mm-none">no preview is kept</p>'
        return (
            f'<div class="mm-large" role="group" aria-label="enlarged picture">{picture}<div>'
            f'<p>{name(item.name, item.uri)}</p><p class="mm-meta">{escape(size)}</p>{lines}{buttons}</div></div>'
        )

    def _tile(self, item: Item) -> str:
        preview = self._rag.previews(item).get("thumbnail")
        if preview is None or preview.mime not in KINDS["thumbnail"]:
            return ""
        return _small(preview.data)

    # -- what a reader does ----------------------------------------------------------------------------------------

    def acts(self) -> Mapping[str, Callable[[Act], None]]:
        """Return what a reader can do."""
        return {
            "open": lambda act: self.set_trait("selected", self._of(act.target)),
            "close": lambda _: self.set_trait("selected", None),
            "like": lambda act: self.more_like(self._of(act.target)),
            "all": lambda _: self.show_all(),
            "page": lambda act: self.set_trait("page", int(act.target[:9]) if act.target.isdecimal() else 0),
            "find": self._on_find,
        }

    def _on_find(self, act: Act) -> None:
        with self.hold_trait_notifications():
            self.like, self.page, self.filter = None, 0, str(act.values.get("filter", ""))[:200]
        self.refresh()

    def _of(self, item_id: str) -> Item:
        found = next((item for item in [*self.items, *self._rag.items()] if item.id == item_id), None)
        if found is None:
            raise MMRagError("that picture is no longer in the index")
        return found

    def _selection(self, change: dict[str, Any]) -> None:
        self.chosen = {"open": change["new"].id if change["new"] else ""}
        self.refresh()

    def _turned(self, _: dict[str, Any]) -> None:
        self.refresh()


def _findable(item: Item) -> str:
    return f"{item.name} {item.metadata.get('caption') or ''}".casefold()


def _uri(preview: Preview | None) -> str:
    if preview is None or preview.mime not in KINDS["thumbnail"]:
        return ""
    return f"data:{preview.mime};base64,{b64encode(preview.data).decode('ascii')}"


@lru_cache(maxsize=1024)
def _small(thumbnail: bytes) -> str:
    """A tile's picture as a data URI; empty where the preview cannot be read."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(thumbnail)) as picture:
            small = picture.convert("RGB")
    except Exception:  # noqa: BLE001 - an index can come from anywhere, and Pillow raises what it likes
        return ""
    small.thumbnail((_TILE, _TILE))
    out = io.BytesIO()
    small.save(out, "WEBP", quality=70, method=2)
    return f"data:image/webp;base64,{b64encode(out.getvalue()).decode('ascii')}"
