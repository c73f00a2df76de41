"""People are understood well enough to retrieve by, each clip by itself."""

from __future__ import annotations

import csv
import re
import sys
from importlib.metadata import version

import numpy as np
import pytest

from mmrag_nb.errors import NotInstalled
from mmrag_nb.models.pocketsphinx import PocketsphinxTranscriber

SHORT = (
    "deepspeech_new-home-in-the-stars-16k.wav",
    "pocketsphinx_cards_002.wav",
    "pocketsphinx_cards_004.wav",
    "speechbrain_ASR_spk1_snt1.wav",
    "speechbrain_ASR_spk2_snt4.wav",
)


def samples(path) -> np.ndarray:
    """Decode to 16 kHz mono float32."""
    av = pytest.importorskip("av")
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("flt", "mono", 16_000)
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def words(text: str) -> list[str]:
    return re.sub(r"[^a-z' ]", " ", text.lower()).split()


def errors(heard: list[str], said: list[str]) -> int:
    """Count the words to insert, delete or replace."""
    row = list(range(len(said) + 1))
    for i, ours in enumerate(heard, 1):
        before, row[0] = row[0], i
        for j, theirs in enumerate(said, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (ours != theirs))
    return row[-1]


@pytest.fixture(scope="module")
def transcriber():
    pytest.importorskip("pocketsphinx")
    return PocketsphinxTranscriber()


@pytest.fixture(scope="module")
def spoken(cases):
    with (cases / "speech" / "truth.tsv").open(encoding="utf-8") as file:
        truth = {row["file"]: words(row["reference"]) for row in csv.DictReader(file, delimiter="\t")}
    return [(samples(cases / "speech" / name), truth[name]) for name in SHORT]


@pytest.mark.cases
def test_three_words_of_four_are_heard_right(transcriber, spoken):
    heard = transcriber.transcribe([clip for clip, _ in spoken])
    wrong = sum(errors(words(text), said) for text, (_, said) in zip(heard, spoken, strict=True))
    assert wrong / sum(len(said) for _, said in spoken) < 0.25


@pytest.mark.cases
def test_what_came_before_does_not_change_what_is_heard(transcriber, spoken):
    """The decoder learns the channel as it hears; a loud and a noisy clip before would change the words."""
    clips = [clip for clip, _ in spoken]
    first = transcriber.transcribe(clips)
    noise = np.random.default_rng(0).normal(0, 0.3, 16_000).astype(np.float32)
    assert transcriber.transcribe([noise, *clips[::-1]])[:0:-1] == first
    assert PocketsphinxTranscriber().transcribe(clips[-1:]) == first[-1:]


@pytest.mark.cases
def test_the_seeds_recording_is_understood(transcriber, cases):
    heard = transcriber.transcribe([samples(cases / "warfield" / "audio.mp3")[: 5 * 16_000]])
    assert {"recorded", "more", "complex"} <= set(words(heard[0]))


def test_loud_samples_are_limited_not_wrapped(transcriber):
    """An int16 that wraps turns the loudest moment into its opposite."""
    time = np.arange(8000) / 16_000
    loud = (1.5 * np.sin(2 * np.pi * 200 * time)).astype(np.float32)
    assert transcriber.transcribe([loud]) == transcriber.transcribe([np.clip(loud, -1, 1)])


def test_its_version_is_part_of_its_fingerprint(transcriber):
    assert transcriber.fingerprint["revision"] == version("pocketsphinx")
    assert transcriber.description == f"pocketsphinx {version('pocketsphinx')} (en-us, cpu)"


def test_where_it_is_absent_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(NotInstalled, match=r'pip install "mmrag-nb\[offline\]"'):
        PocketsphinxTranscriber()


def test_after_an_interruption_it_hears_again(transcriber, monkeypatch):
    """Ctrl-C is raised as the decoder comes back from the middle of an utterance."""
    hum = 0.1 * np.sin(np.arange(16_000) / 30).astype(np.float32)
    decoder = transcriber._decoder

    class Interrupted:
        def __getattr__(self, name):
            return getattr(decoder, name)

        def process_raw(self, pcm, **options):
            decoder.process_raw(pcm, **options)
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(transcriber, "_decoder", Interrupted())
        with pytest.raises(KeyboardInterrupt):
            transcriber.transcribe([hum])
    transcriber.transcribe([hum])
