"""How long a question takes while the index is filled in the background, beside the same question before and after.

python tests/bench/background.py --texts 20000 --pictures 300
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import numpy as np
from PIL import Image

from mmrag_nb import MultimodalRAG

_QUESTION = "how deep is lake 7?"


def sources(texts: int, pictures: int) -> list[dict[str, object]]:
    """Texts that differ in a number, and pictures of noise."""
    rng = np.random.default_rng(0)
    return [
        *({"text": f"Lake {n} is {n} metres deep and {n % 97} kilometres long."} for n in range(texts)),
        *({"image": Image.fromarray(rng.integers(0, 255, (256, 256, 3), "uint8"))} for _ in range(pictures)),
    ]


def asked(rag: MultimodalRAG, enough: float) -> list[float]:
    """Seconds of one question after the other, until ``enough`` seconds are over or nothing is indexed any more."""
    times: list[float] = []
    end = time.monotonic() + enough
    while time.monotonic() < end:
        begun = time.perf_counter()
        rag.ask(_QUESTION)
        times.append(time.perf_counter() - begun)
        time.sleep(0.05)
    return times


def tell(what: str, times: list[float]) -> None:
    """Print a line."""
    print(
        f"{what:8} {len(times):5} questions   median {1000 * statistics.median(times):7.1f} ms   "
        f"longest {1000 * max(times):7.1f} ms"
    )


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=5_000)
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--first", type=int, default=1_000, help="texts that are in the index beforehand")
    parser.add_argument("--preset", default="offline")
    arguments = parser.parse_args()
    with MultimodalRAG(preset=arguments.preset) as rag:
        rag.index([{"text": f"Mountain {n} is {n} metres high."} for n in range(arguments.first)])
        rag.ask(_QUESTION)
        tell("before", asked(rag, 3))
        given = sources(arguments.texts, arguments.pictures)
        begun = time.perf_counter()
        job = rag.index_in_background(given)
        print(f"began in {1000 * (time.perf_counter() - begun):.1f} ms")
        during: list[float] = []
        while not job.done:
            during += asked(rag, 0.5)
        tell("during", during)
        print(f"indexed {len(rag.items()):,} items, {len(given) / (time.perf_counter() - begun):,.0f} a second")
        tell("after", asked(rag, 3))


if __name__ == "__main__":
    sys.exit(main())
