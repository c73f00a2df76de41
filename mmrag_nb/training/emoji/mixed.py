"""How fairly pictures and sentences compete in one ranking: the share of the within-modality bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmrag_nb.types import Vectors

POOLS = ((250, 250), (200, 20), (20, 200), (20, 20), (5, 5), (2, 1))
"""Pictures and sentences in the index."""
BACKGROUND = 100
LIKENESS = 0.75
"""Cosine of a query to the sentence that it paraphrases."""


@dataclass(frozen=True)
class MixedRanking:
    """One pool's outcome: how often the answer came first, over queries of both kinds."""

    pictures: int
    sentences: int
    queries: int
    raw: float
    """By raw cosines."""
    calibrated: float
    """By cosines standardised per modality with background queries."""
    bound: float
    """Where each query is ranked among its answer's own modality only."""


def mixed_rankings(
    image: Vectors, text: Vectors, background: Vectors | None = None, seed: int = 0
) -> list[MixedRanking]:
    """Measure every pool of `POOLS`.

    Parameters
    ----------
    image, text : (n, d)
        Row i of ``image`` is what row i of ``text`` describes. The last 100 pairs are left out of the pools.
    background : (b, d), optional
        Background queries; the sentences of the pairs that were left out, where absent.

    Notes
    -----
    An index holds some pictures, and the sentences of other pictures. Every query is a paraphrase (noise with the
    sentences' own covariance) of a sentence: of an indexed picture's, so that the picture is the answer, or of an
    indexed sentence, which then is the answer itself.
    """
    background = text[-BACKGROUND:] if background is None else background
    image, text = image[:-BACKGROUND], text[:-BACKGROUND]
    rng = np.random.default_rng(seed)
    outcomes = []
    for pictures, sentences in POOLS:
        rounds = max(4, 2000 // (pictures + sentences))
        firsts: dict[str, list[NDArray[np.bool_]]] = {"raw": [], "calibrated": [], "bound": []}
        weights: list[NDArray[np.float64]] = []
        for _ in range(rounds):
            chosen = rng.permutation(len(image))[: pictures + sentences]
            pool = image[chosen[:pictures]], text[chosen[pictures:]]
            for kind, rows in enumerate((chosen[:pictures], chosen[pictures:])):
                queries = paraphrase(text[rows], text, rng)
                cosines = [queries @ pool[0].T, queries @ pool[1].T]
                standard = [
                    standardise(cosine, background @ part.T) for cosine, part in zip(cosines, pool, strict=True)
                ]
                firsts["raw"].append(_comes_first(cosines[kind], cosines[1 - kind]))
                firsts["calibrated"].append(_comes_first(standard[kind], standard[1 - kind]))
                firsts["bound"].append(_comes_first(cosines[kind], cosines[kind][:, :0]))
                weights.append(np.full(len(rows), 0.5 / (rounds * len(rows))))  # both kinds of query count the same
        weight = np.concatenate(weights)
        shares = {name: float(np.concatenate(parts) @ weight) for name, parts in firsts.items()}
        outcomes.append(MixedRanking(pictures, sentences, len(weight), **shares))
    return outcomes


def paraphrase(vectors: Vectors, reference: Vectors, rng: np.random.Generator) -> Vectors:
    """Turn each unit row to a random side, as ``reference`` varies, until its cosine to itself is `LIKENESS`."""
    spread = reference - reference.mean(axis=0)
    noise = rng.standard_normal((len(vectors), len(spread))).astype(np.float32) @ spread
    noise -= (noise * vectors).sum(axis=1, keepdims=True) * vectors
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    mixed: Vectors = LIKENESS * vectors + np.float32(np.sqrt(1 - LIKENESS**2)) * noise
    return mixed


def standardise(cosines: NDArray[np.float32], background: NDArray[np.float32]) -> NDArray[np.float32]:
    """Say how many deviations above arbitrary queries' cosines these are."""
    standard: NDArray[np.float32] = (cosines - background.mean()) / max(float(background.std()), 1e-6)
    return standard


def _comes_first(own: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell for each query (row) whether its answer, on the diagonal of ``own``, beats everything else."""
    answer = np.diag(own)[:, None]
    result: NDArray[np.bool_] = ((own > answer).sum(axis=1) + (other >= answer).sum(axis=1)) == 0
    return result
