"""The default preset's way with a real, tiny CLIP from a folder: pictures by their pixels, speech by Speech2Text."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")
from checkpoints import checkpoint  # noqa: F401 - a fixture

from mmrag_nb import MultimodalRAG
from mmrag_nb.errors import GenerationError, IndexMismatch, ModelUnavailable
from mmrag_nb.results import Answer

COLOURS = ("red", "green", "blue", "white")


@pytest.fixture
def rag(checkpoint, monkeypatch):  # noqa: F811
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    # Random weights find nothing but chance, and would be told so.
    rag = MultimodalRAG(clip=str(checkpoint("clip")), speech=str(checkpoint("speech2text")), abstain=False)
    yield rag
    rag.close()


def pictures():
    return [{"image": Image.new("RGB", (40, 30), colour), "colour": colour} for colour in COLOURS]


def test_pictures_texts_and_sound_share_one_space(rag):
    noise = np.random.default_rng(0).normal(0, 0.2, 32_000).astype(np.float32)
    report = rag.index([*pictures(), {"text": "a harp"}, (noise, 16_000)])
    assert report.items == {"image": 4, "text": 1, "audio": 1}
    assert not report.skipped
    (space,) = rag.status().vectors
    assert space.startswith("clip:")
    hits = rag.search("a harp", k=10)
    assert {hit.seen_as for hit in hits} >= {"image", "text"}
    assert {hit.space for hit in hits} == {space}
    assert any("cpu" in fact for fact in hits.facts), "the device is said"


def test_cosines_are_those_of_the_model_itself(rag, checkpoint):  # noqa: F811
    from mmrag_nb.models.clip import ClipEncoder

    rag.index(pictures())
    encoder = ClipEncoder(str(checkpoint("clip")))
    query = encoder.embed_texts(["a harp"])[0]
    expected = {c: float(encoder.embed_images([Image.new("RGB", (40, 30), c)])[0] @ query) for c in COLOURS}
    found = {hit.item.metadata["colour"]: hit.cosine for hit in rag.search("a harp")}
    assert found == {c: pytest.approx(v, abs=2e-3) for c, v in expected.items()}


def test_with_precision_exact_a_large_photograph_has_the_vector_that_transformers_gives(checkpoint, tmp_path):  # noqa: F811
    import torch
    from transformers import AutoImageProcessor, CLIPModel

    path = tmp_path / "photo.jpg"
    levels = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(levels).resize((3200, 2400), Image.Resampling.BICUBIC).save(path, quality=90)
    folder = str(checkpoint("clip"))
    network, processor = (
        CLIPModel.from_pretrained(folder).eval(),
        AutoImageProcessor.from_pretrained(folder, backend="pil"),
    )
    with torch.no_grad(), Image.open(path) as photo:
        features = network.get_image_features(**processor(images=photo.convert("RGB"), return_tensors="pt"))
    expected = torch.nn.functional.normalize(getattr(features, "pooler_output", features), dim=-1).numpy()
    made = {}
    for precision in ("exact", "auto"):
        with MultimodalRAG(clip=folder, precision=precision, strategy="shared") as rag:
            rag.index(str(path))
            (space,) = rag._catalog.spaces()
            made[precision] = rag._catalog.matrix(space, "image")[1]
    assert made["exact"].tobytes() == expected.tobytes()
    assert made["auto"].tobytes() != expected.tobytes(), "scaled decoding and another resize"
    assert float((made["auto"] @ expected.T).item()) > 0.999


def test_a_long_text_is_cut_into_passages_that_fit_and_nothing_is_lost(rag, tmp_path):
    words = [f"word{n}" for n in range(120)]
    (tmp_path / "long.txt").write_text(" ".join(words))
    report = rag.index(str(tmp_path / "long.txt"))
    assert report.chunks > 1
    texts = [hit.chunk.text for hit in rag.search("word1", k=100)]
    assert {word for text in texts for word in text.split()} == set(words)


def test_without_a_key_the_answer_is_quoted_and_a_note_says_so(rag):
    rag.index([{"text": "A harp has forty-seven strings."}])
    answer = rag.ask("how many strings has a harp?")
    assert "forty-seven" in answer.text
    assert "no Gemini key" in answer.notes[-1]


def test_a_generator_that_was_chosen_fails_rather_than_being_replaced_and_the_hits_are_there(checkpoint, monkeypatch):  # noqa: F811
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    rag = MultimodalRAG(clip=str(checkpoint("clip")), speech="none", generator="gemini", abstain=False)
    rag.index([{"text": "A harp has forty-seven strings."}])
    with pytest.raises(GenerationError, match="GOOGLE_API_KEY") as failure:
        rag.ask("how many strings?")
    assert isinstance(failure.value.answer, Answer)
    assert failure.value.answer.hits[0].chunk.text == "A harp has forty-seven strings."
    assert "GOOGLE_API_KEY" in failure.value.answer.error


def test_other_weights_under_the_same_name_are_refused(rag, checkpoint, tmp_path):  # noqa: F811
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(checkpoint("clip"), folder)
    first = MultimodalRAG(clip=str(folder), speech="none")
    first.index([{"text": "A harp."}])
    path = first.save(tmp_path / "lesson.mmrag")
    first.close()

    from safetensors.numpy import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    name = next(iter(weights))
    save_file({**weights, name: np.asarray(weights[name] + 1)}, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(IndexMismatch, match=r"index has revision=\w+; settings ask for revision=\w+"):
        MultimodalRAG.open(path).search("harp")


def test_a_model_that_cannot_be_had_is_one_line_with_two_ways_on(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    rag = MultimodalRAG(clip=str(tmp_path / "nowhere"))
    with pytest.raises(ModelUnavailable) as failure:
        rag.index([{"text": "A harp."}])
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("caption", ["word " * 100, "竖琴演奏家是谁" * 40, "x" * 2000])
def test_a_caption_longer_than_the_encoder_takes_is_cut_and_said(rag, caption):
    report = rag.index([{"image": Image.new("RGB", (8, 8)), "caption": caption}, {"text": "A harp."}])
    assert report.items == {"image": 1, "text": 1}
    assert any("characters" in note for _, note in report.notes)
    assert any("question cut to its first" in fact for fact in rag.search(caption).facts)


def test_the_gap_line_tells_where_the_best_picture_stands(rag):
    rag.index([*pictures(), *({"text": f"a text about {word}"} for word in ("harps", "ferries", "apples"))])
    hits = rag.search("a harp", k=7)
    best = next(hit for hit in hits if hit.seen_as == "image")
    assert best.item.name in hits.gap
    assert f"{best.cosine:.3f}" in hits.gap
    assert "calibration is off" in rag.search("a harp", raw=True, k=1).gap
