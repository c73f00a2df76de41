"""From Enter to the card: how long ``%mmrag_ask`` takes with the models warm, by stage."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import MMRagError

from . import corpus, machine, shells, weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LIMIT = 0.3
"""Seconds from Enter to the card that are promised, as a median, for 1,000 items on two cores."""
ITEMS, QUESTIONS = 1_000, 30
WARM_UP = 3
"""Questions asked before any is measured: models load on first use."""

TOTAL, REST = "from Enter to the card", "protocol, parsing and the rest"
_NAMES = {
    "embed": "embed the question",
    "search": "search",
    "generate": "write the answer",
    "check": "check the answer",
}
INDEX = "bench.mmrag"
STOPWATCH = "from mmrag_nb.bench.stopwatch import Stopwatch\n_stopwatch = Stopwatch(get_ipython())"
"""A cell; from then on ``_stopwatch.stages()`` tells where the time of the last answer went."""


@dataclass(frozen=True)
class Asked:
    """One question, asked and answered."""

    question: str
    seconds: Mapping[str, float]
    """By stage; :data:`TOTAL` is all of them."""
    card: int
    """Bytes of its HTML."""


def measure(
    items: int = ITEMS, questions: int = QUESTIONS, json_file: Path | None = None, preset: str = "offline"
) -> Iterator[str]:
    """Index ``items`` of all kinds, ask ``questions``, and tell how long each stage took.

    With ``preset`` colab, CLIP ViT-B/32 or, where it cannot be had, random weights of its size; answers are quoted.

    Yields lines to be printed, some before it is done. ``json_file`` gets the same as JSON, every question included.

    Raises
    ------
    MMRagError
        There is nothing to measure, or nowhere to write.
    """
    if items < 1 or questions < 1:
        raise MMRagError("at least one item and one question: --items 1000 --questions 30")
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise MMRagError(f"there is no folder {json_file.parent} to write {json_file.name} to")
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        yield f"Drawing, writing and cutting {items:,} items, and indexing them with the preset {preset!r} ..."
        told, chunks = index(items, folder / INDEX, preset)
        yield from told
        shell = shells.start(folder)
        try:
            yield f"Asking {questions} questions in {shell.description} ..."
            asked = _ask(shell, folder / INDEX, corpus.questions(WARM_UP + questions))[WARM_UP:]
        finally:
            shell.close()
    facts = machine.facts()
    yield from _table(asked, f"{items:,} items, {chunks:,} chunks, {questions} questions, models warm")
    yield ""
    yield "on " + " · ".join(f"{name} {value}" for name, value in facts.items())
    if json_file is not None:
        figures = {
            "items": items,
            "chunks": chunks,
            "preset": preset,
            "shell": shell.description,
            **_summary(asked),
            "machine": facts,
        }
        json_file.write_text(json.dumps(figures, indent=1), encoding="utf-8")


def index(items: int, path: Path, preset: str = "offline") -> tuple[list[str], int]:
    """Make an index of ``items`` at ``path``, their files beside it; lines that tell of it, and its chunks."""
    from mmrag_nb.rag import MultimodalRAG

    how: dict[str, Any] = {"preset": preset}
    if preset != "offline":
        how |= {"clip": str(weights.clip()[0]), "speech": "none", "captioner": "none", "generator": "extractive"}
    with MultimodalRAG(path=path, **how) as rag:
        report = rag.index(corpus.sources(items, path.parent))
        lines = [str(report).split("\n", 1)[0]]
        if clips := report.items.get("audio", 0):
            lines.append(f"(sounds are {clips} of the demo's utterances: hearing more would take longer than the rest)")
        return lines, rag.status().chunks


def _ask(shell: shells.Shell, path: Path, questions: Sequence[str]) -> list[Asked]:
    quoting = '%config MMRag.generator = "extractive"'  # whatever the preset has: a provider's time is not ours
    shell.run(f"%load_ext mmrag_nb\n%mmrag_open {path}\n{quoting}")
    shell.run(STOPWATCH)
    asked = []
    for question in questions:
        total = shell.run(f"%mmrag_ask {question}")
        stages: dict[str, float] = shell.value("_stopwatch.stages()")
        named = dict.fromkeys(_NAMES.values(), 0.0)  # where nothing seems to answer, nothing is written
        named |= {_NAMES.get(stage, stage): seconds for stage, seconds in stages.items()}
        rest = max(0.0, total - sum(named.values()))
        asked.append(Asked(question, {REST: rest, **named, TOTAL: total}, shell.value("_stopwatch.size()")))
    return asked


def _table(asked: Sequence[Asked], heading: str) -> Iterator[str]:
    yield ""
    yield f"%mmrag_ask, {heading}"
    yield ""
    yield f"{'stage':34}{'median':>10}{'p90':>10}"
    for stage in asked[0].seconds:
        median, late = quantiles([one.seconds[stage] for one in asked])
        if stage == TOTAL:
            yield "-" * 54
        yield f"{stage:34}{median * 1000:7.1f} ms{late * 1000:7.1f} ms"
    median, _ = quantiles([one.seconds[TOTAL] for one in asked])
    yield f"promised: a median under {LIMIT * 1000:.0f} ms; {'kept' if median < LIMIT else 'NOT KEPT'}"
    if silent := sum(not one.seconds[_NAMES["generate"]] for one in asked):
        yield f"{silent} of {len(asked)} questions: nothing seemed to answer, so that nothing was written"
    size, large = quantiles([one.card for one in asked])
    yield f"{'the card, bytes':34}{size:10,.0f}{large:10,.0f}"


def _summary(asked: Sequence[Asked]) -> dict[str, object]:
    def both(values: Sequence[float]) -> dict[str, float]:
        median, late = quantiles(values)
        return {"median": median, "p90": late}

    return {
        "limit_seconds": LIMIT,
        "seconds": {stage: both([one.seconds[stage] for one in asked]) for stage in asked[0].seconds},
        "card_bytes": both([one.card for one in asked]),
        "questions": [
            {"question": one.question, "seconds": dict(one.seconds), "card_bytes": one.card} for one in asked
        ],
    }


def quantiles(values: Sequence[float]) -> tuple[float, float]:
    """Median, and the value that nine of ten do not exceed."""
    ordered = sorted(values)
    return statistics.median(ordered), ordered[-(-9 * len(ordered) // 10) - 1]
