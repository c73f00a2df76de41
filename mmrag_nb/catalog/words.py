"""Text to what the full-text index holds, and questions to what it is asked.

FTS5's tokenizer takes a run of Chinese, Japanese or Korean for one word, so such runs are indexed as overlapping
pairs of characters, the usual remedy where no dictionary is at hand (Foo and Li 2004, "Chinese word segmentation and
its effect on information retrieval").
"""

from __future__ import annotations

import re

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_CJK_RUN = re.compile(f"[{_CJK}]+")
_WORD = re.compile(f"[{_CJK}]+|[^\\W_{_CJK}]+")


def searchable(text: str) -> str:
    """``text`` with each CJK run as pairs of characters and a last single one, which one-character questions need."""
    return _CJK_RUN.sub(lambda run: f" {' '.join(_pairs(run[0]))} {run[0][-1]} ", text)


def terms(text: str) -> list[str]:
    """The distinct words of ``text`` in order, lower case; CJK runs as pairs of characters."""
    found: dict[str, None] = {}
    for word in _WORD.findall(text.lower()):
        for part in _pairs(word) if _CJK_RUN.fullmatch(word) else [word]:
            found[part] = None
    return list(found)


def match_expression(term: str) -> str:
    """FTS5 query for one of :func:`terms`. Quoted, so that no word of a question is taken for an operator."""
    single_cjk = len(term) == 1 and _CJK_RUN.fullmatch(term)
    return f'"{term}"{"*" if single_cjk else ""}'


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]
