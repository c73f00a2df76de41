"""The training loop itself, on a dozen shapes drawn here: no download, a few seconds."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from PIL import Image, ImageDraw  # noqa: E402

from mmrag_nb.training.emoji.augment import Strength  # noqa: E402
from mmrag_nb.training.emoji.drawings import Drawings  # noqa: E402
from mmrag_nb.training.emoji.evaluate import retrieval, text_to_image  # noqa: E402
from mmrag_nb.training.emoji.mixed import mixed_rankings  # noqa: E402
from mmrag_nb.training.emoji.model import Shape, build_model, build_tokenizer, image_vectors  # noqa: E402
from mmrag_nb.training.emoji.names import Emoji  # noqa: E402
from mmrag_nb.training.emoji.recipe import Recipe  # noqa: E402
from mmrag_nb.training.emoji.train import rate_factor, train  # noqa: E402

COLOURS = ("red", "green", "blue", "black")
FORMS = ("circle", "square", "bar")
NAMES = [
    Emoji(f"{k:x}", f"{colour} {form}", (), (), 8)
    for k, (colour, form) in enumerate((c, f) for c in COLOURS for f in FORMS)
]
SMALL = Shape(
    side=16,
    patch=4,
    width=32,
    layers=2,
    heads=2,
    text_width=32,
    text_layers=1,
    text_heads=2,
    tokens=24,
    projection=16,
    vocabulary=320,
)


def shapes(style, margin):
    pixels = []
    for each in NAMES:
        colour, form = each.name.split()
        picture = Image.new("RGBA", (20, 20))
        draw = ImageDraw.Draw(picture)
        box = (margin, margin, 19 - margin, 19 - margin)
        if form == "circle":
            draw.ellipse(box, fill=colour)
        elif form == "square":
            draw.rectangle(box, fill=colour)
        else:
            draw.rectangle((margin, 8, 19 - margin, 11), fill=colour)
        pixels.append(np.asarray(picture))
    return Drawings(style, np.arange(len(NAMES)), np.stack(pixels), tuple(each.code for each in NAMES))


def test_a_short_training_lowers_the_loss_and_finds_shapes_by_their_names(tmp_path):
    recipe = Recipe(
        steps=120, concepts=12, together=0.1, rate=3e-3, warm_up=10, keep=12, average=0.9, shape=SMALL,
        strength=Strength(colour=0.0, restyle=0.0, background=0.0),
    )  # fmt: skip
    losses = {}
    drawings = [shapes("noto", 1), shapes("twemoji", 3)]
    model, processor = train(
        drawings, NAMES, recipe, tmp_path, report=lambda step, _, now: losses.update({step: now["between"]}), every=5
    )
    assert losses[120] < 0.75 * losses[5]
    found = retrieval(text_to_image(model, processor.tokenizer, NAMES, shapes("fluent", 2)))
    assert found.count == 12
    assert found.shares["R@1"] >= 0.5  # chance: 0.08

    from transformers import AutoModel, AutoProcessor

    loaded = AutoModel.from_pretrained(tmp_path).float()
    picture = Image.new("RGB", (40, 40), "white")
    inputs = AutoProcessor.from_pretrained(tmp_path)(
        images=picture, text=["a red circle"], return_tensors="pt", padding=True
    )
    assert loaded(**inputs).logits_per_image.shape == (1, 1)


def test_looking_at_all_patches_in_any_order_is_what_transformers_computes(tmp_path):
    torch.manual_seed(0)
    tokenizer = build_tokenizer([each.name for each in NAMES], SMALL.vocabulary, tmp_path, SMALL.tokens)
    model = build_model(SMALL, tokenizer).eval()
    pictures = torch.rand(3, 3, 16, 16)
    with torch.inference_mode():
        out = model.get_image_features(pixel_values=(pictures - 0.5) / 0.5)
        expected = torch.nn.functional.normalize(getattr(out, "pooler_output", out), dim=1)
        assert torch.allclose(image_vectors(model, pictures), expected, atol=1e-5)
        assert torch.allclose(image_vectors(model, pictures, keep=16), expected, atol=1e-5)
        assert not torch.allclose(image_vectors(model, pictures, keep=4), expected, atol=1e-3)


def test_the_tokenizer_reads_any_text_and_marks_its_ends(tmp_path):
    tokenizer = build_tokenizer([each.name for each in NAMES], SMALL.vocabulary, tmp_path, SMALL.tokens)
    ids = tokenizer("Überraschung! 猫 red circle")["input_ids"]
    assert ids[0] == tokenizer.bos_token_id
    assert ids[-1] == tokenizer.eos_token_id == len(tokenizer) - 1
    assert tokenizer("Red  CIRCLE")["input_ids"] == tokenizer("red circle")["input_ids"]


def test_the_learning_rate_rises_then_falls_to_nothing():
    recipe = Recipe(steps=100, warm_up=10)
    rates = [rate_factor(step, step / 100, recipe) for step in range(1, 101)]
    assert max(rates) == pytest.approx(rates[9], rel=0.01)
    assert rates == [*sorted(rates[:10]), *sorted(rates[10:], reverse=True)]
    assert rates[-1] == pytest.approx(0.0, abs=1e-6)


def test_mixed_rankings_of_vectors_without_a_gap_reach_the_bound_and_calibration_closes_a_gap():
    rng = np.random.default_rng(0)
    content = rng.standard_normal((600, 64)).astype(np.float32)
    unit = lambda x: (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)  # noqa: E731
    offset = np.zeros(64, np.float32)
    offset[0] = 4.0
    image, text = unit(content + 0.5 * rng.standard_normal(content.shape) - offset), unit(content + offset)
    outcomes = mixed_rankings(image.astype(np.float32), text)
    assert (outcomes[0].pictures, outcomes[0].sentences) == (250, 250)
    assert all(each.raw <= each.bound and each.calibrated <= each.bound for each in outcomes)
    shares = [each.calibrated / each.bound for each in outcomes]
    raw = [each.raw / each.bound for each in outcomes]
    assert math.fsum(shares) > math.fsum(raw)
    assert min(shares) > 0.6
