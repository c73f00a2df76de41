"""Filters on 10,000 rows against a brute-force check: ``python tests/bench/filters.py [ROWS] [FILTERS]``.

Prints how many of the filters found just the chunks that plain Python finds, and the seconds they took.
"""

import random
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import slow_filters as slow

from mmrag_nb.bench import machine
from mmrag_nb.catalog.catalog import Catalog

TYPED = [
    "species == 'rose' and price < 50",
    "10 <= price < 50 or not sold",
    "species in ('rose', 'lily', 'red rose')",
    "'rose' in tags",
    "'rose' in text",
    "'rose' in name",
    "start < 20 and end >= 11.9",
    "page == 2",
    "width > height",
    "seconds is None",
    "modality == 'audio' and price > 0 and not (sold or species == 'lily' or 'Rose' in tags) and height is not None",
]


def main(count: int, filters: int) -> None:
    rng = random.Random(5)
    made = [_one(entry) for entry in slow.entries(rng, count)]
    catalog = Catalog()
    catalog.add(made, {})
    known = slow.rows(made)
    print("  ".join(f"{k} {v}" for k, v in machine.facts().items()))
    right, found, seconds, brute = 0, [], [], 0.0
    for _ in range(filters):
        text, answer = slow.condition(rng)
        begin = time.perf_counter()
        ids = catalog.chunks_where(text)
        middle = time.perf_counter()
        wanted = [number for number, row in enumerate(known, 1) if answer(row) is True]
        brute += time.perf_counter() - middle
        seconds.append(middle - begin)
        found.append(len(ids))
        right += ids.tolist() == wanted
        if ids.tolist() != wanted:
            print("WRONG", text, len(ids), len(wanted))
    print(f"{right:,} of {filters:,} filters right on {len(known):,} rows; {np.median(found):,.0f} found (median)")
    print(
        f"a filter: median {np.median(seconds):.4f} s, worst {max(seconds):.4f} s; brute force {brute / filters:.4f} s"
    )
    for text in TYPED:
        taken = []
        for _ in range(5):
            begin = time.perf_counter()
            ids = catalog.chunks_where(text)
            taken.append(time.perf_counter() - begin)
        print(f"{np.median(taken):.4f} s  {len(ids):>9,} found  {text}")


def _one(entry):
    """As a row of a table: one chunk an item."""
    return slow.Entry(entry.item, entry.chunks[:1], [[]], entry.recipe, entry.facts)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, int(sys.argv[2]) if len(sys.argv) > 2 else 300)
