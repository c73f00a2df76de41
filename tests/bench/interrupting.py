"""Ctrl-C at a hundred moments of a cell, in a real kernel: what the next cell finds.

    python tests/bench/interrupting.py [--moments 100] [--seed 1] [--only WORDS ...]

Each kind of cell is run once undisturbed, for its length, for the threads and processes that are there afterwards and,
where it indexes, for what is in the index after each commit. Then it is run from the same beginning again and again and
interrupted at moments spread over that length. The cell must end soon, as KeyboardInterrupt told in one line (or be
done before); the next one must be answered; no lock may be held, no thread or process be left, the index must be whole
and hold one of those states; and the same cell, run again, must end as the undisturbed one.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from jupyter_client.manager import start_new_kernel

PATIENCE = 30.0
"""Seconds from Ctrl-C to the end of the cell."""

SETUP = """
import sys, faulthandler
sys.path.insert(0, {tests!r})
import interrupted
stacks = open({stacks!r}, "w")
faulthandler.register(10, stacks)
%load_ext mmrag_nb
%config MMRag.preset = "offline"
%config MMRag.ocr = "none"
"""


@dataclass(frozen=True)
class Cell:
    """A cell to be interrupted."""

    name: str
    before: str
    """Run from the beginning each time."""
    code: str
    fills: bool = False
    """Whether it changes the index, commit by commit."""


CELLS = (
    Cell("index in memory", "%mmrag_reset --discard --out _", "%%mmrag_index --out report\nthings\n", fills=True),
    Cell(
        "index in a file",
        "%mmrag_reset --discard --out _\n!rm -f index.mmrag*\n%mmrag_save index.mmrag --out _",
        "%%mmrag_index --out report\nthings\n",
        fills=True,
    ),
    Cell("ask", "%mmrag_open whole.mmrag --discard --out _", "%mmrag_ask what of the lantern? --out answer"),
    Cell(
        "ask by another strategy",
        "!rm -f asked.mmrag*; cp whole.mmrag asked.mmrag\n%mmrag_open asked.mmrag --discard --out _",
        "%mmrag_ask what of the lantern? --strategy grounded --out answer",
        fills=True,
    ),
    Cell(
        "save under a new name",
        "%mmrag_open whole.mmrag --discard --out _\n!rm -f saved.mmrag* .saved.mmrag*",
        "%mmrag_save saved.mmrag --out _",
    ),
    Cell(
        "save over another index",
        "%mmrag_reset --discard --out _\n!rm -f saved.mmrag* .saved.mmrag*; cp other.mmrag saved.mmrag\n"
        "%mmrag_open whole.mmrag --discard --out _",
        "%mmrag_save saved.mmrag --out _",
    ),
)


@dataclass
class Outcome:
    """What came of a cell."""

    name: str
    length: float
    runs: int = 0
    found: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        told = "  ".join(f"{self.found[what]:>11}" for what in FOUND)
        return f"{self.name:<26} {self.length:>8.2f} {self.runs:>5}  {told}  {self.slowest:>8.2f} {len(self.wrong):>6}"


FOUND = ("interrupted", "done before", "states")
HEADER = (
    f"{'cell':<26} {'length s':>8} {'runs':>5}  {'  '.join(f'{what:>11}' for what in FOUND)}  {'slowest':>8} "
    f"{'wrong':>6}"
)


class Kernel:
    """A real kernel in a folder, with the magics loaded."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._stacks = folder, folder / "stacks.txt"
        self.start()

    def start(self) -> None:
        """Start it, or another one."""
        self._manager, self._client = start_new_kernel(
            cwd=str(self._folder), env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
        )
        reply, _ = self.run(SETUP.format(tests=str(Path(__file__).parents[1]), stacks=str(self._stacks)))
        if reply["status"] != "ok":
            raise RuntimeError(f"the kernel cannot be made ready: {reply}")

    def run(self, code: str, interrupt_after: float | None = None, seconds: float = 120) -> tuple[dict[str, Any], str]:
        """The reply to a cell, and what it printed.

        Raises
        ------
        TimeoutError
            It did not end in time; the message has where it stands.
        """
        asked = self._client.execute(code)
        if interrupt_after is not None:
            time.sleep(interrupt_after)
            self._manager.interrupt_kernel()
        printed, end = "", time.monotonic() + seconds
        while True:
            try:
                message = self._client.get_iopub_msg(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"no end of {code!r}: {self._where()}") from None
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                break
            printed += content.get("text", "") if kind == "stream" else ""
        return self._reply(asked), printed

    def _reply(self, asked: str) -> dict[str, Any]:
        try:
            while (reply := self._client.get_shell_msg(timeout=10))["parent_header"].get("msg_id") != asked:
                pass
        except queue.Empty:  # hit while the kernel itself was about to reply
            return {"status": "lost"}
        return reply["content"]

    def _where(self) -> str:
        os.kill(self._manager.provisioner.pid, 10)
        time.sleep(1)
        return self._stacks.read_text()[-3000:]

    def told(self, code: str) -> Any:
        """The JSON that a cell prints last."""
        reply, printed = self.run(code)
        if reply["status"] != "ok":
            raise RuntimeError(f"{code}: {reply['ename']}: {reply['evalue']}")
        return json.loads(printed.splitlines()[-1])

    def close(self) -> None:
        """End it."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


class Trial:
    """One kind of cell, in a kernel."""

    def __init__(self, cell: Cell, kernel: Kernel) -> None:
        self.cell, self._kernel = cell, kernel
        for _ in range(2):  # the second as all others: what is loaded once is loaded
            self._begin()
            self._states = kernel.told("interrupted.note_commits(get_ipython())") if cell.fills else []
            start = time.perf_counter()
            self._must(cell.code)
            length = time.perf_counter() - start
            self._after = kernel.told("interrupted.look(get_ipython())")
        self._states = [*kernel.told("interrupted.noted()"), {}] if cell.fills else []
        self._begin()  # without noting, which takes its time
        start = time.perf_counter()
        self._must(cell.code)
        self.outcome = Outcome(cell.name, min(length, time.perf_counter() - start))

    def _must(self, code: str) -> None:
        reply, printed = self._kernel.run(code)
        if reply["status"] != "ok":
            raise RuntimeError(f"{code}: {reply['ename']}: {reply['evalue']} {printed}")

    def _begin(self) -> None:
        self._must(self.cell.before)

    def interrupted(self, after: float) -> None:
        """Run the cell, interrupt it so many seconds later, and look at what it has left."""
        self._begin()
        wrong = []
        start = time.perf_counter()
        reply, printed = self._kernel.run(self.cell.code, after, seconds=after + PATIENCE)
        self.outcome.slowest = max(self.outcome.slowest, time.perf_counter() - start - after)
        done = reply["status"] != "error"
        self.outcome.runs += 1
        self.outcome.found["done before" if done else "interrupted"] += 1
        if not done and reply["ename"] not in {"KeyboardInterrupt", "GenerationInterrupted"}:
            wrong.append(f"the cell failed with {reply['ename']}: {reply['evalue']}")
        elif not done and "mmrag_nb" in "".join(reply["traceback"]):
            wrong.append(f"{len(reply['traceback'])} lines are shown of Ctrl-C: {reply['traceback']}")
        if "Traceback" in printed or "ignored" in printed:
            wrong.append(f"printed: {printed}")
        found = self._kernel.told("interrupted.look(get_ipython())")
        lasting = self._leaks(found)
        wrong += lasting
        reply, _ = self._kernel.run("%mmrag_ask what of the lantern?")
        if reply["status"] != "ok" and not (reply["ename"] == "UsageError" and not found["state"]):
            wrong.append(f"the next cell failed with {reply['ename']}: {reply['evalue']}")
        if self.cell.fills and found["state"] not in self._states:
            wrong.append(f"a mixture of {len(found['state'])} items")
        if not self.cell.fills and found["state"] != self._after["state"]:
            wrong.append("another state")
        self.outcome.found[f"state {len(found['state'])}"] += 1
        reply, _ = self._kernel.run(self.cell.code)
        again = self._kernel.told("interrupted.look(get_ipython())")
        if reply["status"] != "ok" and "all of it is in" not in reply["evalue"]:
            wrong.append(f"run again, it failed with {reply['ename']}: {reply['evalue']}")
        elif again["state"] != self._after["state"]:
            wrong.append(f"run again, it ends in another state, of {len(again['state'])} items")
        wrong += [f"run again: {one}" for one in self._leaks(again) if one not in lasting]
        self.outcome.wrong += [f"{self.cell.name}, after {after:.3f} s: {one}" for one in wrong]

    def _leaks(self, found: dict[str, Any]) -> list[str]:
        more = Counter(found["threads"]) - Counter(self._after["threads"])
        return [*found["wrong"], *(f"a thread is left: {name}" for name in more)]


def main() -> None:
    """Print what came of each kind of cell, and each failure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--moments", type=int, default=100, metavar="N", help="of each kind of cell")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--only", nargs="*", default=[""], metavar="WORDS", help="kinds of cells with these in their names"
    )
    options = parser.parse_args()
    print(HEADER, flush=True)
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="interrupting-") as folder:
        lay_out(Path(folder))
        kernel = Kernel(Path(folder))
        try:
            for cell in CELLS:
                if any(words in cell.name for words in options.only):
                    outcome = measured(cell, kernel, options.moments, options.seed)
                    wrong += len(outcome.wrong)
                    print(outcome, flush=True)
                    for one in outcome.wrong:
                        print(f"    {one}", flush=True)
        finally:
            kernel.close()
    sys.exit(f"{wrong} wrong" if wrong else 0)


