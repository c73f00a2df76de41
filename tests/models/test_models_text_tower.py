"""Questions are embedded without the heavy libraries, and come out as with them."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from mmrag_nb.assets.background import background
from mmrag_nb.models.clip import ClipEncoder
from mmrag_nb.models.emoji import EmojiEncoder
from mmrag_nb.models.hashing import columns
from mmrag_nb.models.words import BITS, words

HARD = ["", "naïve 日本語 🍎", "x" * 40, "a <|endoftext|> b", "<|startoftext|> twice", "It's   SPACED\tout"]


def test_the_tower_agrees_with_the_whole_network():
    texts = [*background()[::10], *HARD]
    light = EmojiEncoder()
    whole = ClipEncoder(str(Path(str(files("mmrag_nb.assets"))) / "emoji_clip"), precision="float32")
    assert [light.count_tokens(text) for text in texts] == [whole.count_tokens(text) for text in texts]
    vectors = light.embed_texts(texts)
    assert light._loaded is None
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    assert (vectors * whole.embed_texts(texts)).sum(axis=1).min() > 0.999999
    with pytest.raises(ValueError, match="64"):
        light.embed_texts(["word " * 100])


def test_many_texts_and_pictures_load_the_network():
    from PIL import Image

    encoder = EmojiEncoder()
    before, space, fingerprint = encoder.embed_texts(["a red apple"]), encoder.space, encoder.fingerprint
    assert encoder.embed_images([Image.new("RGB", (64, 64))]).shape == (1, encoder.dimension)
    assert encoder._loaded is not None
    assert float((encoder.embed_texts(["a red apple"]) * before).sum()) > 0.999999
    assert (encoder.space, encoder.fingerprint) == (space, fingerprint)


def test_features_fall_into_scikit_learns_columns():
    from sklearn.feature_extraction import FeatureHasher

    features = [*{word for line in background() for word in words(line)}, "日本", "é", "ab cd", "", "\x00", "x" * 23]
    hashed = FeatureHasher(2**BITS, input_type="string", alternate_sign=False).transform([[one] for one in features])
    assert columns(features, 2**BITS).tolist() == hashed.indices.tolist()


def test_vectors_of_words_are_those_of_scikit_learns_vectoriser():
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    from mmrag_nb.models.words import DIMENSION, WordsEncoder

    kinds = [
        {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"\S+"},
        {"analyzer": "char_wb", "ngram_range": (3, 4)},
    ]
    texts = [" ".join(words(text)) for text in [*background()[::7], "a a a b", "日本語 の テキスト", "x", "ab"]]
    numbers = np.arange(2**BITS)
    buckets = [numbers % DIMENSION, numbers // (2**BITS // DIMENSION)]
    signs = [1 - 2 * (numbers // DIMENSION % 2), 1 - 2 * (numbers % 2)]
    slow = np.zeros((len(texts), DIMENSION))
    for how, bucket, sign in zip(kinds, buckets, signs, strict=True):
        hasher = HashingVectorizer(n_features=2**BITS, lowercase=False, alternate_sign=False, norm=None, **how)
        idf = TfidfTransformer(sublinear_tf=True)
        idf.fit(hasher.transform([" ".join(words(line)) for line in background()]))
        made = idf.transform(hasher.transform(texts)).tocoo()
        np.add.at(slow, (made.row, bucket[made.col]), made.data * sign[made.col] * 0.5**0.5)
    slow /= np.linalg.norm(slow, axis=1, keepdims=True)
    np.testing.assert_allclose(WordsEncoder().embed_texts(texts), slow, atol=1e-6)
