"""What would have had to be otherwise, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .comparison import ordinal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmrag_nb.results import Hit
    from mmrag_nb.types import Modality

    from .why import Placing, Term, View

CHUNKS: dict[str, tuple[str, str]] = {
    "text": ("passage", "passages"),
    "image": ("picture", "pictures"),
    "audio": ("utterance", "utterances"),
    "video": ("video", "videos"),
}
"""How chunks of each modality are counted."""
_LITTLE = 0.05
"""Standard deviations that are not worth a word."""
_SIGMA = "σ"
_NAMED = 3
"""Missing words that are named."""


def verdict(placing: Placing, modality: Modality) -> str:
    """Where a chunk stands, in a sentence."""
    one, many = CHUNKS.get(modality, CHUNKS["text"])
    by = " by raw cosine" if placing.raw else ""
    stands = f"{ordinal(placing.rank)} of all {placing.of:,} chunks{by}"
    among = (
        f", {ordinal(placing.among_kind)} of the {placing.kinds:,} {many}" if placing.kinds > 1 else f", the only {one}"
    )
    if placing.found:
        return f"Hit {placing.rank} of {min(placing.k, placing.of)}: {stands}{among}."
    return f"Not among the {placing.k} hits: {stands}{among}." if placing.k > 1 else f"Not the hit: {stands}{among}."


def margin(hit: Hit, view: View | None, placing: Placing, others: Sequence[float]) -> list[str]:
    """What separates a chunk from the hits, from the first place, or from the next.

    ``others`` are all scores, best first; ``view`` is what alone makes the score, ``None`` where several views do.
    """
    if hit.before is not None:
        return [f"A reranker made the order of the hits: by its score it was {ordinal(hit.before)}."]
    if placing.rank == 1:
        return [f"It leads by {_score(others[0] - others[1], hit, placing)}."] if len(others) > 1 else []
    to, goal = (1, "to be first") if placing.found else (placing.k, f"to be among the {placing.k}")
    needed = max(others[to - 1] - hit.score, 0.0)
    if needed < (1e-3 if placing.raw else _LITTLE):
        return [f"It misses by a hair {goal}: {_score(needed, hit, placing)}."]
    told = f"It needs {'' if placing.raw else '+'}{_score(needed, hit, placing)} {goal}"
    if view is None or not (placing.raw or hit.unit == _SIGMA):  # a rank is not what a cosine can be told from
        return [f"{told}."]
    cosine = view.cosine + needed if placing.raw else view.raised(needed)
    kind = CHUNKS.get(view.modality, CHUNKS["text"])[0] if view.modality != "text" else "text"
    if cosine > 1:
        return [f"{told}, more than any cosine as a {kind} could bring."]
    return [f"{told}: a cosine of {cosine:.3f} instead of {view.cosine:.3f} as a {kind}."]


def words(terms: Sequence[Term], modality: Modality, *, captioned: bool) -> list[str]:
    """Which words of the question it lacks, and about what they would bring to a chunk of average length."""
    missing = sorted((term for term in terms if not term.brought and term.worth >= _LITTLE), key=lambda t: -t.worth)
    if not missing:
        return []
    listed = [f"“{term.text}” (worth about {term.worth:+.1f} σ)" for term in missing[:_NAMED]]
    named = listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} or {listed[-1]}"
    if modality == "image":
        return [f"Its caption lacks {named}." if captioned else f"A caption with {named} would count."]
    if modality == "audio":
        return [f"Nobody was heard to say {named}." if captioned else f"Words in it, such as {named}, would count."]
    return [f"Its text lacks {named}."]


def other_ways(placing: Placing, otherwise: int | None, most: int) -> list[str]:
    """Where another ``k``, and the other way of ranking, would put it."""
    told = []
    if not placing.found:
        if placing.rank <= most:
            told.append(f"k of {placing.rank:,} or more would show it.")
        else:
            told.append(f"It takes k of {placing.rank:,} to show it, and {most} is the most.")
    if otherwise is not None:
        way = "Calibrated, with the words counted," if placing.raw else "Ranked by raw cosine"
        same = otherwise == placing.rank
        told.append(f"{way} it would be {ordinal(otherwise)}{' as well' if same else ''}.")
    return told


def _score(value: float, hit: Hit, placing: Placing) -> str:
    if placing.raw:
        return f"{value:.3f}"
    return f"{value:.1f} {_SIGMA}" if hit.unit == _SIGMA else f"{value:.2f} {hit.unit}"
