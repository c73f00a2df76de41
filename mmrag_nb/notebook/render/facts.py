"""The last line of a card: what produced it, and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .escape import escape, middle_cut, one_line
from .quantities import count, duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mmrag_nb.results import Answer, Hits

_FACT = 300
"""Characters of one fact."""


def of_hits(hits: Hits) -> list[str]:
    """Return the strategy, the models and the time spent."""
    return [*hits.facts, *_reranked(hits), *times(hits.timings)]


def of_answer(answer: Answer) -> list[str]:
    """Return the strategy, the models, the generator, the time spent and the tokens used."""
    timings = {**answer.hits.timings, **answer.timings}
    return [*answer.hits.facts, *_reranked(answer.hits), answer.generator, *times(timings), _tokens(answer.usage)]


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


def _tokens(usage: Mapping[str, int]) -> str:
    known = {"input_tokens": "in", "output_tokens": "out"}
    counted = [(usage[key], way) for key, way in known.items() if key in usage]
    parts = [f"{count(n, 'token')} {way}" if i == 0 else f"{n:,} {way}" for i, (n, way) in enumerate(counted)]
    parts += [f"{key} {n:,}" for key, n in usage.items() if key not in known]
    return ", ".join(parts)
