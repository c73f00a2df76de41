"""Engines side by side: in a round all of them do a task in turn, and ratios are taken within a round.

What else the machine has to do then slows all of them, and not the one whose turn it was.
"""

from __future__ import annotations

import contextlib
import json
import statistics
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import MMRagError

from . import machine
from .apart import LIMIT, Apart

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

ROUNDS = 3
_STAT = Path("/proc/stat")


@dataclass(frozen=True)
class Entrant:
    """An engine that takes part."""

    name: str
    spec: str
    """``module:Class`` of an :class:`~mmrag_nb.bench.apart.Engine`."""
    how: Mapping[str, Any] = field(default_factory=dict)
    """Keywords it is made with; JSON can carry them."""
    needs: tuple[str, ...] = ()
    """Distributions that must be installed; the version of the first is told with the name."""
    peer: bool = False
    """Somebody else's: ours are compared with the best of these."""
    only: tuple[str, ...] = ()
    """Names of the tasks that it does; all where empty."""
    rounds: int | None = None
    """Rounds that it takes part in; all where ``None``."""


@dataclass(frozen=True)
class Task:
    """What all engines do."""

    name: str
    work: Mapping[str, Any]
    """What ``run`` gets, with the ``round`` (from 1) besides; JSON can carry it."""
    n: float
    """How much it is, in units."""
    unit: str
    """What is counted, ``pictures/s``; more is better."""
    about: str = ""


@dataclass(frozen=True)
class Run:
    """One engine, one task, one round."""

    task: str
    engine: str
    round: int
    """From 1."""
    seconds: float
    rate: float
    """Units a second; 0 where it failed."""
    facts: Mapping[str, Any]
    """What the engine told, with ``cpu_seconds`` and ``peak_mb``."""
    error: str = ""
    steal: float = 0.0
    """Share of the cores' time that other guests of the host had meanwhile."""


@dataclass
class Outcome:
    """All that was measured."""

    tasks: list[Task] = field(default_factory=list)
    entrants: list[Entrant] = field(default_factory=list)
    """Those that could be set up."""
    names: dict[str, str] = field(default_factory=dict)
    """Of each entrant with its version."""
    setups: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    """Why an entrant took no part."""

    def done(self, task: str, engine: str) -> list[Run]:
        """The runs of ``engine`` that succeeded."""
        return [run for run in self.runs if (run.task, run.engine) == (task, engine) and not run.error]

    def rate(self, task: str, engine: str) -> float:
        """Median over the rounds, units a second; 0 where none succeeded."""
        rates = [run.rate for run in self.done(task, engine)]
        return statistics.median(rates) if rates else 0.0

    def peak_mb(self, task: str, engine: str) -> float:
        """Megabytes at most, in any round."""
        return max((run.facts.get("peak_mb", 0.0) for run in self.done(task, engine)), default=0.0)

    def ratio(self, task: str, engine: str, to: str) -> float:
        """How many times as fast as ``to`` the ``engine`` is: median of the rounds' ratios, 0 where there are none."""
        others = {run.round: run.rate for run in self.done(task, to)}
        ratios = [run.rate / others[run.round] for run in self.done(task, engine) if run.round in others]
        return statistics.median(ratios) if ratios else 0.0

    def best(self, task: str) -> str:
        """The fastest peer; empty where there is none."""
        peers = [entrant.name for entrant in self.entrants if entrant.peer and self.done(task, entrant.name)]
        return max(peers, key=lambda name: self.rate(task, name), default="")

    def figures(self) -> dict[str, Any]:
        """All of it, for a JSON file."""
        summary = {
            task.name: {
                entrant.name: {
                    "rate": self.rate(task.name, entrant.name),
                    "unit": task.unit,
                    "peak_mb": self.peak_mb(task.name, entrant.name),
                    "of_best_peer": self.ratio(task.name, entrant.name, best) if best else None,
                }
                for entrant in self.entrants
                if self.done(task.name, entrant.name)
            }
            for task in self.tasks
            for best in [self.best(task.name)]
        }
        return {
            "summary": summary,
            "best_peer": {task.name: self.best(task.name) for task in self.tasks},
            "engines": {name: {"full_name": self.names[name], **told} for name, told in self.setups.items()},
            "absent": self.absent,
            "tasks": [{"name": task.name, "n": task.n, "unit": task.unit, "about": task.about} for task in self.tasks],
            "runs": [asdict(run) for run in self.runs],
        }