def measured(cell: Cell, kernel: Kernel, moments: int, seed: int) -> Outcome:
    """Interrupt a kind of cell at so many moments, one in each part of its length."""
    chance = random.Random(seed)
    trial = Trial(cell, kernel)
    for number in chance.sample(range(moments), moments):
        after = (number + chance.random()) / moments * trial.outcome.length
        try:
            trial.interrupted(after)
        except (TimeoutError, RuntimeError) as error:
            trial.outcome.wrong.append(f"{cell.name}, after {after:.3f} s: {error}")
            kernel.close()
            kernel.start()
    states = {name for name in trial.outcome.found if name.startswith("state ")}
    trial.outcome.found["states"] = len(states)
    return trial.outcome


def lay_out(folder: Path) -> None:
    """Sources of every kind, an index of them, and another index."""
    from index_scenarios import sources
    from pdfs import pdf, text_page

    from mmrag_nb import MultimodalRAG
    from mmrag_nb.assets.demo.media import demo_folder

    if (things := folder / "things").exists():
        return
    sources(things, 40)
    pages = [text_page([(72, 700, f"Page {n} of the sheet tells of a lantern.")]) for n in range(10)]
    (things / "sheet.pdf").write_bytes(pdf(pages))
    shutil.copy(demo_folder() / "weather_report.mp3", things)
    with MultimodalRAG(path=folder / "whole.mmrag", preset="offline", ocr="none") as rag:
        rag.index([things])
    with MultimodalRAG(path=folder / "other.mmrag", preset="offline", ocr="none", speech="none") as rag:
        rag.index([{"text": f"Another index, number {number}."} for number in range(20)])


if __name__ == "__main__":
    main()
