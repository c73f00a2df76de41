"""What a batch says belongs together does, and captions are true of their pictures."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mmrag_nb.training.emoji.augment import Strength, augment, grow, slots  # noqa: E402
from mmrag_nb.training.emoji.batches import relations  # noqa: E402
from mmrag_nb.training.emoji.captions import CaptionWriter, fill  # noqa: E402
from mmrag_nb.training.emoji.names import Emoji, plain_code, squeeze  # noqa: E402

NAMES = [
    Emoji("1f34e", "red apple", ("apple",), ("fruit", "food"), 4),
    Emoji("1f34f", "green apple", ("apple",), ("fruit",), 4),
    Emoji("1f3b8", "guitar", (), ("music", "instrument"), 6),
    Emoji("1f418", "elephant", (), ("animal",), 3),
]


def captions_of(shown, count=200, **options):
    writer, rng = CaptionWriter(NAMES), np.random.default_rng(0)
    return [writer.write(shown, rng, **options) for _ in range(count)]


def test_templates_take_the_right_article():
    assert fill("a picture of {a}", "elephant") == "a picture of an elephant"
    assert fill("where is the {}?", "guitar") == "where is the guitar?"


def test_a_caption_of_two_emoji_names_both():
    texts = {each.text for each in captions_of([0, 2], plain=True)}
    assert "a red apple and a guitar" in texts
    assert all("red apple" in text and "guitar" in text for text in texts)


def test_an_alias_that_two_emoji_share_fits_both_and_a_name_only_its_own():
    for each in captions_of([0]):
        if "red apple" in each.text:
            assert each.fits == {0}
        elif each.text == "apple":
            assert each.fits == {0, 1}
    assert any(each.text == "apple" for each in captions_of([0]))


def test_no_caption_is_written_of_an_emoji_that_is_held_out():
    with pytest.raises(ValueError, match="no caption"):
        CaptionWriter(NAMES, only=[0, 1]).write([2], np.random.default_rng(0))


def test_relations_between_pictures_and_texts():
    writer, rng = CaptionWriter(NAMES), np.random.default_rng(1)
    apple = next(each for each in iter(lambda: writer.write([0], rng), None) if each.text == "apple")
    green, both, guitar = (writer.write(shown, rng, plain=True) for shown in ([1], [0, 2], [2]))
    positive, ignore, ignore_pictures = relations([apple, green, both, guitar])
    assert positive.equal(torch.eye(4, dtype=torch.bool))
    assert ignore[1, 0]  # the text "apple" is true of the green apple's picture
    assert not ignore[0, 1]  # but "green apple" is wrong for the red one's
    assert ignore[2, 3]  # "guitar" is true of a part of the picture of both
    assert ignore_pictures[2, 3]
    assert not ignore_pictures[0, 1]


def test_two_views_of_one_concept_are_right_for_each_other():
    writer, rng = CaptionWriter(NAMES), np.random.default_rng(2)
    views = [writer.write([2, 3], rng), writer.write([3, 2], rng), writer.write([0], rng)]
    positive, _, _ = relations(views)
    assert positive[:2, :2].all()
    assert not positive[2, :2].any()


def test_a_drawing_shown_as_it_is_stands_on_white():
    drawing = torch.zeros(1, 4, 32, 32)
    drawing[:, 0] = 1.0  # red
    drawing[:, 3] = 1.0
    picture = augment(
        drawing, torch.tensor([0]), 1, side=16, rng=torch.Generator().manual_seed(0), strength=Strength.none()
    )
    assert picture.shape == (1, 3, 16, 16)
    assert torch.allclose(picture[0, :, 8, 8], torch.tensor([1.0, 0.0, 0.0]), atol=1e-5)
    assert picture[0, 1, 0, 0] > 0.5  # the margin


def test_several_drawings_share_a_picture_and_the_same_seed_gives_the_same_pictures():
    drawings = torch.rand(5, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    of_picture = torch.tensor([0, 1, 1, 2, 2])
    assert slots(of_picture).tolist() == [0, 0, 1, 0, 1]
    first, second = (
        augment(drawings, of_picture, 3, side=24, rng=torch.Generator().manual_seed(5), strength=Strength())
        for _ in range(2)
    )
    assert first.equal(second)
    assert first.shape == (3, 3, 24, 24)
    assert torch.isfinite(first).all()
    assert first.min() >= 0
    assert first.max() <= 1


def test_grow_is_a_three_by_three_maximum():
    pictures = torch.randn(2, 3, 9, 7, generator=torch.Generator().manual_seed(3))
    assert grow(pictures).equal(torch.nn.functional.max_pool2d(pictures, 3, 1, 1))


def test_spellings_of_two_packages_agree():
    assert plain_code("1F468-200D-1F373") == plain_code("1f468_200d_1f373")
    assert plain_code("2764-FE0F") == "2764"
    assert squeeze("T-shirt") == squeeze("tshirt")
