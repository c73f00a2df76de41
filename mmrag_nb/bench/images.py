"""How fast pictures are indexed: ours as a user has it, the limits of this machine, and the peers, in one run."""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import MMRagError

from . import fidelity, growth, limits, media, rounds, weights
from .peers import pictures as peers
from .rounds import Entrant, Task

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from .rounds import Outcome

PICTURES, SETS = 96, ("12mp", "0.3mp", "png512")
OURS, EXACT = "mmrag_nb", "mmrag_nb, precision='exact'"
VECTORS = "mmrag_nb, vectors alone"
DECODING, FORWARD = "limit: decoding alone, scaled", "limit: forward alone"
BUSY = "mmrag_nb, watched"
GROWING = (100, 1_000, 10_000)
MEMORY = 2_000
"""Megabytes that indexing is promised to stay under."""
SHARE = 0.85
"""Of the limit, promised."""
WARM = 16


def measure(
    pictures: int = PICTURES,
    sets: Sequence[str] = SETS,
    n_rounds: int = rounds.ROUNDS,
    *,
    against: bool = False,
    plain: bool = False,
    grow: Sequence[int] = (),
    model: str = "",
    json_file: Path | None = None,
    plot: Path | None = None,
) -> Iterator[str]:
    """Index folders of pictures from nothing, again and again, and tell how many a second, of what limit.

    Yields lines to be printed, most of them before it is done.

    Parameters
    ----------
    pictures
        Of 12 megapixels; of the smaller ones there are some times as many.
    sets
        Names of :data:`~mmrag_nb.bench.media.KINDS`, or folders.
    n_rounds
        Rounds of each set.
    against, plain
        With the peers that are installed; with loops over transformers alone.
    grow
        Numbers of small pictures to index, to see how cost grows.
    model
        Hub id or folder of a CLIP.
    json_file, plot
        Files for every figure, and for a plot of how cost grows (PNG, SVG or PDF).

    Raises
    ------
    MMRagError
        There is nothing to measure, or nowhere to write.
    """
    if pictures < 1 or n_rounds < 1 or not sets or (grow and min(grow) < 1):
        raise MMRagError("at least one picture, one set and one round: --pictures 96 --sets 12mp,0.3mp --rounds 3")
    rounds.checked_file(json_file)
    rounds.checked_file(plot)
    folder, said = weights.clip(model)
    yield f"CLIP: {said}"
    with TemporaryDirectory(dir=media.cache(), prefix="run-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        yield "Making what is not there yet of the pictures ..."
        tasks = [_task(which, pictures, place) for which in sets]
        for task in tasks:
            yield f"  {task.name}: {task.n:,.0f} {task.about}"
        warm = {"folder": str(media.pictures("0.3mp", WARM, _new(place / "warm")))}
        outcome = yield from rounds.compete(
            _entrants(str(folder), against=against, plain=plain), tasks, rounds=n_rounds, warm=warm
        )
        found = fidelity.saved(outcome, place)
        busy = yield from _gpu(outcome, str(folder), warm)
        grown: list[growth.Point] = []
        if grow:
            grown = yield from _growth(str(folder), grow, place, warm)
    yield from rounds.table(outcome, OURS, VECTORS)
    yield from _limits(outcome)
    yield from _gpu_lines(outcome, busy)
    yield from fidelity.table(found, peers.REFERENCE)
    yield from growth.table(grown, "pictures", plot)
    figures = {"clip": said, **outcome.figures(), "limits": _shares(outcome), "growth": growth.figures(grown)}
    figures |= {"gpu": busy.figures()} if busy else {}
    yield from rounds.closing({**figures, "fidelity": fidelity.figures(found)}, json_file)


def _task(which: str, pictures: int, place: Path) -> Task:
    kind = media.KINDS.get(which)
    folder = media.pictures(which, pictures * (kind.factor if kind else 1), _new(place / "sets"))
    files = list(folder.iterdir())
    size = statistics.mean(file.stat().st_size for file in files)
    saved = _new(place / "vectors" / folder.name)
    told = f"{kind.about if kind else 'pictures'}, {size / 1e3:,.0f} kB each"
    return Task(folder.name, {"folder": str(folder), "save": str(saved)}, len(files), "pictures/s", told)


def _new(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _entrants(model: str, *, against: bool, plain: bool) -> list[Entrant]:
    ours = [
        Entrant(OURS, "mmrag_nb.bench.ours:Pictures", {"model": model, "save_as": "ours.npy"}),
        Entrant(VECTORS, "mmrag_nb.bench.ours:Vectors", {"model": model}),
        Entrant(EXACT, "mmrag_nb.bench.ours:Pictures", {"model": model, "precision": "exact", "save_as": "exact.npy"}),
        Entrant(DECODING, "mmrag_nb.bench.limits:Decoding"),
        Entrant(FORWARD, "mmrag_nb.bench.limits:Forward", {"model": model}),
    ]
    loops = peers.plain(model) if plain or against else [replace(peers.reference(model), rounds=1, peer=False)]
    return [*ours, *loops, *(peers.others(model) if against else ())]


def _shares(outcome: Outcome) -> dict[str, dict[str, float]]:
    """By set: the limits, and what share of them is reached, each a median of the rounds'."""
    found = {}
    for task in outcome.tasks:
        names = (OURS, VECTORS, DECODING, FORWARD)
        ran = [{run.round: run.rate for run in outcome.done(task.name, name)} for name in names]
        common = [number for number in ran[0] if all(number in one for one in ran)]
        if not common:
            continue
        each = [tuple(one[number] for one in ran) for number in common]
        median = statistics.median
        found[task.name] = {
            "decoding": median(decoding for *_, decoding, _ in each),
            "forward": median(forward for *_, forward in each),
            "both": median(limits.both(decoding, forward) for *_, decoding, forward in each),
            "of_both": median(ours / limits.both(decoding, forward) for ours, _, decoding, forward in each),
            "vectors_of_both": median(bare / limits.both(decoding, forward) for _, bare, decoding, forward in each),
            "of_slowest": median(ours / min(decoding, forward) for ours, _, decoding, forward in each),
        }
    return found


def _limits(outcome: Outcome) -> Iterator[str]:
    yield ""
    yield f"limits, pictures/s; promised: {SHARE:.0%} of them, and less than {MEMORY:,} MB"
    for name, one in _shares(outcome).items():
        peak = outcome.peak_mb(name, OURS)
        rates = [rounds.rounded(one[limit]) for limit in ("decoding", "forward", "both")]
        yield f"  {name}: decoding {rates[0]}, forward {rates[1]}, both on the same cores {rates[2]}"
        yield (
            f"    reached: {one['vectors_of_both']:.0%} of both by vectors alone, {one['of_both']:.0%} by an index "
            f"({one['of_slowest']:.0%} of the slower); {peak:,.0f} MB {'kept' if peak < MEMORY else 'NOT KEPT'}"
        )


def _gpu(outcome: Outcome, model: str, warm: Mapping[str, Any]) -> Generator[str, None, Outcome | None]:
    """Where there is a GPU: index once more, and see for how much of it the GPU computes."""
    if not outcome.setups.get(FORWARD, {}).get("gpu"):
        return None
    yield "For how much of it the GPU computes ..."
    watched = Entrant(BUSY, "mmrag_nb.bench.limits:Busy", {"model": model})
    return (yield from rounds.compete([watched], outcome.tasks, rounds=1, warm=warm))


def _gpu_lines(outcome: Outcome, busy: Outcome | None) -> Iterator[str]:
    if busy is None:
        return
    yield ""
    yield "GPU: end to end beside the forward on tensors that lie in it, and how long it has nothing to do"
    for task in outcome.tasks:
        share = outcome.ratio(task.name, OURS, FORWARD)
        rates = [rounds.rounded(outcome.rate(task.name, name)) for name in (OURS, FORWARD)]
        line = f"  {task.name}: {rates[0]} of {rates[1]} pictures/s, {share:.0%}"
        for run in busy.done(task.name, BUSY):
            alone = outcome.done(task.name, OURS)
            seconds = statistics.median(one.seconds for one in alone) if alone else run.seconds
            line += f"; idle {max(0.0, 1 - run.facts['computing'] / seconds):.0%} of the time"
        if ratio := outcome.ratio(task.name, OURS, "sentence-transformers"):
            line += f"; {ratio:.2f} times sentence-transformers"
        yield line


def _growth(
    model: str, sizes: Sequence[int], place: Path, warm: Mapping[str, Any]
) -> Generator[str, None, list[growth.Point]]:
    yield "How cost grows, small pictures ..."
    tasks = []
    for size in sorted(sizes):
        folder = media.pictures("small", size, _new(place / f"growth-{size}"))
        tasks.append(Task(f"{size:,}", {"folder": str(folder)}, size, "pictures/s"))
    entrant = Entrant(OURS, "mmrag_nb.bench.ours:Pictures", {"model": model})
    outcome = yield from rounds.compete([entrant], tasks, rounds=1, warm=warm)
    return [
        growth.Point(task.n, run.seconds, run.facts["peak_mb"])
        for task in tasks
        for run in outcome.done(task.name, OURS)
    ]
