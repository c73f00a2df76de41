"""The fused towers give the vectors of the plain float32 network, and step back where they could not."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from checkpoints import LINES
from PIL import Image

from mmrag_nb.models import clip, clip_fused
from mmrag_nb.models.clip import ClipEncoder

TEXTS = [*LINES, "", "a", "A Red Apple!", "harp " * 10]

pytestmark = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="this CPU does not compute in bfloat16"
)


def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(3)
    noise = [Image.fromarray(rng.integers(0, 255, (40 + n, 90, 3), dtype=np.uint8)) for n in range(9)]
    return [*noise, Image.linear_gradient("L"), Image.new("RGB", (33, 32), "black"), Image.new("RGB", (8, 90), "white")]


def altered(source, folder, **changes):
    """Copy a checkpoint with other settings, by tower: ``text={"hidden_act": "gelu"}``."""
    shutil.copytree(source, folder)
    config = json.loads((folder / "config.json").read_text())
    for tower, settings in changes.items():
        config[f"{tower}_config"].update(settings)
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def wide(folder, source):
    """Write a checkpoint of unlike towers: odd widths, a patch of 16, GELU."""
    shutil.copytree(source, folder)
    config = transformers.CLIPConfig.from_pretrained(folder)
    text = config.text_config.to_dict() | {"hidden_size": 72, "intermediate_size": 200, "num_attention_heads": 6}
    vision = config.vision_config.to_dict() | {"hidden_size": 144, "num_attention_heads": 9, "patch_size": 16}
    text["hidden_act"], vision["hidden_act"] = "gelu", "gelu_pytorch_tanh"
    made = transformers.CLIPConfig(text_config=text, vision_config=vision | {"num_hidden_layers": 3}, projection_dim=24)
    torch.manual_seed(5)
    transformers.CLIPModel(made).save_pretrained(folder)
    return str(folder)


@pytest.fixture(params=["plain", "gelu", "old end token", "wide"])
def folder(request, checkpoint, tmp_path):
    source = checkpoint("clip")
    if request.param == "gelu":
        return altered(source, tmp_path / "c", text={"hidden_act": "gelu"}, vision={"hidden_act": "gelu"})
    if request.param == "old end token":
        return altered(source, tmp_path / "c", text={"eos_token_id": 2})
    return wide(tmp_path / "c", source) if request.param == "wide" else str(source)


def test_fused_vectors_are_float32s(folder):
    exact = ClipEncoder(folder, device="cpu", precision="exact")
    fused = ClipEncoder(folder, device="cpu", precision="bfloat16")
    assert fused._fused
    assert fused._network is None, "the float32 weights are still there"
    for made, true in (
        (fused.embed_texts(TEXTS), exact.embed_texts(TEXTS)),
        (fused.embed_images(pictures()), exact.embed_images(pictures())),
    ):
        assert made.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)
        assert (made * true).sum(axis=1).min() > 0.999
        assert not np.array_equal(made, true)


def test_padding_and_company_change_nothing_that_counts(folder):
    fused = ClipEncoder(folder, device="cpu", precision="bfloat16")
    together, alone = fused.embed_texts(TEXTS), np.concatenate([fused.embed_texts([text]) for text in TEXTS])
    assert (together * alone).sum(axis=1).min() > 0.9999
    images = pictures()
    alone = np.concatenate([fused.embed_images([image]) for image in images])
    assert (fused.embed_images(images) * alone).sum(axis=1).min() > 0.9999


def test_the_last_layer_computes_one_token_and_misses_nothing(checkpoint):
    """With two layers, a token left out of the last one's keys would show."""
    network = transformers.CLIPModel.from_pretrained(checkpoint("clip")).eval()
    tower = clip_fused.Tower(network.text_model, 20)
    torch.manual_seed(1)
    x, picked = torch.randn(2, 10, 32), torch.tensor([9, 4])
    with torch.inference_mode():
        states = network.text_model.encoder(x, attention_mask=None, is_causal=True).last_hidden_state
        made = tower(x.clone(), picked, causal=True)
        later = x.clone()
        later[1, 5:] = 9.0
        again = tower(later, picked, causal=True)
    expected = states[torch.arange(2), picked]
    assert torch.nn.functional.cosine_similarity(made, expected).min() > 0.9995
    torch.testing.assert_close(again, made)


@pytest.mark.parametrize("missing", ["_linear_pointwise", "_reorder_linear_weight"])
def test_a_torch_without_the_operators_computes_as_before(missing, checkpoint, monkeypatch):
    class Poorer:
        def __getattr__(self, name):
            if name == missing:
                raise AttributeError(f"'_OpNamespace' 'mkldnn' object has no attribute '{missing}'")
            return getattr(theirs, name)

    theirs = torch.ops.mkldnn
    monkeypatch.setattr(torch.ops, "mkldnn", Poorer())
    encoder = ClipEncoder(str(checkpoint("clip")), device="cpu", precision="bfloat16")
    assert encoder._fused is None
    exact = ClipEncoder(str(checkpoint("clip")), device="cpu", precision="exact")
    assert (encoder.embed_texts(TEXTS) * exact.embed_texts(TEXTS)).sum(axis=1).min() > 0.999
    assert (encoder.embed_images(pictures()) * exact.embed_images(pictures())).sum(axis=1).min() > 0.999


@pytest.mark.parametrize("wrong", [float("nan"), 3.0])
def test_fused_towers_that_err_are_not_believed(wrong, checkpoint, monkeypatch):
    split = clip_fused.Tower._rest
    monkeypatch.setattr(clip_fused.Tower, "_rest", lambda *args: split(*args).mul_(torch.tensor([wrong, 1.0] * 16)))
    encoder = ClipEncoder(str(checkpoint("clip")), device="cpu", precision="bfloat16")
    assert encoder._fused is None
    assert np.isfinite(encoder.embed_texts(TEXTS)).all()


@pytest.mark.parametrize("family", ["siglip", "chinese_clip"])
def test_other_families_stay_with_transformers(family, checkpoint):
    encoder = ClipEncoder(str(checkpoint(family)), device="cpu", precision="bfloat16")
    assert encoder._fused is None
    assert {layer.weight.dtype for layer in encoder._network.modules() if isinstance(layer, torch.nn.Linear)} == {
        torch.bfloat16
    }


def test_an_activation_that_is_not_known_stays_with_transformers(checkpoint, tmp_path):
    folder = altered(checkpoint("clip"), tmp_path / "c", vision={"hidden_act": "relu"})
    encoder = ClipEncoder(folder, device="cpu", precision="bfloat16")
    assert encoder._fused is None
    assert encoder.embed_images(pictures()[:2]).shape == (2, 16)


def test_more_pictures_than_one_core_takes_are_shared_out_alike(checkpoint, monkeypatch):
    encoder = ClipEncoder(str(checkpoint("clip")), device="cpu", precision="bfloat16")
    images = pictures() * 4
    made = []
    for lanes in (1, 2, 3):
        monkeypatch.setattr(clip, "cores", lambda lanes=lanes: lanes)
        made.append(encoder.embed_images(images))
    np.testing.assert_array_equal(made[0], made[1])
    np.testing.assert_array_equal(made[0], made[2])
