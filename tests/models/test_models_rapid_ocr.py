"""What is written is read, what is not is not made up, and nothing is asked of the network."""

from __future__ import annotations

import math
import re
import socket
import time
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

pytest.importorskip("rapidocr", reason="rapidocr is not installed (extra ocr)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra ocr)")

from mmrag_nb.errors import ModelUnavailable, NotInstalled
from mmrag_nb.models import rapid_ocr
from mmrag_nb.models.rapid_ocr import RapidOCRReader

LINES = ("Tuning a concert harp", "Seven pedals change the pitch", "A4 = 440 Hz, since 1939")


@pytest.fixture(scope="module")
def reader() -> RapidOCRReader:
    return RapidOCRReader()


def places(text, picture):
    """Boxes of the lines, in pixels."""
    sides = (*picture.size, *picture.size)
    return [tuple(share * side for share, side in zip(box, sides, strict=True)) for box in text.boxes]


def are_near(found, true, pixels):
    assert len(found) == len(true)
    assert np.abs(np.array(found) - np.array(true)).max() <= pixels, (found, true)


def slide(lines, *, size=24, room=(600, 320), ink="black", paper="white") -> Image.Image:
    picture = Image.new("RGB", room, paper)
    for number, line in enumerate(lines):
        place = (40, 40 + number * 2.5 * size)
        ImageDraw.Draw(picture).text(place, line, fill=ink, font=ImageFont.load_default(size=size))
    return picture


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def test_lines_are_read_from_top_to_bottom(reader):
    dark = slide(LINES[::-1], ink="#ffd54f", paper="#20304a")
    first, second = reader.describe([slide(LINES), dark])
    drawn = ImageDraw.Draw(dark)
    font = ImageFont.load_default(size=24)
    true = [drawn.textbbox((40, 40 + 60 * number), line, font=font) for number, line in enumerate(LINES)]
    are_near(places(first, dark), true, pixels=8)
    assert words(first) == words(" ".join(LINES))
    assert first.count("\n") == 2
    assert words(second) == words(" ".join(LINES[::-1]))


def test_lines_that_stand_on_their_head_or_side_are_read_as_well(reader):
    upright = slide(LINES)
    assert sorted(words(reader.describe([upright.rotate(180)])[0])) == sorted(words(" ".join(LINES)))
    assert set(words(" ".join(LINES))) == {
        word for turn in (90, 270) for word in words(reader.describe([upright.rotate(turn, expand=True)])[0])
    }


def test_nothing_is_made_up_where_nothing_is_written(reader):
    chance = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    circle = Image.new("RGB", (200, 200), "white")
    ImageDraw.Draw(circle).ellipse((50, 50, 150, 150), outline="black", width=12)
    assert reader.describe([Image.new("RGB", (300, 200), "teal"), Image.fromarray(chance), circle]) == ["", "", ""]
    assert reader.describe([]) == []
    assert reader.describe([circle])[0].boxes == ()


@pytest.mark.cases
def test_photographs_without_text_are_silent_and_a_stop_sign_is_not(reader, cases):
    photo = {name: Image.open(cases / "coco9" / f"000000000{name}.jpg").convert("RGB") for name in ("285", "724")}
    assert reader.describe([photo["285"], photo["724"]]) == ["", "STOP"]


def test_rows_are_read_from_the_left_even_where_boxes_are_uneven():
    def box(x, y, width=80, height=20):
        return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], dtype=np.float32)

    lines = [(box(200, 8), "two"), (box(0, 14), "one"), (box(0, 40), "three"), (box(300, 33, height=26), "four")]
    assert [text for _, text in rapid_ocr._in_order(lines)] == ["one", "two", "three", "four"]
    assert rapid_ocr._in_order([]) == []


def test_pictures_of_any_size_are_bounded(reader):
    for size in ((1, 1), (7, 300), (300, 7), (10_000, 3), (8, 2000), (10_000, 400), (31, 300), (3000, 3000)):
        shown = rapid_ocr._canvas(Image.new("RGB", size))
        if shown is not None:
            (height, width, _), (left, top, across, down) = shown[0].shape, shown[1]
            assert max(height, width) <= 2000
            assert min(height, width) * 9 > max(height, width)
            assert left + across <= width
            assert top + down <= height
    begin = time.perf_counter()
    assert reader.describe([Image.new("RGB", (5, 300)), Image.new("RGB", (5_000, 90)), Image.new("L", (1, 1))]) == [
        "",
        "",
        "",
    ]
    assert time.perf_counter() - begin < 20


