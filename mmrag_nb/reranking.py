"""A second, closer look at the best hits."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from .errors import MMRagError
from .evidence import evidence

if TYPE_CHECKING:
    from .catalog.catalog import Catalog
    from .protocols import Reranker
    from .queries import Query
    from .results import Hits


def rerank(hits: Hits, query: Query, reranker: Reranker, catalog: Catalog, k: int) -> Hits:
    """The ``k`` of ``hits`` that ``reranker`` likes best, in its order; each hit keeps the rank it had before.

    Where the reranker fails, the order stays and the facts say why: a second look is no reason to lose the first.
    """
    if not hits:
        return hits
    start = time.perf_counter()
    question = query.words or query.shown
    pictures = () if query.picture is None else (query.picture,)
    try:
        scores = reranker.scores(question, [evidence(hit, catalog) for hit in hits], pictures)
    except MMRagError as error:
        return replace(hits[:k], facts=(*hits.facts, f"not reranked: {error}"))
    order = sorted(range(len(hits)), key=lambda place: (-scores[place], place))[:k]
    again = tuple(
        replace(hits[place], rank=rank, before=hits[place].rank, reranked=float(scores[place]))
        for rank, place in enumerate(order, 1)
    )
    facts = (*hits.facts, f"{len(hits)} hits reranked by {reranker.description}")
    timings = {**hits.timings, "rerank": time.perf_counter() - start}
    return replace(hits, hits=again, facts=facts, timings=timings, reranker=reranker.description)
