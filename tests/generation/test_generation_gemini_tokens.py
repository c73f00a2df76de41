"""What a request takes is told before it is made, by the rules that Google gives for its models."""

import io

import numpy as np
import pytest
from PIL import Image

from mmrag_nb.generation.gemini import GeminiGenerator
from mmrag_nb.loaders.clips import clip
from mmrag_nb.types import Evidence, Preview, Prompt, Turn

pytestmark = pytest.mark.skipif(not GeminiGenerator.installed(), reason="google-genai is not installed")


def picture(width: int, height: int) -> Preview:
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, "JPEG")
    return Preview("image/jpeg", out.getvalue())


def taken(generator, *media: Preview) -> int:
    """Tokens of ``media`` alone."""
    with_, without = (Evidence(1, "x", "image", "", given) for given in (media, ()))
    told = [generator.tokens(Prompt("why?", "", (evidence,))) for evidence in (with_, without)]
    return told[0] - told[1]


@pytest.mark.parametrize(
    ("model", "size", "tokens"),
    [
        ("gemini-2.5-flash", (384, 384), 258),
        ("gemini-2.5-flash", (385, 100), 258),
        ("gemini-2.5-flash", (1024, 600), 2 * 258),
        ("gemini-2.5-flash", (1536, 1537), 6 * 258),
        ("gemini-3-flash", (20, 20), 1120),
        ("gemini-flash-latest", (1536, 1537), 1120),
    ],
)
def test_pictures_take_as_many_tokens_as_google_says(model, size, tokens):
    assert taken(GeminiGenerator(model), picture(*size)) == pytest.approx(tokens, abs=10)  # and a few words about it


def test_sounds_take_tokens_by_the_second():
    sound = clip(np.zeros(16_000 * 10, np.int16), 16_000)
    assert taken(GeminiGenerator(), sound) == pytest.approx(10 * 32, rel=0.05)
    assert 0 < taken(GeminiGenerator(), Preview("audio/mpeg", b"ID3 no sound" * 1000)) < 1000


def test_texts_take_a_token_for_four_letters_instructions_and_history_included():
    short, long = (Prompt("why?", "x" * n, (), history=(Turn("y" * n, "z" * n),)) for n in (400, 4400))
    assert GeminiGenerator().tokens(long) - GeminiGenerator().tokens(short) == pytest.approx(3 * 1000, rel=0.05)
    assert GeminiGenerator().tokens(Prompt("琴" * 400, "", ())) > 300


def test_media_that_cannot_be_read_are_guessed_at():
    assert taken(GeminiGenerator("gemini-2.5-flash"), Preview("image/webp", b"RIFF no picture")) == pytest.approx(
        258, abs=10
    )
