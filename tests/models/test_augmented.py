"""An augmented picture's vector is the mean of its versions', and is not taken for a plain one's."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

pytest.importorskip("torch")

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.errors import IndexMismatch
from mmrag_nb.models.augmented import MIDDLE, AugmentedEncoder
from mmrag_nb.models.emoji import EmojiEncoder
from mmrag_nb.protocols import Encoder

DRAWINGS = sorted((demo_folder() / "emoji").glob("*.png"))


@pytest.fixture(scope="module")
def plain():
    return EmojiEncoder(device="cpu")


@pytest.fixture(scope="module")
def augmented(plain):
    return AugmentedEncoder(plain)


@pytest.fixture(scope="module")
def pictures():
    opened = [Image.open(path).convert("RGBA") for path in DRAWINGS[:3]]
    white = [Image.new("RGBA", one.size, "white") for one in opened]
    return [Image.alpha_composite(paper, one).convert("RGB") for paper, one in zip(white, opened, strict=True)]


def test_it_is_an_encoder_of_the_same_space_and_another_fingerprint(plain, augmented):
    assert isinstance(augmented, Encoder)
    assert (augmented.space, augmented.dimension, augmented.max_tokens) == (
        plain.space,
        plain.dimension,
        plain.max_tokens,
    )
    assert augmented.fingerprint != plain.fingerprint
    assert augmented.fingerprint["preprocessing"].startswith(plain.fingerprint["preprocessing"])
    assert augmented.description.endswith("augmented")


def test_a_vector_is_the_normalised_mean_of_the_picture_its_mirror_image_and_its_middle(plain, augmented, pictures):
    made = augmented.embed_images(pictures)
    for picture, vector in zip(pictures, made, strict=True):
        side = picture.width
        cut = int(side * (1 - MIDDLE) / 2)
        versions = [picture, ImageOps.mirror(picture), picture.crop((cut, cut, side - cut, side - cut))]
        mean = sum(plain.embed_images([version])[0] for version in versions)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)


def test_a_picture_and_its_mirror_image_come_nearer(plain, augmented, pictures):
    mirrored = [ImageOps.mirror(one) for one in pictures]
    before = (plain.embed_images(pictures) * plain.embed_images(mirrored)).sum(axis=1)
    after = (augmented.embed_images(pictures) * augmented.embed_images(mirrored)).sum(axis=1)
    assert after.mean() > before.mean()


def test_texts_are_embedded_as_before_and_no_pictures_give_no_vectors(plain, augmented):
    np.testing.assert_array_equal(augmented.embed_texts(["a harp"]), plain.embed_texts(["a harp"]))
    assert augmented.count_tokens("a harp") == plain.count_tokens("a harp")
    assert augmented.embed_images([]).shape == (0, plain.dimension)


def test_the_smallest_picture_has_versions(augmented):
    assert augmented.embed_images([Image.new("RGB", (1, 1), "red")]).shape == (1, augmented.dimension)


def test_an_index_made_without_is_refused_with_both_fingerprints():
    with MultimodalRAG(preset="offline") as rag:
        rag.index(DRAWINGS[0])
        assert rag.search("a drawing")
        rag.settings.augment = True
        with pytest.raises(IndexMismatch, match=r"(?s)mirror\+middle") as refusal:
            rag.search("a drawing")
        assert "pillow-1" in str(refusal.value)
        rag.settings.augment = False
        assert rag.search("a drawing")


def test_an_index_made_with_it_goes_on_with_it_when_it_is_opened_again(tmp_path):
    file = tmp_path / "drawings.mmrag"
    with MultimodalRAG(preset="offline", augment=True) as rag:
        rag.index(DRAWINGS[:2])
        before = rag.search("a drawing", k=2)
        rag.save(file)
    with MultimodalRAG.open(file) as again:
        assert again.settings.augment
        after = again.search("a drawing", k=2)
        assert [hit.item.id for hit in after] == [hit.item.id for hit in before]
        # Few texts are embedded without torch where it is not loaded yet: to the sixth digit the same.
        assert [hit.score for hit in after] == pytest.approx([hit.score for hit in before], abs=1e-4)
        assert again.index(DRAWINGS[:2]).reused == 2
        assert again.index(DRAWINGS[2]).embedded == 1
    with MultimodalRAG(preset="offline") as other:
        other.switch(file)
        assert other.settings.augment
        assert len(other.search("a drawing", k=3)) == 3
        other.reset()
    with MultimodalRAG(preset="offline") as plain:
        plain.index(DRAWINGS[0])
        plain.save(tmp_path / "plain.mmrag")
        plain.switch(file)
        plain.switch(tmp_path / "plain.mmrag")
        assert not plain.settings.augment
        assert plain.search("a drawing")
