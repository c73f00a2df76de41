"""Several processes work on one index file at once: is everything there that each was told, and how long does it take?

Each process indexes texts and pictures of its own, changes and removes them, and says other things of them; writes,
removes and counts what is everybody's; searches for what it has written; saves copies. One more only searches.
In the end the file has to hold exactly what the processes were told: of their own things each the last state, of
everybody's the last state of one of them, of counters the sum. ``python tests/bench/sharing.py --help``
"""

import argparse
import contextlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import ClassVar

import apsw
from PIL import Image

from mmrag_nb import MultimodalRAG
from mmrag_nb.catalog import noting, turns
from mmrag_nb.catalog.checksums import checked
from mmrag_nb.catalog.entries import BEGUN
from mmrag_nb.errors import EmptyIndex, MMRagError
from mmrag_nb.presets import NONE

SHARED = 6
"""Texts, and contents of files, that every process writes."""
COUNTER = "operations"
KINDS = {
    "texts": 4,
    "file": 4,
    "change": 4,
    "picture": 2,
    "remove": 3,
    "say": 3,
    "shared": 4,
    "unshare": 1,
    "copy": 3,
    "note": 5,
    "search": 5,
    "status": 2,
    "save": 0.3,
}
"""How often each operation is drawn, in proportion."""
ALONE = 2.0
"""Seconds that the process which only searches goes on when the others have ended."""
REFUSED_AT_MOST = 20
"""Times that one operation is tried again."""


def opened(path):
    return MultimodalRAG(path=path, preset="offline", clip=NONE, ocr=NONE, speech=NONE)


def warm():
    """Load what is loaded once."""
    with opened(None) as rag:
        rag.index([{"text": "A first entry."}, Image.new("RGB", (8, 8))])
        rag.search("entry")


def text_of(owner, number, version=0):
    return f"Ledger entry w{owner}x{number}v{version} tells of lanterns, ferries and kites over harbour {number}."


class Timed(turns.Turn):
    """A turn whose wait is measured."""

    waits: ClassVar[list[float]] = []
    tries = 0

    def wait(self):
        start = time.perf_counter()
        super().wait()
        type(self).tries += 1
        self.waits.append(time.perf_counter() - start + (self.waits.pop() if getattr(self, "again", False) else 0))
        self.again = True