def test_a_strip_is_read_at_its_full_length(reader):
    strip = Image.new("RGB", (1400, 34), "white")
    ImageDraw.Draw(strip).text((8, 4), "harp strings " * 9, fill="black", font=ImageFont.load_default(size=20))
    read = reader.describe([strip])[0]
    assert words(read) == ["harp", "strings"] * 9
    lefts, tops, rights, bottoms = zip(*places(read, strip), strict=True)
    assert (min(lefts), min(tops)) == pytest.approx((8, 6), abs=8)
    assert (max(rights), max(bottoms)) == pytest.approx((8 + 9 * 120, 28), abs=130)
    assert max(bottoms) <= 34


def test_a_page_long_picture_is_read_line_by_line_in_its_full_detail(reader):
    lines = [f"Entry {number} of the log" for number in range(1, 33)]
    page = Image.new("RGB", (420, 40 + 80 * len(lines)), "white")
    drawn, font = ImageDraw.Draw(page), ImageFont.load_default(size=13)
    for number, line in enumerate(lines):
        drawn.text((20, 20 + 80 * number), line, fill="black", font=font)
    read = reader.describe([page])[0]
    assert [words(line) for line in read.split("\n")] == [words(line) for line in lines]
    true = [drawn.textbbox((20, 20 + 80 * number), line, font=font) for number, line in enumerate(lines)]
    are_near(places(read, page), true, pixels=8)


def test_a_line_that_was_scanned_askew_is_as_high_as_it_is(reader):
    picture = slide(LINES[:1], room=(600, 120)).rotate(2, fillcolor="white", resample=Image.Resampling.BICUBIC)
    ((_, top, _, bottom),) = places(reader.describe([picture])[0], picture)
    assert 18 < bottom - top < 36


@pytest.mark.parametrize("size", [(420, 2600), (2600, 420), (1900, 5000), (30, 90_000), (3, 500_000), (2500, 6000)])
def test_pieces_are_bounded_and_each_place_is_of_one_of_them(size):
    pieces = list(rapid_ocr._pieces(Image.new("1", size)))
    assert 1 < len(pieces) <= rapid_ocr._MOST_PIECES
    assert all(max(part.picture.size) <= rapid_ocr.LONGEST for part, *_ in pieces)
    borders = [own for *_, own in pieces]
    assert borders[0][0] == -math.inf
    assert borders[-1][1] == math.inf
    assert all(before[1] == after[0] for before, after in pairwise(borders))
    for part, axis, (start, end) in pieces:
        first, length = (part.left, part.width) if axis else (part.top, part.height)
        assert max(start, 0) >= first
        assert min(end, max(size)) <= first + length + 1e-6


def test_it_is_silent_and_never_asks_the_network(monkeypatch, capfd):
    def refuse(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert "harp" in RapidOCRReader().describe([slide(LINES), Image.new("RGB", (64, 64))])[0]
    out, err = capfd.readouterr()
    assert out + err == ""


def test_its_fingerprint_names_package_and_models(reader):
    from importlib.metadata import version

    assert reader.fingerprint["revision"] == version("rapidocr")
    assert re.fullmatch(r"\S*det\S* \S*rec\S*", reader.fingerprint["model"])
    assert reader.description.startswith(f"rapidocr {version('rapidocr')} (")


def test_what_is_missing_is_told_in_one_line(monkeypatch):
    find = rapid_ocr.find_spec
    monkeypatch.setattr(rapid_ocr, "find_spec", lambda name: None if name == "onnxruntime" else find(name))
    with pytest.raises(NotInstalled, match=r'onnxruntime is not installed: pip install "mmrag-nb\[ocr\]"'):
        RapidOCRReader()
    monkeypatch.setattr(rapid_ocr, "find_spec", find)
    monkeypatch.setattr(rapid_ocr, "_STAGES", {"Det": "no_such"})
    with pytest.raises(ModelUnavailable, match="comes without its model") as refusal:
        RapidOCRReader()
    assert "\n" not in str(refusal.value)
