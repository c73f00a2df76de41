"""The similarity panel: every score of what was found, to be sorted and filtered, and questions against chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from traitlets import Bool, Enum, Instance, Int, List, Unicode

from mmrag_nb.errors import MMRagError
from mmrag_nb.notebook.render import plain, quantities, table
from mmrag_nb.notebook.render.escape import escape, name, one_line
from mmrag_nb.notebook.render.place import kind
from mmrag_nb.notebook.render.quantities import count
from mmrag_nb.results import Answer, Hit, Hits

from .controls import button, choice, field
from .live import Act, LivePanel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

PAGE = 50
"""Rows of the table, and of the heat map, on one page."""
_NAME = 90
"""Characters of a file name or question in a cell."""
_DEEPEST = 42
"""Per cent of a modality's colour behind the highest number: the number is still read on it."""

_COLUMNS: Mapping[str, tuple[str, Callable[[Hit], Any]]] = {
    "rank": ("rank", lambda hit: hit.rank),
    "modality": ("modality", lambda hit: hit.chunk.modality),
    "name": ("evidence", lambda hit: hit.item.name.casefold()),
    "cosine": ("raw cosine", lambda hit: hit.cosine),
    "raw_rank": ("raw rank", lambda hit: hit.raw_rank),
    "calibrated": ("calibrated", lambda hit: None if hit.cosine is None else hit.calibrated),
    "lexical": ("words (BM25)", lambda hit: hit.lexical),
    "score": ("score", lambda hit: hit.score),
}
_UPWARDS = ("rank", "modality", "name", "raw_rank")
"""Columns whose first click sorts the smallest first; of scores, the highest is wanted."""
_MEASURES: Mapping[str, Callable[[Hit], str]] = {
    "score": lambda hit: f"{hit.score:.2f}",
    "calibrated": lambda hit: quantities.deviations(None if hit.cosine is None else hit.calibrated),
    "cosine": lambda hit: quantities.cosine(hit.cosine),
    "lexical": lambda hit: f"{hit.lexical:.2f}",
}
ALL = "all"

