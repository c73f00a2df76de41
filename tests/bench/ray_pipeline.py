"""The same pictures by the plain path and on Ray: the same vectors? What it costs, and what a killed worker changes.

    python tests/bench/ray_pipeline.py [--pictures 2000] [--model emoji|vit-b-32] [--engine ray] [--skip kill]

The pictures are drawn here, JPEG of 640 x 480. Nothing is downloaded: emoji is the package's own CLIP, vit-b-32 is one
of OpenAI's size with random weights. Processor time is counted beside wall-clock time: on a machine that does other
things as well, it alone says what the work costs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import resource
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from typing_extensions import Self

sys.path.insert(0, str(Path(__file__).parent.parent))

from mmrag_nb import MultimodalRAG
from mmrag_nb.bench.machine import facts
from mmrag_nb.corpora.shapes import table_of

WORKER = "ray::MapWorker(MapBatches(Encoding))"
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def draw(number: int, path: Path) -> None:
    """Shapes that no other picture has, 640 x 480."""
    chance = random.Random(number)
    image = Image.new("RGB", (640, 480), tuple(chance.randrange(256) for _ in range(3)))
    pen = ImageDraw.Draw(image)
    for _ in range(40):
        x, y = chance.randrange(640), chance.randrange(480)
        box = (x, y, x + chance.randrange(10, 200), y + chance.randrange(10, 200))
        pen.ellipse(box, fill=tuple(chance.randrange(256) for _ in range(3)))
    image.save(path, quality=90)


def vit_b_32(folder: Path) -> Path:
    """A CLIP of the size of openai/clip-vit-base-patch32, with random weights."""
    import checkpoints
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

    tiny = checkpoints.clip(folder)
    tokenizer = CLIPTokenizer.from_pretrained(tiny)
    configuration = CLIPConfig()
    configuration.text_config.bos_token_id = tokenizer.bos_token_id
    configuration.text_config.eos_token_id = configuration.text_config.pad_token_id = tokenizer.eos_token_id
    preprocessing = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 224},
        "crop_size": {"height": 224, "width": 224},
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
    }
    return checkpoints._save(folder, checkpoints._random(CLIPModel, configuration), tokenizer, preprocessing)


class Watching:
    """What this process and all that it began take: processor time and the highest memory, looked at often."""

    def __init__(self) -> None:
        self.seconds: dict[int, float] = {}
        self.highest = 0
        self._over = threading.Event()
        self._own = sum(os.times()[:2])
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._start = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.wall = time.perf_counter() - self._start
        self.processor = sum(self.seconds.values()) + sum(os.times()[:2]) - self._own

    def _watch(self) -> None:
        while not self._over.wait(0.25):
            memory = 0
            for pid in family(os.getpid()):
                with contextlib.suppress(OSError, IndexError, ValueError):
                    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                    if pid != os.getpid():
                        self.seconds[pid] = (int(fields[11]) + int(fields[12])) / _TICKS
                    memory += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
            self.highest = max(self.highest, memory)


def family(root: int) -> list[int]:
    """A process and all that came of it."""
    parents: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            parents.setdefault(int(place.read_text().rpartition(")")[2].split()[1]), []).append(int(place.parent.name))
    found = [root]
    for one in found:
        found += parents.get(one, [])
    return found


def workers() -> list[int]:
    """Those of this bench in which pictures are embedded."""
    found = []
    for pid in family(os.getpid()):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(WORKER.encode()):
                found.append(pid)
    return sorted(found)


def vectors(rag: MultimodalRAG) -> dict[tuple[str, int], np.ndarray]:
    """By space and key: all that are in Milvus."""
    rows = {
        space: rag._catalog.holding.tables.every(table_of(space), ("id", "vector"), "id >= 0")
        for space in rag._catalog.spaces()
    }
    return {(space, row["id"]): np.asarray(row["vector"]) for space, some in rows.items() for row in some}


def run(name: str, folder: Path, place: str, choices: dict[str, str], **how: object) -> MultimodalRAG:
    """Index the folder, and print what it took."""
    rag = MultimodalRAG(path=place, **choices)
    first: list[float] = []
    start = time.perf_counter()

    def begun(stage: str, done: int, total: int | None) -> None:
        if done and stage == "indexed" and not first:
            first.append(time.perf_counter() - start)
        if callable(more := how.get("tell")):
            more(done)

    engine = {"engine": how["engine"]} if "engine" in how else {}
    with Watching() as watching:
        report = rag.index(str(folder), progress=begun, **engine)
    n = sum(report.items.values())
    rate = (n / (watching.wall - first[0])) if first and watching.wall > first[0] else 0.0
    print(
        f"{name:12} {n:6,} pictures in {watching.wall:7.1f} s (first after {first[0] if first else 0:5.1f} s, then "
        f"{rate:6.1f}/s); processor {watching.processor:7.1f} s = {1e3 * watching.processor / max(1, n):6.1f} ms each; "
        f"memory {watching.highest / 2**20:,.0f} MiB; embedded {report.embedded:,}, skipped {len(report.skipped)}",
        flush=True,
    )
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in sorted(report.seconds.items()))
    print(f"{'':12} seconds by stage, over all workers: {stages}", flush=True)
    return rag


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=2_000)
    parser.add_argument("--model", choices=("emoji", "vit-b-32"), default="emoji")
    parser.add_argument("--engine", default="ray")
    parser.add_argument("--skip", choices=("file", "kill"), action="append", default=[], help="leave a run out")
    options = parser.parse_args()
    print(facts())
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        folder = root / "pictures"
        folder.mkdir()
        for number in range(options.pictures):
            draw(number, folder / f"{number:06}.jpg")
        size = sum(one.stat().st_size for one in folder.iterdir())
        print(f"{options.pictures:,} pictures of 640 x 480, {size / options.pictures / 1024:.0f} KiB each")
        choices = {"preset": "offline", "ocr": "none", "speech": "none"}
        if options.model == "vit-b-32":
            choices["clip"] = str(vit_b_32(root / "vit"))
        if "file" not in options.skip:
            run("a file", folder, str(root / "plain.mmrag"), choices).close()
        here = run("Milvus Lite", folder, f"milvus:{root / 'plain.db'}", choices)
        there = run("Ray", folder, f"milvus:{root / 'ray.db'}", choices, engine=options.engine)
        one, other = vectors(here), vectors(there)
        apart = max(float(np.abs(one[key] - other[key]).max()) for key in one)
        print(f"the same {len(one):,} vectors: {one.keys() == other.keys()}; furthest apart by {apart:.1e}")
        for rag in (here, there):
            rag.close()
        size = sum(part.stat().st_size for part in (root / "ray.db").rglob("*") if part.is_file())
        print(f"Milvus Lite holds {size / options.pictures / 1024:.1f} KiB a picture")
        if "kill" not in options.skip:
            killed: list[int] = []

            def kill(done: int) -> None:
                if done >= options.pictures // 4 and not killed and (found := workers()):
                    killed.append(found[0])
                    os.kill(found[0], signal.SIGKILL)

            rag = run("one killed", folder, f"milvus:{root / 'killed.db'}", choices, engine=options.engine, tell=kill)
            again = vectors(rag)
            apart = max(float(np.abs(one[key] - again[key]).max()) for key in one)
            print(f"killed {killed}: the same {len(again):,} items: {one.keys() == again.keys()}, apart by {apart:.1e}")
            rag.close()
    print(f"highest memory of this process alone: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


if __name__ == "__main__":
    main()
