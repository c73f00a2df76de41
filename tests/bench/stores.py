"""What each store finds, how fast, and what it takes: ``python tests/bench/stores.py --sizes 10000 100000``.

Vectors of 512 dimensions that lie as CLIP's do: mixtures of the 500 pictures of ``clip_vectors.npz`` (in
``$MMRAG_BENCH``, or in ``../shared/bench`` beside the repository; where it is absent, of 500 points in 40 dimensions),
asked with 32 mixtures of pictures and 32 of captions, which lie far from all pictures. Each store has a process of its
own, and is opened again in a second one. Memory is what the process grew by, and what its server has.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from store_engines import KINDS, chroma_server, milvus_server, recall

from mmrag_nb import registry
from mmrag_nb.bench import machine

BENCH = Path(os.environ.get("MMRAG_BENCH", Path(__file__).parents[2].parent / "shared" / "bench"))
SERVERS = {"chroma:SERVER": chroma_server, "milvus:SERVER": milvus_server}
ADDED = 1_000
SECONDS = 15.0
"""For one question, asked again and again."""
COLUMNS = {
    "recall": "recall@10",
    "words": "of words",
    "one": "one ms",
    "p95": "p95 ms",
    "many": "64 ms",
    "1 %": "1 % ms",
    "1 % recall": "recall",
    "50 %": "50 % ms",
    "50 % recall": "recall",
    "fit": "fit s",
    "added": "+1,000 s",
    "same": "same s",
    "reopen": "reopen s",
    "loaded": "import s",
    "memory": "MB",
    "server": "server MB",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000])
    parser.add_argument("--stores", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measured(**json.loads(options.child))))
        return
    print("  ".join(f"{key} {value}" for key, value in machine.facts().items()), flush=True)
    for size in options.sizes:
        print(f"\n{size:,} vectors of 512\n\n| store | {' | '.join(COLUMNS.values())} |")
        print(f"|---|{'---:|' * len(COLUMNS)}", flush=True)
        for kind in options.stores:
            print(f"| `{kind}` | {' | '.join(row(kind, size))} |", flush=True)


def row(kind: str, size: int) -> list[str]:
    """Measure one store, in two processes: one that fills it, and one that opens it again."""
    home = Path(tempfile.mkdtemp(prefix="stores-"))
    places = {"chroma:FOLDER": home / "collections", "milvus:FILE": home / "lite.db", "faiss:hnsw": "hnsw"}
    try:
        with ExitStack() as running:
            server = running.enter_context(SERVERS[kind](home)) if kind in SERVERS else None
            where = server.url if server else str(places.get(kind, ""))
            job = {"name": kind.partition(":")[0], "where": where, "size": size, "pid": server and server.pid}
            found = child(job, home)
            if "error" not in found:
                found |= {key: value for key, value in child({**job, "again": True}, home).items() if key == "reopen"}
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if "error" in found:
        return [found["error"]]
    return [
        f"{found[key]:,.3f}" if key in found and found[key] < 10 else f"{found.get(key, np.nan):,.0f}"
        for key in COLUMNS
    ]


def child(job: dict, home: Path) -> dict:
    command = [sys.executable, __file__, "--child", json.dumps(job)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "MMRAG_CACHE": str(home / "cache")}
    )
    lines = done.stdout.strip().splitlines() or [""]
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["failed"])[-1]}
    return json.loads(lines[-1])


def measured(name: str, where: str, size: int, pid: int | None, again: bool = False) -> dict:
    """All figures of one store; or, ``again``, how long the next kernel takes to have it."""
    vectors, queries = corpus(size + ADDED)
    ids = np.arange(1, size + ADDED + 1)
    before = resident("self")
    begin = time.perf_counter()
    kind = registry.find("store", name)
    loaded = time.perf_counter() - begin
    begin = time.perf_counter()
    store = kind(*[where] * bool(where), channel="mmrag_bench")
    if again:
        store.fit(ids, vectors)
        return {"reopen": time.perf_counter() - begin}
    figures = {"loaded": loaded}

    def timed(key: str, rows: int) -> None:
        begin = time.perf_counter()
        store.fit(ids[:rows], vectors[:rows])
        figures[key] = time.perf_counter() - begin

    timed("fit", size)
    timed("added", size + ADDED)
    timed("same", size + ADDED)
    wanted = best(ids, vectors, queries)
    found = store.search(queries, 10)[0]
    figures["recall"], figures["words"] = recall(found, wanted), recall(found[32:], wanted[32:])
    taken = asked(store, queries, None)[0]
    figures["one"], figures["p95"] = 1000 * float(np.median(taken)), 1000 * float(np.quantile(taken, 0.95))
    begin = time.perf_counter()
    store.search(queries, 10)
    figures["many"] = 1000 * (time.perf_counter() - begin)
    for key, share in {"1 %": 0.01, "50 %": 0.5}.items():
        allowed = np.sort(np.random.default_rng(1).choice(ids, int(share * len(ids)), replace=False))
        taken, found = asked(store, queries, allowed)
        figures[key] = 1000 * float(np.median(taken))
        figures[f"{key} recall"] = recall(found, best(ids, vectors, queries, allowed)[: len(found)])
    figures["memory"] = resident("self") - before
    if pid:
        figures["server"] = resident(str(pid))
    store.close()
    return figures


def asked(store, queries: np.ndarray, allowed: np.ndarray | None) -> tuple[list[float], np.ndarray]:
    """Seconds of each question, and what was found."""
    taken, found, end = [], [], time.monotonic() + SECONDS
    store.search(queries[:1], 10, allowed)
    for query in queries:
        begin = time.perf_counter()
        found.append(store.search(query[None], 10, allowed)[0][0])
        taken.append(time.perf_counter() - begin)
        if time.monotonic() > end:
            break
    return taken, np.array(found)


def best(ids: np.ndarray, vectors: np.ndarray, queries: np.ndarray, allowed: np.ndarray | None = None) -> np.ndarray:
    rows = np.arange(len(ids)) if allowed is None else np.flatnonzero(np.isin(ids, allowed))
    return ids[rows][np.argsort(-(queries @ vectors[rows].T), axis=1)[:, :10]]


def corpus(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (n, 512), and questions (64, 512): half pictures, half words."""
    rng = np.random.default_rng(0)
    if (BENCH / "clip_vectors.npz").is_file():
        with np.load(BENCH / "clip_vectors.npz") as kept:
            pictures, words = kept["image"], kept["text"]
    else:
        plane = rng.standard_normal((40, 512), dtype=np.float32)
        pictures, words = (rng.standard_normal((500, 40), dtype=np.float32) @ plane + shift for shift in (5, -5))
    asked = [mixtures(pictures, 32, rng), mixtures(words, 32, rng)]
    return mixtures(pictures, n, rng), np.concatenate(asked)


def mixtures(base: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors (n, d), each of three of ``base``, with a little noise."""
    rows, weights = rng.integers(len(base), size=(n, 3)), rng.dirichlet([0.6] * 3, size=n).astype(np.float32)
    mixed = 0.02 * rng.standard_normal((n, base.shape[1]), dtype=np.float32)
    for column in range(3):
        mixed += weights[:, column, None] * base[rows[:, column]]
    return mixed / np.linalg.norm(mixed, axis=1, keepdims=True)


def resident(process: str) -> float:
    """Megabytes of a process that are in memory (Linux)."""
    for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


if __name__ == "__main__":
    main()
