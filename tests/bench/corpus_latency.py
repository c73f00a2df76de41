"""How long a question takes of an index in Milvus Lite, beside the same index in a file.

python tests/bench/corpus_latency.py --chunks 10000
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from mmrag_nb import MultimodalRAG
from mmrag_nb.catalog.entries import Entry
from mmrag_nb.types import Chunk, Item

WORDS = "harp string pedal bridge river apple moon boat tide lamp stone leaf wheel cloud horse drum".split()


def fill(rag: MultimodalRAG, n: int, batch: int) -> float:
    """Write ``n`` texts of eight words, ``batch`` at a time, embedded by the preset; seconds that writing took."""
    encoder = rag._parts.ways(pictures=False, sounds=False)[-1].encoder
    rag._catalog.register(encoder.space, encoder.dimension, encoder.fingerprint, {})
    random, took = np.random.default_rng(0), 0.0
    for start in range(0, n, batch):
        texts = [" ".join([*random.choice(WORDS, 8), f"n{one}"]) for one in range(start, min(start + batch, n))]
        vectors = dict(zip((f"k{start + one}" for one in range(len(texts))), encoder.embed_texts(texts), strict=True))
        entries = []
        for one, text in enumerate(texts, start):
            item = Item(f"{one:064x}", f"text {one}.txt", "text", {"price": one % 100})
            entries.append(Entry(item, [Chunk(item.id, 0, "text", text)], [[("titled", f"k{one}")]], "text-1"))
        began = time.perf_counter()
        rag._catalog.add(entries, {encoder.space: vectors}, {"preset": "offline", "clip": "none"})
        took += time.perf_counter() - began
    return took


def main() -> None:
    """Fill both, ask both, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--questions", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, path in (("file", Path(folder) / "it.mmrag"), ("Milvus Lite", f"milvus:{Path(folder) / 'it.db'}")):
            with MultimodalRAG(path=path, preset="offline", clip="none") as rag:
                took = fill(rag, options.chunks, options.batch)
                print(
                    f"{name}: {options.chunks:,} chunks written in {took:.1f} s ({options.chunks / took:,.0f} a second)"
                )
                for where in (None, "price < 10"):
                    times = []
                    for one in range(options.questions + 1):
                        began = time.perf_counter()
                        rag.search(f"a {WORDS[one % 16]} and a {WORDS[(one + 5) % 16]} n{one}", where=where)
                        times.append(time.perf_counter() - began)
                    median = statistics.median(times[1:])
                    print(f"  {where or 'all':12} first {times[0]:.2f} s, then {1000 * median:.0f} ms in the median")


if __name__ == "__main__":
    main()
