"""Python objects: texts, pictures, sounds, dicts and lists of these."""

import hashlib
from datetime import date

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydub import AudioSegment

from mmrag_nb.reports import Skipped
from mmrag_nb.sources.resolve import resolve
from mmrag_nb.types import Resolved, Source

RATE = 16_000


def modality_of(name, media_type):
    return {"jpg": "image", "txt": "text"}.get(name.rpartition(".")[2])


def run(value, label="{{x}}", base=None, **metadata):
    return list(resolve([Source(value, metadata, label)], modality_of=modality_of, base=base))


def one(value, **options):
    (outcome,) = run(value, **options)
    assert isinstance(outcome, Resolved), outcome
    return outcome


def refusal(value, **options):
    (outcome,) = run(value, **options)
    assert isinstance(outcome, Skipped), outcome
    assert outcome.source
    assert "\n" not in outcome.reason
    return outcome.reason


def samples_of(outcome):
    return np.array(outcome.content.get_array_of_samples()).reshape(-1, outcome.content.channels)


# texts


def test_a_text():
    found = one("A harpist played.", caption="c")
    assert found.item.id == hashlib.sha256(b"A harpist played.").hexdigest()
    assert (found.item.uri, found.item.modality, found.item.metadata) == ("{{x}}", "text", {"caption": "c"})
    assert found.content == "A harpist played."
    assert found.notes == ()


def test_a_text_that_may_have_been_meant_as_a_name_is_remarked_on(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    assert "pathlib.Path" in one("a.txt", base=tmp_path).notes[0]
    assert "type it without {{ }}" in one("https://example.org/a.txt").notes[0]


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_an_empty_text(text):
    assert refusal(text) == "an empty text"


def test_half_a_surrogate_pair():
    assert "surrogate" in refusal("a\ud800")


# pictures


def test_a_picture():
    picture = Image.new("RGB", (4, 3), "red")
    found = one(picture)
    assert found.item.modality == "image"
    assert found.content is picture
    assert found.item.id == one(picture.copy()).item.id


def test_pictures_are_known_by_what_they_look_like():
    red = Image.new("RGB", (4, 3), "red")
    palette = Image.new("P", (4, 3))
    palette.putpalette([255, 0, 0] * 256)
    other = palette.copy()
    other.putpalette([0, 255, 0] * 256)
    turned = red.copy()
    turned.getexif()[0x0112] = 6
    looks = [red, Image.new("RGB", (3, 4), "red"), Image.new("RGB", (4, 3), "blue"), palette, other, turned]
    assert len({one(picture).item.id for picture in looks}) == len(looks)


def test_pictures_without_pixels():
    assert refusal(Image.new("RGB", (0, 3))) == "a picture of 0 x 3 pixels"


def test_a_damaged_picture_opened_lazily(cases):
    picture = Image.open(cases / "hostile" / "img_truncated_image.png")
    assert refusal(picture).startswith("the picture cannot be decoded (")


# sounds


@pytest.mark.parametrize("shape", [(800,), (800, 2), (2, 800), (1, 800), (800, 1)])
def test_shapes_of_sound(shape):
    frames = (np.arange(np.prod(shape)) % 100).reshape(shape).astype("int16")
    segment = one((frames, RATE)).content
    assert (segment.frame_rate, segment.sample_width) == (RATE, 2)
    expected = frames.reshape(800, -1) if shape[0] == 800 else frames.T
    assert segment.channels == expected.shape[1]
    assert (np.array(segment.get_array_of_samples()).reshape(expected.shape) == expected).all()


@pytest.mark.parametrize(
    ("dtype", "full", "zero"),
    [
        ("int8", 2**7, 0),
        ("int16", 2**15, 0),
        ("int32", 2**31, 0),
        ("uint8", 2**7, 2**7),
        ("uint16", 2**15, 2**15),
        ("float32", 1, 0),
        ("float64", 1, 0),
        (">i2", 2**15, 0),
    ],
)
def test_every_width_fills_the_same_range(dtype, full, zero):
    wanted = np.array([0, 0.5, -0.5, 0.25, -1])
    frames = (wanted * full + zero).astype(dtype)
    assert (samples_of(one((frames, RATE)))[:, 0] == wanted * 32768).all()


def test_a_plain_list_of_16_bit_numbers_as_an_array_is_no_silence():
    found = one((np.array([0, 16384, -16384]), RATE))
    assert list(samples_of(found)[:, 0]) == [0, 16384, -16384]
    assert found.notes == ("64-bit integers, taken as 16-bit samples",)


def test_scipys_order_and_numpys_numbers():
    sound = np.ones(100, "int16")
    assert one((RATE, sound)).item.id == one((sound, np.int64(RATE))).item.id == one((sound, 16000.0)).item.id


def test_a_little_beyond_1_is_clipped_and_told():
    found = one((np.array([1.2, -1.2, 0.5]), RATE))
    assert list(samples_of(found)[:, 0]) == [32767, -32768, 16384]
    assert found.notes == ("samples beyond [-1, 1] are clipped",)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ((np.zeros(0), RATE), "a sound without samples"),
        ((np.zeros((0, 2)), RATE), "a sound without samples"),
        ((np.array([0.0, 20000.0]), RATE), "far beyond [-1, 1]: pass (samples / 32768, rate)"),
        ((np.array([0.0, np.nan]), RATE), "hold NaN"),
        ((np.array([0.0, np.inf]), RATE), "hold NaN or infinity"),
        ((np.zeros((480, 640)), RATE), "samples of shape (480, 640)"),
        ((np.zeros((2, 3, 4)), RATE), "samples of shape (2, 3, 4)"),
        ((np.zeros(10, bool), RATE), "samples of type bool"),
        ((np.zeros(10, complex), RATE), "samples of type complex128"),
        ((np.zeros(10), 0), "a sample rate of 0 Hz"),
        ((np.zeros(10), 16), "a sample rate of 16 Hz"),
        ((np.zeros(10), 0.5), "a sample rate of 0.5 Hz"),
        ((np.zeros(10), float("nan")), "a sample rate of nan Hz"),
        (AudioSegment.empty(), "a sound without samples"),
    ],
)
def test_sounds_that_are_refused(value, reason):
    assert reason in refusal(value)


