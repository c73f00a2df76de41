"""Long recordings are heard section by section: progress in seconds, notes once, and nothing is heard twice."""

import wave
from itertools import pairwise

import numpy as np
import pytest

from mmrag_nb import MultimodalRAG
from mmrag_nb.errors import MMRagError
from mmrag_nb.loaders import track
from mmrag_nb.parts import Parts

RATE = 16_000


class Listener:
    """Writes down how long each utterance is, but every third one it hears nothing in."""

    rate = RATE
    description = "listener"

    def __init__(self, fails_after=None, error=KeyboardInterrupt):
        self.heard = []
        self.languages, self.seconds = [], []
        self._fails_after, self._error = fails_after, error

    def transcribe(self, clips, language=""):
        self.languages.append(language)
        self.seconds.append(sum(map(len, clips)) / RATE)
        if self._fails_after is not None and len(self.heard) >= self._fails_after:
            raise self._error("enough")
        texts = []
        for clip in clips:
            self.heard.append(clip.tobytes())
            texts.append("" if len(self.heard) % 3 == 0 else f"length {len(clip)} at {clip[len(clip) // 2]:.5f}")
        return texts


class Polyglot(Listener):
    def language_of(self, clips):
        return "de" if clips else ""


@pytest.fixture
def recording(tmp_path, monkeypatch):
    """Fifteen utterances of different lengths in 150 s, in sections of about 50 s."""
    monkeypatch.setattr(track, "SECTION", 50.0)
    monkeypatch.setattr("mmrag_nb.transcribing._LISTENED", 2)
    time = np.arange(150 * RATE) / RATE
    sound = np.random.default_rng(1).normal(0, 0.0005, len(time))
    for number in range(15):
        inside = (time > 10 * number + 1) & (time < 10 * number + 5 + number / 10)
        sound[inside] += 0.3 * np.sign(np.sin(2 * np.pi * (100 + number) * time[inside]))
    path = tmp_path / "talk.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((sound * 32767).astype("<i2").tobytes())
    return path


def listening(monkeypatch, listener):
    monkeypatch.setattr(Parts, "transcriber", lambda _self, _progress=None: listener)
    return listener


def texts(rag):
    (item,) = rag.items()
    return [chunk.text for chunk in rag.chunks(item.name)]


def test_progress_is_told_in_seconds_of_the_whole(recording, monkeypatch):
    listening(monkeypatch, Listener())
    told = []
    with MultimodalRAG(preset="offline") as rag:
        rag.index(str(recording), progress=lambda *step: told.append(step))
    seconds = [(done, total) for stage, done, total in told if stage == "transcribing talk.wav (seconds)"]
    assert {total for _, total in seconds} == {150}
    done = [at for at, _ in seconds]
    assert done == sorted(done)
    assert done[0] <= 1
    assert done[-1] >= 145
    assert max(after - before for before, after in pairwise(done)) <= 30


def test_no_more_than_20_seconds_of_sound_go_by_between_two_reports(recording, monkeypatch):
    monkeypatch.setattr("mmrag_nb.transcribing._LISTENED", 8)
    monkeypatch.setattr(track, "SECTION", 150.0)
    listener = listening(monkeypatch, Listener())
    with MultimodalRAG(preset="offline") as rag:
        rag.index(str(recording))
    assert max(listener.seconds) <= 20
    assert len(listener.seconds) < 8, "several at once all the same"
    assert len(listener.heard) == 15


def test_a_transcriber_that_is_quicker_by_more_at_once_gets_as_much_as_it_says(recording, monkeypatch):
    monkeypatch.setattr(track, "SECTION", 150.0)
    listener = Listener()
    listener.at_once = 60.0
    listening(monkeypatch, listener)
    with MultimodalRAG(preset="offline") as rag:
        rag.index(str(recording))
    assert 20 < max(listener.seconds) <= 60
    assert len(listener.heard) == 15


def test_what_nobody_understood_is_noted_once_for_all_sections(recording, monkeypatch):
    listening(monkeypatch, Listener())
    with MultimodalRAG(preset="offline") as rag:
        report = rag.index(str(recording))
    assert [note for _, note in report.notes if "words" in note] == ["no words heard in 5 of 15 utterances"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MMRagError])
def test_what_was_heard_and_committed_is_not_heard_again(recording, monkeypatch, tmp_path, error):
    with MultimodalRAG(preset="offline") as rag:
        listening(monkeypatch, whole := Listener())
        rag.index(str(recording))
        expected = texts(rag)
    assert len(whole.heard) == 15

    place = tmp_path / "talk.mmrag"
    with MultimodalRAG(preset="offline") as rag:
        rag.save(place)
        first = listening(monkeypatch, Listener(fails_after=6, error=error))
        with pytest.raises(error):
            rag.index(str(recording))
        assert len(first.heard) == 7, "stopped in the middle of the second section"
    with MultimodalRAG.open(place) as rag:
        kept = texts(rag)
        assert kept == expected[: len(kept)]
        assert len(kept) == 5
        second = listening(monkeypatch, Listener())
        rag.index(str(recording))
        assert len(second.heard) == 15 - len(kept), "also what was heard and understood as nothing is heard once"
        assert second.heard == whole.heard[len(kept) :]
        assert len(texts(rag)) == 15
        third = listening(monkeypatch, Listener())
        rag.index(str(recording))
        assert third.heard == []


def test_the_language_is_told_once_for_utterances_that_belong_together(recording, monkeypatch):
    polyglot = listening(monkeypatch, Polyglot())
    with MultimodalRAG(preset="offline") as rag:
        report = rag.index(str(recording))
    assert set(polyglot.languages) == {"de"}
    assert [note for _, note in report.notes if "language" in note] == ["heard as language de"]


def test_another_language_is_another_transcript(recording, monkeypatch):
    listener = listening(monkeypatch, Listener())
    with MultimodalRAG(preset="offline") as rag:
        rag.index(str(recording))
        rag.index(str(recording))
        assert len(listener.heard) == 15
        rag.settings.language = "de"
        rag.index(str(recording))
        assert len(listener.heard) == 30


def test_a_language_that_the_transcriber_does_not_know_is_said(recording):
    pytest.importorskip("pocketsphinx")
    with MultimodalRAG(preset="offline", language="de") as rag:
        report = rag.index(str(recording))
    (skipped,) = report.skipped
    assert "pocketsphinx knows English only, so language 'de' cannot be set" in skipped.reason
