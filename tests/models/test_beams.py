"""Beams that share what was heard find the very words that beams of their own find."""

import threading

import pytest
import torch
import transformers
from checkpoints import tone

from mmrag_nb.models import beams
from mmrag_nb.models.speech import SpeechTranscriber

CLIPS = [tone(1.1, 300), tone(2.0, 500), tone(1.4, 900), tone(1.7, 1700)]


@pytest.fixture
def searching(checkpoint, tmp_path):
    """A checkpoint that asks for three beams, as Speech2Text's own do for five."""
    import shutil

    folder = tmp_path / "searching"
    shutil.copytree(checkpoint("speech2text"), folder)
    config = transformers.GenerationConfig.from_pretrained(folder)
    config.num_beams = 3
    config.save_pretrained(folder)
    return folder


def inputs(rows=3):
    torch.manual_seed(1)
    mask = torch.ones(rows, 120, dtype=torch.long)
    mask[0, 80:] = 0
    return {"input_features": torch.randn(rows, 120, 80) * mask[..., None], "attention_mask": mask}


@pytest.mark.parametrize("number", [1, 3, 5])
def test_sharing_changes_no_token(checkpoint, number):
    network = transformers.AutoModelForSpeechSeq2Seq.from_pretrained(checkpoint("speech2text")).eval()
    with torch.no_grad():
        expected = network.generate(**inputs(), num_beams=number, max_new_tokens=20)
        assert beams.shareable(network)
        found = network.generate(**inputs(), **beams.shared(number), max_new_tokens=20)
        untold = network.generate(**inputs(), num_beams=number, max_new_tokens=20)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    torch.testing.assert_close(untold, expected, rtol=0, atol=0)


def test_what_was_heard_is_kept_once_a_clip(checkpoint):
    network = transformers.AutoModelForSpeechSeq2Seq.from_pretrained(checkpoint("speech2text")).eval()
    beams.shareable(network)
    told = beams.shared(5)
    with torch.no_grad():
        network.generate(**inputs(), **told, max_new_tokens=5)
    kept = told["past_key_values"]
    assert len(kept.heard) == network.config.decoder_layers
    assert {keys.shape[0] for keys, _ in kept.heard.values()} == {3}
    assert kept.self_attention_cache.layers[0].keys.shape[0] == 15


def test_an_attention_of_another_build_is_left_alone(checkpoint):
    network = transformers.AutoModelForSpeechSeq2Seq.from_pretrained(checkpoint("speech2text")).eval()
    attention = network.get_decoder().layers[-1].encoder_attn
    attention.scaling *= 2
    assert not beams.shareable(network)
    assert network.get_decoder().layers[-1].encoder_attn is attention
    assert type(network.get_decoder().layers[0].encoder_attn) is type(attention)


def test_exact_says_the_same_by_the_checkpoints_own_means(searching):
    fast = SpeechTranscriber(str(searching), device="cpu")
    exact = SpeechTranscriber(str(searching), device="cpu", precision="exact")
    assert (fast._beams, exact._beams) == (3, 0)
    assert (fast._features is None, exact._features is None) == (False, True)
    assert (exact.lanes, exact._batch_size) == (1, 1)
    assert fast.transcribe(CLIPS) == exact.transcribe(CLIPS)
    assert any(exact.transcribe(CLIPS)), "nothing heard would prove nothing"
    assert fast.fingerprint == exact.fingerprint


def test_lanes_hear_what_one_thread_hears_each_on_one_core(searching, monkeypatch):
    transcriber = SpeechTranscriber(str(searching), device="cpu", batch_size=2)
    seen = []
    plain = transcriber._hear

    def hear(windows, told):
        seen.append((threading.current_thread().name, torch.get_num_threads(), len(windows)))
        return plain(windows, told)

    monkeypatch.setattr(transcriber, "_hear", hear)
    transcriber.lanes = 1
    expected = transcriber.transcribe(CLIPS)
    seen.clear()
    transcriber.lanes = 3
    assert transcriber.transcribe(CLIPS) == expected
    assert sorted(size for *_, size in seen) == [1, 1, 2]
    assert all(name.startswith("mmrag-speech") and threads == 1 for name, threads, _ in seen)
    with monkeypatch.context() as patch:
        patch.setattr(transcriber, "_hear", lambda windows, told: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            transcriber.transcribe(CLIPS)
    assert not [one for one in threading.enumerate() if one.name.startswith("mmrag-speech")]
