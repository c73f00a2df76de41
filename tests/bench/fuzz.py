"""Damaged files to every loader: ``python tests/bench/fuzz.py [--minutes N] [--loader X ...] [--seed S] [--keep DIR]``.

Real files of every kind, made here (and those of the cases folder, where it is there), are damaged as hypothesis draws
it: flipped bits, runs of bytes, cuts, doublings, splices, lying lengths. Each has to end in chunks that are sane, or in
one line that says what is wrong, in time and in memory. Anything else is kept in DIR with what made it, and
``--replay FILE`` tries it again here, with its traceback. The loaders take turns; exit status 1 if anything was found.
"""

import argparse
import hashlib
import json
import sys
import time
import warnings
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

import fuzz_loading
import fuzz_seeds
from fuzz_mutations import mutated, recipes
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from mmrag_nb import registry

ROUND = 10.0
"""Seconds of a loader's turn."""


class Fuzz:
    """Inputs to loaders, and what became of them."""

    def __init__(self, keep: Path) -> None:
        self._keep = keep
        self._process = fuzz_loading.Process()
        self._seeds: dict[str, list[fuzz_seeds.Seed]] = {}
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)
        self.slowest: dict[str, tuple[float, str]] = {}
        self.largest: dict[str, int] = defaultdict(int)
        self.findings: list[Path] = []
        self._known: set[str] = set()

    def whole(self, loader: str) -> None:
        """Try the seeds as they are: those made here are good."""
        own = self._files(loader)
        for name, data in own:
            self._try(loader, name, data, "whole")

    def turn(self, loader: str, number: int, seconds: float) -> None:
        """Try damaged files for so many seconds."""
        files = self._files(loader)
        if not files:
            return
        others = [data for _, data in files]
        until = time.monotonic() + seconds

        # Nothing is raised, so nothing is shrunk: an input that hangs would be tried again and again.
        @seed(number)
        @settings(
            max_examples=100_000,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=HealthCheck,
        )
        @given(st.integers(0, len(files) - 1), recipes)
        def damage(which, recipe):
            if time.monotonic() >= until:
                raise _Over
            name, data = files[which]
            self._try(loader, name, mutated(data, recipe, others), repr(recipe))

        with suppress(_Over):
            damage()

    def _files(self, loader: str) -> list[fuzz_seeds.Seed]:
        if loader not in self._seeds:
            self._seeds[loader] = fuzz_seeds.seeds(loader)
        return self._seeds[loader]

    def _try(self, loader: str, name: str, data: bytes, made: str) -> None:
        verdict = self._process.tried(loader, name, data)
        self.counts[loader][verdict.kind] += 1
        self.slowest[loader] = max(self.slowest.get(loader, (0.0, "")), (verdict.seconds, name))
        self.largest[loader] = max(self.largest[loader], verdict.peak)
        if not verdict.fine:
            self._found(loader, name, data, made, verdict)

    def _found(self, loader, name, data, made, verdict) -> None:
        last = verdict.told.strip().splitlines()[-1:] or [""]
        same = f"{loader} {verdict.kind} {last[0][:60]}"
        if same in self._known:  # one of a kind is enough to mend it by
            return
        self._known.add(same)
        self._keep.mkdir(parents=True, exist_ok=True)
        path = self._keep / f"{loader}-{hashlib.sha256(data).hexdigest()[:12]}-{name}"
        path.write_bytes(data)
        about = {"loader": loader, "name": name, "kind": verdict.kind, "told": verdict.told, "made": made}
        about |= {"seconds": round(verdict.seconds, 2), "peak": verdict.peak}
        path.with_name(path.name + ".json").write_text(json.dumps(about, indent=1), encoding="utf-8")
        self.findings.append(path)
        print(f"FOUND {verdict.kind} by {loader} in {path}: {last[0][:200]}", flush=True)

    def told(self) -> None:
        """Print what became of all."""
        for loader, counts in self.counts.items():
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
            seconds, name = self.slowest[loader]
            print(
                f"{loader:9} {counts.total():7,} inputs of {len(self._seeds[loader])} seeds: {kinds}; "
                f"slowest {seconds:.1f} s ({name}), largest {self.largest[loader] / 1e6:,.0f} MB"
            )
        total = sum(counts.total() for counts in self.counts.values())
        print(f"{total:,} inputs, {len(self.findings)} kinds of findings")

    def close(self) -> None:
        self._process.close()


class _Over(BaseException):
    """The turn is over."""


def run(loaders: list[str], minutes: float, number: int, keep: Path, each: float = ROUND) -> Fuzz:
    """Fuzz ``loaders`` in turns."""
    warnings.simplefilter("ignore")
    fuzz = Fuzz(keep)
    until = time.monotonic() + 60 * minutes
    try:
        for loader in loaders:
            fuzz.whole(loader)
        while (left := until - time.monotonic()) > 0:
            for loader in loaders:
                fuzz.turn(loader, number, min(each, max(left, 0.1)))
            number += 1
    except KeyboardInterrupt:
        print("interrupted")
    finally:
        fuzz.close()
    return fuzz


def replay(path: Path) -> int:
    """Try a kept input again, here: a crash is a crash."""
    about = json.loads(path.with_name(path.name + ".json").read_text(encoding="utf-8"))
    print(f"{about['loader']}, found as {about['kind']} in {about['seconds']} s; made by {about['made'][:300]}")
    with TemporaryDirectory() as folder:
        begin = time.monotonic()
        verdict = fuzz_loading.tried(about["loader"], about["name"], path.read_bytes(), Path(folder))
    print(f"now {verdict.kind} in {time.monotonic() - begin:.2f} s: {verdict.told}")
    return not verdict.fine


def main() -> int:
    known = [*registry.names("loader"), fuzz_loading.TABLES]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--loader", action="append", choices=known, help="may be repeated; all, where none is named")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--replay", type=Path)
    given_ = parser.parse_args()
    if given_.replay:
        return replay(given_.replay)
    fuzz = run(given_.loader or known, given_.minutes, given_.seed, given_.keep)
    fuzz.told()
    return bool(fuzz.findings)


if __name__ == "__main__":
    sys.exit(main())
