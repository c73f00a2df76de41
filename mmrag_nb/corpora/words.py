"""Text to the words that Milvus holds of it, and what these are worth: as the full-text index of a file has it."""

from __future__ import annotations

import re
import threading
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

import apsw

from mmrag_nb.catalog.words import searchable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

K1, B = 1.2, 0.75
"""Of BM25, as SQLite has them: how soon a word's number counts no more, and how much a text's length counts."""

_LOCK = threading.Lock()
_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_WORD = re.compile(r"[^\W_]+")


def stems(text: str) -> list[str]:
    """The stems of ``text``, in order.

    Chinese, Japanese and Korean as pairs of characters and at the end as single ones, since Milvus finds no word by its
    begin.
    """
    with _LOCK:
        tokens = _tokenizer()(
            searchable(text).encode("utf-8", "ignore"), apsw.FTS5_TOKENIZE_DOCUMENT, None, include_offsets=False
        )
    # What is a letter to SQLite and none to Milvus would fall apart there.
    found = [word for (token, *_) in tokens for word in _WORD.findall(token)]
    return [*found, *dict.fromkeys(_CJK.findall(text))]


def of_term(term: str) -> list[str]:
    """A word of a question, as :func:`stems` has it."""
    return list(dict.fromkeys(stems(term)[:1] if len(term) > 1 and _CJK.fullmatch(term[0]) else stems(term)))


def fitting(text: str, longest: int) -> str:
    """The stems of ``text``, blank between blank, as many as ``longest`` bytes hold."""
    words = " ".join(stems(text)).encode()
    return (words if len(words) <= longest else words[:longest].rpartition(b" ")[0]).decode()


def bm25(columns: Sequence[tuple[str, float]], terms: Sequence[tuple[Sequence[str], float]], average: float) -> float:
    """BM25 of one chunk (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond").

    Parameters
    ----------
    columns
        Its texts, each with what a word in it counts.
    terms
        The stems of each word of the question, with the word's rarity.
    average
        Stems of a chunk, on average.
    """
    counted = [(Counter(stems(text)), weight) for text, weight in columns]
    length = sum(count.total() for count, _ in counted)
    worn = K1 * (1 - B + B * length / max(average, 1.0))
    score = 0.0
    for parts, rarity in terms:
        often = sum(weight * min(count[part] for part in parts) for count, weight in counted)
        score += rarity * often * (K1 + 1) / (often + worn)
    return score


@cache
def _tokenizer() -> Callable[..., Iterable[Any]]:
    """SQLite's own, as ``catalog/schema.py`` names it."""
    return apsw.Connection(":memory:").fts5_tokenizer("porter", ["unicode61", "remove_diacritics", "2"])
