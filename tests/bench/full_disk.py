"""A disk that is full, fails, or may only be read: the old index stays readable, and work can go on elsewhere.

    python tests/bench/full_disk.py [--points 40] [--sizes 12] [--only WORDS]

Three ways to it. With strace, ENOSPC or EIO is what one of the calls that change files returns, and all after it (EIO
also once only). As root, the index lies in a memory disk of a few sizes that are all too small, then on one that is
mounted to be read only. Without, a limit on the size of files, and permissions, do as much.

Each time: what was asked for is done after all, or refused by one IndexFileError in one line; meanwhile the same
process can search; a fresh one finds the state before, or after one of the commits, whole; and once there is room the
same process saves elsewhere, does there what it was asked, and ends as an undisturbed one.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from index_scenarios import NAME, indexed, lay_out, new, other, renew, warm
from index_states import ABSENT, State, commits_noted, difference, faults, look, searched, state
from traced import Call, Child, Strace, calls, talking, untraceable

from mmrag_nb.errors import IndexFileError
from mmrag_nb.rag import MultimodalRAG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUESTION = "what of the lantern and the harbour?"
NOBODY = 65534


@dataclass(frozen=True)
class Scenario:
    """What is asked of an index whose disk fails."""

    name: str
    begun: Callable[[Path, Path], MultimodalRAG]
    """The index at hand, in a folder with the sources."""
    act: Callable[[MultimodalRAG, Path, Path], Any]
    """What is asked."""
    before: Callable[[Path, Path], None] | None = None
    """Makes what lies in the folder at the beginning."""
    held: bool = False
    """Whether the index at hand is not the one in the file."""


@dataclass
class Outcome:
    """What came of a scenario under one kind of failure."""

    name: str
    failure: str
    runs: int = 0
    found: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        counts = "  ".join(f"{self.found[what]:>7}" for what in FOUND)
        return f"{self.name:<28} {self.failure:<18} {self.runs:>5}  {counts}  {len(self.wrong):>6}"


FOUND = ("refused", "done", "old", "amid", "new")
HEADER = f"{'scenario':<28} {'failure':<18} {'runs':>5}  {'  '.join(f'{what:>7}' for what in FOUND)}  {'wrong':>6}"


def _filled(folder: Path, things: Path) -> MultimodalRAG:
    rag = new()
    rag.index([things / "first"])
    return rag


def _index(rag: MultimodalRAG, folder: Path, things: Path) -> None:
    rag.index([things / "second"], prune=True)


def _remove(rag: MultimodalRAG, folder: Path, things: Path) -> None:
    if left := [item for item in rag.items() if item.name < "note_030"]:
        rag.remove(left)


def _save(rag: MultimodalRAG, folder: Path, things: Path) -> None:
    rag.save(folder / NAME)


SCENARIOS = (
    Scenario("index into a file", lambda folder, things: new(folder / NAME), _index, indexed),
    Scenario("index into a new file", lambda folder, things: new(folder / NAME), _index),
    Scenario("remove", lambda folder, things: new(folder / NAME), _remove, indexed),
    Scenario("save under a new name", _filled, _save, held=True),
    Scenario("save over another index", _filled, _save, other, held=True),
)


class Trial:
    """One scenario, in a folder that may lie on a disk of its own."""

    def __init__(self, scenario: Scenario, place: Path, things: Path, disk: Path | None = None) -> None:
        self.scenario, self.things = scenario, things
        self._begin, self.folder, self.elsewhere = place / "begin", disk or place / "run", place / "elsewhere"
        for folder in (self._begin, self.folder, self.elsewhere):
            folder.mkdir(parents=True, exist_ok=True)
        if scenario.before is not None:
            Child(lambda: lambda: scenario.before(self._begin, things)).result()
        self.begin()
        self.known: list[State] = [look(self.folder / NAME)["state"]]
        self.known += Child(self._noting).result()
        self.known.append(self._look()["state"])

    def begin(self) -> None:
        """Lay out what lies there at the beginning."""
        renew(self.folder, self._begin)
        renew(self.elsewhere, None)

    def ready(self) -> Callable[[], Any]:
        """What is asked, in a child."""
        rag = self.scenario.begun(self.folder, self.things)
        return lambda: self.scenario.act(rag, self.folder, self.things)

    def _noting(self) -> Callable[[], list[State]]:
        rag = self.scenario.begun(self.folder, self.things)

        def act() -> list[State]:
            found = [state(rag._catalog)]
            with commits_noted(lambda catalog: found.append(state(catalog))):
                self.scenario.act(rag, self.folder, self.things)
            return found

        return act

    def _look(self) -> dict[str, Any]:
        return Child(lambda: lambda: look(self.folder / NAME)).result()

    def child(self, limited: Callable[[], None] = lambda: None) -> Child:
        """One that asks, tells how it went, and goes on when it is let. To make a file is part of what is asked."""

        def ready() -> Any:
            makes = self.scenario.before is None and not self.scenario.held
            rag = None if makes else self.scenario.begun(self.folder, self.things)
            return lambda tell, wait: lambda: self._go_through(rag, limited, tell, wait)

        return Child(talking(ready))

    def _go_through(self, rag: MultimodalRAG | None, limited: Any, tell: Any, wait: Any) -> list[str]:
        refused, wrong = "", []
        limited()
        try:
            rag = rag or self.scenario.begun(self.folder, self.things)
            self.scenario.act(rag, self.folder, self.things)
        except IndexFileError as error:
            refused = str(error)
        except BaseException as error:  # noqa: BLE001 - told
            wrong.append(f"{type(error).__name__} instead of IndexFileError: {error}")
        if "\n" in refused:
            wrong.append(f"told in more than one line: {refused}")
        if rag is not None:
            wrong += _tried("meanwhile", lambda: searched(rag, QUESTION))
        tell({"refused": refused, "wrong": wrong})
        wait()  # the disk is whole again
        if rag is None:
            rag = self.scenario.begun(self.folder, self.things)
        return [*_tried("afterwards", lambda: searched(rag, QUESTION)), *_tried("going on", lambda: self._go_on(rag))]

    def _go_on(self, rag: MultimodalRAG) -> list[str]:
        """Save elsewhere and do there what was asked."""
        held = state(rag._catalog)
        rag.save(self.elsewhere / "copy.mmrag")
        wrong = faults(rag._catalog)
        if state(rag._catalog) != held:
            wrong.append("what is saved elsewhere is another state")
        self.scenario.act(rag, self.elsewhere, self.things)
        if state(rag._catalog) != self.known[-1]:
            wrong.append(f"it ends in another state: {difference(state(rag._catalog), self.known[-1:])}")
        rag.close()
        return wrong

    def check(self, child: Child, mended: Callable[[], None], outcome: Outcome, where: str) -> None:
        """Let a child do what it is to do while the disk fails, and look at the file."""
        child.go()
        told = child.line()
        outcome.runs += 1
        if told is None or "refused" not in told:
            mended()
            child.kill()
            outcome.wrong.append(f"{where}: the child ended with {child.ended()}: {told}")
            return
        found = self._look()
        mended()
        if ABSENT in self.known and any("make room" in one for one in found["wrong"]):
            found = self._look()  # a file that was just begun is opened as soon as there is room
        wrong = [*told["wrong"], *found["wrong"], *child.result()]
        outcome.found["refused" if told["refused"] else "done"] += 1
        if told["refused"]:
            outcome.told[told["refused"].replace(str(self.folder), "...")] += 1
        if found["state"] not in [*self.known, {}]:
            wrong.append(f"a mixture: {difference(found['state'], self.known)}")
        if not told["refused"] and found["state"] != self.known[-1]:
            wrong.append("said to be done, and is not")
        name = "new" if found["state"] == self.known[-1] else "amid"
        outcome.found["old" if found["state"] in (self.known[0], {}) else name] += 1
        outcome.wrong += [f"{outcome.name}, {outcome.failure}, {where}: {one}" for one in wrong]


def _tried(when: str, act: Callable[[], list[str]]) -> list[str]:
    try:
        return [f"{when}: {one}" for one in act()]
    except Exception as error:  # noqa: BLE001 - told
        return [f"{when}: {type(error).__name__}: {error}"]


def _refused(act: Callable[[], Any]) -> str:
    try:
        act()
    except IndexFileError as error:
        return str(error)
    return ""


FAILURES = {"ENOSPC from then on": ("ENOSPC", "+"), "EIO from then on": ("EIO", "+"), "EIO once": ("EIO", "")}
_CAN = {"ENOSPC": ("write", "pwrite64", "ftruncate", "fallocate", "openat"), "EIO": ()}


def injected(trial: Trial, failure: str, points: list[Call]) -> Outcome:
    """Each of these calls fails, and with some kinds of failure all after it."""
    error, further = FAILURES[failure]
    outcome = Outcome(trial.scenario.name, failure)
    for call in points:
        if _CAN[error] and call.name not in _CAN[error]:
            continue
        trial.begin()
        child = trial.child()
        on = further if call.name != "openat" else ""  # else nothing could be opened any more, not even libraries
        inject = f"inject={call.name}:error={error}:when={call.nth}{on}"
        strace = Strace(child, "-e", f"trace={call.name}", "-e", inject, "-o", os.devnull)
        trial.check(child, strace.leave, outcome, str(call))
    return outcome


def limited(trial: Trial, sizes: int) -> Outcome:
    """No file may be larger than so many bytes."""
    outcome = Outcome(trial.scenario.name, "files limited")
    whole = max(path.stat().st_size for path in trial.folder.iterdir())
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    for step in range(sizes):
        trial.begin()
        limit = whole * (step + 1) // (sizes + 1)
        child = trial.child(lambda size=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (size, most)))

        def mended(child: Child = child) -> None:
            resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (most, most))

        trial.check(child, mended, outcome, f"{limit} bytes")
    return outcome


@contextmanager
def memory_disk(at: Path, size: int) -> Iterator[Path]:
    """A disk of so many bytes, as only root may mount one."""
    at.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(at)], check=True, capture_output=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def remount(at: Path, how: str) -> None:
    """Change a disk while it is in use."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(at)], check=True, capture_output=True)


