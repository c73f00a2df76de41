"""Every encoder: unit rows that depend on nothing but the input, and a name that says what made them."""

from __future__ import annotations

import numpy as np
import pytest
from checkpoints import LINES, checkpoint, tone  # noqa: F401  (a fixture)
from clap_checkpoint import clap
from PIL import Image
from st_checkpoints import seeing, sentences

from mmrag_nb.protocols import Encoder, SoundEncoder
from mmrag_nb.registry import find, names

TEXTS = [*LINES[:7], "harpist", "A RED APPLE, on the table!", "42"]


def _clip(family: str):
    return lambda folder_of: find("encoder", "clip")(str(folder_of(family)), device="cpu")


def _clap(folder_of):
    place = folder_of("clip").with_name("tiny-clap")
    return find("encoder", "clap")(str(place if place.exists() else clap(place)), device="cpu")


def _sbert(maker):
    def make(folder_of):
        pytest.importorskip("sentence_transformers")
        place = folder_of("clip").with_name(f"tiny-sbert-{maker.__name__}")
        return find("encoder", "sbert")(str(place if place.exists() else maker(place)), device="cpu")

    return make


def _words(_folder_of):
    return find("encoder", "words")()


def _emoji(_folder_of):
    return find("encoder", "emoji")(device="cpu")


ENCODERS = {
    "clip": _clip("clip"),
    "siglip": _clip("siglip"),
    "chinese_clip": _clip("chinese_clip"),
    "clap": _clap,
    "sbert": _sbert(sentences),
    "seeing sbert": _sbert(seeing),
    "words": _words,
    "emoji": _emoji,
}


@pytest.fixture(scope="module", params=ENCODERS)
def encoder(request, checkpoint):  # noqa: F811
    return ENCODERS[request.param](checkpoint)


def embeddings(encoder: Encoder) -> list[tuple]:
    """Pair each modality's method with inputs for it."""
    noise = np.random.default_rng(2).integers(0, 255, (3, 48, 64, 3), dtype=np.uint8)
    pairs = [(encoder.embed_texts, TEXTS)] if "text" in encoder.modalities else []
    pairs += [(encoder.embed_images, [*map(Image.fromarray, noise)])] if "image" in encoder.modalities else []
    if "audio" in encoder.modalities:
        lengths = {0.3: 440, 2.0: 1200, 12.0: 150}
        pairs.append((encoder.embed_sounds, [tone(*one, encoder.rate) for one in lengths.items()]))
    return pairs


def test_every_encoder_of_the_registry_is_held_to_this():
    assert set(names("encoder")) <= set(ENCODERS)


def test_it_fits_the_protocol_and_says_what_it_is(encoder):
    assert isinstance(encoder, Encoder)
    assert encoder.modalities
    assert encoder.modalities <= {"text", "image", "audio"}
    assert isinstance(encoder, SoundEncoder) == ("audio" in encoder.modalities)
    assert ":" in encoder.space
    assert encoder.description
    assert {"model", "revision", "preprocessing"} <= set(encoder.fingerprint)
    assert all(isinstance(value, str) and value for value in encoder.fingerprint.values())


def test_rows_are_unit_float32_and_as_wide_as_said(encoder):
    for embed, inputs in embeddings(encoder):
        vectors = embed(inputs)
        assert vectors.shape == (len(inputs), encoder.dimension)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_nothing_gives_no_rows(encoder):
    for embed, _ in embeddings(encoder):
        assert embed([]).shape == (0, encoder.dimension)


def test_a_row_depends_on_its_input_alone(encoder):
    """Its company may move the last bits, where the precision is short, but not the vector."""
    for embed, inputs in embeddings(encoder):
        vectors = embed(inputs)
        np.testing.assert_array_equal(vectors, embed(inputs))
        for shuffled in (embed(inputs[::-1])[::-1], np.concatenate([embed([one]) for one in inputs])):
            assert (vectors * shuffled).sum(axis=1).min() > 0.9995


def test_rows_tell_inputs_apart(encoder):
    for embed, inputs in embeddings(encoder):
        vectors = embed(inputs)
        assert (vectors @ vectors.T - 2 * np.eye(len(inputs))).max() < 0.9999


def test_longer_texts_have_more_tokens_and_the_longest_that_fits_is_embedded(encoder):
    counts = [encoder.count_tokens("harp " * n) for n in range(1, 60)]
    assert counts == sorted(counts)
    assert counts[-1] > counts[0] > 0
    longest = max(n for n, count in enumerate(counts, 1) if count <= encoder.max_tokens)
    assert encoder.embed_texts(["harp " * longest]).shape == (1, encoder.dimension)
