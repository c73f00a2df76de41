"""A chat model is sent the picture and asked what it shows; its words come back as one plain line."""

import io

import pytest
from gemini_server import GeminiServer, answer, error
from PIL import Image

from mmrag_nb.errors import GenerationError, InvalidSetting
from mmrag_nb.generation.captioning import INSTRUCTIONS, SIDE, GeneratorCaptioner
from mmrag_nb.generation.extractive import ExtractiveGenerator
from mmrag_nb.generation.gemini import GeminiGenerator
from mmrag_nb.generation.keys import Secret
from mmrag_nb.protocols import Describer

CANARY = "AIza-canary-0123456789"


@pytest.fixture
def captioner(server: GeminiServer):
    pytest.importorskip("google.genai")
    key = Secret(CANARY, "GOOGLE_API_KEY")
    return GeneratorCaptioner(
        GeminiGenerator("gemini-flash-latest", key=key, base_url=server.url, timeout=20, delay=0.01, attempts=2)
    )


def test_each_picture_is_sent_as_a_small_jpeg_and_described(captioner, server):
    server.script = [answer("A red harp.\nA sign says “tune me” [1]."), answer("A blue  square.")]
    red, blue = Image.new("RGB", (3000, 1500), "red"), Image.new("RGBA", (20, 20), "blue")
    assert captioner.describe([red, blue]) == ["A red harp. A sign says “tune me” (1).", "A blue square."]
    first, second = server.asked
    assert first.instructions == second.instructions == INSTRUCTIONS
    assert "What does the picture show?" in first.texts[-1]
    assert "No evidence" not in "".join(first.texts)
    sizes = []
    for request in (first, second):
        ((kind, content),) = request.inline
        assert kind == "image/jpeg"
        sizes.append(Image.open(io.BytesIO(content)).size)
    assert sizes == [(SIDE, SIDE // 2), (20, 20)]


def test_the_callers_picture_is_left_as_it_was(captioner):
    picture = Image.new("RGB", (3000, 1500), "red")
    captioner.describe([picture])
    assert picture.size == (3000, 1500)


def test_no_picture_asks_nothing(captioner, server):
    assert captioner.describe([]) == []
    assert server.asked == []


def test_it_says_which_model_it_asks_and_what(captioner):
    assert isinstance(captioner, Describer)
    assert captioner.description == "captions by gemini-flash-latest (google-genai)"
    assert captioner.fingerprint["model"] == "gemini-flash-latest (google-genai)"
    assert captioner.fingerprint["revision"]


def test_a_refusal_is_one_line_without_the_key(captioner, server):
    server.script = [error(400, f"bad request with {CANARY}")]
    with pytest.raises(GenerationError) as failure:
        captioner.describe([Image.new("RGB", (8, 8))])
    assert "\n" not in str(failure.value)
    assert CANARY not in str(failure.value)


def test_the_extractive_generator_sees_nothing():
    with pytest.raises(InvalidSetting, match=r"extractive \(no model\) is not: set generator to") as refusal:
        GeneratorCaptioner(ExtractiveGenerator())
    assert "\n" not in str(refusal.value)