def filled_disks(scenario: Scenario, place: Path, things: Path, sizes: int) -> Outcome:
    """Disks that are too small by more and more."""
    outcome = Outcome(scenario.name, "small disk")
    with memory_disk(place / "disk", 1 << 28) as disk:
        trial = Trial(scenario, place / "of disks", things, disk)
        begin = sum(path.stat().st_size for path in trial._begin.iterdir())
        whole = max(begin, sum(path.stat().st_size for path in disk.iterdir()))
        for step in range(sizes):
            trial.begin()
            size = begin + 65_536 + (2 * whole) * step // sizes
            remount(disk, f"size={size}")
            trial.check(trial.child(), lambda: remount(disk, f"size={1 << 28}"), outcome, f"{size} bytes")
    return outcome


def read_only(place: Path, things: Path) -> Outcome:
    """An index on a disk, in a folder or of permissions that let it be read only."""
    outcome = Outcome("index and remove", "read-only")
    (whole := place / "whole").mkdir()
    indexed(whole, things)
    known = look(whole / NAME)["state"]

    def trial(path: Path, nobody: bool) -> list[str]:
        elsewhere = Path(tempfile.mkdtemp())
        elsewhere.chmod(0o777)
        if nobody and os.getuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        wrong = []
        with MultimodalRAG.open(path) as rag:
            for act in (_index, _remove):
                refused = _refused(lambda act=act: act(rag, path.parent, things))
                outcome.told[refused] += 1
                wrong += ["it was written"] * (not refused) + ["told in more than one line"] * ("\n" in refused)
            wrong += searched(rag, QUESTION) + faults(rag._catalog)
            wrong += ["another state"] * (state(rag._catalog) != known)
            rag.save(elsewhere / "copy.mmrag")
            _index(rag, path.parent, things)
            wrong += faults(rag._catalog)
        return wrong

    def tried(path: Path, where: str, *, nobody: bool = True) -> None:
        outcome.runs += 1
        before = {one.name: one.read_bytes() for one in path.parent.iterdir()}
        wrong = Child(lambda: lambda: _tried(where, lambda: trial(path, nobody))).result()
        if {one.name: one.read_bytes() for one in path.parent.iterdir()} != before:
            wrong.append(f"{where}: the folder has changed")
        outcome.found["refused" if not wrong else "done"] += 1
        outcome.found["old"] += not wrong
        outcome.wrong += wrong

    for where, of_file, of_folder in (("file", 0o444, 0o777), ("folder", 0o666, 0o555), ("both", 0o444, 0o555)):
        folder = place / f"read only {where}"
        shutil.copytree(whole, folder)
        (folder / NAME).chmod(of_file)
        folder.chmod(of_folder)
        tried(folder / NAME, f"{where} read only")
    if os.getuid() == 0 and can_mount(place):
        with memory_disk(place / "cd", 1 << 26) as disk:
            shutil.copytree(whole, disk, dirs_exist_ok=True)
            remount(disk, "ro")
            tried(disk / NAME, "disk read only", nobody=False)
    return outcome


