"""The words of a corpus: which chunks hold them, and how well (BM25)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmrag_nb.catalog.writing import named
from mmrag_nb.milvus.tables import DEEPEST, literal
from mmrag_nb.retrieval.lexical import rarity

from . import words
from .fetching import Fetching
from .keys import WHOLE
from .shapes import CHUNKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SAMPLE = 4_096
"""Vectors of a channel that are looked at where a file has all: for what is usual there, and for maps."""
_OFTEN = 40
"""How often a word is in the sample, where that is not all, for its frequency in the whole to be told by it."""
_NAMED = 0.5
"""What a word in the name counts, as in a file."""


@dataclass(frozen=True)
class Limit:
    """What of a corpus may be found, as Milvus is told it."""

    condition: str


@dataclass(frozen=True)
class _Said:
    """The stems of one chunk."""

    words: frozenset[str]
    told: frozenset[str]
    length: int

    @classmethod
    def of(cls, words: Sequence[str], told: Sequence[str]) -> _Said:
        """Of what a row holds."""
        return cls(frozenset(words), frozenset(told), len(words) + len(told))

    def holds(self, stems: Sequence[str], *, described: bool) -> bool:
        """Whether all of ``stems`` are in its text, or in what models say of it."""
        return self.words.issuperset(stems) or (described and self.told.issuperset(stems))


class Lexicon(Fetching):
    """What of a :class:`~mmrag_nb.corpora.corpus.Corpus` is counted, and its words."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._counts: tuple[object, dict[tuple[str, str], int]] = (None, {})
        self._said: tuple[object, list[_Said]] = (None, [])

    def count(self, table: str, where: str = "") -> int:
        """Rows of a table that fit; counted once for each state of the corpus."""
        state = self.generation
        with self._lock:
            if self._counts[0] != state:
                self._counts = (state, {})
            counts = self._counts[1]
        if (table, where) not in counts:
            counts[table, where] = self.holding.tables.count(table, where)
        return counts[table, where]

    def chunk_count(self) -> int:
        """Number of chunks."""
        return self.count(CHUNKS)

    def document_frequency(self, term: str, *, described: bool = False) -> int:
        """Number of chunks that hold ``term``, what models say of pictures counted where ``described``.

        Of a word that is common among very many chunks of Milvus Lite, which looks through them all, about.
        """
        return self._frequencies([term], described=described)[0]

    def _frequencies(self, terms: Sequence[str], *, described: bool) -> list[int]:
        """The same for several terms, at once."""
        self.chunk_count()  # of the state that all counts are of
        counts, key = self._counts[1], "described" if described else "said"
        new = {term: words.of_term(term) for term in dict.fromkeys(terms) if (key, term) not in counts}
        fields, tables = ("words", "told") if described else ("words",), self.holding.tables
        total, sample = self.chunk_count(), self._words()
        seen = {term: sum(one.holds(of, described=described) for one in sample) for term, of in new.items()}
        rare = [term for term in new if seen[term] < _OFTEN] if len(sample) < total and tables.counts_slowly else []
        stems = list(dict.fromkeys(stem for term in rare for stem in new[term]))
        held = [dict(zip(stems, tables.holding(CHUNKS, field, stems), strict=True)) for field in fields if rare]
        for term, of in new.items():
            if not of or len(sample) >= total:
                counts[key, term] = seen[term] if of else 0
            elif tables.counts_slowly and term not in rare:
                counts[key, term] = round(seen[term] * total / len(sample))
            elif held and all(len(there[stem]) < DEEPEST for there in held for stem in of):
                counts[key, term] = len(
                    set().union(*(set.intersection(*(there[stem] for stem in of)) for there in held))
                )
            else:
                each = [" and ".join(f"text_match({field}, {literal(stem)})" for stem in of) for field in fields]
                counts[key, term] = tables.count(CHUNKS, " or ".join(f"({one})" for one in each))
        return [counts[key, term] for term in terms]

    def bm25(
        self,
        terms: Sequence[str],
        k: int,
        allowed: Limit | NDArray[np.int64] | None = None,
        *,
        described: bool = False,
    ) -> dict[int, float]:
        """The ``k`` chunks that match any of ``terms`` best: id to BM25, higher is better.

        Milvus finds them, by a BM25 of its own (Milvus Lite's weighs words within each of its segments). What they
        reach is reckoned here as a file's index would, with the frequencies of words in the whole.
        """
        wanted = [(term, stems) for term in terms if (stems := words.of_term(term))]
        if not wanted:
            return {}
        if isinstance(allowed, np.ndarray):
            ids = allowed.tolist()
        else:
            where = allowed.condition if allowed is not None else ""
            asked = " ".join(stem for _, stems in wanted for stem in stems)
            fields = ("words", "told") if described else ("words",)
            ids = sorted({one for f in fields for one in self.holding.tables.match(CHUNKS, f, asked, k, where)})
        total, average = self.chunk_count(), self._average()
        frequencies = self._frequencies([term for term, _ in wanted], described=described) if ids else []
        weighed = [(stems, rarity(n, total)) for (_, stems), n in zip(wanted, frequencies, strict=False)]
        scores = {}
        for one, kept in self.records(ids).items():
            told = " ".join(said.text for said in kept.described.values())  # adds to the length in any case
            columns = [(kept.chunk.text, 1.0), (named(kept.item), _NAMED), (told, float(described))]
            if (score := words.bm25(columns, weighed, average)) > 0:
                scores[one] = score
        return dict(sorted(scores.items(), key=lambda one: -one[1])[:k])

    def _average(self) -> float:
        """Stems of a chunk on average, by a sample of many."""
        return sum(one.length for one in self._words()) / max(len(self._words()), 1)

    def _words(self) -> list[_Said]:
        """The words of all chunks, of many those of a sample."""
        state, n = self.generation, self.chunk_count()
        if self._said[0] != state:
            where = window(n, SAMPLE) if n > SAMPLE else "id >= 0"
            rows = self.holding.tables.where(CHUNKS, where, ("words", "told"))
            self._said = (state, [_Said.of(row["words"].split(), row["told"].split()) for row in rows])
        return self._said[1]


def window(total: int, n: int) -> str:
    """A condition that about ``n`` of ``total`` rows fit, at random: keys are hashes."""
    width = WHOLE * n // total
    start = secrets.randbelow(WHOLE - width)
    return f"id >= {start} and id < {start + width}"
