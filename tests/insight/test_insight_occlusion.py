"""The heat map's maximum lies where the cosine comes from, and nothing glows where nothing matters."""

import io

import numpy as np
import pytest
from PIL import Image

from mmrag_nb.carrying import heat, pixels_of, regions
from mmrag_nb.insight import occlusion
from mmrag_nb.insight.overlay import overlay
from mmrag_nb.results import Hit, Hits
from mmrag_nb.types import Chunk, Item, Preview

QUERY = np.array([1.0, 0.0], np.float32)


class SeesOnePlace:
    """An encoder whose cosine with QUERY is the share of red in one box (left, top, right, bottom in shares)."""

    space = "fake:place"

    def __init__(self, box):
        self.box = box
        self.calls = []

    def embed_images(self, images):
        self.calls.append(len(images))
        rows = []
        for image in images:
            width, height = image.size
            left, top, right, bottom = self.box
            pixels = np.asarray(image, np.float32)
            part = pixels[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
            red = float(((part[..., 0] > 150) & (part[..., 1] < 100)).mean())
            rows.append((red, np.sqrt(1 - red**2)))
        return np.asarray(rows, np.float32)


def preview(picture):
    out = io.BytesIO()
    picture.save(out, "PNG")
    return Preview("image/png", out.getvalue())


def white_with_red(box, size=(240, 160)):
    picture = Image.new("RGB", size, "white")
    width, height = size
    picture.paste((220, 20, 20), tuple(int(s * d) for s, d in zip(box, (width, height, width, height), strict=True)))
    return picture


@pytest.mark.parametrize(
    ("box", "where"),
    [
        ((0.0, 0.0, 0.25, 0.25), "upper left"),
        ((0.75, 0.75, 1.0, 1.0), "lower right"),
        ((0.375, 0.375, 0.625, 0.625), "middle"),
        ((0.75, 0.375, 1.0, 0.625), "right"),
        ((0.375, 0.0, 0.625, 0.25), "upper middle"),
    ],
)
def test_the_highest_heat_lies_where_the_cosine_comes_from(box, where):
    encoder = SeesOnePlace(box)
    found = heat(preview(white_with_red(box)), encoder, QUERY, 0.1)
    cells = np.asarray(found.cells)
    row, column = np.unravel_index(cells.argmax(), cells.shape)
    assert box[0] <= (column + 0.5) / len(cells) <= box[2]
    assert box[1] <= (row + 0.5) / len(cells) <= box[3]
    assert found.where == where
    left, top, right, bottom = found.region
    assert left <= (box[0] + box[2]) / 2 <= right
    assert top <= (box[1] + box[3]) / 2 <= bottom
    assert found.cosine == pytest.approx(1.0, abs=0.05)
    assert encoder.calls == [37], "all versions in one batch"


@pytest.mark.parametrize(("cells", "window"), [(4, 2), (8, 3), (5, 1)])
def test_the_map_is_the_mean_over_all_windows_that_hold_a_cell(cells, window):
    across = cells - window + 1
    falls = np.random.default_rng(0).normal(size=across**2).astype(np.float32)
    slow = np.zeros((cells, cells))
    for row in range(cells):
        for column in range(cells):
            held = [
                falls[top * across + left]
                for top in range(across)
                for left in range(across)
                if top <= row < top + window and left <= column < left + window
            ]
            slow[row, column] = sum(held) / len(held)
    np.testing.assert_allclose(occlusion.heat(falls, cells, window), slow, rtol=1e-5)


def test_each_version_covers_one_window_with_the_ground_and_leaves_the_rest():
    picture = white_with_red((0.0, 0.0, 0.5, 0.5), (80, 80))
    versions = occlusion.covered(picture, 4, 2)
    assert len(versions) == 9
    assert np.asarray(versions[0]).min() == 255, "the red is gone"
    assert np.array_equal(np.asarray(versions[8]), np.asarray(picture)), "ground over ground changes nothing"


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (3, 2), (5000, 3)])
def test_pictures_of_any_size_are_covered(size):
    picture = Image.new("RGB", size, "red")
    assert len(occlusion.covered(occlusion.shrunk(picture), *occlusion.FINE)) == 36
    assert heat(preview(picture), SeesOnePlace((0, 0, 1, 1)), QUERY, 0.1) is not None


