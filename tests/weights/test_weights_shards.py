"""Weights in several files are read like weights in one, and never taken for whole where a file is missing."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
import transformers

from mmrag_nb.errors import ModelUnavailable
from mmrag_nb.weights import hub
from mmrag_nb.weights.folder import weight
from mmrag_nb.weights.reading import network

INDEX = "model.safetensors.index.json"


@pytest.fixture
def sharded(checkpoint, tmp_path):
    """A checkpoint whose weights are in several files, as large ones are published."""
    folder = shutil.copytree(checkpoint("clip"), tmp_path / "sharded")
    made = transformers.AutoModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    made.save_pretrained(folder, max_shard_size="100KB")
    return folder


def shards(folder) -> list[str]:
    return sorted(path.name for path in folder.glob("model*-of-*.safetensors"))


def test_they_are_read_like_weights_in_one_file(checkpoint, sharded):
    assert len(shards(sharded)) > 2
    one, several = (
        network(hub.find(str(folder)).folder, "AutoModel").state_dict() for folder in (checkpoint("clip"), sharded)
    )
    assert one.keys() == several.keys()
    assert all(torch.equal(one[name], several[name]) for name in one)
    sizes = [sum(path.stat().st_size for path in f.glob("*.safetensors")) for f in (checkpoint("clip"), sharded)]
    assert [weight(checkpoint("clip")), weight(sharded)] == sizes


def test_a_missing_file_is_named(sharded):
    gone = shards(sharded)[1]
    (sharded / gone).unlink()
    with pytest.raises(ModelUnavailable, match=f"the folder has no {gone}"):
        hub.find(str(sharded))


def test_a_missing_index_is_named(sharded):
    (sharded / INDEX).unlink()
    with pytest.raises(ModelUnavailable, match=f"the folder has no {INDEX}"):
        hub.find(str(sharded))


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"weight_map": 1}'])
def test_a_broken_index_is_told(sharded, text):
    (sharded / INDEX).write_text(text)
    with pytest.raises(ModelUnavailable, match="AutoModel cannot read it"):
        network(hub.find(str(sharded)).folder, "AutoModel")


def test_all_files_are_downloaded_once(sharded, loopback_hub):
    loopback_hub.folders["lab/large", "main"] = sharded
    found = hub.find("lab/large")
    assert (found.id, found.revision) == ("lab/large", loopback_hub.commit("lab/large", "main"))
    assert shards(found.folder) == shards(sharded)
    loopback_hub.asked.clear()
    assert hub.find("lab/large") == found
    assert loopback_hub.asked == ["GET /api/models/lab/large"]


def test_files_may_be_numbered_behind_their_whole_name(sharded, loopback_hub):
    """As those of Qwen 3.5 are."""
    index = json.loads((sharded / INDEX).read_text())
    for name in shards(sharded):
        (sharded / name).rename(sharded / name.replace("model-", "model.safetensors-"))
    index["weight_map"] = {k: v.replace("model-", "model.safetensors-") for k, v in index["weight_map"].items()}
    (sharded / INDEX).write_text(json.dumps(index))
    loopback_hub.folders["lab/odd", "main"] = sharded
    found = hub.find("lab/odd")
    assert shards(found.folder) == shards(sharded)
    assert network(found.folder, "AutoModel")


def test_a_download_that_broke_off_is_not_kept_for_a_whole_one(sharded, loopback_hub):
    loopback_hub.folders["lab/large", "main"] = sharded
    found = hub.find("lab/large")
    assert hub.cached("lab/large") == (found.folder, found.commit)
    gone = shards(sharded)[0]
    (found.folder / gone).unlink()
    assert hub.cached("lab/large") is None
    assert hub.find("lab/large") == found
    assert (found.folder / gone).is_file(), "what is missing is downloaded"