def test_an_audio_segment_is_known_by_rate_channels_and_samples():
    mono = AudioSegment(b"\1\0" * 400, sample_width=2, frame_rate=RATE, channels=1)
    assert one(mono).content is mono
    assert one(mono).item.modality == "audio"
    assert one(mono).item.id == one((np.ones(400, "int16"), RATE)).item.id
    others = [
        AudioSegment(b"\1\0" * 400, sample_width=2, frame_rate=8_000, channels=1),
        AudioSegment(b"\1\0" * 400, sample_width=2, frame_rate=RATE, channels=2),
    ]
    assert len({one(sound).item.id for sound in [mono, *others]}) == 3


def test_torch_tensors_are_samples_too():
    torch = pytest.importorskip("torch")
    assert len(samples_of(one((torch.zeros(1, 300), RATE)))) == 300
    assert "pass a NumPy array" in refusal((torch.zeros(300, requires_grad=True), RATE))


# lists and records


def test_lists_are_counted_and_texts_in_them_are_texts():
    outcomes = run(["one", ("two", None), "one"], label="{{notes}}")
    assert [(o.item.uri if isinstance(o, Resolved) else o.source) for o in outcomes] == [
        "{{notes}}[0]",
        "{{notes}}[1][0]",
        "{{notes}}[1][1]",
        "{{notes}}[2]",
    ]
    assert outcomes[3].reason == "same content as {{notes}}[0], indexed once"


def test_two_sounds_in_a_tuple_are_a_list():
    sounds = tuple((np.full(100, value, "int16"), RATE) for value in (1, 2))
    assert [outcome.item.modality for outcome in run(sounds)] == ["audio", "audio"]


