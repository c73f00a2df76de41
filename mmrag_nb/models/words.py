"""Texts to vectors without any weights: hashed words and pieces of words, rare ones counting more."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mmrag_nb.assets.background import background
from mmrag_nb.errors import InvalidSetting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from mmrag_nb.types import Modality, Vectors

DIMENSION = 1024
BITS = 18
"""Features are hashed to ``2**BITS`` columns, which are then folded to ``DIMENSION``."""
WORD_SHARE = 0.5
"""Of a vector's squared length: words and pairs of words; the rest is pieces of words, which mishearings share."""

# Kana, Han and Hangul: scripts whose words are not, or not only, divided by blanks. Each character counts as a word.
_UNDIVIDED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNDIVIDED}]|[^\W_{_UNDIVIDED}]+")
_APOSTROPHE = re.compile("['\u2019]")
_ACCENT = re.compile("[\u0300-\u036f]")  # not all combining marks: Japanese and Indic letters need theirs


def words(text: str) -> list[str]:
    """Words of ``text`` in lower case, without accents, apostrophes and punctuation; ``_`` divides words.

    Of Chinese, Japanese and Korean, each character is a word (and each two neighbours a pair).
    """
    text = text.casefold()
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _ACCENT.sub("", unicodedata.normalize("NFKD", text)))
    return _WORD.findall(_APOSTROPHE.sub("", text))


class WordsEncoder:
    """An :class:`~mmrag_nb.protocols.Encoder` of texts that needs no weights and no network.

    Words, pairs of neighbours (one half of a vector's squared length) and pieces of three and four characters (the
    other half) are hashed and weighted by their smoothed idf, ``ln((1 + n) / (1 + df)) + 1``, over the ``n`` shipped
    background lines. A feature unknown there gets the largest weight. As only those lines are fitted, a text's vector
    depends on nothing else: not on the index, nor on the batch.

    The columns are folded by a count sketch (Charikar, Chen, Farach-Colton, "Finding frequent items in data streams",
    2002; Weinberger et al., "Feature hashing for large scale multitask learning", 2009): bits of the hash choose
    bucket and sign, so that a cosine is kept on average, with a deviation of about ``1 / sqrt(dimension)``, 0.03.

    A text without any word (``"?!"``) gets the first unit vector: near to its like, far from everything else.
    """

    space = f"words:hashed-{DIMENSION}"
    dimension = DIMENSION
    modalities: frozenset[Modality] = frozenset({"text"})
    background: Sequence[str] = ()
    # Texts that share no word have cosines of 0.03 either way, the sketch's noise. Taken for the yardstick, one shared
    # word would outrank every picture; with this, both share a ranking (measured by tests/bench/mixed_preset.py).
    least_deviation = 0.16
    max_tokens = 64
    """Words; a passage of that length is still about one thing. Longer texts are embedded whole all the same."""
    description = "hashed n-grams (no weights)"

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """Changes with the background lines, as the weights do."""
        lines = hashlib.sha256("\n".join(background()).encode()).hexdigest()[:8]
        return {"model": "words", "revision": "1", "preprocessing": f"w1-2 c3-4 idf-{lines}"}

    def count_tokens(self, text: str) -> int:
        """Count the words."""
        return len(words(text))

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit rows."""
        import numpy as np

        cleaned = [" ".join(words(text)) for text in texts]
        if not cleaned:
            return np.zeros((0, DIMENSION), np.float32)
        whole, pieces = self._channels
        vectors = whole(cleaned) + pieces(cleaned)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors[lengths[:, 0] == 0, 0] = 1
        vectors /= np.where(lengths == 0, 1, lengths)
        return vectors

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        """Refuse: words know no pixels.

        Raises
        ------
        InvalidSetting
            Always.
        """
        raise InvalidSetting(
            f"the encoder 'words' embeds texts only, not {len(images)} picture(s): "
            "choose a CLIP model for pictures, or give them captions"
        )

    @cached_property
    def _channels(self) -> tuple[_Channel, _Channel]:
        import numpy as np

        columns = np.arange(2**BITS)
        return (
            _Channel(
                WORD_SHARE**0.5,
                _words_and_pairs,
                buckets=columns % DIMENSION,
                signs=1 - 2 * (columns // DIMENSION % 2),
            ),
            # Other bits than above: else the word "the" and its piece "the", hashed alike, would always fall together.
            _Channel(
                (1 - WORD_SHARE) ** 0.5,
                _pieces,
                buckets=columns // (2**BITS // DIMENSION),
                signs=1 - 2 * (columns % 2),
            ),
        )


class _Channel:
    """One kind of feature: hashed, weighted by idf, brought to one length, folded.

    As scikit-learn's ``HashingVectorizer`` and ``TfidfTransformer`` (sublinear, smooth) do it, but for the last digit:
    they take a second to import, which the first question would wait for.
    """

    def __init__(
        self, length: float, features: Callable[[str], list[str]], buckets: NDArray[Any], signs: NDArray[Any]
    ) -> None:
        import numpy as np

        self._features, self._buckets = features, buckets
        self._weights = length * signs
        lines = [" ".join(words(line)) for line in background()]
        _, columns, _ = self._counted(lines)
        df = np.bincount(columns, minlength=2**BITS)
        self._weights = self._weights * (np.log((1 + len(lines)) / (1 + df)) + 1)
        self._length = length

    def __call__(self, cleaned: Sequence[str]) -> NDArray[np.float32]:
        """(n, DIMENSION), rows of about the channel's length, or 0."""
        import numpy as np

        rows, columns, counts = self._counted(cleaned)
        values = (1 + np.log(counts)) * self._weights[columns]
        squares = np.bincount(rows, values**2, minlength=len(cleaned))
        values *= (self._length / np.sqrt(np.where(squares == 0, 1, squares)))[rows]
        places = rows * DIMENSION + self._buckets[columns]
        folded = np.bincount(places, values, minlength=len(cleaned) * DIMENSION)
        return folded.reshape(len(cleaned), DIMENSION).astype(np.float32)

    def _counted(self, cleaned: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Which text has which column how often: text, column and count of each such pair, in order."""
        import numpy as np

        from .hashing import columns

        each = [self._features(text) for text in cleaned]
        rows = np.repeat(np.arange(len(each)), [len(one) for one in each])
        distinct: dict[str, int] = {}
        which = [distinct.setdefault(feature, len(distinct)) for one in each for feature in one]
        found = columns(list(distinct), 2**BITS)
        pairs, counts = np.unique(rows * 2**BITS + found[which], return_counts=True)
        return pairs >> BITS, pairs & (2**BITS - 1), counts


def _words_and_pairs(text: str) -> list[str]:
    single = text.split()
    return [*single, *map(" ".join, pairwise(single))]


def _pieces(text: str) -> list[str]:
    """Three and four characters of each word, its two ends included."""
    found = []
    for word in text.split():
        framed = f" {word} "
        for n in (3, 4):
            if n >= len(framed):
                found.append(framed)
                break
            found += [framed[start : start + n] for start in range(len(framed) - n + 1)]
    return found