def test_no_region_where_nothing_stands_out():
    flat = np.full((8, 8), 0.001, np.float32)
    assert occlusion.region(flat, 0.01) is None, "too little"
    assert occlusion.region(-flat) is None, "covering anything raises the cosine"
    assert occlusion.region(np.ones((8, 8), np.float32)) is None, "all of the picture is no part of it"
    one = np.zeros((8, 8), np.float32)
    one[1, 1] = 1.0
    assert occlusion.region(one) is not None
    one[6, 6] = -0.6
    assert occlusion.region(one) is None, "noise falls as much as it rises"


def test_of_two_hot_places_the_hotter_one_is_framed():
    cells = np.zeros((8, 8), np.float32)
    cells[0:2, 0:2], cells[6:8, 6:8] = 1.0, 0.8
    left, top, right, bottom = occlusion.region(cells)
    assert (left, top) == (0.0, 0.0)
    assert right < 0.5
    assert bottom < 0.5


def test_the_overlay_is_a_picture_that_is_dark_and_red_where_it_is_hot():
    cells = np.zeros((8, 8), np.float32)
    cells[0:3, 0:3] = 0.3
    shown = overlay(Image.new("RGB", (64, 64), "white"), cells, 0.1)
    assert shown.mime == "image/webp"
    with Image.open(io.BytesIO(shown.data)) as picture:
        assert picture.size == (320, 320), "an icon is enlarged"
        hot, cold = picture.convert("RGB").getpixel((40, 40)), picture.convert("RGB").getpixel((300, 300))
    assert hot[0] > hot[2] + 40
    assert sum(hot) < sum(cold) - 150
    faint = overlay(Image.new("RGB", (64, 64), "white"), cells * 1e-3, 0.1)
    with Image.open(io.BytesIO(faint.data)) as picture:
        assert min(picture.convert("RGB").getpixel((40, 40))) > 200, "noise does not glow"


@pytest.mark.parametrize("data", [b"", b"not a picture", b"RIFF\x00\x00\x00\x00WEBPVP8 "])
def test_a_stand_in_that_cannot_be_read_gives_no_map(data):
    assert heat(Preview("image/webp", data), SeesOnePlace((0, 0, 1, 1)), QUERY, 0.1) is None
    assert heat(None, SeesOnePlace((0, 0, 1, 1)), QUERY, 0.1) is None


def hit(rank, picture, **scores):
    item = Item(str(rank), f"{rank}.png", "image")
    given = {"score": 3.0, "cosine": 0.5, "calibrated": 3.0, "seen_as": "image", **scores}
    return Hit(
        rank=rank,
        lexical=0.0,
        chunk=Chunk(item.id, 0, "image"),
        item=item,
        previews={"thumbnail": preview(picture)},
        **given,
    )


def test_regions_are_looked_for_in_the_two_best_firm_pictures_only():
    box = (0.5, 0.5, 1.0, 1.0)
    picture = white_with_red(box)
    encoder = SeesOnePlace(box)
    hits = Hits(
        (hit(1, picture, seen_as="text"), hit(2, picture, calibrated=-1.0), *(hit(n, picture) for n in (3, 4, 5)))
    )
    marked = regions(hits, encoder, QUERY, 0.1)
    assert [one.region is not None for one in marked] == [False, False, True, True, False]
    left, top, right, bottom = marked[2].region
    assert left <= 0.75 <= right
    assert top <= 0.75 <= bottom
    assert encoder.calls == [2, 18], "nine covered versions a picture, in one batch"


def test_an_encoder_too_slow_for_it_is_let_off(monkeypatch):
    monkeypatch.setattr("mmrag_nb.carrying._PATIENCE", 0.0)
    encoder = SeesOnePlace((0, 0, 0.5, 0.5))
    hits = Hits((hit(1, white_with_red((0, 0, 0.5, 0.5))),))
    assert regions(hits, encoder, QUERY, 0.1)[0].region is None
    assert encoder.calls == [1]


def test_a_picture_that_an_index_was_made_up_with_costs_nothing():
    def kept(image, kind, **how):
        out = io.BytesIO()
        image.save(out, kind, **how)
        return Preview("image/x", out.getvalue())

    small = kept(Image.new("RGB", (40, 30), "red"), "JPEG")
    assert pixels_of(small).size == (40, 30)
    assert pixels_of(None) is None
    assert pixels_of(Preview("image/jpeg", small.data[:200])) is None
    assert pixels_of(kept(Image.new("1", (3_000, 2_000)), "PNG")) is None
    assert pixels_of(Preview("image/jpeg", small.data + bytes(4_000_001))) is None