class Worker:
    """One process: what it does, and what of it must be there."""

    def __init__(self, path, number, folder, seed):
        self.path, self.number, self.folder = path, number, folder
        self.random = random.Random(seed)
        self.rag = opened(path)
        self.next = 0
        self.texts, self.files, self.pictures, self.shared = {}, {}, {}, {}
        self.copies, self.counted = {}, 0

    # -- operations: each changes what must be there only after it was told that it is done

    def texts_(self):
        batch, n = self.fresh(), self.random.randint(2, 6)
        marks = {"batch": f"{self.number}-{batch}", "of": n}
        texts = [f"{text_of(self.number, batch)} Part {part}." for part in range(n)]
        self.rag.index([{"text": text, **marks} for text in texts])
        self.texts[batch] = texts

    def file_(self):
        name = f"f{self.fresh()}.txt"
        self.write(name, 0)

    def change_(self):
        if self.files:
            name = self.random.choice(sorted(self.files))
            self.write(name, self.files[name] + 1)

    def write(self, name, version):
        file = self.folder / name
        file.write_text(text_of(self.number, name, version))
        self.rag.index(file)
        self.files[name] = version

    def picture_(self):
        name = f"p{self.fresh()}.png"
        colours = self.random.randbytes(12 * 12 * 3)
        Image.frombytes("RGB", (12, 12), colours).resize((48, 48), Image.Resampling.NEAREST).save(self.folder / name)
        self.say(name, "new")

    def say_(self):
        if self.pictures:
            self.say(self.random.choice(sorted(self.pictures)), f"shelf {self.random.random()}")

    def say(self, name, shelf):
        self.rag.index([{"path": str(self.folder / name), "shelf": shelf}])
        self.pictures[name] = shelf

    def remove_(self):
        kind = self.random.choice([self.texts, self.files, self.pictures])
        if not kind:
            return
        one = self.random.choice(sorted(kind))
        if kind is self.texts:
            mark = f"{self.number}-{one}"
            self.rag.remove([item for item in self.rag.items() if item.metadata.get("batch") == mark])
        else:
            self.rag.remove(str(self.folder / one))
            (self.folder / one).unlink()
        del kind[one]

    def shared_(self):
        one, said = self.random.randrange(SHARED), f"{self.number} at {self.fresh()}"
        self.rag.index([{"text": f"Everybody writes on board {one}.", "by": said}])
        self.shared[one] = said

    def unshare_(self):
        one = self.random.randrange(SHARED)
        there = [item for item in self.rag.items() if item.metadata.get("by") and self.board(item) == one]
        with contextlib.suppress(MMRagError):  # another was faster
            self.rag.remove(there)
        self.shared[one] = None

    def board(self, item):
        with contextlib.suppress(MMRagError, KeyError, IndexError):
            return int(self.rag.chunks(item)[0].text.split()[-1].strip("."))
        return None

    def copy_(self):
        """The same content in a folder of its own: the index knows it once, with all its places."""
        one = self.random.randrange(SHARED)
        file = self.folder / f"copy{one}.txt"
        file.write_text(f"Of this almanac, number {one}, everybody has a copy.")
        self.rag.index(file)
        self.copies[one] = str(file)

    def note_(self):
        self.rag._catalog.amend(COUNTER, lambda now: str(int(now or 0) + 1))
        self.counted += 1

    def search_(self):
        name = self.random.choice(sorted(self.files)) if self.files else None
        with contextlib.suppress(EmptyIndex):
            wanted = text_of(self.number, name, self.files[name]) if name else "lanterns"
            hits = self.rag.search(wanted, k=3)
            if name and wanted not in {hit.chunk.text for hit in hits}:
                raise AssertionError(f"{wanted!r} was committed and is not found: {[h.chunk.text for h in hits]}")

    def status_(self):
        self.rag.status()

    def save_(self):
        copy = self.folder / "copy.mmrag"
        with opened(self.path) as other:
            other.save(copy)
        with opened(copy) as other:
            there = set(other._catalog.uris())
            lost = [name for name in self.files if str(self.folder / name) not in there]
            if lost:
                raise AssertionError(f"{lost} are not in a copy")
        copy.unlink()

    def fresh(self):
        self.next += 1
        return self.next

    # -- the whole

    def run(self, operations):
        took, refused = {}, 0
        names, weights = list(KINDS), list(KINDS.values())
        for _ in range(operations):
            name = self.random.choices(names, weights)[0]
            start = time.perf_counter()
            for attempt in range(REFUSED_AT_MOST):
                try:
                    getattr(self, f"{name}_")()
                    break
                except MMRagError as error:
                    refused += 1
                    print(f"worker {self.number}, {name}: {error}", file=sys.stderr)
                    if attempt == REFUSED_AT_MOST - 1:
                        raise
            took.setdefault(name, []).append(time.perf_counter() - start)
        self.rag.close()
        kept = {name: getattr(self, name) for name in ("texts", "files", "pictures", "shared", "copies", "counted")}
        return kept | {"took": took, "refused": refused, "waits": Timed.waits, "tries": Timed.tries}


def work(path, number, folder, operations, seed):
    noting.Turn = Timed
    folder.mkdir(exist_ok=True)
    warm()
    print("ready", flush=True)
    sys.stdin.readline()
    told = Worker(path, number, folder, seed).run(operations)
    (folder / "told.json").write_text(json.dumps(told))


def read(path, told):
    """Search all the time; what is seen must be whole batches, and each hit a chunk of its own item."""
    rag = opened(path)
    took, looked, alone, halves, mixed = [], [], [], [], []
    warm()
    print("ready", flush=True)
    sys.stdin.readline()
    stop, over = told.with_suffix(".stop"), told.with_suffix(".over")
    while not stop.exists():
        start = time.perf_counter()
        with contextlib.suppress(EmptyIndex):
            for hit in rag.search("lanterns and ferries over the harbour", k=10):
                name = hit.item.name
                if name.startswith("f") and name.endswith(".txt") and f"x{name}v" not in hit.chunk.text:
                    mixed.append(f"{name}: {hit.chunk.text}")
            (alone if over.exists() else took).append(time.perf_counter() - start)
        start = time.perf_counter()
        items = rag.items()
        looked.append(time.perf_counter() - start)
        batches = Counter((item.metadata["batch"], item.metadata["of"]) for item in items if "batch" in item.metadata)
        halves += [f"{n} of {batch}" for batch, n in batches.items() if n != batch[1]]
        time.sleep(0.002)
    rag.close()
    told.write_text(json.dumps({"took": took, "alone": alone, "looked": looked, "halves": halves, "mixed": mixed}))


