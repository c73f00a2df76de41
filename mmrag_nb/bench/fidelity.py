"""How near vectors come to those of a reference: by themselves, and by what they find."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from mmrag_nb.types import Vectors

    from .rounds import Outcome

REFERENCE = "reference.npy"
"""The file that the reference leaves its vectors in."""
COSINE, AGREEMENT = 0.999, 0.99
"""What is promised at least: of every vector, and of the neighbours."""


@dataclass(frozen=True)
class Fidelity:
    """What a row's vector has of the reference's."""

    n: int
    mean: float
    """Cosines to the reference, mean."""
    least: float
    centred: float
    """The same with the reference's mean vector taken off, mean: a network with random weights puts all into one cone,
    where every cosine flatters."""
    centred_least: float
    agreement: float
    """Share of the :attr:`k` nearest others that are the reference's, too."""
    k: int
    identical: bool
    """Bit for bit."""

    @property
    def kept(self) -> bool:
        """Whether it is what is promised."""
        return self.least >= COSINE and self.agreement >= AGREEMENT

    def figures(self) -> dict[str, Any]:
        """For a JSON file."""
        return asdict(self)


def compare(reference: Vectors, vectors: Vectors, k: int = 10) -> Fidelity:
    """Compare (n, d) with the (n, d) of the reference, row by row, and the neighbours of each row among the others."""
    n = len(reference)
    k = max(1, min(k, (n - 1) // 2))  # of few, the nearest half: all of them would agree always
    ours, theirs = _unit(vectors), _unit(reference)
    centre = theirs.mean(axis=0)
    cosines, centred = (ours * theirs).sum(1), (_unit(ours - centre) * _unit(theirs - centre)).sum(1)
    shared = [len(set(mine) & set(right)) / k for mine, right in zip(_near(ours, k), _near(theirs, k), strict=True)]
    return Fidelity(
        *(n, float(cosines.mean()), float(cosines.min()), float(centred.mean()), float(centred.min())),
        *(float(np.mean(shared)), k, bool(np.array_equal(reference, vectors))),
    )


def saved(outcome: Outcome, place: Path) -> dict[str, dict[str, Fidelity]]:
    """By task, then by engine: those that left vectors beside the reference's, in ``place / "vectors" / task``."""
    names = {str(entrant.how["save_as"]): entrant.name for entrant in outcome.entrants if "save_as" in entrant.how}
    found: dict[str, dict[str, Fidelity]] = {}
    for task in outcome.tasks:
        folder = place / "vectors" / task.name
        if (right := folder / REFERENCE).exists():
            against = np.load(right)
            made = {name: folder / file for file, name in names.items() if file != REFERENCE}
            found[task.name] = {name: compare(against, np.load(file)) for name, file in made.items() if file.exists()}
    return found


def figures(found: Mapping[str, Mapping[str, Fidelity]]) -> dict[str, dict[str, Any]]:
    """For a JSON file."""
    return {task: {name: one.figures() for name, one in engines.items()} for task, engines in found.items()}


def table(found: Mapping[str, Mapping[str, Fidelity]], reference: str) -> Iterator[str]:
    """Lines of a table: by task, then by engine."""
    names = [name for one in found.values() for name in one]
    if not names:
        return
    width = max(map(len, [*names, *found])) + 2
    yield ""
    yield f"fidelity: vectors beside {reference}"
    yield (
        f"  {'':{width}}{'cosine: mean':>14}{'least':>10}{'centred: mean':>15}{'least':>9}{'top 10':>9}"
        f"   promised: cosine {COSINE}, top 10 {AGREEMENT}"
    )
    for task, engines in found.items():
        for name, one in engines.items():
            said = "bit for bit" if one.identical else "kept" if one.kept else "NOT KEPT"
            yield (
                f"  {name:{width}}{one.mean:14.6f}{one.least:10.6f}{one.centred:15.5f}{one.centred_least:9.5f}"
                f"{one.agreement:9.3f}   {said}; {task}, {one.n} vectors{'' if one.k == 10 else f', top {one.k}'}"
            )


def _unit(vectors: Vectors) -> NDArray[np.float64]:
    wide = np.asarray(vectors, np.float64)
    unit: NDArray[np.float64] = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-30)
    return unit


def _near(vectors: NDArray[np.float64], k: int) -> list[list[int]]:
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    nearest: list[list[int]] = np.argsort(-cosines, axis=1, kind="stable")[:, :k].tolist()
    return nearest
