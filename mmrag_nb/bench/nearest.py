"""The nearest of vectors in memory: ours beside the plain product, what reading alone takes, and other libraries."""

from __future__ import annotations

import gc
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from . import growth
from .peers import stores
from .peers.stores import ADDED, OURS, PRODUCT
from .rounds import ROUNDS, Entrant, Outcome, Task, compete

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from mmrag_nb.types import Vectors

TOP = 10
"""How many are looked for."""
AT_ONCE = (1, 64)
"""Queries that are asked at once."""
QUERIES = 256
SECONDS = 0.5
"""How long an engine is asked in a round."""
_TOPICS, _SPREAD, _NOISE = 1_000, 0.8, 0.03
"""Vectors lie about the centres of topics, and a query near to one of them."""
_LARGE = 500_000
"""Vectors from which on what takes minutes to build takes no part."""
_BLOCK = 50_000


def compare(
    sizes: Sequence[int],
    dimension: int,
    folder: Path | None,
    *,
    against: bool,
    rounds: int = ROUNDS,
    plot: Path | None = None,
) -> Generator[str, None, dict[str, Any]]:
    """Measure each of ``sizes`` in rounds; used as ``figures = yield from compare(...)``.

    Parameters
    ----------
    sizes
        Numbers of vectors.
    dimension
        Numbers of a vector.
    folder
        Where to keep the vectors meanwhile; the system's temporary folder where absent.
    against
        Whether libraries take part that are installed.
    plot
        A file for a plot of how cost grows.
    """
    outcomes: dict[int, Outcome] = {}
    for size in sizes:
        with TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as name:
            fill(Path(name), size, dimension)
            yield ""
            yield f"the {min(TOP, size)} nearest of {size:,} vectors of {dimension} numbers"
            entrants = stores.here(Path(name))
            if against:
                entrants += stores.others(Path(name), large=size >= _LARGE)
            tasks = [
                Task(f"{size:,} vectors, {told(n)}", {"queries": n, "for_seconds": SECONDS}, n, "queries/s")
                for n in AT_ONCE
            ]
            outcomes[size] = yield from compete(entrants, tasks, rounds=rounds)
        yield from _table(outcomes[size])
    yield from _growth(outcomes)
    if plot is not None:
        growth.draw({f"vectors, {told(n)}": points for n, points in _points(outcomes).items()}, plot)
        yield f"drawn: {plot}"
    found: dict[str, Any] = {
        str(size): outcome.figures() | {"of the product": dict(_ratios(outcome))} for size, outcome in outcomes.items()
    }
    return found | {"growth": {told(n): growth.figures(points) for n, points in _points(outcomes).items()}}


def told(n: int) -> str:
    """Queries, in words."""
    return f"{n} queries at once" if n > 1 else "one query"


def fill(folder: Path, size: int, dimension: int) -> None:
    """Write vectors, queries and the rows of the very nearest, by products in float64."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((_TOPICS, dimension), np.float32)
    vectors = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, (size, dimension))
    for start in range(0, size, _BLOCK):
        made = rng.standard_normal((min(_BLOCK, size - start), dimension), np.float32)
        vectors[start : start + len(made)] = _unit(centres[rng.integers(_TOPICS, size=len(made))] + _SPREAD * made)
    near = vectors[rng.integers(size, size=QUERIES)]
    queries = _unit(near + _NOISE * rng.standard_normal(near.shape, np.float32))
    np.save(folder / "queries.npy", queries)
    np.save(folder / "nearest.npy", _nearest(vectors, queries, min(TOP, size)))
    vectors.flush()
    del vectors
    gc.collect()


def _unit(rows: Vectors) -> Vectors:
    unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def _nearest(vectors: Vectors, queries: Vectors, k: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    exactly = queries.astype(np.float64)
    best, rows = np.full((len(queries), 0), 0.0), np.full((len(queries), 0), 0, np.int64)
    for start in range(0, len(vectors), _BLOCK):
        cosines = exactly @ vectors[start : start + _BLOCK].astype(np.float64).T
        best = np.concatenate([best, cosines], 1)
        rows = np.concatenate([rows, np.broadcast_to(start + np.arange(cosines.shape[1]), cosines.shape)], 1)
        order = np.argsort(-best, axis=1, kind="stable")[:, :k]
        best, rows = np.take_along_axis(best, order, 1), np.take_along_axis(rows, order, 1)
    return rows


def _table(outcome: Outcome) -> Iterator[str]:
    heads = " | ".join(f"{told(n)} | × product" for n in AT_ONCE)
    yield ""
    yield f"| milliseconds, median of the rounds | {heads} | recall | build s | add {ADDED}, s | peak MB |"
    yield "|---|" + "---:|" * (2 * len(AT_ONCE) + 4)
    for entrant in outcome.entrants:
        yield _row(outcome, entrant)
    for name, why in outcome.absent.items():
        yield f"left out: {name}, {why}"


def _row(outcome: Outcome, entrant: Entrant) -> str:
    name, setup = entrant.name, outcome.setups[entrant.name]
    cells = []
    for task in outcome.tasks:
        cells += [f"{_milliseconds(outcome, task, name):,.2f}", f"{times(outcome, task, name):.2f}"]
    recalls = [run.facts["recall"] for task in outcome.tasks for run in outcome.done(task.name, name)]
    peak = max(outcome.peak_mb(task.name, name) for task in outcome.tasks)
    limit = name.startswith("limit")
    cells += ["" if limit or not recalls else f"{statistics.mean(recalls):.4f}"]
    cells += ["" if limit else f"{setup['build_seconds']:.3f}"]
    cells += [f"{setup['add_seconds']:.4f}" if "add_seconds" in setup else "", f"{peak:,.0f}"]
    return f"| {outcome.names[name]} | {' | '.join(cells)} |"


def times(outcome: Outcome, task: Task, name: str) -> float:
    """How many times as long as the plain product an engine takes; 0 where one of them has not."""
    return outcome.ratio(task.name, PRODUCT, name)


def _milliseconds(outcome: Outcome, task: Task, name: str) -> float:
    done = [run.seconds for run in outcome.done(task.name, name)]
    return 1000 * statistics.median(done) if done else float("nan")


def _ratios(outcome: Outcome) -> Iterator[tuple[str, Mapping[str, float]]]:
    for task in outcome.tasks:
        yield task.name, {entrant.name: times(outcome, task, entrant.name) for entrant in outcome.entrants}


def _growth(outcomes: Mapping[int, Outcome]) -> Iterator[str]:
    """How our cost grows with the number of vectors."""
    if len(outcomes) < 2:
        return
    yield ""
    yield f"| {OURS}: how it grows | {' | '.join(f'{size:,}' for size in outcomes)} |"
    yield f"|---{'|---:' * len(outcomes)}|"
    for n, points in _points(outcomes).items():
        each = [f"{1e9 * point.seconds / point.n / n:,.1f}" for point in points]
        yield f"| {told(n)}: µs for a query and 1,000 vectors | {' | '.join(each)} |"
        yield f"| {told(n)}: times a straight line | {' | '.join(f'{one:.2f}' for one in growth.to_linear(points))} |"


def _points(outcomes: Mapping[int, Outcome]) -> dict[int, list[growth.Point]]:
    """By queries at once, what each size took us."""
    return {n: [_point(size, one, one.tasks[i]) for size, one in outcomes.items()] for i, n in enumerate(AT_ONCE)}


def _point(size: int, outcome: Outcome, task: Task) -> growth.Point:
    return growth.Point(size, _milliseconds(outcome, task, OURS) / 1000, outcome.peak_mb(task.name, OURS))
