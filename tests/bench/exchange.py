"""What it takes to import vectors and to export an index: seconds, and the memory that each part adds.

Made-up vectors under the name of a model that is not loaded, with a CSV of as many rows; thumbnails where asked for.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # the model is named, and not looked for

import numpy as np

from mmrag_nb import MultimodalRAG

MODEL = "openai/clip-vit-base-patch32"


def make(folder: Path, rows: int, dimension: int) -> None:
    rng = np.random.default_rng(0)
    array = np.lib.format.open_memmap(folder / "v.npy", "w+", np.float16, (rows, dimension))
    for start in range(0, rows, 10_000):
        array[start : start + 10_000] = rng.normal(size=(min(10_000, rows - start), dimension))
    array.flush()
    lines = (f"photos/{n:06}.jpg,a photo of number {n} in the sun,{n % 97}\n" for n in range(rows))
    (folder / "t.csv").write_text("path,said,price\n" + "".join(lines))


def peak() -> float:
    """Megabytes of the most that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def measured(what: str, do, size: Path | None = None) -> None:
    before, start, worked = peak(), time.perf_counter(), time.process_time()
    do()
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    of = f", {size.stat().st_size / 1e6:,.0f} MB" if size and size.is_file() else ""
    print(
        f"{what}: {seconds:.1f} s ({worked:.1f} s of processor), peak {peak():,.0f} MB (before: {before:,.0f} MB){of}",
        flush=True,
    )


def in_fork(what: str, do, size: Path | None = None) -> None:
    """Each in a process of its own, since a peak never goes down."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            measured(what, do, size)
        finally:
            os._exit(0)  # a fork that fails must not go on with what comes after
    os.waitpid(child, 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--folder", type=Path, help="where to work; a temporary one where absent")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        make(folder, options.rows, options.dimension)
        index, parquet = folder / "index.mmrag", folder / "index.parquet"

        def bring(*given) -> None:
            with MultimodalRAG(path=index) as rag:
                rag.import_vectors(*given, model=MODEL)

        def returned() -> None:
            with MultimodalRAG(path=folder / "again.mmrag") as rag:
                rag.import_vectors(parquet)

        def export(place: Path, form: str) -> None:
            with MultimodalRAG(path=index) as rag:
                rag.export(place, form=form)

        in_fork("import of .npy and CSV", lambda: bring(folder / "v.npy", folder / "t.csv"), index)
        in_fork("the same again", lambda: bring(folder / "v.npy", folder / "t.csv"))
        in_fork("export to Parquet", lambda: export(parquet, "parquet"), parquet)
        in_fork("export to datasets", lambda: export(folder / "dataset", "datasets"))
        in_fork("import of the Parquet", returned)


if __name__ == "__main__":
    main()
