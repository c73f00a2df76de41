"""What a search costs, in indexes from a thousand to a million vectors: by stage, and beside what it could cost."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mmrag_nb import finding, searching
from mmrag_nb.asking import Asking
from mmrag_nb.catalog.lexicon import Lexicon
from mmrag_nb.catalog.marking import Marking
from mmrag_nb.catalog.reading import Reading
from mmrag_nb.catalog.spaces import Spaces
from mmrag_nb.channelling import Channels
from mmrag_nb.errors import MMRagError
from mmrag_nb.finding import Finding
from mmrag_nb.rag import MultimodalRAG
from mmrag_nb.retrieval import telling
from mmrag_nb.retrieval.calibration import Scale
from mmrag_nb.searching import Searching
from mmrag_nb.stores.memory import MemoryStore

from . import nearest, synthetic
from .ask import quantiles
from .rounds import checked_file, closing
from .stages import Stages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SIZES = (1_000, 10_000, 100_000, 1_000_000)
DIMENSION, QUESTIONS, WARM_UP = 512, 20, 3
INDEX = "search.mmrag"

REST, TOTAL = "the rest", "a search"
CALIBRATE, CALIBRATED = "calibrate", "calibrate (done before)"
PRODUCT = "limit: numpy, one float32 product"
FILTERS: dict[str, dict[str, Any]] = {
    "a search among pictures": {"modalities": "image"},
    "a search where price < 10": {"where": "price < 10"},
}
COLD, FIRST = "the search itself, nothing in memory yet", "the first search"
AGAIN = "calibrate, the next time it is opened"

_ONCE = (
    (Spaces, "vectors_after", "read the vectors"),
    (Marking, "mark", "note how the index stands"),
    (MemoryStore, "fit", "fill the store"),
    (Channels, "probe", CALIBRATE),
    (Finding, "_unreached", "count what is reached"),
)
_EACH = (
    (Asking, "query", "embed the question"),
    (finding, "candidates", "nearest neighbours (store)"),
    (Scale, "score", "calibrated scores"),
    (finding, "rank", "fuse, pool and sort"),
    (telling, "_raw_ranks", "raw ranks"),
    (Lexicon, "bm25", "words (BM25)"),
    (Lexicon, "document_frequency", "how rare the words are"),
    (searching, "select", "near-duplicates"),
    (Reading, "records", "records and previews"),
    (Reading, "previews", "records and previews"),
    (Searching, "_doubt", "whether anything answers"),
)


@dataclass(frozen=True)
class Figures:
    """One size, measured. Seconds, but for the counts."""

    vectors: int
    chunks: int
    size: int
    """Bytes of the file."""
    once: dict[str, float]
    """By stage of the first search, which loads and calibrates."""
    each: dict[str, list[float]]
    """By stage, of every question after it."""


def measure(
    sizes: Sequence[int] = SIZES,
    dimension: int = DIMENSION,
    questions: int = QUESTIONS,
    folder: Path | None = None,
    *,
    against: bool = False,
    json_file: Path | None = None,
    plot: Path | None = None,
) -> Iterator[str]:
    """Fill an index with each of ``sizes`` vectors, search it, and tell what each stage took.

    Then the default store is measured by itself, beside the plain product, what it takes to read the vectors, and,
    ``against`` them, other libraries.

    Yields lines to be printed, some before it is done. The indexes are made in ``folder``, the system's temporary one
    where absent, and removed. Every figure goes to ``json_file``, and how cost grows, drawn, to
    ``plot``, where they are named.

    Raises
    ------
    MMRagError
        There is nothing to measure.
    """
    if not sizes or min(sizes) < 1 or dimension < 2 or questions < 1:
        raise MMRagError("vectors, dimensions and questions are counts: --sizes 1000,10000 --dimension 512")
    if folder is not None and not folder.is_dir():
        raise MMRagError(f"there is no folder {folder} to make the indexes in")
    checked_file(json_file)
    checked_file(plot)
    found = []
    for size in sizes:
        with TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as name:
            start = time.perf_counter()
            path = Path(name) / INDEX
            synthetic.fill(path, size, dimension)
            yield f"{size:,} vectors: index filled in {time.perf_counter() - start:.0f} s, searching it ..."
            found.append(_measured(path, dimension, synthetic.questions(WARM_UP + questions)))
    yield from _table(found, f"A search by stage, vectors of {dimension} numbers, {questions} questions a size")
    compared = yield from nearest.compare(sizes, dimension, folder, against=against, plot=plot)
    yield from closing({"stages": [asdict(one) for one in found], "nearest": compared}, json_file)


def _measured(path: Path, dimension: int, questions: Sequence[str]) -> Figures:
    with synthetic.settings(dimension) as settings, MultimodalRAG(settings=settings, path=path) as rag:
        once, each = _by_stage(rag, questions)
        for told, limits in FILTERS.items():
            each[told] = [_seconds(partial(rag.search, question, **limits)) for question in questions][WARM_UP:]
        each[PRODUCT] = _products(rag, questions)[WARM_UP:]
        status = rag.status()
    with (
        synthetic.settings(dimension) as settings,
        MultimodalRAG(settings=settings, path=path) as again,
        Stages(_ONCE) as stages,
    ):
        again.search(questions[0])
        once[AGAIN] = stages.take()[CALIBRATE]
    return Figures(sum(status.vectors.values()), status.chunks, path.stat().st_size, once, each)


def _by_stage(rag: MultimodalRAG, questions: Sequence[str]) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Seconds of the first search, and of each question after the warm-up."""
    with Stages([*_ONCE, *_EACH]) as stages:
        total = _seconds(partial(rag.search, questions[0]))
        taken = stages.take()
        once = {stage: taken[stage] for _, _, stage in _ONCE}
        once |= {COLD: total - sum(once.values()), FIRST: total}
        each: dict[str, list[float]] = {}
        for at, question in enumerate(questions):
            total = _seconds(partial(rag.search, question))
            taken = stages.take()
            spent = {stage: taken[stage] for _, _, stage in _EACH} | {CALIBRATED: taken[CALIBRATE]}
            spent |= {REST: total - sum(spent.values()), TOTAL: total}
            for stage, seconds in spent.items() if at >= WARM_UP else ():
                each.setdefault(stage, []).append(seconds)
    return once, each


