"""Models come from the hub or a folder, only as safetensors, and one line says why where they do not."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from functools import partial

import huggingface_hub
import pytest
import torch
import transformers
from huggingface_hub import constants

from mmrag_nb.errors import ModelUnavailable
from mmrag_nb.models import checkpoint as checkpoints
from mmrag_nb.weights import hub

PARTS = ("AutoModel", "AutoTokenizer", "AutoImageProcessor")
WAYS = '(%config MMRag.clip = "/path/to/folder"), or %config MMRag.preset = "offline"'


def load(model) -> checkpoints.Loaded:
    return checkpoints.load(str(model), *PARTS, setting="clip")


def refusal(model) -> str:
    """Return the one line with which ``model`` is refused."""
    with pytest.raises(ModelUnavailable) as caught:
        load(model)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"cannot load {str(model)!r}: ")
    assert line.endswith(WAYS)
    return line


@pytest.fixture
def copy(checkpoint, tmp_path):
    """A checkpoint of one's own to spoil."""
    return shutil.copytree(checkpoint("clip"), tmp_path / "copy")


def test_a_folder_gives_network_tokenizer_and_image_processor(checkpoint):
    loaded = load(checkpoint("clip"))
    assert type(loaded.network).__name__ == "CLIPModel"
    assert not loaded.network.training
    assert loaded.network.dtype == torch.float32
    assert loaded.id == loaded.name == "tiny-clip"
    assert loaded.parts[0]("a cat")["input_ids"]
    assert "Fast" not in type(loaded.parts[1]).__name__, "Pillow resizes, whether torchvision is there or not"


def test_a_folder_is_known_by_its_contents_not_its_name(checkpoint, copy):
    assert load(copy).revision == load(checkpoint("clip")).revision
    settings = json.loads((copy / "preprocessor_config.json").read_text())
    (copy / "preprocessor_config.json").write_text(json.dumps({**settings, "image_mean": [0.0, 0.0, 0.0]}))
    (copy / "README.md").write_text("not part of what decides a vector")
    changed = load(copy).revision
    assert changed != load(checkpoint("clip")).revision
    (copy / "README.md").unlink()
    assert load(copy).revision == changed


def test_loading_is_silent_and_leaves_the_users_own_log_level(checkpoint, capfd):
    transformers.utils.logging.set_verbosity_info()
    try:
        load(checkpoint("clip"))
        assert transformers.utils.logging.get_verbosity() == transformers.logging.INFO
        assert transformers.utils.logging.is_progress_bar_enabled()
    finally:
        transformers.utils.logging.set_verbosity_warning()
    assert capfd.readouterr() == ("", "")


def test_pickled_weights_are_refused_with_the_remedy(copy):
    weights = transformers.AutoModel.from_pretrained(copy).state_dict()
    torch.save(weights, copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    line = refusal(copy)
    assert "pytorch_model.bin" in line
    assert "save_pretrained" in line


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        (["config.json"], "no config.json"),
        (["model.safetensors"], "no model.safetensors"),
        (["tokenizer.json", "vocab.json", "merges.txt"], "no tokenizer"),
        (["preprocessor_config.json"], "AutoImageProcessor"),
    ],
)
def test_an_incomplete_folder_is_told_what_it_lacks(copy, gone, told):
    for name in gone:
        (copy / name).unlink()
    assert told in refusal(copy)


def test_damaged_weights_are_refused(copy):
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert "AutoModel cannot read it" in refusal(copy)


def test_weights_that_do_not_fill_the_network_are_refused(copy):
    """Transformers would fill up with random numbers and only warn."""
    settings = json.loads((copy / "config.json").read_text())
    settings["text_config"]["num_hidden_layers"] = 3
    (copy / "config.json").write_text(json.dumps(settings))
    assert "holds no weights for 'text_model.encoder.layers.2." in refusal(copy)


def test_code_that_comes_with_a_checkpoint_is_never_run(copy, tmp_path):
    settings = json.loads((copy / "config.json").read_text())
    settings |= {"model_type": "strange", "auto_map": {"AutoConfig": "strange.Strange", "AutoModel": "strange.Model"}}
    (copy / "config.json").write_text(json.dumps(settings))
    (copy / "strange.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Strange: ...\nclass Model: ...\n")
    assert "AutoModel cannot read it" in refusal(copy)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("path", ["/no/such/folder", "./nothing/here", "C:\\models\\clip", "a/b/c"])
