"""A channel whose vectors lie in Milvus: a sample of them is at hand, and what questions have found."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from mmrag_nb.milvus.tables import DEEPEST, literal
from mmrag_nb.retrieval.calibration import COPY, Statistics

from .asked import of_channel
from .holding import vector_number
from .lexicon import SAMPLE
from .shapes import CHUNKS, table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mmrag_nb.retrieval.channels import AnyChannel
    from mmrag_nb.types import Modality, Vectors

    from .asked import Asked
    from .lexicon import Limit

MOST = 1_000
"""Chunks that are ranked at most."""
_AT_HAND = 20_000
"""Vectors that are kept at hand at most."""
_COPIES = 8
"""How many of the nearest of a background query are looked at: those before may be copies of it."""
_SETTLED = 0.01
"""Share of vectors that may come or go before what is usual is measured again."""


class FarChannel:
    """One channel of a corpus; see :class:`mmrag_nb.retrieval.channels.AnyChannel`.

    Of up to :data:`~mmrag_nb.corpora.lexicon.SAMPLE` vectors all are at hand, and everything is as exact as in a file.
    """

    def __init__(self, corpus: Asked, space: str, view: str, part: Modality | None, modality: Modality) -> None:
        self.space, self.modality = space, modality
        self._corpus, self._view, self._part = corpus, view, part
        self._table, self._where = table_of(space), of_channel(view, part)
        self._lock = threading.RLock()
        self._sample: tuple[NDArray[np.int64], Vectors] | None = None
        self._known: dict[int, Vectors | None] = {}
        """By chunk; ``None`` of one that is not in it."""
        self._stacked: tuple[NDArray[np.int64], Vectors] | None = None
        self._floors: dict[bytes, float] = {}
        few = corpus.count(self._table) <= SAMPLE  # all of which are needed anyway
        self._n = len(self.sample()[0]) if few else corpus.count(self._table, self._where)

    def __len__(self) -> int:
        return self._n

    @property
    def most(self) -> int:
        """How many can be ranked."""
        return min(self._n, MOST)

    @property
    def whole(self) -> bool:
        """Whether all vectors are at hand."""
        return self._n <= SAMPLE

    # -- at hand ---------------------------------------------------------------------------------------------------

    @property
    def ids(self) -> NDArray[np.int64]:
        """(n,) ids, ascending, of the chunks whose vectors are at hand."""
        return self._at_hand()[0]

    @property
    def vectors(self) -> Vectors:
        """(n, d), row i of chunk ``ids[i]``."""
        return self._at_hand()[1]

    def _at_hand(self) -> tuple[NDArray[np.int64], Vectors]:
        with self._lock:
            self.sample()
            if self._stacked is None:
                held = {chunk: vector for chunk, vector in self._known.items() if vector is not None}
                ids = np.sort(np.fromiter(held, np.int64, len(held)))
                vectors = [held[chunk] for chunk in ids.tolist()]
                self._stacked = ids, np.stack(vectors) if vectors else self.sample()[1]
            return self._stacked

    def sample(self) -> tuple[NDArray[np.int64], Vectors]:
        """Chunk ids and vectors of a random sample, or of all."""
        with self._lock:
            if self._sample is None:
                self._sample = self._corpus.sample(self.space, self._where, SAMPLE)
                self._keep(*self._sample)
            return self._sample

    def _keep(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        with self._lock:
            if len(self._known) + len(ids) > _AT_HAND and self._sample is not None:
                self._known = dict(zip(self._sample[0].tolist(), self._sample[1], strict=True))
                self._floors = {}
            self._known.update(zip(ids.tolist(), vectors, strict=True))
            self._stacked = None

    def _fetch(self, chunks: Sequence[int] | NDArray[np.int64]) -> None:
        """Bring the vectors of chunks to hand."""
        with self._lock:
            if self.whole:
                self.sample()
                return
            lacking = [int(one) for one in chunks if int(one) not in self._known]
            if not lacking:
                return
            places = {vector_number(one, self._view): one for one in lacking}
            rows = self._corpus.holding.tables.get(self._table, places, ("chunk", "modality", "vector"))
            rows = [row for row in rows if self._part is None or row["modality"] == self._part]
            self._known.update(dict.fromkeys(lacking))
            if rows:
                self._keep(*_stacked(rows))

    # -- asked -----------------------------------------------------------------------------------------------------

    def nearest(self, query: Vectors, k: int, allowed: Limit | None) -> NDArray[np.int64]:
        """The ``k`` chunks nearest to ``query`` (d,), among those ``allowed`` where this is given."""
        if self.whole and allowed is None:
            ids, vectors = self._at_hand()
            return ids[np.argsort(-(vectors @ query), kind="stable")[:k]]
        where = self._where if allowed is None else f"{self._where} and {allowed.condition}"
        rows = self._search(query[None], min(k, self._n), where)[0]
        if not rows:
            return np.empty(0, np.int64)
        ids, vectors = _stacked(rows)
        self._keep(ids, vectors)
        if allowed is None:
            self._floors[query.tobytes()] = float((vectors @ query).min()) if len(rows) < self._n else -np.inf
        return ids

    def _search(self, queries: Vectors, k: int, where: str) -> list[list[dict[str, object]]]:
        return self._corpus.holding.tables.nearest(self._table, queries, k, where, ("chunk", "vector"))

    def cosines(self, query: Vectors, chunks: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """(m,) cosines of ``query`` to ``chunks``; NaN where the channel does not hold one."""
        self._fetch(chunks)
        found = (self._known.get(int(one)) for one in chunks)
        return np.array([np.nan if one is None else one @ query for one in found], np.float32)

    def vector(self, chunk: int) -> Vectors | None:
        """(d,) that of a chunk; ``None`` where the channel does not hold it."""
        self._fetch([chunk])
        return self._known.get(int(chunk))

    def nearer(self, query: Vectors, cosine: float) -> int:
        """How many chunks have a higher cosine to ``query``; where these are very many, by the sample's share."""
        if not self.whole:
            n = self._corpus.holding.tables.above(self._table, query, cosine, self._where)
            if n < DEEPEST:
                return n
        vectors = self.sample()[1]
        return round(float((vectors @ query > cosine).mean()) * self._n)

    def floor(self, query: Vectors) -> float:
        """The cosine to ``query`` above which all vectors are at hand."""
        return -np.inf if self.whole else self._floors.get(query.tobytes(), np.inf)

    def distinct(self, others: Sequence[AnyChannel]) -> int:
        """How many chunks it and ``others`` hold together."""
        channels = [self, *(one for one in others if isinstance(one, FarChannel))]
        return self._corpus.count(CHUNKS, " or ".join(dict.fromkeys(one.held for one in channels)))

    @property
    def held(self) -> str:
        """A condition: the chunks that have a vector here."""
        there = f"array_contains(places, {literal(f'{self.space} {self._view}')})"
        return f"({there} and modality == {literal(self._part)})" if self._part else there

    # -- what is usual ---------------------------------------------------------------------------------------------

    def measured(self, background: Vectors, kept: tuple[int, bytes] | None) -> tuple[Statistics, bool]:
        """What ``background`` (b, d) reaches here, and whether that was measured anew.

        Sums come from the sample: by 4,096 vectors a mean cosine is known to a sixty-fourth of the deviation of one.
        Maxima are the real ones, since Milvus is asked for the nearest of each. What was ``kept``, of how
        many vectors, holds as long as no more than one in a hundred came or went.
        """
        b, d = background.shape
        if kept is not None and not self.whole and abs(self._n - kept[0]) <= _SETTLED * kept[0]:
            with suppress(ValueError):
                statistics = Statistics.from_bytes(kept[1])
                if (len(statistics.sums), len(statistics.total)) == (b, d):
                    return statistics, False
        _, vectors = self.sample()
        seen = Statistics.empty(b, d).updated(background, vectors)
        if len(vectors) >= self._n or not len(vectors):
            return seen, not self.whole
        maxima = seen.maxima.copy()
        for place, rows in enumerate(self._search(background, _COPIES, self._where)):
            if rows:
                cosines = _stacked(rows)[1].astype(np.float64) @ background[place].astype(np.float64)
                maxima[place] = np.max(cosines[cosines < COPY], initial=maxima[place])
        share = self._n / len(vectors)
        sums, squares = seen.sums * share, seen.squares * share
        return Statistics(self._n, seen.total * share, sums, squares, maxima, seen.levels * share), True


def _stacked(rows: Sequence[dict[str, object]]) -> tuple[NDArray[np.int64], Vectors]:
    ids = np.array([row["chunk"] for row in rows], np.int64)
    return ids, np.array([row["vector"] for row in rows], np.float32)
