"""What damage does to an index file: flipped bytes and truncations, each in a copy, each copy opened and asked.

``python tests/bench/damage.py --flips 1000`` makes an index of texts, pictures and a sound, damages a copy of it at a
time, and in a child process opens it, searches, asks, and looks at every preview. There are four outcomes: an error of
one line, the very answers of the whole file, other answers than these (WRONG), anything else (crash). The last two must
not be; nor must the child unpickle anything, which an audit hook watches over.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

QUESTIONS = ("how many pedals has a harp?", "an elephant", "a red shoe", "what about the weather?", "苹果")
FORBIDDEN = ("pickle.find_class", "marshal.loads", "marshal.load")


def make(path: Path) -> None:
    """An index of every kind at ``path``, as saving makes it."""
    from mmrag_nb import MultimodalRAG
    from mmrag_nb.assets.demo.media import demo_folder

    demo = demo_folder()
    with MultimodalRAG(preset="offline") as rag:
        rag.index([demo / "emoji" / "drawing_09.png", {"path": demo / "emoji" / "drawing_04.png", "caption": "a lute"}])
        rag.index([demo / "weather_report.mp3", demo / "tuning_a_harp.md", demo / "lighthouse_at_night.png"])
        rag.index([{"text": "A concert harp has forty-seven strings.", "author": "Ottoline"}, {"text": "红色的苹果"}])
        rag.index([{"text": "A red shoe.", "image": demo / "emoji" / "drawing_01.png", "name": "shoe"}])
        for question in QUESTIONS:
            rag.search(question)
        rag.save(path)


def damages(data: bytes, flips: int, seed: int) -> list[tuple[str, int, int]]:
    """(kind, place, mask): flipped bytes anywhere, the end cut off at each page and in the middle of each."""
    rng = random.Random(seed)
    page = int.from_bytes(data[16:18], "big")
    flipped = [("flip", rng.randrange(len(data)), rng.randrange(1, 256)) for _ in range(flips)]
    header = [("flip", place, 1 << rng.randrange(8)) for place in range(100)] if flips else []
    cuts = [("cut", place, 0) for start in range(0, len(data), page) for place in (start, start + page // 2)]
    return [*flipped, *header, *cuts]


def damaged(data: bytes, kind: str, place: int, mask: int) -> bytes:
    """A copy of ``data`` with this damage."""
    if kind == "cut":
        return data[:place]
    return data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :]


# -- in the child ------------------------------------------------------------------------------------------------------


def seen(rag) -> str:
    """All that can be seen of an index, as one hash."""
    found = []
    for question in QUESTIONS:
        hits = rag.search(question, k=5)
        found += [
            (h.rank, h.score, h.cosine, h.lexical, h.seen_as, h.chunk, h.item.id, h.item.uri, h.item.metadata)
            for h in hits
        ]
        found += [(kind, p.mime, p.data) for h in hits for kind, p in sorted(h.previews.items())]
    found.append(rag.ask(QUESTIONS[0], k=3).text)
    catalog = rag._catalog
    found.append(rag.items())
    for item in rag.items():
        for ordinal in range(len(catalog.chunk_ids(item.id))):
            shown = catalog.previews(item.id, ordinal, ("thumbnail", "proxy", "clip", "waveform", "words", "page"))
            found += [(kind, p.mime, p.data) for kind, p in sorted(shown.items())]
    return hashlib.sha256(repr(found).encode()).hexdigest()


def serve() -> None:
    """Answer each line, the path of a file, with what came of it."""
    from mmrag_nb import MultimodalRAG
    from mmrag_nb.errors import MMRagError

    unpickled: list[str] = []
    watching = False

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event in FORBIDDEN:
            unpickled.append(event)

    rag = MultimodalRAG(preset="offline")
    first = True
    for line in sys.stdin:
        try:
            rag.reset(discard=True)
            rag.switch(line.strip())
            outcome = ["answer", seen(rag)]
        except MMRagError as error:
            outcome = ["error", str(error)]
        except Exception as error:  # noqa: BLE001
            outcome = ["crash", f"{type(error).__name__}: {error}"]
        if first:  # imports of the first question read compiled modules, by marshal
            sys.addaudithook(watch)
            watching, first = True, False
        print(json.dumps([*outcome, unpickled]), flush=True)


class Child:
    """A process that looks at one file after another, and is started again where it dies."""

    def __init__(self, whole: Path) -> None:
        self._whole = whole
        self.start()

    def start(self) -> None:
        """Start it, and have it see the whole file twice."""
        command = [sys.executable, __file__, "--serve"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.look(self._whole)
        self.whole = self.look(self._whole)

    def look(self, path: Path) -> list:
        """What comes of the file: [kind, digest or message, what was unpickled]."""
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        return json.loads(line) if line else ["crash", f"the process died ({self._process.wait()})", []]

    def stop(self) -> None:
        """End it."""
        self._process.stdin.close()
        self._process.wait()


def measure(flips: int, seed: int, folder: Path) -> tuple[Counter, list[str]]:
    """Outcomes by (kind of damage, outcome), and what must not be, in words."""
    whole = folder / "whole.mmrag"
    make(whole)
    data = whole.read_bytes()
    child = Child(whole)
    kind, expected, unpickled = child.whole
    assert kind == "answer", expected
    outcomes: Counter = Counter()
    bad = [f"unpickled: {unpickled}"] if unpickled else []
    path = folder / "damaged.mmrag"
    for number, (how, place, mask) in enumerate(damages(data, flips, seed)):
        for leftover in folder.glob("damaged*.mmrag*"):
            leftover.unlink()
        path = folder / f"damaged_{number}.mmrag"
        path.write_bytes(damaged(data, how, place, mask))
        outcome, told, unpickled = child.look(path)
        if outcome == "answer":
            empty = how == "cut" and place == 0  # an empty file is an empty index
            outcome = "the same answers" if told == expected else "an empty index" if empty else "WRONG"
        elif outcome == "error":
            outcome = "a clear error" if "\n" not in told and len(told) > 20 else "crash"
        if outcome in ("WRONG", "crash"):
            bad.append(f"{how} at {place} ({mask}): {outcome} {told}")
        if unpickled:
            bad.append(f"{how} at {place}: unpickled {unpickled}")
        if "died" in told:
            child.start()
        outcomes[how, outcome] += 1
    child.stop()
    return outcomes, bad


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--flips", type=int, default=200, metavar="N", help="bytes to flip, each in its own copy")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        outcomes, bad = measure(options.flips, options.seed, Path(folder))
    for (how, outcome), n in sorted(outcomes.items()):
        print(f"{how:6} {outcome:18} {n:6,}")
    print(*bad, sep="\n")
    print(f"{sum(outcomes.values()):,} damaged files, {len(bad)} of them wrong, {time.perf_counter() - start:.0f} s")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
