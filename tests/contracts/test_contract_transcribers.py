"""Every transcriber: one text a clip, the same in any company, and nothing for nothing."""

from __future__ import annotations

import numpy as np
import pytest
from checkpoints import checkpoint, tone  # noqa: F401  (a fixture)

from mmrag_nb.protocols import Transcriber
from mmrag_nb.registry import find, names
from mmrag_nb.types import Transcript

CLIPS = [tone(0.6, 300), tone(1.0, 500), tone(0.8, 900)]


def _speech(family: str):
    return lambda folder_of: find("transcriber", "speech")(str(folder_of(family)), device="cpu")


def _pocketsphinx(_folder_of):
    pytest.importorskip("pocketsphinx")
    return find("transcriber", "pocketsphinx")()


TRANSCRIBERS = {
    "speech2text": _speech("speech2text"),
    "whisper": _speech("whisper"),
    "whisper_english": _speech("whisper_english"),
    "pocketsphinx": _pocketsphinx,
}


@pytest.fixture(scope="module", params=TRANSCRIBERS)
def transcriber(request, checkpoint):  # noqa: F811
    return TRANSCRIBERS[request.param](checkpoint)


def test_every_transcriber_of_the_registry_is_held_to_this():
    assert set(names("transcriber")) <= {"speech", *TRANSCRIBERS}


def test_it_fits_the_protocol_and_says_what_it_is(transcriber):
    assert isinstance(transcriber, Transcriber)
    assert transcriber.rate == 16_000
    assert transcriber.description
    assert {"model", "revision", "preprocessing"} <= set(transcriber.fingerprint)
    assert all(isinstance(value, str) and value for value in transcriber.fingerprint.values())


def test_each_clip_gets_its_text_whatever_its_company(transcriber):
    texts = transcriber.transcribe(CLIPS)
    assert len(texts) == len(CLIPS)
    assert all(isinstance(text, str) for text in texts)
    assert all(len(text.times) in {0, len(text.split())} for text in texts if isinstance(text, Transcript))
    assert texts == transcriber.transcribe(CLIPS[::-1])[::-1]
    assert texts == [transcriber.transcribe([clip])[0] for clip in CLIPS]
    assert all(text == text.strip() for text in texts)


def test_nothing_is_heard_in_nothing(transcriber):
    nothing = [
        np.zeros(0, np.float32),
        np.zeros(1, np.float32),
        np.zeros(800, np.float32),
        np.zeros(16_000, np.float32),
    ]
    assert transcriber.transcribe([]) == []
    assert transcriber.transcribe(nothing) == ["", "", "", ""]


def test_the_callers_samples_are_left_as_they_were(transcriber):
    clip = tone(0.6, 300)
    before = clip.copy()
    clip.setflags(write=False)
    transcriber.transcribe([clip])
    np.testing.assert_array_equal(clip, before)