def compete(
    entrants: Sequence[Entrant],
    tasks: Sequence[Task],
    *,
    rounds: int = ROUNDS,
    warm: Mapping[str, Any] | None = None,
    limit: float = LIMIT,
) -> Generator[str, None, Outcome]:
    """Have every entrant do every task in each round; used as ``outcome = yield from compete(...)``.

    An entrant that is not installed, cannot be set up or fails is told and left out; the others go on.

    Parameters
    ----------
    entrants, tasks
        Who does what. Ours first, so that a failure is seen early.
    rounds
        Rounds of each task.
    warm
        What each engine does once beforehand, unmeasured.
    limit
        Seconds that one task may take one engine.

    Yields
    ------
    str
        A line when an engine is set up, and one for each run.

    Returns
    -------
    Outcome
        All of it.
    """
    outcome = Outcome(tasks=list(tasks))
    with contextlib.ExitStack() as stack:
        engines: dict[str, Apart] = {}
        for entrant in entrants:
            missing, outcome.names[entrant.name] = _installed(entrant)
            if missing:
                outcome.absent[entrant.name] = f"{' and '.join(missing)} not installed"
                yield f"  {entrant.name}: left out, {outcome.absent[entrant.name]}"
                continue
            apart = Apart(entrant.spec, entrant.how)
            stack.callback(apart.close)
            told = apart.hello
            if warm is not None and "error" not in told:
                told = {**told, **{key: value for key, value in apart.run(warm, limit).items() if key == "error"}}
            if "error" in told:
                outcome.absent[entrant.name] = told["error"]
                yield f"  {outcome.names[entrant.name]}: LEFT OUT, {told['error']}"
                continue
            engines[entrant.name] = apart
            outcome.entrants.append(entrant)
            outcome.setups[entrant.name] = told
            yield f"  {outcome.names[entrant.name]}: set up in {told['setup_seconds']:.1f} s"
        for task in tasks:
            failed: set[str] = set()
            for number in range(1, rounds + 1):
                for name in (one.name for one in outcome.entrants if _takes_part(one, task, number)):
                    if name in failed:
                        continue
                    run = _run(engines[name], task, name, number, limit)
                    outcome.runs.append(run)
                    if run.error:
                        failed.add(name)
                    yield f"  {task.name}, round {number}, {outcome.names[name]}: {_told(run, task)}"
    return outcome


def table(outcome: Outcome, ours: str, *also: str) -> Iterator[str]:
    """Lines of a table a task: rates, and how many times as fast as each engine ``ours`` is.

    What ``ours`` and ``also`` reach of the best peer stands below.
    """
    width = max(map(len, outcome.names.values()), default=0) + 2
    for task in outcome.tasks:
        rounds = max((run.round for run in outcome.runs if run.task == task.name), default=0)
        yield ""
        yield f"{task.name}{': ' + task.about if task.about else ''}: {task.unit}, median of {rounds} rounds"
        yield f"  {'':{width}}{'median':>10}{'lowest':>10}{'highest':>10}{'ours is':>10}{'CPU s':>9}{'peak MB':>9}"
        for entrant in outcome.entrants:
            done = outcome.done(task.name, entrant.name)
            if not any(run.engine == entrant.name and run.task == task.name for run in outcome.runs):
                continue
            if not done:
                yield f"  {outcome.names[entrant.name]:{width}}{'failed':>10}"
                continue
            rates = [run.rate for run in done]
            ratio = outcome.ratio(task.name, ours, entrant.name)
            cpu = statistics.median(run.facts.get("cpu_seconds", 0.0) for run in done)
            shown = [rounded(value) for value in (statistics.median(rates), min(rates), max(rates))]
            yield (
                f"  {outcome.names[entrant.name]:{width}}{shown[0]:>10}{shown[1]:>10}{shown[2]:>10}"
                f"{f'{ratio:.2f} x' if ratio else '':>10}{cpu:9.1f}{outcome.peak_mb(task.name, entrant.name):9,.0f}"
            )
        if best := outcome.best(task.name):
            for name in (one for one in (ours, *also) if outcome.done(task.name, one)):
                yield f"  {name}: {outcome.ratio(task.name, name, best):.2f} times the best peer, {outcome.names[best]}"


def rounded(value: float) -> str:
    """A rate with three digits that count, or more."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def checked_file(json_file: Path | None) -> None:
    """Refuse a file that could not be written, before anything is measured.

    Raises
    ------
    MMRagError
        Its folder is not there.
    """
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise MMRagError(f"there is no folder {json_file.parent} to write {json_file.name} to")


def closing(figures: Mapping[str, Any], json_file: Path | None) -> Iterator[str]:
    """Say what it was measured on, and write ``figures`` with it to ``json_file``."""
    facts = machine.facts()
    yield ""
    yield "on " + " · ".join(f"{name} {value}" for name, value in facts.items())
    if json_file is not None:
        json_file.write_text(json.dumps({**figures, "machine": facts}, indent=1, default=float), encoding="utf-8")
        yield f"every figure: {json_file}"


def _installed(entrant: Entrant) -> tuple[list[str], str]:
    """What is missing, and the name with the version."""
    missing = [name for name in entrant.needs if not any(metadata.distributions(name=name))]
    if missing or not entrant.needs:
        return missing, entrant.name
    return [], f"{entrant.name} {metadata.version(entrant.needs[0])}"


def _takes_part(entrant: Entrant, task: Task, number: int) -> bool:
    within = entrant.rounds is None or number <= entrant.rounds
    return within and (not entrant.only or task.name in entrant.only)


def _run(apart: Apart, task: Task, name: str, number: int, limit: float) -> Run:
    before = _stolen()
    told = apart.run({**task.work, "round": number}, limit)
    stolen, ticks = (after - earlier for after, earlier in zip(_stolen(), before, strict=True))
    error, seconds = told.pop("error", ""), told.pop("seconds", 0.0)
    n = told.get("n", task.n)
    rate = n / seconds if seconds and not error else 0.0
    return Run(task.name, name, number, seconds, rate, told, error, stolen / ticks if ticks else 0.0)


def _told(run: Run, task: Task) -> str:
    if run.error:
        return f"FAILED, {run.error}"
    peak = run.facts.get("peak_mb", 0.0)
    return f"{rounded(run.rate)} {task.unit} ({run.seconds:.2f} s, {peak:,.0f} MB)"


def _stolen() -> tuple[int, int]:
    """Ticks of the cores that other guests of the host had, and all ticks; zeros where that is not told."""
    if not _STAT.exists():
        return 0, 0
    ticks = [int(tick) for tick in _STAT.read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    return ticks[7], sum(ticks)
