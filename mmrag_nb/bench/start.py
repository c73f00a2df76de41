"""From a cold kernel to the first answer: what each cell takes, with and without what is loaded in the background."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import MMRagError

from . import corpus, shells, weights
from .rounds import checked_file, closing

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

LIMIT = 3.0
"""Seconds from a cold kernel to the first answer that are promised, as a median, with the preset 'offline'."""
ROUNDS = 5
TYPING = 2.0
"""Seconds that a user takes to type a question."""
ITEMS = 60

LOAD = "%load_ext mmrag_nb"
_OF_OURS = {
    "kernel": "the kernel starts",
    "load": LOAD,
    "open": "%mmrag_open, the first magic",
    "first": "the first question",
    "second": "the second question",
    "again": "the same question again",
    "to the card": "from the first Enter to the card (load, open, ask)",
}
IMPORTS = {
    "Python alone": ("", "pass"),
    "mmrag_nb": ("mmrag_nb", "import mmrag_nb"),
    "mmrag_nb, ready to open an index": ("mmrag_nb", "from mmrag_nb import MultimodalRAG"),
    "scikit-learn's neighbors": ("sklearn", "import sklearn.neighbors"),
    "torch": ("torch", "import torch"),
    "transformers' CLIPModel": ("transformers", "from transformers import CLIPModel"),
    "sentence-transformers": ("sentence_transformers", "import sentence_transformers"),
    "open_clip": ("open_clip", "import open_clip"),
    "Chroma": ("chromadb", "import chromadb"),
    "LlamaIndex": ("llama_index.core", "import llama_index.core"),
    "Pixeltable": ("pixeltable", "import pixeltable"),
}
"""What is imported in a fresh process, and where it is installed."""


@dataclass(frozen=True)
class Way:
    """One way to begin a lesson."""

    name: str
    index: Path
    settings: tuple[str, ...] = ()
    """Lines of ``%config`` before it is opened."""
    after: tuple[str, ...] = ()
    """Lines of ``%config`` behind."""


def measure(rounds: int = ROUNDS, against: bool = False, json_file: Path | None = None) -> Iterator[str]:
    """Start kernels, open an index in them and ask, ``rounds`` times each way, and tell what each cell took.

    Yields lines to be printed, some before it is done. ``against`` adds what importing neighbours takes, ``json_file``
    gets every figure.

    Raises
    ------
    MMRagError
        There is nothing to measure, no ipykernel to start, or nowhere to write.
    """
    if rounds < 1:
        raise MMRagError("at least one round: --rounds 5")
    if find_spec("ipykernel") is None:
        raise MMRagError("ipykernel is not installed, so no kernel can be started: pip install ipykernel")
    checked_file(json_file)
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        ways = yield from _indexes(folder)
        found: dict[str, list[dict[str, float]]] = {way.name: [] for way in ways}
        for number in range(rounds + 1):  # the first finds files that are not in memory yet, and is not counted
            for way in ways:
                told = _lesson(way, folder)
                if number:
                    found[way.name].append(told)
            yield f"  round {number} of {rounds}{'' if number else ', not counted'}"
    yield from _table(found)
    median = statistics.median(one["to the card"] for one in found[ways[0].name])
    kept = "kept" if median < LIMIT else "NOT KEPT"
    yield f"promised: {LIMIT:.0f} s to the first card with the preset 'offline', asked at once; {kept}"
    imports: dict[str, list[float]] = {}
    if against:
        imports = yield from _imports(rounds)
    yield from closing({"limit_seconds": LIMIT, "seconds": found, "imports": imports}, json_file)


def _indexes(folder: Path) -> Generator[str, None, list[Way]]:
    """Make one index by each preset."""
    from mmrag_nb.rag import MultimodalRAG

    sources = corpus.sources(ITEMS, folder)
    clip, told = weights.clip()
    settings: dict[str, dict[str, Any]] = {
        "offline": {"preset": "offline"},
        "clip": {"clip": str(clip), "speech": "none", "generator": "extractive"},
    }
    for name, chosen in settings.items():
        with MultimodalRAG(path=folder / f"{name}.mmrag", **chosen) as rag:
            report = rag.index(sources)
            rag.ask("what is there to be seen?")  # what is usual in it is measured once, and kept
            yield f"{name}: {str(report).splitlines()[0]}"
    yield f"CLIP is {told}"
    offline, own = folder / "offline.mmrag", folder / "clip.mmrag"
    quoting = ('%config MMRag.generator = "extractive"',)
    off = ("%config MMRag.warm = False",)
    return [
        Way("offline, asked at once", offline),
        Way(f"offline, {TYPING:.0f} s to type", offline),
        Way("offline, warm off", offline, off),
        Way("CLIP, asked at once", own, after=quoting),
        Way(f"CLIP, {TYPING:.0f} s to type", own, after=quoting),
        Way("CLIP, warm off", own, off, quoting),
    ]


def _lesson(way: Way, folder: Path) -> dict[str, float]:
    """Seconds of each cell of a lesson in a fresh kernel."""
    pause = TYPING if "to type" in way.name else 0.0
    start = time.perf_counter()
    kernel = shells.Kernel(folder)
    try:
        took = {"kernel": time.perf_counter() - start, "load": kernel.run(LOAD)}
        for line in way.settings:
            kernel.run(line)
        took["open"] = kernel.run("\n".join([f"%mmrag_open {way.index}", *way.after]))
        time.sleep(pause)
        took["first"] = kernel.run("%mmrag_ask which picture shows a red apple?")
        took["second"] = kernel.run("%mmrag_ask when does the ferry leave?")
        took["again"] = kernel.run("%mmrag_ask when does the ferry leave? -k 3")
    finally:
        kernel.close()
    took["to the card"] = took["load"] + took["open"] + took["first"]
    return took


def _table(found: Mapping[str, Sequence[Mapping[str, float]]]) -> Iterator[str]:
    for name, lessons in found.items():
        yield ""
        yield f"{name + ': seconds':52}{'median':>9}{'lowest':>9}{'highest':>9}"
        for key in lessons[0]:
            values = [one[key] for one in lessons]
            yield f"  {_OF_OURS[key]:50}{statistics.median(values):9.3f}{min(values):9.3f}{max(values):9.3f}"


def _imports(rounds: int) -> Generator[str, None, dict[str, list[float]]]:
    """Time fresh processes that import, one after the other in each round; by name."""
    times: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for name, (package, statement) in IMPORTS.items():
            if package and find_spec(package.partition(".")[0]) is None:
                if not number:
                    yield f"  {name}: left out, not installed"
                continue
            start = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode:
                if not number:
                    yield f"  {name}: LEFT OUT, {(done.stderr.strip().splitlines() or ['it failed'])[-1]}"
                continue
            if number:
                times.setdefault(name, []).append(time.perf_counter() - start)
    yield ""
    yield f"{'imported in a fresh process: seconds':52}{'median':>9}{'lowest':>9}{'highest':>9}"
    for name, values in sorted(times.items(), key=lambda one: statistics.median(one[1])):
        yield f"  {name:50}{statistics.median(values):9.3f}{min(values):9.3f}{max(values):9.3f}"
    return times
