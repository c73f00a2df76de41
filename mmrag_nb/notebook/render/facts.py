"""The last line of a card: what produced it, and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import remarks
from .escape import escape, middle_cut, one_line
from .quantities import count, duration
from .quantities import dollars as money

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mmrag_nb.generation.metering import Spent
    from mmrag_nb.results import Answer, Hits
    from mmrag_nb.types import Estimate

_FACT = 300
"""Characters of one fact."""


def of_hits(hits: Hits) -> list[str]:
    """Return the strategy, the models and the time spent."""
    return [*hits.facts, *_reranked(hits), *times(hits.timings)]


def of_answer(answer: Answer) -> list[str]:
    """Return the strategy, the models, the generator, notes, the check, the time spent, tokens and money."""
    timings = {**answer.hits.timings, **answer.timings}
    notes = (note for note in answer.notes if not remarks.is_loud(note))
    made = [*answer.hits.facts, *_reranked(answer.hits), answer.generator, *notes]
    return [*made, _judged(answer), *times(timings), cost(answer.usage, answer.dollars)]


def _judged(answer: Answer) -> str:
    """``checked: 3 borne out, 1 not borne out, 2 undecided``: what is not marked need not be borne out."""
    kinds = {True: "borne out", False: "not borne out", None: "undecided"}
    counts = {told: sum(claim.supported is kind for claim in answer.claims) for kind, told in kinds.items()}
    told = ", ".join(f"{n} {kind}" for kind, n in counts.items() if n)
    return f"checked: {told}" if told else ""


def cost(usage: Mapping[str, int], dollars: float | None) -> str:
    """Return ``1,240 tokens in, 85 out, $0.0007``; empty where nothing was counted."""
    known = {"input_tokens": "in", "output_tokens": "out"}
    counted = [(usage[key], way) for key, way in known.items() if key in usage]
    parts = [f"{count(n, 'token')} {way}" if i == 0 else f"{n:,} {way}" for i, (n, way) in enumerate(counted)]
    parts += [f"{key} {n:,}" for key, n in usage.items() if key not in known]
    if dollars is not None and (parts or dollars):
        parts.append(money(dollars))
    return ", ".join(parts)


def estimated(estimate: Estimate | None) -> str:
    """Return ``about 1,900 tokens, at most $0.004``; empty where nothing was estimated."""
    if estimate is None:
        return ""
    told = f"about {count(_rounded(estimate.input_tokens), 'token')}"
    if estimate.dollars is None:
        return f"{told}, at a price that is not known"
    return f"{told}, at most {money(estimate.dollars)}" if estimate.dollars else told


def spent(so_far: Spent) -> str:
    """Return what generators have taken: ``3 requests, 1,240 tokens in, 85 out, $0.0012``; empty for nothing."""
    if not so_far.requests:
        return ""
    usage = {"input_tokens": so_far.input_tokens, "output_tokens": so_far.output_tokens}
    unpriced = f" and {count(so_far.unpriced, 'request')} of unknown price" if so_far.unpriced else ""
    return f"{count(so_far.requests, 'request')}, {cost(usage, so_far.dollars)}{unpriced}"


def _rounded(n: int) -> int:
    """Two digits: more would be a pretence."""
    return round(n, min(0, 2 - len(str(n))))


def _reranked(hits: Hits) -> list[str]:
    told = any(hits.reranker in fact for fact in hits.facts)
    return [f"reranked by {hits.reranker}"] if hits.reranker and not told else []


def times(seconds: Mapping[str, float]) -> list[str]:
    """Return ``embed 31 ms`` for each stage."""
    return [f"{stage} {duration(value)}" for stage, value in seconds.items()]


def html(facts: Iterable[str]) -> str:
    """Return the line, each fact kept together; empty where there are none."""
    line = " · ".join(f"<span>{escape(middle_cut(one_line(fact), _FACT))}</span>" for fact in facts if fact)
    return f'<p class="mm-facts">{line}</p>' if line else ""
