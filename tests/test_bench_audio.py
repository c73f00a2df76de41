"""`mmrag-nb bench audio` tells rates, limits, how near the features are and how cost grows, of sound made at once."""

import json
import shutil

import numpy as np
import pytest
import transformers
from checkpoints import checkpoint  # noqa: F401  (a fixture)

from mmrag_nb.bench import audio, hearing, sounds
from mmrag_nb.errors import MMRagError
from mmrag_nb.loaders.audio import AudioLoader


@pytest.fixture
def small(checkpoint, tmp_path, monkeypatch):  # noqa: F811
    """A tiny network that searches with beams, and a folder of its own for what is made."""
    folder = tmp_path / "searching"
    shutil.copytree(checkpoint("speech2text"), folder)
    config = transformers.GenerationConfig.from_pretrained(folder)
    config.num_beams = sounds.BEAMS
    config.save_pretrained(folder)
    monkeypatch.setenv("MMRAG_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(audio, "GROWING", (0.2,))
    return folder


def test_it_prints_what_it_promises(small, tmp_path):
    figures = tmp_path / "figures.json"
    lines = list(audio.measure(minutes=0.2, rounds=1, model=str(small), json_file=figures))
    printed = "\n".join(lines)
    for part in ("decoding", "features", "transcribing", "indexing"):
        assert f"{part}: " in printed
    assert "limit: decoding alone" in printed
    assert "kept)" in printed
    told = json.loads(figures.read_text(encoding="utf-8"))
    assert told["features_difference"] <= 1e-4
    assert told["growth"][0]["seconds"] > 0
    assert told["parts"]["decoding"]["summary"]["decoding"]["mmrag_nb"]["rate"] > 1


def test_everybody_writes_as_many_tokens(small):
    network, *_ = hearing.loaded(str(small))
    hearing.fixed(network, 7)
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    features = transformers.Speech2TextFeatureExtractor()(noise, sampling_rate=16_000, return_tensors="pt")
    assert network.generate(**features, max_new_tokens=30).shape[1] == 8
    assert network.generate(**features, num_beams=1).shape[1] == 8


def test_the_recording_is_cut_like_speech(small):
    file = sounds.recording(0.5)
    spans = [(chunk.start, chunk.end) for chunk in AudioLoader().load(file, file.name).chunks]
    assert len(spans) >= 2
    assert all(1 < end - start <= 16 for start, end in spans)
    assert sounds.recording(0.5) == file


@pytest.mark.parametrize("wrong", [{"minutes": 0}, {"rounds": 0}])
def test_nothing_to_measure_is_refused(wrong):
    with pytest.raises(MMRagError, match="--minutes 10 --rounds 3"):
        list(audio.measure(**wrong))