# -- what must be there ----------------------------------------------------------------------------------------------


class Expected:
    """What must be in the file, and what of it is not so."""

    def __init__(self, rag):
        self.items, self.meta = {item.id: item for item in rag.items()}, rag._catalog.meta()
        self.texts = {one: [chunk.text for chunk in rag.chunks(item)] for one, item in self.items.items()}
        self.by_uri = {item.uri: one for one, item in self.items.items()}
        self.by_text = {text: one for one, said in self.texts.items() for text in said}
        self.copies = json.loads(self.meta.get("copies", "{}"))
        self.meant, self.faults = set(), []

    def must(self, what, one):
        """Something is there; what is said of it."""
        self.meant.add(one)
        if one is None:
            self.faults.append(f"lost: {what}")
        return self.items[one].metadata if one is not None else {}

    def own(self, number, worker, folder):
        for batch, said in worker["texts"].items():
            for text in said:
                self.must(f"worker {number}, batch {batch}", self.by_text.get(text))
        for name, version in worker["files"].items():
            one = self.by_uri.get(str(folder / name))
            self.must(f"worker {number}, {name}", one)
            if (told := self.texts.get(one)) != [text_of(number, name, version)]:
                self.faults.append(f"worker {number}, {name} version {version} is {told}")
        for name, shelf in worker["pictures"].items():
            told = self.must(f"worker {number}, {name}", self.by_uri.get(str(folder / name))).get("shelf")
            if told != shelf:
                self.faults.append(f"worker {number}, {name} is on {told}, not on {shelf}")

    def common(self, board, workers):
        last = {worker["shared"][board] for worker in workers if board in worker["shared"]} or {None}
        one = self.by_text.get(f"Everybody writes on board {board}.")
        now = self.items[one].metadata.get("by") if one else None
        if now not in last:
            self.faults.append(f"board {board} says {now!r}, the last of each process were {last}")
        self.meant.add(one)
        places = {worker["copies"][board] for worker in workers if board in worker["copies"]}
        one = self.by_text.get(f"Of this almanac, number {board}, everybody has a copy.")
        noted = {self.items[one].uri, *self.copies.get(one, {}).values()} if one else set()
        if places != noted:
            self.faults.append(f"almanac {board} is known at {len(noted)} places, not at {len(places)}")
        self.meant.add(one)


def faults(path, workers, folders):
    """What is not as the processes were told, and what of the file is not sound."""
    with opened(path) as rag:
        expected = Expected(rag)
    for number, (worker, folder) in enumerate(zip(workers, folders, strict=True)):
        expected.own(number, worker, folder)
    for board in map(str, range(SHARED)):
        expected.common(board, workers)
    found = [*sound(path), *expected.faults]
    unmeant = expected.items.keys() - expected.meant
    found += [f"nobody was told of {expected.items[one].uri}: {expected.texts[one]}" for one in unmeant]
    counted, count = sum(worker["counted"] for worker in workers), expected.meta.get(COUNTER, "0")
    found += [f"counted {count}, not {counted}"] * (int(count) != counted)
    found += [f"{key} is left" for key in expected.meta if key.startswith("sections of")]
    return found


def sound(path):
    """What of the file is not sound, whatever it should hold."""
    db = apsw.Connection(str(path), vfs=checked())
    found = [told for (told,) in db.execute("PRAGMA integrity_check") if told != "ok"]
    try:
        db.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    except apsw.Error as error:
        found.append(f"full text: {error}")
    for what, query in {
        "broken references": "SELECT count(*) FROM pragma_foreign_key_check",
        "chunks without words": "SELECT count(*) FROM chunks WHERE id NOT IN (SELECT rowid FROM words)",
        "words without a chunk": "SELECT count(*) FROM words WHERE rowid NOT IN (SELECT id FROM chunks)",
        "views without a vector": "SELECT count(*) FROM views WHERE key NOT IN (SELECT key FROM vectors)",
        "vectors of no space": "SELECT count(*) FROM vectors WHERE space NOT IN (SELECT name FROM spaces)",
        "items without chunks": "SELECT count(*) FROM items WHERE id NOT IN (SELECT item FROM chunks)",
        "items half there": f"SELECT count(*) FROM items WHERE recipe LIKE '%{BEGUN}'",
    }.items():
        (n,) = db.execute(query).fetchone()
        found += [f"{n} {what}"] * bool(n)
    db.close()
    return found


