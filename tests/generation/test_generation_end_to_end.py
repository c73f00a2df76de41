"""From the index to a server and back: what was found is sent, and is shown even where the server fails."""

import numpy as np
import pytest
from gemini_server import GeminiServer, answer, error
from PIL import Image

from mmrag_nb import MultimodalRAG
from mmrag_nb.errors import GenerationError
from mmrag_nb.generation import gemini
from mmrag_nb.generation.gemini import GeminiGenerator
from mmrag_nb.generation.keys import Secret

CANARY = "AIza-canary-0123456789"


@pytest.fixture
def rag(server: GeminiServer, monkeypatch):
    pytest.importorskip("google.genai")
    settings = {"key": Secret(CANARY, "GOOGLE_API_KEY"), "base_url": server.url, "delay": 0.01, "attempts": 2}
    monkeypatch.setattr(
        gemini, "generator", lambda model="m", timeout=20.0: GeminiGenerator(model, timeout=timeout, **settings)
    )
    rag = MultimodalRAG(preset="offline", clip="none", speech="none", generator="gemini", timeout=5)
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


def test_pictures_and_clips_go_with_their_texts_and_the_answer_cites(rag, server):
    server.script = [answer("Forty-seven [1].")]
    found = rag.ask("how many strings does a harp have?")
    (received,) = server.received
    sent = "\n".join(received.texts)
    assert "forty-seven strings" in sent
    assert "a red harp" in sent
    kinds = {kind for kind, _ in received.inline}
    assert "image/jpeg" in kinds
    assert found.text == "Forty-seven [1]."
    assert found.citations == {1: found.hits[0]}
    assert found.usage == {"input_tokens": 120, "output_tokens": 7}
    assert received.headers["x-goog-api-key"] == CANARY
    assert CANARY not in received.path + received.raw
    assert CANARY not in repr(found) + found._repr_html_()


def test_the_hits_are_there_though_the_server_refuses(rag, server):
    server.script = [error(400, "bad request")]
    with pytest.raises(GenerationError) as failure:
        rag.ask("how many strings does a harp have?")
    shown = failure.value.answer
    assert len(server.received) == 1, "a 400 is not tried again"
    assert "forty-seven strings" in shown.hits[0].chunk.text
    page = shown._repr_html_()
    assert "forty-seven" in page
    assert str(failure.value)[:20] in page
    assert CANARY not in page + repr(shown) + str(failure.value)


def test_a_busy_server_is_asked_again(rag, server):
    server.script = [error(429), answer("Forty-seven [1].")]
    assert rag.ask("how many strings?").text.startswith("Forty-seven")
    assert len(server.received) == 2
