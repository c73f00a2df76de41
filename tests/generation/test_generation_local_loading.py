"""A local model is loaded from a folder or the hub, and one line says why where it cannot be."""

from __future__ import annotations

import shutil
import subprocess
import sys
from types import SimpleNamespace

import huggingface_hub
import pytest
import torch
import transformers
from describer_checkpoints import scenes
from loopback_hub import loopback_hub  # noqa: F401  (a fixture)
from vlm_checkpoints import vlm_checkpoint  # noqa: F401  (a fixture)

from mmrag_nb.errors import ModelUnavailable, UnknownName
from mmrag_nb.generation import local_model
from mmrag_nb.generation.local import LocalGenerator
from mmrag_nb.generation.local_processor import bounded_side
from mmrag_nb.types import Generation, Prompt
from mmrag_nb.weights.device import Placement


@pytest.mark.parametrize("name", ["llava", "qwen3"])
def test_no_chat_template_is_told(vlm_checkpoint, tmp_path, name):  # noqa: F811
    refusal = _refused(vlm_checkpoint(name), tmp_path, lambda file: "chat_template" in file.name)
    assert "it has no chat template" in refusal


def test_a_template_that_takes_no_question_is_told(vlm_checkpoint, tmp_path):  # noqa: F811
    copy = shutil.copytree(vlm_checkpoint("qwen3"), tmp_path / "copy")
    (copy / "chat_template.jinja").write_text("{{ raise_exception('tools only') }}")
    with pytest.raises(ModelUnavailable, match="cannot use 'copy': its chat template takes no plain question"):
        LocalGenerator(str(copy), device="cpu")


def test_a_broken_folder_is_told(vlm_checkpoint, tmp_path):  # noqa: F811
    llava = vlm_checkpoint("llava")
    assert "no config.json" in _refused(llava, tmp_path / "a", lambda file: file.name == "config.json")
    assert "no model.safetensors" in _refused(llava, tmp_path / "b", lambda file: file.suffix == ".safetensors")
    assert "no tokenizer" in _refused(llava, tmp_path / "c", lambda file: "tokenizer" in file.name)
    assert "AutoConfig cannot read it" in _refused(llava, tmp_path / "d", lambda file: False, spoil="config.json")


def _refused(folder, place, without, spoil="") -> str:
    copy = place / "copy"
    shutil.copytree(folder, copy)
    for file in copy.iterdir():
        if without(file):
            file.unlink()
        elif file.name == spoil:
            file.write_text("{")
    with pytest.raises(ModelUnavailable) as refusal:
        LocalGenerator(str(copy), device="cpu")
    line = str(refusal.value)
    assert line.startswith(f"cannot load {str(copy)!r}: ")
    assert "\n" not in line
    assert line.endswith('%config MMRag.generator = "extractive"')
    return line


def test_without_the_hub_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelUnavailable, match=r"hub is switched off \(HF_HUB_OFFLINE is set\).*Two ways on: a "):
        LocalGenerator(device="cpu")
    with pytest.raises(ModelUnavailable, match="there is no such folder"):
        LocalGenerator("/no/such/folder", device="cpu")


def test_from_the_hub_it_is_downloaded_once_template_and_shards_included(vlm_checkpoint, loopback_hub, tmp_path):  # noqa: F811
    folder = shutil.copytree(vlm_checkpoint("qwen2_vl"), tmp_path / "large")
    network = transformers.AutoModelForImageTextToText.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    network.save_pretrained(folder, max_shard_size="200KB")
    assert len(list(folder.glob("model-*-of-*.safetensors"))) > 1
    loopback_hub.folders["lab/large-chat", "main"] = folder
    generator = LocalGenerator("lab/large-chat", device="cpu", precision="float32")
    assert (generator.model, generator.description) == ("lab/large-chat", "large-chat (fp32, cpu)")
    assert generator.takes == {"image"}
    state = generator._local.network.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in network.state_dict().items())
    loopback_hub.asked.clear()
    LocalGenerator("lab/large-chat", device="cpu")
    assert loopback_hub.asked == ["GET /api/models/lab/large-chat"]