def test_paths_and_typed_lists(tmp_path):
    (tmp_path / "a.jpg").write_text("a")
    assert one(tmp_path / "a.jpg").item.uri == str(tmp_path / "a.jpg")
    assert one(["a.jpg"], label="", base=tmp_path).item.uri == "a.jpg"
    assert one([tmp_path / "a.jpg"]).item.modality == "image"


def test_a_list_that_holds_itself_ends():
    endless = []
    endless.append(endless)
    assert refusal(endless) == "a list that holds itself"
    record = {}
    record["image"] = record
    assert refusal(record) == "a dict that holds itself"
    wide = []
    wide += [wide] * 10
    assert [outcome.reason for outcome in run(wide)] == ["a list that holds itself"] * 10


def test_a_deep_list_ends():
    deep = "text"
    for _ in range(9):
        deep = [deep]
    assert refusal(deep) == "nested more than 8 deep"


def test_an_empty_list():
    assert refusal([]) == "an empty list"


def test_records():
    picture = Image.new("RGB", (2, 2))
    found = one({"image": picture, "caption": "a red apple", "price": np.float32(0.5)}, shop="here", price=9)
    assert found.content is picture
    assert found.item.metadata == {"caption": "a red apple", "price": 0.5, "shop": "here"}
    assert one({"text": "words", "title": "t"}).item.modality == "text"
    assert one({"audio": (np.ones(9, "int16"), RATE)}).item.modality == "audio"


def test_a_record_may_name_its_content(tmp_path):
    (tmp_path / "a.jpg").write_text("a")
    for key in ("path", "image"):
        found = one({key: "a.jpg", "price": 3}, base=tmp_path)
        assert (found.item.uri, found.item.metadata) == ("a.jpg", {"price": 3})


def test_metadata_that_holds_itself_is_refused():
    said = {}
    said["said"] = [said] * 3
    assert refusal({"text": "x", **said}) == "metadata 'said' is nested more than 32 deep"


def test_metadata_becomes_json():
    odd = {"a": np.int8(3), "b": (1, np.array([2, 3])), "c": {1: date(2024, 5, 1)}, "d": pd.NA, "e": float("inf")}
    assert one({"text": "x", **odd}).item.metadata == {
        "a": 3,
        "b": [1, [2, 3]],
        "c": {"1": "2024-05-01"},
        "d": None,
        "e": None,
    }


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({}, "a dict with nothing: one of text, image, audio, video, path, url must name its content"),
        ({"title": "x", "body": "y"}, "a dict with title, body: one of text, image"),
        ({"text": None}, "its text is None: it takes a str"),
        ({"text": float("nan")}, "its text is nan: it takes a str"),
        ({"text": ""}, "an empty text"),
        ({"image": None}, "None cannot be indexed"),
        ({"path": 3}, "its path is an object of type int"),
        ({"url": "a.jpg"}, "its url has no http:// or https://"),
        (
            {"text": "x", "unit price": 3},
            "'unit price' cannot name metadata: names are letters, digits and _, such as unit_price",
        ),
        ({"text": "x", 7: 3}, "such as _7"),
        ({"text": "x", "photo": Image.new("RGB", (1, 1))}, "metadata 'photo' is of type Image"),
    ],
)
def test_records_that_are_refused(record, reason):
    assert reason in refusal(record)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "None cannot be indexed: accepted are text, pathlib.Path, PIL.Image, (samples, rate)"),
        (float("nan"), "nan cannot be indexed"),
        (3, "an object of type int cannot be indexed"),
        (object(), "an object of type object cannot be indexed"),
        (b"bytes", "PIL.Image.open(io.BytesIO(b))"),
        (np.zeros((4, 5, 3), "uint8"), "an array of shape (4, 5, 3): for a picture pass PIL.Image.fromarray(a)"),
        (np.zeros(4), "an array of shape (4)"),
        (iter("ab"), "cannot be indexed"),
    ],
)
def test_what_is_no_source(value, reason):
    assert reason in refusal(value)


def test_an_object_without_a_label_has_a_name():
    assert one(Image.new("RGB", (1, 1)), label="").item.uri == "Image #1"
