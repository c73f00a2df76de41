"""The index panel: files dropped in or named, how far it is, what was skipped and why, what is there, taking out."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

from traitlets import Instance, Int, Unicode

from mmrag_nb.errors import MMRagError
from mmrag_nb.jobs.metering import Meter
from mmrag_nb.jobs.stopping import Stopping
from mmrag_nb.notebook.progress import line
from mmrag_nb.notebook.render import plain, report
from mmrag_nb.notebook.render.escape import escape, name, one_line
from mmrag_nb.notebook.render.quantities import count
from mmrag_nb.reports import IndexReport
from mmrag_nb.types import MODALITIES, Item

from .controls import button, field
from .dropped import keep
from .live import Act, LivePanel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mmrag_nb.rag import MultimodalRAG

PAGE = 25
"""Items of the list on one page."""
_INTERVAL = 0.1
"""Seconds between two words on how far it is."""
_SKIPPED = 100
"""Skipped sources that are listed at most."""
_STOPPED = "What is counted here is in the index; index the same again to add the rest."

LOOK = """
.mmrag .mm-drop {margin:0 0 10px;text-align:center;color:var(--mm-soft)}
.mmrag .mm-drop input {max-width:100%;margin:8px 0 0;color:var(--mm-ink)}
.mmrag .mm-drop p {margin:0}
.mmrag .mm-turn {display:flex;flex-wrap:wrap;gap:8px;align-items:center;margin:0 0 10px;color:var(--mm-soft);
  font-size:13px}
