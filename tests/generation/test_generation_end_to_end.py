"""From the index to a server and back: what was found is sent, and is shown even where the server fails."""

import html
import time

import numpy as np
import pytest
from gemini_faults import FAULTS
from gemini_server import GeminiServer, answer, ended, error, said
from loopback import WAIT, Reply
from PIL import Image

from mmrag_nb import MultimodalRAG
from mmrag_nb.errors import GenerationError, GenerationRefused
from mmrag_nb.generation import gemini
from mmrag_nb.generation.gemini import GeminiGenerator
from mmrag_nb.generation.keys import Secret

CANARY = "AIza-canary-0123456789"
ATTEMPTS = 2
QUESTION = "how many strings does a harp have?"


@pytest.fixture(scope="module")
def loopback():
    server = GeminiServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def indexed(loopback):
    pytest.importorskip("google.genai")
    settings = {
        "key": Secret(CANARY, "GOOGLE_API_KEY"),
        "base_url": loopback.url,
        "delay": 0.01,
        "attempts": ATTEMPTS,
        "timeout": 0.8,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gemini, "generator", lambda model="m", **_: GeminiGenerator(model, **settings))
        rag = MultimodalRAG(preset="offline", clip="none", speech="none", generator="gemini")
        noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
        rag.index(
            [
                {"text": "A concert harp has forty-seven strings."},
                {"image": Image.new("RGB", (80, 60), "red"), "caption": "a red harp"},
                {"audio": (noise, 16_000), "caption": "a harp is tuned"},
            ]
        )
        yield rag
        rag.close()


@pytest.fixture
def rag(indexed, loopback):
    loopback.play(answer())
    return indexed


def patient(rag, monkeypatch):
    """Give the generator the time that what is no matter of time may take on a busy machine."""
    monkeypatch.setattr(rag._parts.generator()[0]._generator, "timeout", 20.0)


def test_pictures_and_clips_go_with_their_texts_and_the_answer_cites(rag, loopback, monkeypatch):
    patient(rag, monkeypatch)
    loopback.play(answer("Forty-seven [1]."))
    found = rag.ask(QUESTION)
    (received,) = loopback.received
    sent = "\n".join(received.texts)
    assert "forty-seven strings" in sent
    assert "a red harp" in sent
    kinds = {kind for kind, _ in received.inline}
    assert "image/jpeg" in kinds
    assert found.text == "Forty-seven [1]."
    assert found.citations[1].chunk == found.hits[0].chunk
    assert found.usage == {"input_tokens": 120, "output_tokens": 7}
    assert received.headers["x-goog-api-key"] == CANARY
    assert received.max_tokens == rag.settings.max_tokens
    assert CANARY not in received.path + received.raw
    assert CANARY not in repr(found) + found._repr_html_()


def test_the_answer_grows_while_it_is_written(rag, loopback, monkeypatch):
    patient(rag, monkeypatch)
    loopback.play(Reply(events=(said("Forty"), WAIT, said("-seven"), WAIT, ended(text=" [1]."))))
    grown = list(rag.stream(QUESTION))
    assert [one.text for one in grown] == ["", "Forty", "Forty-seven", "Forty-seven [1].", "Forty-seven [1]."]
    assert [one.writing for one in grown] == [True, True, True, True, False]
    assert all(one.hits for one in grown)


def test_the_hits_are_there_though_the_server_refuses(rag, loopback, monkeypatch):
    patient(rag, monkeypatch)
    loopback.play(error(400, "bad request"))
    with pytest.raises(GenerationRefused) as failure:
        rag.ask(QUESTION)
    shown = failure.value.answer
    assert len(loopback.received) == 1, "a 400 is not tried again"
    assert "forty-seven strings" in shown.hits[0].chunk.text
    page = shown._repr_html_()
    assert "forty-seven" in page
    assert str(failure.value)[:20] in page


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_through_every_fault_the_evidence_stays_and_the_key_does_not_show(rag, loopback, fault, monkeypatch):
    if not fault.waits:
        patient(rag, monkeypatch)
    loopback.play(*fault.script)
    begin = time.monotonic()
    if fault.error is None:
        shown = rag.ask(QUESTION)
        assert shown.text.split()[0] == fault.text.split()[0]
        assert shown.trouble.startswith(fault.trouble)
        said_of_it = shown.trouble
    else:
        with pytest.raises(GenerationError) as failure:
            rag.ask(QUESTION)
        assert type(failure.value) is fault.error
        shown, said_of_it = failure.value.answer, str(failure.value)
        assert shown.text.startswith(fault.text.strip())
        assert bool(shown.text.strip()) == bool(fault.text.strip()), "what had come is kept"
    assert time.monotonic() - begin < (4 if fault.waits else fault.seconds[1] + 2)
    assert len(loopback.asked) == fault.asked(ATTEMPTS)
    page, plain = html.unescape(shown._repr_html_()), repr(shown)
    assert "forty-seven" in page
    assert shown.hits
    assert CANARY not in page + plain + said_of_it
    if said_of_it:
        assert said_of_it[:20] in page