# -- the whole ---------------------------------------------------------------------------------------------------------


def measure(folder, processes=8, operations=200, seed=0, reader=True):
    """Let the processes work; what was found wrong, and figures."""
    path = folder / "shared.mmrag"
    opened(path).close()
    folders = [folder / f"worker{number}" for number in range(processes)]
    told = folder / "reader.json"
    common = [sys.executable, __file__, "--path", str(path)]
    commands = [
        [*common, "--worker", str(n), "--operations", str(operations), "--seed", str(seed * 1000 + n)]
        for n in range(processes)
    ]
    readers = [[*common, "--reader", str(told)]] * reader
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for command in [*readers, *commands]
    ]
    for one in running:
        one.stdout.readline()
    start = time.perf_counter()
    for one in running:
        one.stdin.write("\n")
        one.stdin.flush()
    log, largest = path.with_name(f"{path.name}-wal"), 0
    while any(one.poll() is None for one in running[len(readers) :]):
        time.sleep(0.2)
        with contextlib.suppress(OSError):
            largest = max(largest, log.stat().st_size)
    seconds = time.perf_counter() - start
    told.with_suffix(".over").touch()
    time.sleep(ALONE * reader)
    told.with_suffix(".stop").touch()
    codes = [one.wait(60) for one in running]
    if any(codes):
        return [f"process {place} ended with {code}" for place, code in enumerate(codes) if code], {}
    workers = [json.loads((one / "told.json").read_text()) for one in folders]
    found = faults(path, workers, folders)
    figures = {
        "seconds": seconds,
        "operations": processes * operations,
        "refused": sum(worker["refused"] for worker in workers),
        "tries": sum(worker["tries"] for worker in workers),
        "waits": [wait for worker in workers for wait in worker["waits"]],
        "took": {name: [t for worker in workers for t in worker["took"].get(name, [])] for name in KINDS},
        "log": largest,
        "file": path.stat().st_size,
    }
    if reader:
        seen = json.loads(told.read_text())
        found += [f"half a batch was seen: {one}" for one in seen["halves"]]
        found += [f"a hit of two chunks: {one}" for one in seen["mixed"]]
        figures |= {"search": seen["took"], "alone": seen["alone"], "items": seen["looked"]}
    return found, figures


def spread(seconds):
    if len(seconds) < 2:
        return "-"
    ms = sorted(1000 * one for one in seconds)
    p99 = statistics.quantiles(ms, n=100, method="inclusive")[98]
    return f"{len(ms):5,} times, p50 {statistics.median(ms):8.1f} ms, p99 {p99:8.1f} ms, worst {ms[-1]:8.1f} ms"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--operations", type=int, default=200, help="of each process")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-reader", action="store_true", help="without the process that only searches")
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--reader", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker is not None:
        work(args.path, args.worker, args.path.parent / f"worker{args.worker}", args.operations, args.seed)
        return
    if args.reader is not None:
        read(args.path, args.reader)
        return
    with tempfile.TemporaryDirectory() as folder:
        found, told = measure(Path(folder), args.processes, args.operations, args.seed, not args.no_reader)
    if told:
        n, seconds = told["operations"], told["seconds"]
        print(f"{n:,} operations of {args.processes} processes in {seconds:.1f} s: {n / seconds:.1f} a second")
        print(f"refused {told['refused']}; {told['tries']:,} tries in vain; file {told['file'] / 1e6:.1f} MB, ", end="")
        print(f"log at most {told['log'] / 1e6:.1f} MB")
        print(f"{'waits for a turn':18}{spread(told['waits'])}")
        for name, took in told["took"].items():
            print(f"{name:18}{spread(took)}")
        for name in ("search", "alone", "items"):
            print(f"{'reader: ' + name:18}{spread(told.get(name, []))}")
    print("\n".join(found[:50]) or "nothing lost, nothing mixed, nothing left over")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
