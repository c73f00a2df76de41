"""Each word's share is what is lost without it."""

import numpy as np
import pytest

from mmrag_nb.carrying import shares
from mmrag_nb.insight import word_shares

QUERY = np.array([1.0, 0.0], np.float32)


class Weighs:
    """An encoder whose cosine with QUERY is the sum of the weights of the words that a text has."""

    def __init__(self, weights):
        self.weights = weights
        self.calls = []

    def embed_texts(self, texts):
        self.calls.append(len(texts))
        sums = [sum(weight for word, weight in self.weights.items() if word in text) for text in texts]
        return np.asarray([(s, np.sqrt(max(0.0, 1 - s * s))) for s in sums], np.float32)


def test_the_word_that_carries_it_has_the_highest_share():
    encoder = Weighs({"apple": 0.4, "red": 0.1, "unlike": -0.1})
    found = {word.text: word for word in shares("a red apple, unlike a pear", encoder, QUERY)}
    assert max(found.values(), key=lambda w: w.share).text == "apple"
    assert found["apple"].drop == pytest.approx(0.4, abs=1e-6)
    assert found["apple"].share == pytest.approx(0.8, abs=1e-6)
    assert found["red"].share == pytest.approx(0.2, abs=1e-6)
    assert found["unlike"].share == pytest.approx(-0.2, abs=1e-6), "a word in the way"
    assert found["pear"].share == pytest.approx(0.0, abs=1e-6)
    assert len(encoder.calls) == 1, "all versions in one batch"


def test_what_is_embedded_is_bounded_however_long_the_text():
    encoder = Weighs({"needle": 0.5})
    text = " ".join(["hay"] * 700 + ["needle"] + ["hay"] * 300)
    found = shares(text, encoder, QUERY)
    assert encoder.calls[0] <= word_shares.MOST + 1
    best = max(found, key=lambda word: word.share)
    assert "needle" in best.text
    assert best.share == pytest.approx(1.0)
    assert " ".join(word.text for word in found) == text, "no word is left out"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What's the harp's name?", ["What's", "the", "harp's", "name"]),
        ("红色的苹果 is red", ["红", "色", "的", "苹", "果", "is", "red"]),
        ("naïve café, 3.5 kg", ["naïve", "café", "3", "5", "kg"]),
        ("?!", []),
        ("", []),
    ],
)
def test_words_of_many_scripts(text, words):
    assert [text[start:end] for start, end in word_shares.spans(text)] == words


def test_no_words_no_shares():
    encoder = Weighs({})
    assert shares("?! ...", encoder, QUERY) == []
    assert encoder.calls == []


def test_where_nothing_falls_no_word_has_a_share():
    assert [word.share for word in shares("one two", Weighs({}), QUERY)] == [0.0, 0.0]