def can_mount(place: Path) -> bool:
    """Whether a disk can be mounted here."""
    try:
        with memory_disk(place / "tried", 1 << 16):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def outcomes(place: Path, *, only: str, points: int, sizes: int) -> Iterator[Outcome]:
    """Everything that can be tried here."""
    place.chmod(0o755)
    things = lay_out(place)
    warm(things)
    mounting, tracing = can_mount(place), not untraceable()
    for number, scenario in enumerate(one for one in SCENARIOS if only in one.name):
        trial = Trial(scenario, place / f"{number}", things)
        if tracing:
            trial.begin()
            found = calls(trial.folder, trial.ready)
            every = max(len(FAILURES), -(-len(found) // points))
            for shift, failure in enumerate(FAILURES):
                yield injected(trial, failure, found[shift::every])
        trial.begin()
        Child(trial.ready).result()
        yield limited(trial, sizes)
        if mounting:
            yield filled_disks(scenario, place / f"{number}", things, sizes)
    if only in "index and remove":
        yield read_only(place, things)


def main() -> None:
    """Print what came of each, every failure, and how the failing disk was told of."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--points", type=int, default=40, metavar="N", help="so many calls of each scenario fail")
    parser.add_argument("--sizes", type=int, default=12, metavar="N", help="so many sizes of disks and files")
    parser.add_argument("--only", default="", metavar="WORDS", help="scenarios with these words in their names")
    options = parser.parse_args()
    print(HEADER, flush=True)
    wrong, told = 0, Counter[str]()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="full-disk-") as folder:
        for outcome in outcomes(Path(folder), only=options.only, points=options.points, sizes=options.sizes):
            wrong += len(outcome.wrong)
            told += outcome.told
            print(outcome, flush=True)
            for one in outcome.wrong:
                print(f"    {one}", flush=True)
    print(f"{time.perf_counter() - start:.0f} s; told:")
    for line, times in told.most_common():
        print(f"{times:>6} {line}")
    sys.exit(f"{wrong} wrong" if wrong else 0)


if __name__ == "__main__":
    main()
