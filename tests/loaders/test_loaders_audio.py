"""Recordings become utterances with their sound, a clip to play and peaks to draw."""

import io
import re
import subprocess
import sys

import numpy as np
import pytest
from pydub import AudioSegment

from mmrag_nb.errors import LoadError
from mmrag_nb.loaders.audio import AudioLoader, samples
from mmrag_nb.loaders.clips import PEAKS, peaks
from mmrag_nb.loaders.sound import decode
from mmrag_nb.protocols import Loader


@pytest.fixture
def talk(encoded, speech_like):
    return encoded(speech_like([(1, 5), (8, 12)], 14, 44_100), 44_100, "mp3", channels=2)


def test_it_is_a_loader():
    assert isinstance(AudioLoader(), Loader)


def test_utterances_carry_their_times_and_their_sound(talk):
    item = AudioLoader().load(talk, "talk.mp3")
    assert [chunk.modality for chunk in item.chunks] == ["audio", "audio"]
    assert [(chunk.start, chunk.end) for chunk in item.chunks] == [
        pytest.approx((0.85, 5.15), abs=0.15),
        pytest.approx((7.85, 12.15), abs=0.15),
    ]
    assert item.facts["seconds"] == pytest.approx(14, abs=0.1)
    assert (item.facts["rate"], item.facts["channels"]) == (44_100, 2)
    for chunk in item.chunks:
        assert (chunk.audio.frame_rate, chunk.audio.channels, chunk.audio.sample_width) == (16_000, 1, 2)
        assert len(chunk.audio) / 1000 == pytest.approx(chunk.end - chunk.start, abs=0.01)
        assert chunk.text == ""


def test_clips_play_the_utterance(talk):
    chunk = AudioLoader().load(talk, "talk.mp3").chunks[0]
    clip = chunk.previews["clip"]
    assert clip.mime == "audio/mpeg"
    assert len(clip.data) < 4500 * (chunk.end - chunk.start) + 1000, "32 kbit/s"
    played = decode(io.BytesIO(clip.data), max_seconds=60).pcm
    own = samples(chunk.audio)
    assert len(played) == pytest.approx(len(own), abs=3000)
    assert np.square(played / 32768).mean() == pytest.approx(np.square(own).mean(), rel=0.2)


def test_peaks_follow_the_loudness(talk):
    shown = AudioLoader().load(talk, "talk.mp3").previews["peaks"]
    heights = np.frombuffer(shown.data, np.uint8)
    assert len(heights) == PEAKS
    assert heights.max() == 255
    second = PEAKS / 14
    assert heights[int(2 * second) : int(4 * second)].min() > 60
    assert heights[int(6 * second) : int(7 * second)].max() < 20


def test_peaks_of_very_short_and_extreme_sound():
    assert len(peaks(np.array([0, 5, -9], np.int16)).data) == 3
    assert peaks(np.array([-32768] * 600, np.int16)).data == b"\xff" * 300


def test_samples_are_floats_of_full_scale_one():
    segment = AudioSegment(
        np.array([0, 16_384, -32_768], "<i2").tobytes(), sample_width=2, frame_rate=16_000, channels=1
    )
    values = samples(segment)
    assert values.dtype == np.float32
    assert values.tolist() == [0.0, 0.5, -1.0]
    with pytest.raises(ValueError, match="mono"):
        samples(segment.set_channels(2))


def test_a_sound_in_memory_equals_its_file(encoded, speech_like):
    wave = speech_like([(1, 5), (8, 12)], 14)
    pcm = (wave * 32767).round().astype("<i2")
    segment = AudioSegment(pcm.tobytes(), sample_width=2, frame_rate=16_000, channels=1)
    memory = AudioLoader().load(segment, "x")
    file = AudioLoader().load(encoded(pcm / 32768, 16_000, "wav"), "x.wav")
    assert [(c.start, c.end) for c in memory.chunks] == [(c.start, c.end) for c in file.chunks]


@pytest.mark.parametrize(
    ("wave", "reason"),
    [
        (np.zeros(32_000), "silent"),
        (0.3 * np.ones(160), "too short: 0.01 s"),
    ],
)
def test_nothing_to_hear_is_an_error(encoded, wave, reason):
    with pytest.raises(LoadError, match=reason):
        AudioLoader().load(encoded(wave, 16_000, "wav"), "x.wav")


def test_limits_are_the_callers(talk):
    with pytest.raises(LoadError, match="too long"):
        AudioLoader(max_seconds=10).load(talk, "talk.mp3")
    with pytest.raises(LoadError, match="too short"):
        AudioLoader(min_seconds=20).load(talk, "talk.mp3")
    with pytest.raises(LoadError, match="too large"):
        AudioLoader(max_bytes=1000).load(talk, "talk.mp3")


def test_damage_is_noted(encoded, speech_like):
    whole = encoded(speech_like([(1, 7)], 8), 16_000, "mp3")
    assert AudioLoader().load(whole, "x.mp3").notes == ()
    holed = bytearray(whole)
    holed[len(whole) // 2 : len(whole) // 2 + 3000] = bytes(3000)
    assert any("damaged" in note for note in AudioLoader().load(bytes(holed), "x.mp3").notes)
    (note,) = AudioLoader().load(whole[: len(whole) // 2], "x.mp3").notes
    assert re.fullmatch(r"[34]\.\d s decoded of the 8\.\d s that its header claims", note)


def test_no_program_is_looked_for_and_no_warning_shown(tmp_path, encoded, speech_like):
    path = tmp_path / "talk.wav"
    path.write_bytes(encoded(speech_like([(0.5, 3)], 4), 16_000, "wav"))
    code = (
        "import sys, pathlib, subprocess\n"
        "class Own(subprocess.Popen):\n"
        "    def __init__(self, command, **options):\n"
        "        assert command[0] == sys.executable, 'another program was started'\n"
        "        super().__init__(command, **options)\n"
        "subprocess.Popen = Own\n"
        "from mmrag_nb.loaders.audio import AudioLoader\n"
        "AudioLoader().load(pathlib.Path(sys.argv[1]), 'talk.wav')\n"
    )
    out = subprocess.run(
        [sys.executable, "-W", "always::RuntimeWarning", "-c", code, str(path)],
        capture_output=True,
        text=True,
        env={"PATH": ""},
        check=False,
    )
    assert out.returncode == 0, out.stderr
    assert "ffmpeg" not in out.stderr
