"""What a large index file costs: to open, to ask for the first time, in memory; and what its checksums cost.

``python tests/bench/open_file.py --chunks 100000`` makes a file by ``mmrag_nb.bench.synthetic``, then opens it in fresh
processes. With ``--code FOLDER`` the package in another folder does so, an earlier version of it say, with a file of
its own making.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

MAKE = """
import sys, time
from pathlib import Path
from mmrag_nb.bench import synthetic
start = time.perf_counter()
synthetic.fill(Path(sys.argv[1]), int(sys.argv[2]) * 5 // 4, int(sys.argv[3]))
print(time.perf_counter() - start)
"""

OPEN = """
import json, resource, sys, time
from mmrag_nb import MultimodalRAG
from mmrag_nb.bench import synthetic
from mmrag_nb.catalog.catalog import Catalog
from pathlib import Path
path, dimension, plain = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "unchecked"
if plain:
    from mmrag_nb.catalog import checksums
    checksums.is_whole = lambda page: True
def memory():
    with open("/proc/self/statm") as pages:
        return int(pages.read().split()[1]) * resource.getpagesize() / 1e6
def timed(work):
    start = time.perf_counter()
    done = work()
    return time.perf_counter() - start, done
found = {"before": memory()}
found["open"], catalog = timed(lambda: Catalog(path))
found["opened"] = memory()
found["chunks"] = catalog.chunk_count()
found["vectors"], (ids, vectors) = timed(lambda: catalog.matrix(f"synthetic:{dimension}", "image"))
found["texts"], _ = timed(lambda: catalog.matrix(f"synthetic:{dimension}", "text"))
del ids, vectors, _
catalog.close()
with synthetic.settings(dimension) as settings, MultimodalRAG(settings=settings, path=path) as rag:
    question, another = synthetic.questions(2)
    found["first"], _ = timed(lambda: rag.search(question))
    found["searched"] = memory()
    found["next"], _ = timed(lambda: rag.search(another))
found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
print(json.dumps(found))
"""


def run(script: str, code: Path, *arguments: object) -> str:
    """What a fresh process prints, of the package in ``code``."""
    environment = {**os.environ, "PYTHONPATH": str(code), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.check_output(command, env=environment, cwd=code, text=True).strip().splitlines()[-1]


def main() -> None:
    """Make, open, and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--chunks", type=int, default=10_000, metavar="N", help="chunks of the file (default 10000)")
    parser.add_argument("--dimension", type=int, default=512, metavar="D", help="numbers of a vector")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="fresh processes; the quickest counts")
    parser.add_argument("--code", type=Path, default=ROOT, metavar="FOLDER", help="where another mmrag_nb lies")
    parser.add_argument("--unchecked", action="store_true", help="without looking at the checksums")
    options = parser.parse_args()
    code = options.code.resolve()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.mmrag"
        made = float(run(MAKE, code, path, options.chunks, options.dimension))
        print(f"made in {made:.1f} s, {path.stat().st_size / 1e6:,.0f} MB")
        how = "unchecked" if options.unchecked else "checked"
        each = [json.loads(run(OPEN, code, path, options.dimension, how)) for _ in range(options.runs)]
    best = {name: min(one[name] for one in each) for name in each[0]}
    more = best["opened"] - best["before"]
    print(f"{best['chunks']:,} chunks; open {best['open'] * 1000:.1f} ms, {more:.1f} MB more")
    print(f"vectors of the pictures {best['vectors']:.2f} s, of the texts {best['texts']:.2f} s")
    print(f"first search {best['first']:.2f} s (file warm, calibration kept), next {best['next'] * 1e3:.0f} ms")
    print(f"memory {best['before']:.0f} MB, after the search {best['searched']:.0f} MB, peak {best['peak']:.0f} MB")


if __name__ == "__main__":
    main()
