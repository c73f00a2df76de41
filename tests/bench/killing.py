"""kill -9 at every call that writes, and at random moments: what is found when the index is opened again.

    python tests/bench/killing.py [--first 200] [--points N] [--moments 500] [--seed 1] [--only WORDS]

Needs strace (Linux). Of each scenario, an undisturbed run tells by which system calls it changes files, and what the
index holds after each commit. Then it is run again and again, killed where the 1st, 2nd, 3rd... of those calls begins,
and, with ``--moments``, after random times. Each time a fresh process must find one of those states and nothing else,
whole and searchable; the same run again must end as the undisturbed one, embedding only what was missing.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # forks have no threads but their own
sys.path.insert(0, str(Path(__file__).parents[1]))

from index_scenarios import MIXED, NAME, SCENARIOS, Scenario, lay_out, renew, warm
from index_states import ABSENT, State, commits_noted, difference, look, state
from traced import Child, calls, killed_after, killed_at, untraceable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Outcome:
    """What came of a scenario."""

    name: str
    calls: int = 0
    runs: int = 0
    found: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        told = "  ".join(f"{self.found[what]:>5}" for what in FOUND)
        return f"{self.name:<32} {self.calls:>6} {self.runs:>6}  {told}  {len(self.wrong):>6} {self.seconds:>7.0f}"


FOUND = ("old", "amid", "new", "unhit")
"""The state before, one after a commit in between, the state at the end; not killed, since it was done before."""
HEADER = (
    f"{'scenario':<32} {'calls':>6} {'runs':>6}  {'  '.join(f'{what:>5}' for what in FOUND)}  {'wrong':>6} {'s':>7}"
)


class Trial:
    """One scenario in a folder of its own.

    Parameters
    ----------
    things
        The sources: ``first``, the same later as ``second``, and a long document.
    """

    def __init__(self, scenario: Scenario, place: Path, things: Path) -> None:
        self.scenario, self.place, self.things = scenario, place, things
        self._begin, self.folder = place / "begin", place / "run"
        self._begin.mkdir(parents=True)
        if scenario.before is not None:
            Child(lambda: lambda: scenario.before(self._begin, things)).result()
        self.held = scenario.held(things) if scenario.held is not None else None
        self.begin()
        self.known: list[State] = [self.look()["state"]]
        """What it holds at the beginning, after each commit, at the end."""
        self.begin()
        start = time.perf_counter()
        self.known += Child(self.noting).result()
        self.seconds = time.perf_counter() - start
        self.known.append(self.look()["state"])
        if self.known[-1] == ABSENT or (self.known[0] == self.known[-1]) != scenario.same:
            raise RuntimeError(f"{scenario.name} does not do what it is to do")
        self.outcome = Outcome(scenario.name)

    def begin(self) -> None:
        """Lay out what lies there at the beginning."""
        renew(self.folder, self._begin)

    def ready(self) -> Callable[[], Any]:
        """What is done, in a child."""
        return lambda: self.scenario.act(self.folder, self.held or self.things)

    def noting(self) -> Callable[[], list[State]]:
        """The same, telling what is in the file after each commit."""

        def act() -> list[State]:
            found: list[State] = []
            with commits_noted(lambda catalog: found.append(state(catalog))):
                self.ready()()
            return found

        return act

    def look(self) -> dict[str, Any]:
        """What a fresh process finds: ``state`` and ``wrong``."""
        return Child(lambda: lambda: look(self.folder / NAME)).result()

    def check(self, where: str, *, hit: bool = True) -> None:
        """Look at what a kill has left, run again, and look at that."""
        self.outcome.runs += 1
        wrong = []
        try:
            found = self.look()
            wrong += found["wrong"]
            is_state = found["state"]
            if is_state not in [*self.known, *[{}] * (ABSENT in self.known)]:
                wrong.append(f"a mixture: {difference(is_state, self.known)}")
            self.outcome.found[self._name(is_state) if hit else "unhit"] += 1
            for path in self._left():
                os.utime(path, (0, 0))  # long ago
                self.outcome.found["left"] += 1
            embedded = Child(self.ready).result()
            again = self.look()
            wrong += [f"run again: {one}" for one in again["wrong"]]
            if again["state"] != self.known[-1]:
                wrong.append(f"run again: another state: {difference(again['state'], self.known[-1:])}")
            there = sum(self.known[-1].get(item) == held for item, held in is_state.items())
            if isinstance(embedded, int) and embedded > len(self.known[-1]) - there:
                wrong.append(f"run again: {embedded} embedded, though {there} of {len(self.known[-1])} were there")
        except RuntimeError as error:
            wrong.append(str(error).strip())
        wrong += [f"left behind: {path.name}" for path in self._left()]
        self.outcome.wrong += [f"{self.scenario.name}, {where}: {one}" for one in wrong]

    def _left(self) -> list[Path]:
        """Files that are no part of the index."""
        parts = {NAME, f"{NAME}-wal", f"{NAME}-shm"}
        return [path for path in self.folder.iterdir() if path.name not in parts]

    def _name(self, found: State) -> str:
        if found == self.known[-1]:
            return "new"
        return "old" if found in (self.known[0], {}) else "amid"

    def walk(self, first: int, most: int) -> Outcome:
        """Be killed at each of the ``first`` calls, or at ``most`` so many of them, spread evenly."""
        start = time.perf_counter()
        self.begin()
        points = calls(self.folder, self.ready)
        self.outcome.calls = len(points)
        chosen = points[:first]
        for call in chosen[:: max(1, -(-len(chosen) // most))]:
            self.begin()
            self.check(str(call), hit=killed_at(call, self.ready))
        self.outcome.seconds += time.perf_counter() - start
        return self.outcome

    def at_random(self, moments: int, seed: int) -> Outcome:
        """Be killed at so many random moments."""
        start, chance, longest = time.perf_counter(), random.Random(seed), self.seconds
        while self.outcome.runs < moments:
            self.begin()
            after = chance.uniform(0, longest)
            if killed_after(after, self.ready):
                self.check(f"after {after:.4f} s")
            else:  # it was done before: the first run, which tells how long it takes, was slower
                longest *= 0.98
        self.outcome.seconds += time.perf_counter() - start
        return self.outcome


def trials(scenarios: tuple[Scenario, ...], place: Path) -> Iterator[Trial]:
    """Each scenario in a folder of its own; models are loaded once, in this process."""
    things = lay_out(place)
    warm(things)
    for number, scenario in enumerate(scenarios):
        yield Trial(scenario, place / f"{number}", things)


def main() -> None:
    """Print what came of each scenario, and each failure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--first", type=int, default=200, metavar="N", help="calls of each scenario to be killed at")
    parser.add_argument("--points", type=int, default=1 << 30, metavar="N", help="only so many of them, spread evenly")
    parser.add_argument("--moments", type=int, default=0, metavar="N", help="random moments of a mixed run, besides")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", metavar="WORDS", help="scenarios with these words in their names")
    options = parser.parse_args()
    if reason := untraceable():
        sys.exit(f"cannot be measured here: {reason}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(HEADER, flush=True)
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="killing-") as folder:
        chosen = tuple(one for one in SCENARIOS if options.only in one.name and options.first)
        for trial in trials((*chosen, *[MIXED] * bool(options.moments)), Path(folder)):
            outcome = trial.outcome
            try:
                if trial.scenario is MIXED:
                    trial.at_random(options.moments, options.seed)
                else:
                    trial.walk(options.first, options.points)
            except KeyboardInterrupt:
                print("stopped at:")
                options.moments = 0
            copies = outcome.found["left"]
            print(outcome, f"({copies} files of copies were left, and cleared away later)" * bool(copies), flush=True)
            wrong += outcome.wrong
            for one in outcome.wrong:
                print(f"    {one}", flush=True)
    sys.exit(f"{len(wrong)} wrong" if wrong else 0)


if __name__ == "__main__":
    main()
