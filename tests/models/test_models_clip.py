"""Texts and pictures become the vectors that the checkpoint means, however they are batched."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from checkpoints import LINES
from PIL import Image

from mmrag_nb.errors import ModelUnavailable
from mmrag_nb.models import clip, resizing
from mmrag_nb.models.clip import ClipEncoder
from mmrag_nb.weights import device

FAMILIES = ("clip", "siglip", "chinese_clip")
TEXTS = [*LINES, "", "a", "A Red Apple!", "harp " * 10]


def pictures() -> list[Image.Image]:
    noise = np.random.default_rng(1).integers(0, 255, (60, 90, 3), dtype=np.uint8)
    return [
        Image.fromarray(noise),
        Image.linear_gradient("L"),
        Image.radial_gradient("L").resize((31, 77)).convert("P"),
        Image.new("RGBA", (33, 32), (200, 30, 30, 255)),
        Image.fromarray(noise).resize((40, 3)),
        Image.new("RGB", (1, 1), "blue"),
    ]


def projected(output: object) -> torch.Tensor:
    """Take the vectors out of what transformers returns, of either version."""
    return getattr(output, "pooler_output", output)


@pytest.fixture(scope="module", params=FAMILIES)
def encoder(request, checkpoint):
    return ClipEncoder(str(checkpoint(request.param)), device="cpu", precision="float32", batch_size=4)


@pytest.fixture(scope="module", params=FAMILIES)
def exact(request, checkpoint):
    return ClipEncoder(str(checkpoint(request.param)), device="cpu", precision="exact")


@pytest.fixture(scope="module")
def clip_encoder(checkpoint):
    return ClipEncoder(str(checkpoint("clip")), device="cpu", precision="float32", batch_size=4)


def test_exact_texts_are_transformers_bit_for_bit(exact, checkpoint):
    family = exact.space.removeprefix("clip:tiny-").replace("-", "_")
    model = transformers.AutoModel.from_pretrained(checkpoint(family)).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint(family))
    for text, vector in zip(TEXTS, exact.embed_texts(TEXTS), strict=True):
        # SigLIP was trained on texts padded to 64 tokens, and its tokenizer gives no mask.
        padding = {"padding": "max_length", "max_length": 64} if family == "siglip" else {}
        with torch.no_grad():
            output = projected(model.get_text_features(**tokenizer([text], return_tensors="pt", **padding)))
        np.testing.assert_array_equal(vector, (output / output.norm())[0].numpy())


def test_exact_pictures_are_transformers_bit_for_bit(exact, checkpoint):
    family = exact.space.removeprefix("clip:tiny-").replace("-", "_")
    model = transformers.AutoModel.from_pretrained(checkpoint(family)).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(checkpoint(family), use_fast=False)
    for picture, vector in zip(pictures(), exact.embed_images(pictures()), strict=True):
        inputs = processor(picture.convert("RGB"), return_tensors="pt", input_data_format="channels_last")
        with torch.no_grad():
            output = projected(model.get_image_features(**inputs))
        np.testing.assert_array_equal(vector, (output / output.norm())[0].numpy())


def test_float32_is_exact_but_for_a_level_of_the_pixels(encoder, checkpoint):
    family = encoder.space.removeprefix("clip:tiny-").replace("-", "_")
    exact = ClipEncoder(str(checkpoint(family)), device="cpu", precision="exact")
    assert exact.fingerprint == encoder.fingerprint
    assert exact.description == f"tiny-{family.replace('_', '-')} (exact, cpu)"
    np.testing.assert_allclose(encoder.embed_texts(TEXTS), exact.embed_texts(TEXTS), atol=2e-6)
    cosines = (encoder.embed_images(pictures()) * exact.embed_images(pictures())).sum(axis=1)
    assert cosines.min() > 0.99999


@pytest.mark.parametrize("precision", ["exact", "float32", "bfloat16"])
def test_four_threads_get_the_vectors_that_one_gets(precision, checkpoint):
    encoder = ClipEncoder(str(checkpoint("clip")), device="cpu", precision=precision)
    texts, images = TEXTS * 3, pictures() * 5
    alone = encoder.embed_texts(texts), encoder.embed_images(images)
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(4) as pool:
        made = [pool.submit(lambda: (encoder.embed_texts(texts), encoder.embed_images(images))) for _ in range(8)]
        for there in made:
            np.testing.assert_array_equal(there.result()[0], alone[0])
            np.testing.assert_array_equal(there.result()[1], alone[1])
    assert torch.get_num_threads() == threads
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == threads, "a new thread starts with fewer"


def test_equal_texts_are_embedded_once_and_tokenised_once(clip_encoder, monkeypatch):
    seen, tokenised = [], []
    forward, encoded = clip_encoder._forward, clip_encoder._encoded
    monkeypatch.setattr(clip_encoder, "_forward", lambda i, m: seen.extend(i["input_ids"].tolist()) or forward(i, m))
    monkeypatch.setattr(clip_encoder, "_encoded", lambda texts: tokenised.extend(texts) or encoded(texts))
    vectors = clip_encoder.embed_texts(["a cat", "a harp", "a cat", "a cat"])
    assert len(seen) == len(tokenised) == 2
    np.testing.assert_array_equal(vectors[[2, 3]], vectors[[0, 0]])
    assert not np.array_equal(vectors[0], vectors[1])


def test_few_pictures_stay_in_the_calling_thread_and_many_do_not(clip_encoder, monkeypatch):
    monkeypatch.setattr(clip, "cores", lambda: 2)
    threads = set()
    forward = clip_encoder._forward
    noted = lambda i, m: threads.add((threading.current_thread(), torch.get_num_threads())) or forward(i, m)  # noqa: E731
    monkeypatch.setattr(clip_encoder, "_forward", noted)
    clip_encoder.embed_images(pictures()[:4])
    assert threads == {(threading.current_thread(), 1)}
    threads.clear()
    clip_encoder.embed_images(pictures() * 10)
    assert threading.current_thread() not in {thread for thread, _ in threads}
    assert {count for _, count in threads} == {1}


def test_a_vector_does_not_depend_on_its_company(encoder):
    together = encoder.embed_texts(TEXTS)
    alone = np.concatenate([encoder.embed_texts([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=2e-6)
    np.testing.assert_array_equal(together, encoder.embed_texts(TEXTS))
    together = encoder.embed_images(pictures())
    alone = np.concatenate([encoder.embed_images([picture]) for picture in pictures()])
    np.testing.assert_allclose(together, alone, atol=2e-6)


def test_different_inputs_get_different_vectors(encoder):
    """Else the tests of order and batching would prove nothing."""
    for vectors in (encoder.embed_texts(LINES[:7]), encoder.embed_images(pictures())):
        cosines = vectors @ vectors.T - 2 * np.eye(len(vectors))
        assert cosines.max() < 0.9999


def test_version_4s_bare_tensor_and_version_5s_output_are_both_understood(encoder, monkeypatch):
    texts, images = encoder.embed_texts(TEXTS), encoder.embed_images(pictures())
    for wrap in (lambda tensor: tensor, lambda tensor: SimpleNamespace(pooler_output=tensor)):
        with monkeypatch.context() as patch:
            for name in ("get_text_features", "get_image_features"):
                method = getattr(encoder._network, name)
                patch.setattr(encoder._network, name, lambda _f=method, _w=wrap, **inputs: _w(projected(_f(**inputs))))
            np.testing.assert_array_equal(encoder.embed_texts(TEXTS), texts)
            np.testing.assert_array_equal(encoder.embed_images(pictures()), images)


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16_keeps_the_vectors(family, checkpoint):
    exact = ClipEncoder(str(checkpoint(family)), device="cpu", precision="float32")
    short = ClipEncoder(str(checkpoint(family)), device="cpu", precision="bfloat16")
    assert short.description == f"tiny-{family.replace('_', '-')} (bf16, cpu)"
    assert short.fingerprint == exact.fingerprint
    for ours, theirs in (
        (short.embed_texts(TEXTS), exact.embed_texts(TEXTS)),
        (short.embed_images(pictures()), exact.embed_images(pictures())),
    ):
        assert not np.array_equal(ours, theirs), "bfloat16 was not used"
        assert (ours * theirs).sum(axis=1).min() > 0.999


def test_a_text_too_long_is_an_error_that_names_it_never_a_cut(encoder):
    word = "喜欢 " if encoder.max_tokens == 52 else "apple "
    fits = max(n for n in range(1, 80) if encoder.count_tokens(word * n) <= encoder.max_tokens)
    assert encoder.embed_texts([word * fits]).shape == (1, encoder.dimension)
    with pytest.raises(ValueError, match=rf"more than {encoder.max_tokens}: '{word.strip()}"):
        encoder.embed_texts(["a cat", word * (fits + 1)])


def test_the_longest_text_is_the_networks_not_the_users_guess(checkpoint):
    lengths = [ClipEncoder(str(checkpoint(family)), device="cpu").max_tokens for family in FAMILIES]
    assert lengths == [77, 64, 52]


def test_tokens_are_counted_with_start_and_end_and_without_noise(clip_encoder, capfd):
    tokenizer = clip_encoder._tokenizer
    assert clip_encoder.count_tokens("") == 2
    assert clip_encoder.count_tokens("harp " * 500) > 500
    assert clip_encoder.count_tokens("the harpist") == 2 + len(tokenizer.tokenize("the harpist"))
    assert capfd.readouterr() == ("", "")


def test_a_very_long_picture_is_seen_as_the_processor_would_see_it_whole(clip_encoder):
    """Resized whole, its 224 x 112,000 pixels would take half a gigabyte; only the middle is looked at anyway."""
    gradient = Image.linear_gradient("L").resize((10, 2000)).convert("RGB")
    cut = resizing.without_ends(gradient)
    assert cut.size == (10, 320)
    whole = clip_encoder._processor(images=[gradient], return_tensors="pt")["pixel_values"]
    middle = clip_encoder._processor(images=[cut], return_tensors="pt")["pixel_values"]
    assert (whole - middle).abs().max() < 0.02
    assert clip_encoder.embed_images([Image.new("RGB", (1, 30_000)), Image.new("RGB", (30_000, 2))]).shape == (2, 16)


def test_nothing_gives_no_rows(clip_encoder):
    assert clip_encoder.embed_texts([]).shape == (0, clip_encoder.dimension)
    assert clip_encoder.embed_images([]).shape == (0, clip_encoder.dimension)


def test_a_model_of_another_kind_is_refused(checkpoint, tmp_path):
    bert = transformers.BertConfig(vocab_size=120, hidden_size=8, num_hidden_layers=1, num_attention_heads=1)
    transformers.BertModel(bert).save_pretrained(tmp_path)
    for name in ("vocab.txt", "tokenizer_config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((checkpoint("chinese_clip") / name).read_bytes())
    with pytest.raises(ModelUnavailable, match="is of the kind 'bert', which does not bring texts and pictures"):
        ClipEncoder(str(tmp_path), device="cpu")


def test_wrong_vectors_on_a_device_send_the_work_to_the_cpu_and_are_mentioned(checkpoint, monkeypatch):
    """MPS played by the CPU, with a network that errs while it is there."""
    monkeypatch.setattr(clip, "choose", lambda *_: device.Placement("mps", "float32"))
    moved = []

    def to(self, name):
        moved.append(name)
        return self

    features = transformers.CLIPModel.get_text_features

    def erring(self, **inputs):
        vectors = projected(features(self, **inputs))
        return vectors.flip(-1) if moved[-1] == "mps" else vectors

    monkeypatch.setattr(transformers.CLIPModel, "to", to)
    monkeypatch.setattr(transformers.CLIPModel, "get_text_features", erring)
    encoder = ClipEncoder(str(checkpoint("clip")))
    assert moved == ["mps", "cpu", "cpu"]
    assert encoder.description.startswith("tiny-clip (fp32, cpu; mps gave wrong vectors (cosine ")
    monkeypatch.setattr(transformers.CLIPModel, "get_text_features", features)
    moved.clear()
    assert ClipEncoder(str(checkpoint("clip"))).description == "tiny-clip (fp32, mps)"
    assert moved == ["mps", "cpu", "mps"]
