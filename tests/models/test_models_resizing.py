"""The fast resize is the checkpoint's own processor, to a level of 255."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, CLIPImageProcessor

from mmrag_nb.models.resizing import Framing, framing

SIZES = [(640, 480), (480, 640), (224, 224), (225, 224), (300, 224), (97, 61), (1, 1), (40, 3), (3, 40), (1000, 333)]


@pytest.fixture(scope="module")
def processor(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processor")
    CLIPImageProcessor().save_pretrained(folder)
    return AutoImageProcessor.from_pretrained(folder, backend="pil", use_fast=False)


@pytest.mark.parametrize("size", SIZES)
def test_pixels_are_the_processors_but_for_rounding(processor, size):
    rng = np.random.default_rng(sum(size))
    smooth = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize(size)
    noise = Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
    ours = framing(processor)
    for picture in (smooth, noise, noise.convert("L"), noise.convert("RGBA")):
        pixels = ours.pixels(picture)
        assert pixels.shape == (224, 224, 3)
        assert pixels.dtype == np.uint8
        rgb = picture.convert("RGB")
        theirs = processor(rgb, do_normalize=False, do_rescale=False, input_data_format="channels_last")
        there = np.asarray(theirs["pixel_values"][0]).transpose(1, 2, 0).astype(int)
        apart = np.abs(pixels.astype(int) - there)
        # Extreme pictures round differently in both directions in a pixel here and there; photographs hardly ever do.
        assert apart.max() <= 2
        assert (apart > 1).mean() < 1e-3


def test_levels_are_normalised_as_by_the_processor(processor):
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (224, 224, 3), dtype=np.uint8))
    ours = framing(processor)
    made = ours.normalised(torch.from_numpy(ours.pixels(picture))[None])
    there = processor(picture, return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(made, there, atol=1e-6, rtol=1e-6)


def test_settings_are_read_from_the_checkpoint():
    own = CLIPImageProcessor(
        size={"shortest_edge": 40}, crop_size={"height": 32, "width": 24}, image_mean=[0.5] * 3, image_std=[0.2] * 3
    )
    assert framing(own) == Framing(40, 32, 24, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))


@pytest.mark.parametrize(
    "other",
    [
        {"resample": 2},
        {"do_center_crop": False},
        {"do_normalize": False},
        {"rescale_factor": 1.0},
        {"size": {"height": 224, "width": 224}},
        {"crop_size": {"height": 256, "width": 256}},  # larger than what is resized: padded
    ],
)
def test_any_other_kind_is_left_to_the_processor(other):
    assert framing(CLIPImageProcessor(**other)) is None
