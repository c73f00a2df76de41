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
    monkeypatch.setattr(
        transcriber, "_hear", lambda windows, told: [heard.append(len(w)) or f"<{len(w)}>" for w in windows]
    )
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


def prompts(transcriber, monkeypatch):
    """What the decoder is begun with, each time."""
    seen = []
    forward = type(transcriber._network).forward

    def watched(self, *args, decoder_input_ids=None, **kwargs):
        if decoder_input_ids is not None and decoder_input_ids.shape[1] > 2:
            seen.extend(decoder_input_ids.tolist())
        return forward(self, *args, decoder_input_ids=decoder_input_ids, **kwargs)

    monkeypatch.setattr(type(transcriber._network), "forward", watched)
    return seen


def test_the_languages_token_reaches_the_decoder(checkpoint, monkeypatch):
    folder = str(checkpoint("whisper"))
    tokens = transformers.AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids
    for language, token in (("de", "<|de|>"), ("English", "<|en|>")):
        transcriber = SpeechTranscriber(folder, device="cpu", language=language)
        with monkeypatch.context() as patch:
            seen = prompts(transcriber, patch)
            transcriber.transcribe(CLIPS[:2])
        task = tokens(["<|startoftranscript|>", token, "<|transcribe|>"])
        assert seen
        assert all(begun[:3] == task for begun in seen)


def test_the_language_of_a_recording_is_told_by_its_longest_clips_together(checkpoint, monkeypatch):
    transcriber = SpeechTranscriber(str(checkpoint("whisper")), device="cpu")
    likely = {}
    start = transcriber._network.generation_config.decoder_start_token_id
    for clip in CLIPS:
        inputs = transcriber._inputs([clip])
        with torch.no_grad():
            logits = transcriber._network(**inputs, decoder_input_ids=torch.tensor([[start]])).logits[0, -1]
        likely[len(clip)] = logits[list(transcriber._languages.values())].log_softmax(-1)
    longest = torch.stack([likely[length] for length in sorted(likely)[-3:]]).sum(0)
    expected = list(transcriber._languages)[int(longest.argmax())]
    assert transcriber.language_of(CLIPS) == expected
    assert transcriber.language_of([np.zeros(16_000, np.float32)]) == ""
    other = next(code for code in transcriber._languages if code != expected)
    with monkeypatch.context() as patch:
        seen = prompts(transcriber, patch)
        transcriber.transcribe(CLIPS[:1], language=other)
    assert {begun[1] for begun in seen} == {transcriber._languages[other]}
    assert SpeechTranscriber(str(checkpoint("whisper")), device="cpu", language="de").language_of(CLIPS) == ""
    for family in ("speech2text", "whisper_english"):
        assert SpeechTranscriber(str(checkpoint(family)), device="cpu").language_of(CLIPS) == ""


def test_english_as_a_forced_beginning_does_not_count(checkpoint, tmp_path):
    """As in checkpoints of 2022: a German recording would be written down in English."""
    import json
    import shutil

    folder = tmp_path / "forced"
    shutil.copytree(checkpoint("whisper"), folder)
    path = folder / "generation_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    english, task = config["lang_to_id"]["<|en|>"], config["task_to_id"]["transcribe"]
    path.write_text(json.dumps({**config, "forced_decoder_ids": [[1, english], [2, task]]}), encoding="utf-8")
    plain = SpeechTranscriber(str(checkpoint("whisper")), device="cpu")
    assert SpeechTranscriber(str(folder), device="cpu").transcribe(CLIPS) == plain.transcribe(CLIPS)


def test_a_model_that_does_not_transcribe_is_refused(checkpoint):
    with pytest.raises(ModelUnavailable, match="AutoModelForSpeechSeq2Seq cannot read it"):
        SpeechTranscriber(str(checkpoint("clip")), device="cpu")
