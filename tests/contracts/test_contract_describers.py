"""Every describer: one text a picture, the same in any company, and the picture is left as it was."""

from __future__ import annotations

import numpy as np
import pytest
from describer_checkpoints import CAPTIONERS, captioner_checkpoint, scenes  # noqa: F401  (the second is a fixture)
from gemini_server import GeminiServer, answer
from PIL import Image

from mmrag_nb.protocols import Describer
from mmrag_nb.registry import find, names


def _blip(family: str):
    return lambda folder_of, _: find("captioner", "blip")(str(folder_of(family)), device="cpu")


def _tags(*_):
    return find("captioner", "tags")(find("encoder", "emoji")(device="cpu"))


def _generator(_, server):
    pytest.importorskip("google.genai")
    from mmrag_nb.generation.gemini import GeminiGenerator
    from mmrag_nb.generation.keys import Secret

    server.script = [answer("A harp.")]
    made = GeminiGenerator("gemini-flash-latest", key=Secret("canary"), base_url=server.url, timeout=10)
    return find("captioner", "generator")(made)


def _rapidocr(*_):
    pytest.importorskip("rapidocr", reason="rapidocr is not installed (extra ocr)")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra ocr)")
    return find("ocr", "rapidocr")()


DESCRIBERS = {
    **{family: _blip(family) for family in CAPTIONERS},
    "tags": _tags,
    "generator": _generator,
    "rapidocr": _rapidocr,
}


@pytest.fixture(scope="module")
def server():
    server = GeminiServer()
    yield server
    server.close()


@pytest.fixture(scope="module", params=DESCRIBERS)
def describer(request, captioner_checkpoint, server):  # noqa: F811
    return DESCRIBERS[request.param](captioner_checkpoint, server)


def test_every_describer_of_the_registry_is_held_to_this():
    assert {*names("captioner"), *names("ocr")} <= {"blip", *DESCRIBERS}


def test_it_fits_the_protocol_and_says_what_it_is(describer):
    assert isinstance(describer, Describer)
    assert describer.description
    assert {"model", "revision"} <= set(describer.fingerprint)
    assert all(isinstance(value, str) and value for value in describer.fingerprint.values())


def test_each_picture_gets_its_text_whatever_its_company(describer):
    pictures = scenes(3)
    texts = describer.describe(pictures)
    assert len(texts) == len(pictures)
    assert all(isinstance(text, str) and text == text.strip() for text in texts)
    assert texts == describer.describe(pictures[::-1])[::-1]
    assert texts == [describer.describe([picture])[0] for picture in pictures]


def test_no_pictures_give_no_texts(describer):
    assert describer.describe([]) == []


def test_pictures_of_any_size(describer):
    odd = [Image.new("RGB", size, "red") for size in ((1, 1), (3, 50), (5000, 2), (2, 5000))]
    assert len(describer.describe(odd)) == len(odd)


def test_the_callers_pictures_are_left_as_they_were(describer):
    picture = scenes(1)[0]
    before = np.asarray(picture).copy()
    describer.describe([picture])
    np.testing.assert_array_equal(np.asarray(picture), before)
