"""Ways to make it fetch what it must not, against servers on loopback: ``python tests/bench/ssrf.py [-v]``.

Prints how many were refused without so much as a connection to the forbidden side, the names of those that were not,
and whether what is permitted still goes through. The exit status is 1 where anything is wrong.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from ssrf_network import PAGE, Network
from ssrf_vectors import VECTORS, Vector

from mmrag_nb.sources.urls import fetch


def main(*, verbose: bool) -> int:
    network = Network()
    begin = time.perf_counter()
    wrong = {vector.name: told for vector in VECTORS if (told := network.attempt(vector))}
    seconds = time.perf_counter() - begin
    if verbose:
        for vector in VECTORS:
            print(f"{'FAILED' if vector.name in wrong else 'ok':7}{vector.name:48}{ascii(vector.url)[1:-1][:70]}")
    for name, told in wrong.items():
        print(f"FAILED {name}: {told}")
    with network.within(Vector("", "")):
        permitted = {
            "a public page": fetch("http://public.example/plain").body == PAGE,
            "one's own, where allowed": bool(
                fetch(network.fill("http://127.0.0.1:{port}/a.txt"), allow_private=True).body
            ),
        }
    network.close()
    refusals = sum(bool(vector.says) for vector in VECTORS)
    print(f"{len(VECTORS) - len(wrong)}/{len(VECTORS)} passed in {seconds:.2f} s: {refusals} to be refused, the others")
    print("to be fetched without what they lead on to; the forbidden server may not even be connected to")
    print("permitted: " + ", ".join(f"{name}: {'allowed' if went else 'REFUSED'}" for name, went in permitted.items()))
    return int(bool(wrong) or not all(permitted.values()))


if __name__ == "__main__":
    sys.exit(main(verbose="-v" in sys.argv[1:]))