LOOK = """
.mmrag .mm-table thead button {min-height:24px;padding:0;border:0;background:none;font-size:12px;font-weight:500;
  color:var(--mm-soft)}
.mmrag .mm-table thead button:hover {text-decoration:underline}
.mmrag .mm-table thead [aria-sort] button {color:var(--mm-ink);font-weight:600}
.mmrag .mm-table .mm-asked {min-width:8em;max-width:16em;color:var(--mm-soft)}
.mmrag .mm-table tbody tr.mm-chosen:nth-child(n) {background:var(--mm-wash)}
.mmrag tr[data-mm-act], .mmrag td[data-mm-act] {cursor:pointer}
.mmrag .mm-table button.mm-plain {min-width:24px;padding:0;border:0;font-size:13px;overflow-wrap:anywhere}
.mmrag .mm-heat {width:auto;min-width:50%}
.mmrag .mm-heat thead th:nth-child(n+2) {min-width:5.5em;max-width:14em;white-space:normal;text-align:center}
.mmrag .mm-heat td {min-width:4em;padding:0;text-align:center;font-variant-numeric:tabular-nums;
  background:color-mix(in srgb, var(--mm-m) var(--mm-depth,0%), transparent)}
.mmrag .mm-heat td > * {display:block;width:100%;padding:5px 8px}
.mmrag .mm-heat td button {min-height:28px;border-color:transparent;background:none;border-radius:0;font-size:13px}
.mmrag .mm-heat td button[aria-pressed=true] {border-color:var(--mm-ink);color:inherit}
.mmrag .mm-heat td.mm-empty {color:var(--mm-soft)}
.mmrag .mm-pages {display:flex;flex-wrap:wrap;gap:8px;align-items:center;margin:0 0 10px;color:var(--mm-soft);
  font-size:13px}
@media print {.mmrag .mm-heat td {-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""


@dataclass(frozen=True)
class _Row:
    """A hit of one of the questions."""

    asked: int
    """Which question, from 0."""
    hit: Hit

    @property
    def key(self) -> str:
        return f"{self.asked}-{self.hit.rank}"


class SimilarityPanel(LivePanel):
    """The scores of hits, as a table that can be sorted, filtered and paged; of several questions, as a heat map too.

    Parameters
    ----------
    result
        Hits, an answer, or a list of them: one a question.
    """

    sort = Enum(list(_COLUMNS), "rank", help="The column that the rows are sorted by.")
    descending = Bool(default_value=False)
    modality = Unicode(ALL, help="Only chunks of this modality; 'all' for all.")
    measure = Enum(list(_MEASURES), "score", help="What the heat map shows.")
    page = Int(0, min=0, help="From 0.")
    results = List(Instance(Hits), help="What is shown, one a question.")
    selected = Instance(Hit, allow_none=True, help="The hit that the reader chose.")

    def __init__(self, result: Hits | Answer | Iterable[Hits | Answer] = ()) -> None:
        super().__init__("similarity panel", LOOK)
        self._selected_key = ""
        self.observe(self._changed, ["sort", "descending", "modality", "measure", "page"])
        self.observe(self._selection, "selected")
        self.show(result)

    def show(self, result: Hits | Answer | Iterable[Hits | Answer]) -> None:
        """Show other hits, from the first page, sorted and filtered as before.

        Raises
        ------
        MMRagError
            It is neither hits nor answers.
        """
        results = [result] if isinstance(result, (Hits, Answer)) else list(result)
        hits = [one.hits if isinstance(one, Answer) else one for one in results]
        wrong = next((one for one in hits if not isinstance(one, Hits)), None)
        if wrong is not None:
            raise MMRagError(
                f"{type(wrong).__name__} has no scores: give what rag.search(...) or rag.ask(...) returned"
            )
        self.results = hits
        self._rows = [_Row(i, hit) for i, one in enumerate(hits) for hit in one]
        if self.modality not in self._modalities():
            self.modality = ALL
        self.page = 0
        self.selected = None
        self.refresh()

    # -- what the reader does --------------------------------------------------------------------------------------

    def acts(self) -> Mapping[str, Callable[[Act], None]]:
        """Sort by a column, filter, choose what the heat map shows, turn pages, select a hit."""
        return {"sort": self._sort, "set": self._set, "page": self._turn, "select": self._select}

    def _sort(self, act: Act) -> None:
        if act.target in _COLUMNS:
            with self.hold_trait_notifications():
                self.descending = not self.descending if act.target == self.sort else act.target not in _UPWARDS
                self.sort = act.target
                self.page = 0

    def _set(self, act: Act) -> None:
        if act.values.get("modality") in self._modalities():
            with self.hold_trait_notifications():
                self.modality = act.values["modality"]
                self.page = 0
        if act.values.get("measure") in _MEASURES:
            self.measure = act.values["measure"]

    def _turn(self, act: Act) -> None:
        if act.target.isdecimal() and len(act.target) < 9:
            self.page = min(int(act.target), self._last_page())

    def _select(self, act: Act) -> None:
        row = next((row for row in self._rows if row.key == act.target), None)
        self._selected_key = row.key if row else ""
        self.selected = row.hit if row else None
        self.chosen = {"select": self._selected_key}

    def _changed(self, _: object) -> None:
        self.refresh()

    def _selection(self, change: Any) -> None:
        key = next((row.key for row in self._rows if row.hit is change["new"]), "")
        if key != self._selected_key:
            self._selected_key = key
            self.chosen = {"select": key}

    # -- what is shown ---------------------------------------------------------------------------------------------

    def _modalities(self) -> list[str]:
        return [ALL, *sorted({row.hit.chunk.modality for row in self._rows})]

    def _sorted(self) -> list[_Row]:
        """The rows that are wanted; those without a value last, whichever way they are sorted."""
        value = _COLUMNS[self.sort][1]
        rows = [row for row in self._rows if self.modality in {ALL, row.hit.chunk.modality}]
        known = [row for row in rows if value(row.hit) is not None]
        known.sort(key=lambda row: value(row.hit), reverse=self.descending)
        return known + [row for row in rows if value(row.hit) is None]

    def _last_page(self) -> int:
        shown = sum(self.modality in {ALL, row.hit.chunk.modality} for row in self._rows)
        return max(0, shown - 1) // PAGE

    def draw(self, *, live: bool) -> dict[str, str]:
        """Return the filters, the heat map where there are several questions, the pages and the table."""
        if not self._rows:
            return {"table": "<p>There are no hits to compare yet.</p>"}
        rows = self._sorted()
        start = min(self.page, self._last_page()) * PAGE
        questions = [one_line(one.question) or "a picture" for one in self.results]
        several = len(questions) > 1
        return {
            "filters": self._filters(several) if live else "",
            "heat": self._heat(questions, live=live) if several else "",
            "pages": self._pages(len(rows), start, live=live),
            "table": self._table(rows[start : start + PAGE], questions if several else [], live=live),
        }

    def _filters(self, several: bool) -> str:
        which = field("Modality", choice("modality", self._modalities(), self.modality, act="set"))
        shown = field("Heat map of", choice("measure", _MEASURES, self.measure, act="set")) if several else ""
        return f'<div class="mm-fields">{which}{shown}</div>'

    def _pages(self, total: int, start: int, *, live: bool) -> str:
        if total <= PAGE and self.modality == ALL:
            return ""
        here = start // PAGE
        where = f"{start + 1:,}–{min(start + PAGE, total):,} of {count(total, 'row')}"
        if not live or total <= PAGE:
            return f'<p class="mm-pages">{where}</p>'
        back = button("page", "Previous", here - 1, label="Previous page", disabled=here == 0)
        on = button("page", "Next", here + 1, label="Next page", disabled=here == self._last_page())
        return f'<nav class="mm-pages" aria-label="pages of the table">{back}<span>{where}</span>{on}</nav>'

    def _table(self, rows: Sequence[_Row], questions: Sequence[str], *, live: bool) -> str:
        head = "".join(self._heading(key, live=live) for key in _COLUMNS)
        asked = '<th scope="col">question</th>' if questions else ""
        body = "\n".join(_row(row, questions, live=live) for row in rows)
        return (
            '<div class="mm-scroll" role="region" aria-label="scores of the hits" tabindex="0"><table class="mm-table">'
            f"<caption>{escape(table.CAPTION)}</caption>\n<thead><tr>{asked}{head}</tr></thead>\n"
            f"<tbody{' data-mm-roving' if live else ''}>\n{body}\n</tbody></table></div>"
        )

    def _heading(self, key: str, *, live: bool) -> str:
        title = _COLUMNS[key][0]
        css = "" if key in {"rank", "modality", "name"} else ' class="mm-n"'
        order = "descending" if self.descending else "ascending"
        sorted_by = f' aria-sort="{order}"' if key == self.sort else ""
        arrow = {"ascending": "\u00a0▴", "descending": "\u00a0▾"}[order] if sorted_by else ""
        shown = button("sort", title + arrow, key, label=f"{title}, sort") if live else escape(title + arrow)
        return f'<th scope="col"{css}{sorted_by}>{shown}</th>'

    def _heat(self, questions: Sequence[str], *, live: bool) -> str:
        value = _COLUMNS[self.measure][1]
        cells: dict[tuple[str, int], dict[int, _Row]] = {}
        for row in self._rows:
            if self.modality in {ALL, row.hit.chunk.modality}:
                cells.setdefault((row.hit.chunk.item_id, row.hit.chunk.ordinal), {})[row.asked] = row
        best = {key: max(_or_least(value(row.hit)) for row in found.values()) for key, found in cells.items()}
        chunks = sorted(cells, key=lambda key: best[key], reverse=True)
        values = [v for found in cells.values() for row in found.values() if (v := value(row.hit)) is not None]
        low, high = min(values, default=0.0), max(values, default=0.0)

        def cell(row: _Row | None) -> str:
            if row is None:
                return '<td class="mm-empty"><span title="not among its hits">·</span></td>'
            number = value(row.hit)
            share = 0.5 if high == low else (_or_least(number, low) - low) / (high - low)
            text = _MEASURES[self.measure](row.hit)
            label = f"{text}, select hit {row.hit.rank} of question {row.asked + 1}"
            shown = button("select", text, row.key, label=label) if live else f"<span>{escape(text)}</span>"
            return f'<td style="--mm-depth:{share * _DEEPEST:.0f}%">{shown}</td>'

        lines = []
        for chunk in chunks[:PAGE]:
            hit = next(iter(cells[chunk].values())).hit
            across = "".join(cell(cells[chunk].get(i)) for i in range(len(questions)))
            lines.append(f'<tr class="mm-{kind(hit)}"><th scope="row">{_what(hit)}</th>{across}</tr>')
        heads = "".join(f'<th scope="col">{i}. {escape(_cut(one))}</th>' for i, one in enumerate(questions, 1))
        more = f"; the best {PAGE} of {count(len(chunks), 'chunk')}" if len(chunks) > PAGE else ""
        return (
            '<div class="mm-scroll" role="region" aria-label="heat map of questions and chunks" tabindex="0">'
            f'<table class="mm-table mm-heat"><caption>{escape(_COLUMNS[self.measure][0])} of each chunk for each '
            f"question, deeper is higher; a dot is no hit{more}</caption>\n"
            f'<thead><tr><th scope="col">chunk</th>{heads}</tr></thead>\n'
            f"<tbody{' data-mm-roving=grid' if live else ''}>\n" + "\n".join(lines) + "\n</tbody></table></div>"
        )

    def text(self) -> str:
        """Return the tables, a question each, for a terminal."""
        if not self._rows:
            return "There are no hits to compare yet."
        return plain.joined(*(part for one in self.results for part in (plain.wrapped(one.question), plain.table(one))))


def _row(row: _Row, questions: Sequence[str], *, live: bool) -> str:
    hit = row.hit
    cells = table.row(hit)
    acts = f' data-mm-one data-mm-act="select" data-mm-target="{row.key}"' if live else ""
    asked = f'<td class="mm-asked">{row.asked + 1}. {escape(_cut(questions[row.asked]))}</td>' if questions else ""
    rank = button("select", cells.rank, row.key, label=f"{cells.rank}, select this hit", css="mm-plain")
    as_what = f" <small>as {escape(cells.seen_as)}</small>" if cells.seen_as else ""
    numbers = (cells.cosine, cells.raw_rank, cells.calibrated, cells.words)
    return (
        f'<tr class="mm-{kind(hit)}"{acts} data-mm-key="{row.key}">{asked}'
        f'<td class="mm-rank">{rank if live else cells.rank}</td>'
        f'<td class="mm-kind">{escape(cells.modality)}{as_what}</td><th scope="row">{_what(hit)}</th>'
        + "".join(f'<td class="mm-n">{escape(one)}</td>' for one in numbers)
        + f'<td class="mm-n mm-score">{cells.score}</td></tr>'
    )


def _what(hit: Hit) -> str:
    cells = table.row(hit)
    where = f" <small>{escape(cells.place)}</small>" if cells.place else ""
    return name(_cut(cells.name)) + where


def _cut(text: str) -> str:
    return text if len(text) <= _NAME else text[: _NAME - 1] + "…"


def _or_least(value: float | None, least: float = float("-inf")) -> float:
    return least if value is None else value
