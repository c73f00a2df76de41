"""Damaged, lying and hostile files: ``python tests/bench/hostile.py [--shuffles N] [--only NAME ...]``.

Each file of the cases folder's ``hostile`` goes through ``MultimodalRAG(preset="offline").index``, into an index of its
own, twice. One process, watched from outside, does it for all; it has indexed a text and a picture before, so that the
models' loading is in no file's time, and is replaced should a file end it. Printed are the verdict, the seconds of the
first indexing, the most memory meanwhile of the process (models and all) and those it started, and what is not as the
manifest says; a program that is started (other than the package's own for decoding), an address that is called and a
file that is written count as failures. Last ``passed/total`` and the failing names; exit status 1 if there are any.

``--shuffles N`` indexes the good files among the bad ones in N random orders instead, and compares every hit of a dozen
questions, every vector and all metadata with an index of the good ones alone.
"""

import argparse
import gc
import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import fuzz_loading
import hostile_cases
import shuffling

STRATEGIES = ("shared", "grounded", "separate")


WATCHED = {
    "started": ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "os.forkpty"),
    "connected": ("socket.connect", "socket.getaddrinfo"),
    "written": ("open",),
}


def serve() -> None:
    """Index what is named on standard input, line by line, twice, and tell all about it in a line of JSON."""
    from PIL import Image

    from mmrag_nb import MultimodalRAG

    watched: dict[str, list[str]] = {kind: [] for kind in WATCHED}

    def watch(event, arguments):
        kind = next((kind for kind, events in WATCHED.items() if event in events), "")
        if not kind or "mmrag_nb.isolation.worker" in repr(arguments):
            return
        if kind == "written" and (not arguments[2] & (os.O_WRONLY | os.O_RDWR) or arguments[0] == os.devnull):
            return
        if kind == "written" and isinstance(arguments[0], int):  # a pipe, most likely
            return
        watched[kind].append(f"{event} {arguments!r}"[:200])

    with MultimodalRAG(preset="offline") as rag:
        rag.index([{"text": "a text"}, Image.new("RGB", (9, 9), "red")])
    sys.addaudithook(watch)
    print("ready", flush=True)
    for line in sys.stdin:
        path = hostile_cases.FOLDER / line.strip()
        for kind in watched.values():
            kind.clear()
        seen = look(path)
        print(json.dumps(seen | watched), flush=True)


def look(path: Path) -> dict:
    """Index a file, twice."""
    from mmrag_nb import MultimodalRAG

    gc.collect()  # the models of the index before
    begin = time.monotonic()
    with MultimodalRAG(preset="offline") as rag:
        first = rag.index([str(path)])
        seconds = time.monotonic() - begin
        items = len(rag.items())
        texts = [chunk.text for chunk in (rag.chunks(str(path)) if items else [])]
        facts = dict(rag.facts(str(path))) if items else {}
    with MultimodalRAG(preset="offline") as rag:
        again = rag.index([str(path)])
        verdicts = [[items, [one.reason for one in first.skipped]]]
        verdicts.append([len(rag.items()), [one.reason for one in again.skipped]])
    return {
        "items": items,
        "chunks": len(texts),
        "text": "\n".join(texts),
        "facts": facts,
        "skipped": [(one.source, one.reason) for one in first.skipped],
        "notes": list(first.notes),
        "seconds": seconds,
        "verdicts": verdicts,
    }


class Watched:
    """The process that indexes, and how much memory it takes."""

    def __init__(self) -> None:
        self._process = None

    def look(self, name: str) -> dict:
        """What :func:`look` tells of a file, and the most memory meanwhile."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, __file__, "--serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                bufsize=1,
            )
            if self._process.stdout.readline().strip() != "ready":
                raise RuntimeError("the process that should index ended")
        fuzz_loading._forget_peaks(self._process.pid)
        self._process.stdin.write(name + "\n")
        answer: list[str] = []
        reading = threading.Thread(target=lambda: answer.append(self._process.stdout.readline()))
        reading.start()
        peak, begin = 0, time.monotonic()
        while reading.is_alive() and time.monotonic() - begin < 60:
            peak = max(peak, fuzz_loading._peak(self._process.pid))
            reading.join(0.02)
        if not answer or not answer[0]:
            self.close()
            reading.join()
            raise RuntimeError(f"{name}: no answer, the process hung or ended")
        return json.loads(answer[0]) | {"peak": peak}

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def verdicts(only: list[str]) -> int:
    """Every file alone."""
    watched = Watched()
    cases = [case for case in hostile_cases.cases() if not only or case.name in only]
    failed = []
    slowest, largest = (0.0, ""), (0, "")
    for case in cases:
        try:
            seen = watched.look(case.name)
            faults = hostile_cases.faults(case, seen)
        except RuntimeError as error:
            seen, faults = {"seconds": 0.0, "peak": 0, "skipped": [], "notes": [], "chunks": 0}, [str(error)]
        failed += [case.name] * bool(faults)
        slowest = max(slowest, (seen["seconds"], case.name))
        largest = max(largest, (seen["peak"], case.name))
        outcome = "; ".join(reason for _, reason in seen["skipped"]) or f"{seen['chunks']} chunks"
        outcome += "".join(f" ({note})" for _, note in seen["notes"])
        verdict = "FAIL" if faults else "ok  "
        print(f"{verdict} {seen['seconds']:4.1f} s {seen['peak'] / 1e6:4.0f} MB {case.name}: {outcome}")
        for fault in faults:
            print(f"       {fault}")
        sys.stdout.flush()
    watched.close()
    print(f"slowest {slowest[0]:.1f} s ({slowest[1]}), largest {largest[0] / 1e6:,.0f} MB ({largest[1]})")
    print(f"{len(cases) - len(failed)}/{len(cases)} {' '.join(failed)}")
    return bool(failed)


def shuffles(count: int, strategies: tuple[str, ...]) -> int:
    """The good files among the bad."""
    cases = hostile_cases.cases()
    good = [case.path for case in cases if case.indexed]
    every = [case.path for case in cases]
    with shuffling.indexed(good) as rag:
        before, vectors = shuffling.rankings(rag, strategies), shuffling.vectors(rag)
        wrong = shuffling.misaligned(rag, good)
    print(f"{len(good)} good files of {len(every)}, {len(vectors)} vectors, {len(before)} hits; misaligned: {wrong}")
    failed, largest, begin = int(bool(wrong)), 0.0, time.monotonic()
    for number in range(count):
        order = random.Random(number).sample(every, len(every))
        with shuffling.indexed(order) as rag:
            told, difference = shuffling.differences(before, shuffling.rankings(rag, strategies))
            told += shuffling.displaced(vectors, shuffling.vectors(rag))
        largest = max(largest, difference)
        failed += bool(told)
        if told:
            print(f"order {number}: {len(told)} differences: {'; '.join(told[:3])}")
    seconds = time.monotonic() - begin
    print(f"{count} orders, {failed} failed, largest difference of a score {largest:.2g}, {seconds:.0f} s")
    return bool(failed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shuffles", type=int, default=0)
    parser.add_argument("--strategy", action="append", choices=STRATEGIES)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve()
        return 0
    if not hostile_cases.cases():
        print(f"no folder of cases at {hostile_cases.FOLDER.parent} (set MMRAG_CASES): skipped")
        return 0
    if given.shuffles:
        return shuffles(given.shuffles, tuple(given.strategy or STRATEGIES))
    return verdicts(given.only)


if __name__ == "__main__":
    sys.exit(main())
