"""A folder of thousands of small files, indexed again and again: times and counts of each run.

    python tests/bench/folder.py [--files 5000] [--in-memory]

Three fifths are texts, two fifths small pictures; half of them lie in one flat folder, half in a deep tree. Nothing is
downloaded (preset offline). After the first run and an unchanged one, some files are changed, moved, removed, added.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageDraw

from mmrag_nb import MultimodalRAG

WORDS = (
    "harbour lantern kettle orchard violin glacier pepper saddle meadow copper wagon thunder "
    "library candle ferry marble walnut compass ribbon anchor barley chimney falcon quilt"
).split()
CHANGED, MOVED, REMOVED, ADDED = 50, 20, 10, 5


def text(number: int, turn: int = 0) -> str:
    """A few sentences that no other file has."""
    chance = random.Random(f"{number} {turn}")
    return " ".join(f"Note {number}: the {a} and the {b}." for a, b in (chance.sample(WORDS, 2) for _ in range(4)))


def picture(number: int, path: Path, turn: int = 0) -> None:
    """Some shapes that no other file has."""
    chance = random.Random(f"{number} {turn}")
    image = Image.new("RGB", (96, 96), tuple(chance.randrange(256) for _ in range(3)))
    for _ in range(4):
        x, y, size = (chance.randrange(64) for _ in range(3))
        ImageDraw.Draw(image).ellipse((x, y, x + size, y + size), fill=tuple(chance.randrange(256) for _ in range(3)))
    image.save(path)


def write(number: int, path: Path, turn: int = 0) -> None:
    """Write the file of that number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".txt":
        path.write_text(text(number, turn))
    else:
        picture(number, path, turn)


def place(number: int, root: Path) -> Path:
    """Where a file lies."""
    name = f"file_{number:05d}.{'txt' if number % 5 < 3 else 'png'}"
    if number % 2:
        return root / "flat" / name
    return root.joinpath("deep", *(f"{digit}" for digit in f"{number:05d}"[:4]), name)


def measured(label: str, rag: MultimodalRAG, folder: Path, **how: object) -> None:
    """Index the folder and print what it took."""
    cpu, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    report = rag.index(str(folder), **how)
    took, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    user, kernel = used.ru_utime - cpu.ru_utime, used.ru_stime - cpu.ru_stime
    print(f"\n{label}: {took:.1f} s, {user:.1f} s user CPU, {kernel:.1f} s system CPU")
    print(f"  {str(report).splitlines()[0]}")
    print("  " + ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report.seconds.items()))


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=5_000)
    parser.add_argument("--in-memory", action="store_true", help="keep the index in memory, not in a file")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="mmrag-folder-"))
    try:
        folder = root / "things"
        files = [place(number, folder) for number in range(options.files)]
        for number, path in enumerate(files):
            write(number, path)
        print(f"{len(files):,} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB")
        rag = MultimodalRAG(preset="offline", path=None if options.in_memory else root / "lesson.mmrag")
        measured("first run", rag, folder)
        measured("second run, unchanged", rag, folder)
        if not options.in_memory:
            rag.close()
            rag = MultimodalRAG(preset="offline", path=root / "lesson.mmrag")
            measured("third run, unchanged, newly opened", rag, folder)
        chosen = random.Random(7).sample(range(len(files)), CHANGED + MOVED + REMOVED)
        for number in chosen[:CHANGED]:
            write(number, files[number], turn=1)
        for number in chosen[CHANGED : CHANGED + MOVED]:
            moved = folder / "moved" / files[number].name
            moved.parent.mkdir(exist_ok=True)
            files[number].rename(moved)
        for number in chosen[CHANGED + MOVED :]:
            files[number].unlink()
        for number in range(len(files), len(files) + ADDED):
            write(number, place(number, folder))
        measured(f"{CHANGED} changed, {MOVED} moved, {REMOVED} removed, {ADDED} added", rag, folder)
        print(f"  in the index: {len(rag.items()):,} items")
        try:
            measured("again, with prune", rag, folder, prune=True)
            print(f"  in the index: {len(rag.items()):,} items")
        except TypeError:
            print("\n(this version does not prune)")
        rag.close()
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