.mmrag .mm-table tbody tr.mm-chosen:nth-child(n) {background:var(--mm-wash)}
.mmrag .mm-skipped td {min-width:10em}
.mmrag .mm-listed {max-height:22em;overflow:auto}
.mmrag .mm-listed thead th {position:sticky;top:0;background:var(--jp-layout-color0,var(--mm-bg))}
.mmrag .mm-listed :is(th, td) {padding-top:2px;padding-bottom:2px;vertical-align:middle}
.mmrag .mm-listed button {min-height:26px;padding:1px 8px;font-size:13px}
.mmrag .mm-listed td button {white-space:nowrap}
.mmrag .mm-listed button.mm-plain {margin-inline-start:-1px;padding:0}
@media print {.mmrag .mm-listed {max-height:none}}
"""


class IndexPanel(LivePanel):
    """What fills an index, and what is in it.

    Parameters
    ----------
    rag
        The index.
    folder
        Where dropped files are kept, made on the first drop: an index names its sources, so they need a place.
    """

    aside: ClassVar[frozenset[str]] = frozenset({"files", "add"})

    report = Instance(IndexReport, allow_none=True, help="What the last run did.")
    selected = Instance(Item, allow_none=True, help="The item that the reader chose.")
    page = Int(0, min=0, help="Of the list of items, from 0.")
    filter = Unicode("", help="Part of the names to list.")

    def __init__(self, rag: MultimodalRAG, folder: str | Path = "dropped") -> None:
        self._rag = rag
        self._folder = Path(folder)
        self._meters: dict[str, Meter] = {}
        self._told = 0.0
        self._running = Lock()
        self._stopping = Stopping()
        super().__init__("index panel", LOOK)
        self.observe(self._selection, "selected")
        self.observe(lambda _: self.refresh(), ["page", "filter"])
        self.refresh()

    @property
    def items(self) -> list[Item]:
        """The items that are listed, over all pages, the newest first."""
        wanted = self.filter.casefold().split()
        return [item for item in reversed(self._rag.items()) if all(word in item.uri.casefold() for word in wanted)]

    def add(self, sources: Any) -> IndexReport:
        """Index ``sources``, as :meth:`mmrag_nb.MultimodalRAG.index` takes them, and show how far it is.

        Raises
        ------
        MMRagError
            As there; or the panel is indexing already.
        KeyboardInterrupt
            The reader stopped it; what is in ``report`` stays.
        """
        with self.working("indexing"), self._alone(), self._stopping.heeded():
            try:
                done = self._rag.index(sources, progress=self._progress)
            finally:
                self.report = self._rag.report  # what was committed before it failed stays
            self.tell(report.totals(done))
        return done

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Index in one thread at a time; while it goes on, it can be stopped."""
        if not self._running.acquire(blocking=False):
            raise MMRagError("other sources are being indexed: wait until that is done, or stop it")
        self._meters = {}
        self._stopping = Stopping()
        try:
            self.refresh()
            yield
        finally:
            self._running.release()
            self.refresh()

    def stop(self) -> None:
        """End the indexing that goes on, after the batch in hand; asked again, at its next step.

        What was committed before stays.
        """
        if self._running.locked():
            now = self._stopping.wished
            self._stopping.wish(now=now)
            self.tell("stopping at once" if now else "stopping after the batch in hand; Stop again ends it at once")

    def remove(self, which: Item | str) -> None:
        """Take one item out of the index; the file it came from stays.

        Raises
        ------
        UnknownName
            There is none of that name.
        """
        item = self._rag.item(which)
        self._rag.remove(item)
        if self.selected is not None and self.selected.id == item.id:
            self.selected = None
        self.tell(f"removed {item.name} from the index; the file stays where it is")
        self.refresh()

    # -- how it looks ----------------------------------------------------------------------------------------------

    def draw(self, *, live: bool) -> dict[str, str]:
        """Return the drop zone, the last report, the list of items."""
        return {
            "add": self._add() if live else "",
            "report": self._report(live=live),
            "items": self._items(live=live),
        }

    def text(self) -> str:
        """Return the last report and the names of what is there."""
        items = self.items
        shown = items[self.page * PAGE : (self.page + 1) * PAGE]
        rows = "\n".join(plain.shortened(f"{item.modality:6}{one_line(item.uri)}", plain.WIDTH) for item in shown)
        more = f"… {count(len(items) - len(shown), 'other item')}" if len(items) > len(shown) else ""
        return plain.joined(report.text(self.report) if self.report else "", self._contents(), rows, more)

    def _add(self) -> str:
        stop = button("stop", "Stop", label="Stop indexing") if self._running.locked() else ""
        box = '<input name="sources" placeholder="photos/*.jpg" autocomplete="off" spellcheck="false">'
        return (
            '<div class="mm-drop" data-mm-drop="files">'
            "<p>Drop pictures, sound, films, documents, tables or texts here</p>"
            '<label>or choose files <input type="file" multiple></label>'
            f"<p><small>kept in {escape(self._folder)}</small></p></div>"
            '<form data-mm-act="add" class="mm-fields">'
            + field("or name a path, glob, folder or URL", box, "mm-wide")
            + f'<button type="submit">Index</button>{stop}</form>'
        )

    def _report(self, *, live: bool) -> str:
        done = self.report
        if done is None:
            return ""
        totals = report.totals(done)
        told = live and self.status == one_line(totals)  # right above
        parts = [] if told else [f'<p class="mm-totals">{escape(totals)}</p>']
        if done.interrupted:
            parts.insert(0, f'<p class="mm-error" role="note"><b>Stopped.</b> {_STOPPED}</p>')
        if done.skipped:
            rows = "".join(
                f'<tr><th scope="row">{name(one.source)}</th><td dir="auto">{escape(one.reason)}</td></tr>'
                for one in done.skipped[:_SKIPPED]
            )
            more = len(done.skipped) - _SKIPPED
            parts.append(
                '<div class="mm-scroll"><table class="mm-table mm-skipped"><caption>skipped, and why'
                f"{f'; {more:,} more are in the report' if more > 0 else ''}</caption>"
                f'<thead><tr><th scope="col">source</th><th scope="col">reason</th></tr></thead><tbody>{rows}</tbody>'
                "</table></div>"
            )
        return "".join(parts)

    def _contents(self) -> str:
        counts = self._rag.status().items
        kinds = ", ".join(f"{counts[kind]:,} {kind}" for kind in MODALITIES if counts.get(kind))
        where = f" · {self._rag.path}" if self._rag.path else " · in memory, until saved"
        return f"{count(sum(counts.values()), 'item')} in the index" + (f" ({kinds})" if kinds else "") + where

    def _items(self, *, live: bool) -> str:
        items = self.items
        last = max(0, len(items) - 1) // PAGE
        page = min(self.page, last)
        shown = items[page * PAGE : (page + 1) * PAGE]
        said = f'<p class="mm-totals">{escape(self._contents())}</p>'
        if not self._rag.status().items:
            return f'{said}<p class="mm-none">nothing is indexed yet</p>' if live else said
        rows = "".join(self._row(item, live=live) for item in shown)
        ends = '<th scope="col">take out</th>' if live else ""
        table = (
            '<div class="mm-scroll mm-listed" role="region" aria-label="what is in the index" tabindex="0">'
            '<table class="mm-table"><thead><tr>'
            f'<th scope="col">item</th><th scope="col">modality</th>{ends}</tr></thead>'
            f"<tbody{' data-mm-roving=grid' if live else ''}>{rows}</tbody></table></div>"
            if shown
            else '<p class="mm-none">nothing of that name</p>'
        )
        hidden = len(items) - len(shown)
        if not live:
            return said + table + (f'<p class="mm-none">{count(hidden, "other item")} not listed</p>' if hidden else "")
        return said + self._turn(page, last) + table

    def _turn(self, page: int, last: int) -> str:
        if not last and not self.filter:
            return ""
        box = f'<input type="search" name="filter" value="{escape(self.filter)}" autocomplete="off">'
        find = (
            f'<form data-mm-act="find" class="mm-fields">{field("name holds", box, "mm-wide")}'
            '<button type="submit">Show</button></form>'
        )
        turn = (
            f'<div class="mm-turn"><span>page {page + 1} of {last + 1}</span>'
            + button("page", "Previous", page - 1, label="Previous page", disabled=page == 0)
            + button("page", "Next", page + 1, label="Next page", disabled=page == last)
            + "</div>"
        )
        return find + (turn if last else "")

    def _row(self, item: Item, *, live: bool) -> str:
        key, label = escape(item.id), one_line(item.name)
        shown = (
            f'<button type="button" class="mm-plain" data-mm-act="select" data-mm-target="{key}">'
            f"{name(item.name, item.uri)}</button>"
            if live
            else name(item.name, item.uri)
        )
        out = f"<td>{button('remove', 'Remove', item.id, label=f'Remove {label}')}</td>" if live else ""
        kind = item.modality if item.modality in MODALITIES else "text"
        return (
            f'<tr class="mm-{kind}" data-mm-one data-mm-key="{key}"><th scope="row">{shown}</th>'
            f'<td class="mm-kind">{escape(item.modality)}</td>{out}</tr>'
        )

    # -- what a reader does ----------------------------------------------------------------------------------------

    def acts(self) -> Mapping[str, Callable[[Act], None]]:
        """Return what a reader can do."""
        return {
            "files": self._on_files,
            "add": self._on_add,
            "stop": lambda _: self.stop(),
            "remove": lambda act: self.remove(self._of(act.target)),
            "select": lambda act: self.set_trait("selected", self._of(act.target)),
            "page": lambda act: self.set_trait("page", int(act.target[:9]) if act.target.isdecimal() else 0),
            "find": self._on_find,
        }

    def _on_files(self, act: Act) -> None:
        self._index(keep(act.files, self._folder))

    def _on_add(self, act: Act) -> None:
        sources = str(act.values.get("sources", "")).strip()
        if not sources:
            raise MMRagError("name a path, glob, folder or URL, such as photos/*.jpg")
        self._index(sources)

    def _index(self, sources: Any) -> None:
        try:
            self.add(sources)
        except KeyboardInterrupt:
            self.tell("stopped")

    def _on_find(self, act: Act) -> None:
        with self.hold_trait_notifications():
            self.page, self.filter = 0, str(act.values.get("filter", ""))[:200]

    def _of(self, item_id: str) -> Item:
        found = next((item for item in self._rag.items() if item.id == item_id), None)
        if found is None:
            self.refresh()
            raise MMRagError("that item is no longer in the index")
        return found

    def _progress(self, stage: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        meter = self._meters.setdefault(stage, Meter())
        meter.see(now, done)
        if now - self._told >= _INTERVAL:
            self._told = now
            self.tell(line(stage, done, total, meter, now))

    def _selection(self, change: dict[str, Any]) -> None:
        self.chosen = {"select": change["new"].id if change["new"] else ""}
        self.refresh()