def test_a_path_that_leads_nowhere_is_called_a_missing_folder(path):
    assert "there is no such folder" in refusal(path)


def test_a_hub_model_is_downloaded_once_and_known_by_its_commit(checkpoint, loopback_hub):
    loopback_hub.folders["lab/tiny", "main"] = checkpoint("clip")
    first = load("lab/tiny")
    assert (first.id, first.name) == ("lab/tiny", "tiny")
    assert first.revision == loopback_hub.commit("lab/tiny", "main")
    loopback_hub.asked.clear()
    assert load("lab/tiny").revision == first.revision
    assert loopback_hub.asked == ["GET /api/models/lab/tiny"]


def test_a_model_once_downloaded_works_without_the_hub(checkpoint, loopback_hub, monkeypatch):
    loopback_hub.folders["lab/tiny", "main"] = checkpoint("clip")
    revision = load("lab/tiny").revision
    loopback_hub.folders.clear()
    assert load("lab/tiny").revision == revision
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert load("lab/tiny").revision == revision


def test_of_a_pickled_hub_model_the_bots_safetensors_are_taken(checkpoint, copy, loopback_hub):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    loopback_hub.folders["lab/old", "main"] = copy
    loopback_hub.folders["lab/old", "refs/pr/9"] = checkpoint("clip")
    request = {"title": "Adding `safetensors` variant of this model", "isPullRequest": True, "status": "open"}
    request |= {"createdAt": "2023-02-01T00:00:00.000Z", "repo": {"name": "lab/old", "type": "model"}}
    stranger = {**request, "num": 3, "author": {"name": "stranger"}}
    loopback_hub.pull_requests["lab/old"] = [stranger]
    assert "pickled (pytorch_model.bin)" in refusal("lab/old")
    loopback_hub.pull_requests["lab/old"] = [stranger, {**request, "num": 9, "author": {"name": "SFconvertbot"}}]
    assert load("lab/old").revision == loopback_hub.commit("lab/old", "refs/pr/9")
    assert not any("pytorch_model.bin" in asked for asked in loopback_hub.asked)


def test_an_unknown_hub_model_is_called_that(loopback_hub):
    assert "there is no such folder, and the hub has no such model or keeps it private" in refusal("lab/nothing")


def test_a_name_that_the_hub_does_not_allow_is_told(loopback_hub):
    assert "there is no such folder, and no model of the hub can be called that" in refusal("lab/tiny--clip")
    assert loopback_hub.asked == []


def test_a_gated_model_names_the_page_of_its_licence(checkpoint, loopback_hub):
    loopback_hub.folders["lab/gated", "main"] = checkpoint("clip")
    loopback_hub.gated.add("lab/gated")
    assert "accept a licence at https://huggingface.co/lab/gated and to log in (hf auth login)" in refusal("lab/gated")


def test_a_hub_that_is_switched_off_is_called_that(loopback_hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in refusal("lab/tiny")
    assert loopback_hub.asked == []


def test_a_hub_out_of_reach_is_told_in_one_line_within_seconds(tmp_path):
    """As a user meets it: a fresh process, the client's real retries, a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = (
        "import time\nfrom mmrag_nb.models.clip import ClipEncoder\nfrom mmrag_nb.errors import ModelUnavailable\n"
        "import transformers\nstart = time.monotonic()\n"
        "try: ClipEncoder()\nexcept ModelUnavailable as error: print(error)\n"
        "print(time.monotonic() - start)\n"
    )
    unset = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment |= {"HF_ENDPOINT": f"http://127.0.0.1:{port}", "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    line, seconds = done.stdout.splitlines()
    assert line.startswith("cannot load 'openai/clip-vit-base-patch32': the model hub cannot be reached (")
    assert line.endswith(f"Two ways on: a local folder {WAYS}")
    assert float(seconds) < 20
    assert done.stderr == ""


def test_a_hub_that_never_answers_is_given_up(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(huggingface_hub, "HfApi", partial(huggingface_hub.HfApi, endpoint=endpoint))
        monkeypatch.setattr(hub, "TIMEOUT", 0.5)
        start = time.monotonic()
        assert "the model hub cannot be reached" in refusal("lab/tiny")
        assert time.monotonic() - start < 5