def _products(rag: MultimodalRAG, questions: Sequence[str]) -> list[float]:
    """What it takes to multiply every vector by one question, without looking at what comes out."""
    searching = rag._searching  # noqa: SLF001  # its vectors as they lie in memory
    probes, _ = searching.probes(searching.query(questions[0]))

    def product() -> None:
        for probe in probes:
            probe.channel.vectors @ probe.query

    return [_seconds(product) for _ in questions]


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _table(found: Sequence[Figures], heading: str) -> Iterator[str]:
    columns = [f"{one.vectors:,} vectors" for one in found]
    yield ""
    yield f"{heading}: milliseconds, median (nine of ten within)"
    yield ""
    yield f"| | {' | '.join(columns)} |"
    yield f"|---{'|---:' * len(columns)}|"
    for stage in found[0].each:
        yield _row(stage, [_both(one.each[stage]) for one in found], bold=stage == TOTAL)
    yield ""
    yield "Once, when an index is opened: seconds"
    yield ""
    yield f"| | {' | '.join(columns)} |"
    yield f"|---{'|---:' * len(columns)}|"
    for stage in found[0].once:
        yield _row(stage, [f"{one.once[stage]:,.3f}" for one in found], bold=stage == FIRST)
    yield _row("chunks", [f"{one.chunks:,}" for one in found])
    yield _row("MB of the file", [f"{one.size / 1e6:,.0f}" for one in found])


def _both(seconds: Sequence[float]) -> str:
    median, late = quantiles(seconds)
    digits = 2 if late < 0.01 else 1 if late < 0.1 else 0
    return f"{median * 1000:,.{digits}f} ({late * 1000:,.{digits}f})"


def _row(name: str, values: Sequence[str], *, bold: bool = False) -> str:
    mark = "**" * bold
    return f"| {mark}{name}{mark} | {' | '.join(f'{mark}{value}{mark}' for value in values)} |"
