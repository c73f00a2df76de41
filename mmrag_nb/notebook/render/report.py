"""What one call of ``index`` did: totals, what was skipped and why, remarks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from . import facts, plain
from .escape import escape, name, one_line
from .quantities import count, duration
from .style import section

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmrag_nb.reports import IndexReport, Skipped

_NAMES = {
    "image": ("image", "images"),
    "audio": ("audio", "audio"),
    "video": ("video", "videos"),
    "text": ("text", "text"),
}
"""How items of each modality are counted, in the order in which they are told."""
_FEW = 3
_MOST_LISTED = 100
"""What was changed, moved and so on, one by one."""
_EMPTY = "nothing to index: no source led to an item"
_INTERRUPTED = "What is counted here is in the index; run the same again to add the rest."


def totals(report: IndexReport) -> str:
    """Return the line of totals.

    ``indexed 42 items (30 images, 2 audio, 10 text): 3 embedded (2 added, 1 changed), 39 reused (1 moved), 0 skipped,
    4.2 s``. What is added is told where something was there before.
    """
    items = sum(report.items.values())
    if not (items or report.skipped or report.interrupted):
        return _EMPTY
    see = " (see below)" if report.skipped else ""
    added = len(report.added) if report.reused or report.changed or report.moved else 0
    anew = _of((added, "added"), (len(report.changed), "changed"), (report.renamed, "moved"))
    parts = [
        f"{report.embedded:,} embedded{anew}",
        f"{report.reused:,} reused{_of((len(report.moved) - report.renamed, 'moved'))}",
        f"{len(report.skipped):,} skipped{see}",
        *([f"{len(report.removed):,} removed"] * bool(report.removed)),
    ]
    if report.seconds:
        parts.append(duration(sum(report.seconds.values())))
    return f"indexed {counted(report.items)}: {', '.join(parts)}"


def _of(*parts: tuple[int, str]) -> str:
    """`` (4 added, 1 changed)``."""
    told = ", ".join(f"{number:,} {what}" for number, what in parts if number)
    return f" ({told})" if told else ""


def counted(items: Mapping[str, int]) -> str:
    """Return ``42 items (30 images, 2 audio, 10 text)`` of a number of items by modality."""
    kinds = [*_NAMES, *(kind for kind in items if kind not in _NAMES)]
    each = [count(items[kind], *_NAMES.get(kind, (one_line(kind),) * 2)) for kind in kinds if items.get(kind)]
    what = f" ({', '.join(each)})" if each else ""
    return f"{count(sum(items.values()), 'item')}{what}"


def details(report: IndexReport) -> list[str]:
    """Return the number of chunks, the models that worked and the seconds by stage."""
    chunks = [count(report.chunks, "chunk")] if report.chunks else []
    return [*chunks, *report.models, *facts.times(report.seconds)]


def gone(report: IndexReport) -> str:
    """Return the line on what is no longer there; empty where all is."""
    if report.removed:
        return f"removed, as no longer there: {_few(report.removed)}"
    if not report.gone:
        return ""
    one = len(report.gone) == 1
    are, they = ("item is", "it") if one else ("items are", "them")
    told = f"gone: {len(report.gone):,} {are} no longer there, but still in the index ({_few(report.gone)})"
    return f"{told}; the same with --prune (in Python prune=True) removes {they}"


def _few(uris: Sequence[str]) -> str:
    more = f", and {len(uris) - _FEW:,} more" if len(uris) > _FEW else ""
    return ", ".join(map(one_line, uris[:_FEW])) + more


def _synced(report: IndexReport) -> list[tuple[str, str]]:
    """What has become of items since they were indexed before: what it is called, and which."""
    return [
        *(("changed", uri) for uri in report.changed),
        *(("moved", f"{before} → {now}") for before, now in report.moved),
        *(("gone", uri) for uri in report.gone),
        *(("removed", uri) for uri in report.removed),
    ]


def html(report: IndexReport) -> str:
    """Return a self-contained section."""
    parts = [f'<p class="mm-totals">{escape(totals(report))}</p>']
    if report.interrupted:
        parts.insert(0, f'<p class="mm-error" role="note"><b>Interrupted.</b> {_INTERRUPTED}</p>')
    if report.gone or report.removed:
        parts.append(f'<p dir="auto">{escape(gone(report))}</p>')
    parts.append(skipped_html(report.skipped))
    if synced := _synced(report):
        rows = [f"<li>{what}: {name(which)}</li>" for what, which in synced[:_MOST_LISTED]]
        rows += [f"<li>and {len(synced) - _MOST_LISTED:,} more</li>"] * (len(synced) > _MOST_LISTED)
        summary = ", ".join(f"{count:,} {what}" for what, count in Counter(what for what, _ in synced).items())
        lines = "\n".join(rows)
        parts.append(f"<details><summary>{summary}</summary><ul>\n{lines}\n</ul></details>")
    if report.notes:
        lines = "\n".join(f"<li>{name(what)}: {escape(remark)}</li>" for what, remark in report.notes)
        parts.append(f"<details><summary>{count(len(report.notes), 'note')}</summary><ul>\n{lines}\n</ul></details>")
    parts.append(facts.html(details(report)))
    return section("index report", "\n".join(filter(None, parts)))


def skipped_html(skipped: Sequence[Skipped], caption: str = "skipped") -> str:
    """Return the table of what was skipped and why; empty where there is none."""
    if not skipped:
        return ""
    rows = "\n".join(
        f'<tr><th scope="row">{name(s.source)}</th><td dir="auto">{escape(s.reason)}</td></tr>' for s in skipped
    )
    return (
        f'<div class="mm-scroll"><table class="mm-table"><caption>{caption}</caption>\n'
        '<thead><tr><th scope="col">source</th><th scope="col">reason</th></tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def text(report: IndexReport) -> str:
    """Return the same for a terminal of 80 to 100 columns."""
    return plain.joined(
        plain.wrapped(f"Interrupted. {_INTERRUPTED}") if report.interrupted else "",
        totals(report),
        plain.wrapped(gone(report)) if report.gone or report.removed else "",
        pairs("skipped", [(s.source, s.reason) for s in report.skipped]),
        pairs(count(len(report.notes), "note"), report.notes) if report.notes else "",
        plain.facts(details(report)),
    )


def pairs(title: str, rows: Sequence[tuple[str, str]]) -> str:
    """Return a heading and two columns, the second wrapped; a long first one has its line to itself."""
    if not rows:
        return ""
    left = min(30, max(plain.columns(one_line(what)) for what, _ in rows))
    hanging = " " * (left + 4)
    lines = [title]
    for what, remark in rows:
        label = f"  {one_line(what)}"
        if plain.columns(label) > left + 2:
            lines += [label, plain.wrapped(one_line(remark), hanging)]
        else:
            lines.append(plain.wrapped(one_line(remark), plain.padded(label, left + 4), hanging))
    return "\n".join(lines)
