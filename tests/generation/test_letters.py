"""Words are weighed and compared as scikit-learn does it, without importing it."""

import re
import subprocess
import sys

import numpy as np
import pytest

from mmrag_nb.assets.background import background
from mmrag_nb.generation.letters import likeness, rarity, stop_words

TEXTS = [re.findall(r"\w+", line.casefold()) for line in background()[::5]]


def test_the_stop_words_are_scikit_learns_and_it_is_not_imported():
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    assert stop_words() == ENGLISH_STOP_WORDS
    program = (
        "import sys\nfrom mmrag_nb.generation.letters import stop_words\nstop_words()\nprint('sklearn' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"


def test_rarity_is_scikit_learns_idf():
    from sklearn.feature_extraction.text import TfidfVectorizer

    slow = TfidfVectorizer(analyzer=lambda text: text).fit(TEXTS)
    assert rarity(TEXTS) == pytest.approx({word: slow.idf_[column] for word, column in slow.vocabulary_.items()})


def test_likeness_is_the_cosine_of_tf_idf_over_letters():
    from sklearn.feature_extraction.text import TfidfVectorizer

    known = [*rarity(TEXTS), "a", "日本", "banana"]
    asked = [*known[:10], "harvest", "zzz", "q"]
    slow = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True).fit(known)
    np.testing.assert_allclose(
        likeness(asked, known), (slow.transform(asked) @ slow.transform(known).T).toarray(), atol=1e-12
    )