def test_a_pickled_model_is_refused_with_the_remedy(vlm_checkpoint, loopback_hub, tmp_path):  # noqa: F811
    folder = shutil.copytree(vlm_checkpoint("qwen3"), tmp_path / "old")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    loopback_hub.folders["lab/old", "main"] = folder
    for model in ("lab/old", str(folder)):
        with pytest.raises(ModelUnavailable, match=r"its weights are pickled \(pytorch_model\.bin\).*MMRag\.generator"):
            LocalGenerator(model, device="cpu")


@pytest.mark.parametrize("step", ["from_pretrained", "to"])
def test_too_little_memory_is_told(vlm_checkpoint, monkeypatch, step):  # noqa: F811
    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr(transformers.Qwen3ForCausalLM, step, full)
    with pytest.raises(ModelUnavailable, match=r"the memory of cpu does not hold it, choose a smaller one \(with bits"):
        LocalGenerator(str(vlm_checkpoint("qwen3")), device="cpu")


def test_a_device_that_is_not_there_is_told(vlm_checkpoint):  # noqa: F811
    with pytest.raises(UnknownName, match="unknown device 'tpu'"):
        LocalGenerator(str(vlm_checkpoint("qwen3")), device="tpu")
    with pytest.raises(UnknownName, match="unknown precision 'fp8'"):
        LocalGenerator(str(vlm_checkpoint("qwen3")), device="cpu", precision="fp8")


@pytest.mark.parametrize("name", ["llava", "idefics3", "qwen3_vl"])
def test_it_runs_in_bfloat16(vlm_checkpoint, name):  # noqa: F811
    generator = LocalGenerator(str(vlm_checkpoint(name)), device="cpu", precision="bf16")
    assert generator.description.endswith("(bf16, cpu)")
    assert generator._local.network.dtype == torch.bfloat16
    generator._local.network.generation_config.eos_token_id = None
    *pieces, whole = generator.stream(Prompt("who is it?", "Answer.", (), max_tokens=12))
    assert isinstance(whole, Generation)
    assert "".join(pieces) == whole.text


def test_pictures_take_some_hundred_tokens_each_not_thousands():
    seen = {
        "SmolVLM-256M": transformers.Idefics3ImageProcessorPil(
            size={"longest_edge": 2048}, max_image_size={"longest_edge": 512}
        ),
        "LLaVA 1.5": transformers.LlavaImageProcessorPil(size={"shortest_edge": 336}),
        "Qwen2-VL": transformers.Qwen2VLImageProcessorPil(size={"shortest_edge": 3136, "longest_edge": 12_845_056}),
        "Gemma 3": transformers.Gemma3ImageProcessorPil(size={"height": 896, "width": 896}),
    }
    sides = {name: bounded_side(seeing) for name, seeing in seen.items()}
    assert sides == {"SmolVLM-256M": 1024, "LLaVA 1.5": 672, "Qwen2-VL": 1024, "Gemma 3": 896}
    tiles = seen["SmolVLM-256M"](scenes(1), return_tensors="pt")["pixel_values"].shape[1]
    assert tiles == 5, "four of 512 pixels and the whole; not seventeen"


@pytest.mark.parametrize(
    ("weights", "device", "installed", "small"),
    [
        (14.1, "cuda", {"bitsandbytes", "accelerate"}, True),  # LLaVA 7B on a T4
        (4.3, "cuda", {"bitsandbytes", "accelerate"}, False),  # Qwen3-VL 2B
        (14.1, "cuda", {"accelerate"}, False),
        (14.1, "cpu", {"bitsandbytes", "accelerate"}, False),
    ],
)
def test_four_bits_are_for_what_would_fill_the_gpu(monkeypatch, weights, device, installed, small):
    """No GPU is asked: whether it loads so is seen on one only."""
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=16_000_000_000))
    monkeypatch.setattr(local_model, "find_spec", lambda name: name if name in installed else None)
    assert local_model._shrinks(int(weights * 1e9), Placement(device, "float16")) is small


def test_importing_it_is_free():
    code = "import sys, mmrag_nb.generation.local as m; assert not {'torch', 'transformers', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
