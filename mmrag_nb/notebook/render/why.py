"""Why something was found, or was not: where it stands, what carries it, what would have had to be otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import besides, facts, heat, hits, plain, quantities, spoken, word_shares
from .escape import escape, name, one_line
from .place import kind, place
from .style import section

if TYPE_CHECKING:
    from mmrag_nb.insight.why import View, Why
    from mmrag_nb.results import Hit

    from .media import Media

STYLE = f"""
.mmrag .mm-verdict {{font-size:17px;margin:0 0 10px}}
.mmrag .mm-changes {{margin:0 0 10px}}
.mmrag .mm-why .mm-alike, .mmrag .mm-why .mm-parts {{margin:0 0 8px}}
.mmrag .mm-why ul {{padding-inline-start:1.3em}}
.mmrag .mm-why .mm-sub {{margin:0 0 4px;color:var(--mm-soft);font-size:12px}}
.mmrag .mm-why .mm-counted th {{font-weight:600}}
{heat.STYLE}{spoken.STYLE}{word_shares.STYLE}"""
_LEGEND = f"{quantities.SIGMA}: standard deviations above {quantities.CHANCE}; from 0 down, it may be chance"
_SEEN_AS = {"image": "its pixels", "text": "its text", "audio": "its sound", "video": "its frames"}


def html(why: Why) -> str:
    """Return a self-contained section; of at most :data:`~mmrag_nb.notebook.render.media.ROOM` bytes."""
    found = () if why.hit is None else (why.hit,)
    return hits.fitted(found, (), lambda media: section("why", _body(why, media), style=STYLE))


def text(why: Why) -> str:
    """Return the same for a terminal of 80 to 100 columns."""
    head = one_line(why.name)
    if why.hit is not None:
        head = " · ".join([head, *_where(why.hit)])
    when = " (seconds about)" if why.times == "estimated" else ""
    return plain.joined(
        plain.wrapped(why.question),
        plain.wrapped(f"{head}\n{why.verdict}"),
        "\n".join([*_lines(why), plain.wrapped(_LEGEND, "    ")] if why.views else _lines(why)),
        "\n".join(plain.wrapped(line, "    ") for line in besides.text(why.hit, plain.LONGEST)) if why.hit else "",
        f"    {heat.told(why.heat)}\n{heat.text(why.heat)}" if why.heat else "",
        "\n".join(["The question's words", *word_shares.text(why.asked, why.terms)]) if why.asked or why.terms else "",
        "\n".join([f"Its words{when}", *word_shares.text(why.words)]) if why.words else "",
        "\n".join(plain.wrapped(f"- {change}", hanging="  ") for change in why.changes),
        plain.facts([*why.facts, *facts.times(why.timings)]),
    )


def _body(why: Why, media: Media) -> str:
    css = f"mm-why mm-{kind(why.hit)}" if why.hit is not None else "mm-why"
    parts = [
        hits.question(why.question).rstrip(),
        _head(why),
        f'<p class="mm-verdict">{escape(why.verdict)}</p>',
        _shown(why, media),
        _stands_on(why),
        _words(why),
        _changes(why),
    ]
    body = "\n".join(part for part in parts if part)
    return f'<div class="{css}">{body}</div>{facts.html([*why.facts, *facts.times(why.timings)])}'


def _head(why: Why) -> str:
    where, uri = "", ""
    if why.hit is not None:
        where = " · ".join(_where(why.hit))
        uri = why.hit.item.uri
    return (
        f'<div class="mm-head" role="heading" aria-level="4">{name(why.name, uri)} '
        f'<small class="mm-place">{escape(where)}</small></div>'
    )


def _where(hit: Hit) -> list[str]:
    record = f"part of {one_line(hit.item.record.name)}" if hit.item.record is not None else ""
    return [part for part in (record, one_line(hit.chunk.modality), place(hit)) if part]


def _shown(why: Why, media: Media) -> str:
    """The picture with its map, the utterance in time, the text with its words marked."""
    if why.hit is None:
        return ""
    parts = []
    if why.heat is not None:
        counted = any(view.counted and view.modality == "image" for view in why.views)
        parts.append(heat.html(why.heat, why.name, media.uris.get((why.hit.rank, "thumbnail")), counted=counted))
    if why.times:
        parts.append(spoken.svg(why.hit, why.words))
        parts += ['<p class="mm-legend">seconds about: shared out by letters</p>'] * (why.times == "estimated")
        clip = media.uris.get((why.hit.rank, "clip"))
        if clip is not None:
            label = escape(f"play {one_line(why.name)}, {place(why.hit)}")
            parts.append(f'<audio controls preload="none" src="{clip}" aria-label="{label}"></audio>')
    if why.words:
        within = why.text.startswith(why.hit.chunk.text[: len(why.text)])
        marked = word_shares.marked(why.text, why.words, why.hit.matches if within else ())
        parts.append(f'<p class="mm-shares" dir="auto">{marked}</p><p class="mm-legend">{word_shares.LEGEND}</p>')
    parts.append(besides.html(why.hit, media.detail.letters))
    return "\n".join(part for part in parts if part)


def _stands_on(why: Why) -> str:
    """The parts of the score, in a table."""
    rows = "\n".join(
        f'<tr{" class=mm-counted" if len(cells) and counted else ""}><th scope="row">{escape(cells[0])}</th>'
        + "".join(f'<td class="mm-n">{escape(cell)}</td>' for cell in cells[1:])
        + "</tr>"
        for cells, counted in _rows(why)
    )
    heads = ("what it stands on", "raw cosine", "place by it", "brings")
    head = "".join(f'<th scope="col"{" class=mm-n" if i else ""}>{text}</th>' for i, text in enumerate(heads))
    return (
        '<div class="mm-scroll" role="region" aria-label="what it stands on" tabindex="0"><table class="mm-table">'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
        f'<p class="mm-legend">{_LEGEND}</p>'
        if rows
        else ""
    )


def _rows(why: Why) -> list[tuple[tuple[str, str, str, str], bool]]:
    """Each view, the words and the sum, with whether it counts."""
    hit, placing = why.hit, why.placing
    rows = [
        (
            (_named(view, why), quantities.cosine(view.cosine), f"{view.place:,} of {view.of:,}", _brings(view, why)),
            view.counted,
        )
        for view in why.views
    ]
    if hit is None or placing is None:
        return rows
    if placing.raw:
        return [
            *rows,
            (("score: the highest cosine", f"{hit.score:.3f}", f"{placing.rank:,} of {placing.of:,}", ""), True),
        ]
    brought = sum(term.brought for term in why.terms)
    shared = f"words it shares (BM25 {hit.lexical:.2f})" if brought else "no word of the question in it"
    rows.append(((shared, "", "", quantities.score(brought, hit.unit)), bool(brought)))
    total = quantities.score(hit.score, hit.unit)
    by_it = placing.rank if hit.before is None else hit.before  # a reranker's order is not the score's
    whole = "score: all parts of the question" if any(_twins(view, why) for view in why.views) else "score"
    return [*rows, ((whole, "", f"{by_it:,} of {placing.of:,}", total), True)]


def _twins(view: View, why: Why) -> list[View]:
    """What is seen so, for each part of a question that has several, in their order; empty where it has one."""
    same = [other for other in why.views if (other.modality, other.space) == (view.modality, view.space)]
    return same if len(same) > 1 else []


def _named(view: View, why: Why) -> str:
    twins = _twins(view, why)
    if twins:
        kept = f", for part {1 + next(i for i, one in enumerate(twins) if one is view)} of the question"
    else:
        kept = "" if view.counted else ", not counted"
    return f"{_SEEN_AS.get(view.modality, 'it')} in {one_line(view.space)}{kept}"


def _brings(view: View, why: Why) -> str:
    raw = why.placing is not None and why.placing.raw
    told = quantities.deviations(view.calibrated)
    return f"({told})" if raw or not (view.counted or _twins(view, why)) else told


def _words(why: Why) -> str:
    unit = why.hit.unit if why.hit else quantities.SIGMA
    of_question = word_shares.question_table(why.asked, why.terms, unit)
    shown = of_question + word_shares.text_table(why.words, times=why.times)
    return f'<div class="mm-words">{shown}</div>' if shown else ""


def _changes(why: Why) -> str:
    if not why.changes:
        return ""
    lines = "".join(f"<li>{escape(change)}</li>" for change in why.changes)
    title = "what would change that" if why.placing is None or why.placing.rank > 1 else "by how much"
    # of what is not in the index, they are the reason or what to type, and the verdict above is their heading
    heading = "" if why.hit is None else f'<div class="mm-sub" role="heading" aria-level="4">{title}</div>'
    return f'{heading}<ul class="mm-changes">{lines}</ul>'


def _lines(why: Why) -> list[str]:
    """The parts of the score for a terminal, in columns."""
    rows = [cells for cells, _ in _rows(why)]
    widths = [max((plain.columns(cells[i]) for cells in rows), default=0) for i in range(4)]
    return [
        "  ".join(
            [f"    {plain.padded(cells[0], widths[0])}"]
            + [" " * (width - plain.columns(cell)) + cell for cell, width in zip(cells[1:], widths[1:], strict=True)]
        ).rstrip()
        for cells in rows
    ]
