"""Speech becomes the same text however it is batched, and neither silence nor length breaks it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from checkpoints import tone

from mmrag_nb.errors import InvalidSetting, ModelUnavailable, UnknownName
from mmrag_nb.models import speech
from mmrag_nb.models.speech import SpeechTranscriber

FAMILIES = ("speech2text", "whisper", "whisper_english")
CLIPS = [tone(1.1, 300), tone(2.0, 500), tone(1.4, 900), tone(1.7, 1700), tone(1.9, 150)]


@pytest.fixture(scope="module", params=FAMILIES)
def transcriber(request, checkpoint):
    return SpeechTranscriber(str(checkpoint(request.param)), device="cpu", batch_size=3)


def test_a_transcript_does_not_depend_on_its_company(transcriber):
    """The clips differ in length, so a batch is padded, and the padding has to be masked."""
    together = transcriber.transcribe(CLIPS)
    assert together == [transcriber.transcribe([clip])[0] for clip in CLIPS]
    assert together == transcriber.transcribe(CLIPS[::-1])[::-1]
    assert len(set(together)) > 1, "a network that says the same of everything would prove nothing"


def test_it_says_what_transformers_says(transcriber, checkpoint):
    family = transcriber.fingerprint["model"].removeprefix("tiny-").replace("-", "_")
    model = transformers.AutoModelForSpeechSeq2Seq.from_pretrained(checkpoint(family)).eval()
    processor = transformers.AutoProcessor.from_pretrained(checkpoint(family))
    padding = "longest" if family == "speech2text" else "max_length"
    clips = [CLIPS[1], tone(2.4)]  # beside a longer one, as Speech2Text was trained: padding reaches its last frames
    inputs = processor(clips, sampling_rate=16_000, padding=padding, return_tensors="pt", return_attention_mask=True)
    task = {"task": "transcribe"} if family == "whisper" else {}
    with torch.no_grad():
        tokens = model.generate(**inputs, **task, max_new_tokens=34)
    expected = processor.batch_decode(tokens, skip_special_tokens=True)[0].strip()
    assert expected
    assert transcriber.transcribe([CLIPS[1]]) == [expected]


def test_nothing_is_heard_in_silence_and_in_what_is_too_short(transcriber):
    silent = [np.zeros(16_000, np.float32), np.full(16_000, 5e-5, np.float32), tone(0.05), np.zeros(0, np.float32)]
    assert transcriber.transcribe(silent) == ["", "", "", ""]
    assert transcriber.transcribe([]) == []
    assert transcriber.transcribe([silent[0], CLIPS[1], silent[2]])[1] == transcriber.transcribe([CLIPS[1]])[0]


def test_a_sound_that_never_changes_does_not_poison_the_features(transcriber):
    constant = np.full(16_000, 0.5, np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        features = transcriber._inputs([constant, CLIPS[0]])["input_features"]
    assert torch.isfinite(features).all()
    assert isinstance(transcriber.transcribe([constant])[0], str)


def test_a_long_clip_is_heard_to_its_end_window_by_window(transcriber, monkeypatch):
    heard = []
    monkeypatch.setattr(transcriber, "_hear", lambda windows: [heard.append(len(w)) or f"<{len(w)}>" for w in windows])
    clip = tone(75, 300)
    text = transcriber.transcribe([CLIPS[0], clip])[1]
    assert sum(heard) == len(clip) + len(CLIPS[0])
    assert max(heard) <= 30 * 16_000
    assert [int(part.strip("<>")) for part in text.split()] == [len(window) for window in speech._cut(clip, 480_000)]


def test_long_clips_are_cut_where_they_are_quietest():
    clip = tone(40, 300)
    clip[27 * 16_000 : 27 * 16_000 + 3200] = 0
    first, second = speech._cut(clip, 30 * 16_000)
    assert 27.0 < len(first) / 16_000 < 27.2
    np.testing.assert_array_equal(np.concatenate([first, second]), clip)


def test_a_network_that_never_ends_is_stopped_by_the_clips_length(checkpoint, monkeypatch):
    transcriber = SpeechTranscriber(str(checkpoint("speech2text")), device="cpu")
    asked = []
    generate = transcriber._network.generate
    monkeypatch.setattr(
        transcriber._network, "generate", lambda **all_: asked.append(all_["max_new_tokens"]) or generate(**all_)
    )
    transcriber.transcribe([CLIPS[0]])
    transcriber.transcribe([tone(29.5)])
    assert asked == [34, 370]


def test_words_are_computed_in_float32_on_a_cpu_unless_asked(checkpoint):
    folder = str(checkpoint("speech2text"))
    assert SpeechTranscriber(folder, device="cpu").description == "tiny-speech2text (fp32, cpu)"
    short = SpeechTranscriber(folder, device="cpu", precision="bfloat16")
    assert short.description == "tiny-speech2text (bf16, cpu)"
    assert all(isinstance(text, str) for text in short.transcribe(CLIPS))


def test_a_language_is_passed_on_to_those_that_know_it(checkpoint):
    whisper = str(checkpoint("whisper"))
    german = SpeechTranscriber(whisper, device="cpu", language="German")
    assert german._options == {"task": "transcribe", "language": "de"}
    assert german.fingerprint["language"] == "German"
    assert german.transcribe(CLIPS[:1]) != SpeechTranscriber(whisper, device="cpu", language="en").transcribe(CLIPS[:1])
    with pytest.raises(UnknownName, match="unknown language 'klingon': known are de, en"):
        SpeechTranscriber(whisper, device="cpu", language="klingon")
    for family in ("speech2text", "whisper_english"):
        with pytest.raises(InvalidSetting, match="knows one language only"):
            SpeechTranscriber(str(checkpoint(family)), device="cpu", language="de")


def test_a_model_that_does_not_transcribe_is_refused(checkpoint):
    with pytest.raises(ModelUnavailable, match="AutoModelForSpeechSeq2Seq cannot read it"):
        SpeechTranscriber(str(checkpoint("clip")), device="cpu")
