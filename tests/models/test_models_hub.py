"""With the true weights, the numbers that others published come out. Skipped where the hub cannot be reached."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmrag_nb.errors import ModelUnavailable
from mmrag_nb.models.clip import ClipEncoder
from mmrag_nb.models.speech import SpeechTranscriber

pytestmark = [pytest.mark.hub, pytest.mark.cases, pytest.mark.timeout(900)]

QUESTION = "who is my favorite harpist?"
TRANSCRIPT = (
    "i recorded a more complex audiophile but i'm going to re record with a simpler one because it was surprisingly "
    "difficult my favorite harpist is trulo o'curlon toloh now torqualate iowa torqua"
)
"""As the seed notebook's Speech2Text heard it, from samples that were not scaled."""


@pytest.fixture(scope="module")
def encoder():
    return _or_skip(lambda: ClipEncoder(device="cpu", precision="float32"))


@pytest.fixture(scope="module")
def transcriber():
    return _or_skip(lambda: SpeechTranscriber(device="cpu"))


def _or_skip(make):
    """Skip with the reason where the hub is out of reach; anything else that is wrong is an error."""
    try:
        return make()
    except ModelUnavailable as error:
        if "the model hub " in str(error):
            pytest.skip(str(error).partition(". Two ways on")[0])
        raise


def test_the_seeds_cosines_come_out(encoder, cases):
    picture = Image.open(cases / "warfield" / "Lorenz_Ro28-200px.png").convert("RGB")
    wiki = (cases / "warfield" / "Wiki.txt").read_text(encoding="utf-8")[:300]
    question, heard, read = encoder.embed_texts([QUESTION, TRANSCRIPT, wiki])
    cosines = [question @ encoder.embed_images([picture])[0], question @ heard, question @ read]
    np.testing.assert_allclose(cosines, [0.1996, 0.7889, 0.4728], atol=0.01)


def test_openais_diagram_is_one(encoder, cases):
    picture = encoder.embed_images([Image.open(cases / "clip_truth" / "CLIP.png")])[0]
    logits = 100 * encoder.embed_texts(["a diagram", "a dog", "a cat"]) @ picture
    shares = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    np.testing.assert_allclose(shares, [0.9927937, 0.00421068, 0.00299572], atol=0.002)


def test_transformers_two_cats_get_their_logits(encoder, cases):
    picture = encoder.embed_images([Image.open(cases / "clip_truth" / "000000039769.png")])[0]
    logits = 100 * encoder.embed_texts(["a photo of a cat", "a photo of a dog"]) @ picture
    np.testing.assert_allclose(logits, [24.5701, 19.3049], atol=0.05)


def test_openais_matrix_of_captions_and_pictures_comes_out(encoder, cases):
    skimage = pytest.importorskip("skimage", reason="scikit-image brings the pictures of OpenAI's notebook")
    with (cases / "clip_truth" / "matrix.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    found = {path.stem: path for path in Path(skimage.data_dir).glob("*.*") if path.suffix in {".png", ".jpg"}}
    pictures = [name for name in rows[0] if name in found]
    if not pictures:
        pytest.skip(f"no pictures in {skimage.data_dir}")
    captions = encoder.embed_texts([f"This is {row['caption']}" for row in rows])
    cosines = captions @ encoder.embed_images([Image.open(found[name]) for name in pictures]).T
    expected = [[float(row[name]) for name in pictures] for row in rows]
    np.testing.assert_allclose(cosines, expected, atol=0.015)


def test_bfloat16_keeps_the_true_vectors(encoder, cases):
    short = ClipEncoder(device="cpu", precision="bfloat16")
    pictures = [Image.open(path) for path in sorted((cases / "coco9").glob("*.jpg"))]
    assert (short.embed_images(pictures) * encoder.embed_images(pictures)).sum(axis=1).min() > 0.999
    texts = [QUESTION, TRANSCRIPT, "a photo of a cat"]
    assert (short.embed_texts(texts) * encoder.embed_texts(texts)).sum(axis=1).min() > 0.999


def test_pictures_find_what_people_wrote_of_them(encoder, cases):
    with (cases / "coco9" / "captions.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    names = sorted({row["image"] for row in rows})
    pictures = encoder.embed_images([Image.open(cases / "coco9" / name) for name in names])
    best = (encoder.embed_texts([row["caption"] for row in rows]) @ pictures.T).argmax(axis=1)
    right = sum(names[index] == row["image"] for index, row in zip(best, rows, strict=True))
    assert right / len(rows) > 0.9


def test_the_seeds_recording_is_heard_as_the_seed_heard_it(transcriber, cases):
    av = pytest.importorskip("av")
    with av.open(str(cases / "warfield" / "audio.mp3")) as container:
        resampler = av.AudioResampler("flt", "mono", 16_000)
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    heard = transcriber.transcribe([np.concatenate([frame.to_ndarray()[0] for frame in frames])])[0]
    said = re.findall(r"[a-z']+", TRANSCRIPT)[:31]  # up to the harpist's name, which it could not know
    assert sum(word in heard.split() for word in said) / len(said) > 0.8
    assert "my favorite harpist is" in heard
