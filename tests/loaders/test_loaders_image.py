"""Pictures come out RGB, upright, on white, whatever they were; damaged or unsafe ones are refused, saying why."""

import io
import warnings
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image, ImageOps, features

from mmrag_nb.errors import LoadError
from mmrag_nb.loaders.image import ImageLoader
from mmrag_nb.loaders.raster import SIDE
from mmrag_nb.protocols import Loader


def file_of(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def pixels_of(content):
    return ImageLoader().load(content, "picture").chunks[0].pixels


@pytest.fixture
def scene():
    """A picture whose four corners differ."""
    pixels = np.zeros((30, 50, 3), np.uint8)
    pixels[:15, :25] = (255, 0, 0)
    pixels[15:, 25:] = (0, 0, 255)
    pixels[:15, 25:] = (0, 128, 0)
    return Image.fromarray(pixels)


def test_it_is_a_loader():
    assert isinstance(ImageLoader(), Loader)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_each_orientation_comes_out_upright(scene, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = file_of(scene, kind, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    item = ImageLoader().load(data, "picture")
    assert item.chunks[0].pixels.tobytes() == upright.tobytes()
    assert (item.facts["width"], item.facts["height"]) == upright.size


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_greys_keep_their_levels(kind):
    ramp = np.repeat(np.linspace(1000, 5000, 100).astype(np.uint16)[None], 10, axis=0)
    item = ImageLoader().load(file_of(Image.fromarray(ramp), kind), "picture")
    levels = np.asarray(item.chunks[0].pixels)[0, :, 0]
    assert len(np.unique(levels)) == 100
    assert (levels[0], levels[-1]) == (0, 255)
    assert item.notes == ("greys 1000..5000 stretched to 0..255",)


@pytest.mark.parametrize("mode", ["I", "F", "I;16"])
def test_deep_modes_of_pictures_in_memory(mode):
    ramp = np.linspace(0, 40_000, 64).astype({"I": np.int32, "F": np.float32, "I;16": np.uint16}[mode])[None]
    image = Image.fromarray(ramp)
    assert image.mode == mode
    assert len(np.unique(np.asarray(pixels_of(image)))) == 64


def test_floats_that_are_no_numbers_do_not_break_the_scale():
    image = Image.fromarray(np.array([[0.0, 0.5, 1.0, np.nan, np.inf]], np.float32))
    assert np.asarray(pixels_of(image))[0, :3, 0].tolist() == [0, 128, 255]


def test_transparency_is_laid_on_white(scene):
    clear = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    half = Image.new("LA", (4, 4), (0, 128))
    palette = Image.new("P", (4, 4), 3)
    palette.putpalette([255, 0, 0] * 256)
    for image, expected in ((clear, (255, 255, 255)), (half, (127, 127, 127))):
        assert pixels_of(file_of(image, "PNG")).getpixel((0, 0)) == expected
    assert pixels_of(file_of(palette, "PNG", transparency=3)).getpixel((0, 0)) == (255, 255, 255)
    assert pixels_of(file_of(palette, "PNG", transparency=2)).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "HSV", "RGBX", "LAB"])
def test_every_mode_becomes_rgb(scene, mode):
    image = Image.new("LAB", (9, 9)) if mode == "LAB" else scene.convert(mode)
    assert pixels_of(image).mode == "RGB"


def test_cmyk_jpegs_keep_their_colours(scene):
    red = pixels_of(file_of(scene.convert("CMYK"), "JPEG", quality=95)).getpixel((5, 5))
    assert red[0] > 240
    assert max(red[1:]) < 16


def test_the_first_frame_of_an_animation_is_said_to_be_one(scene):
    frames = [scene.rotate(turn) for turn in (0, 90, 180)]
    for kind in ("GIF", "PNG", "WEBP"):
        item = ImageLoader().load(file_of(frames[0], kind, save_all=True, append_images=frames[1:]), "picture")
        assert item.notes == ("first of 3 frames",)
        assert item.chunks[0].pixels.size == scene.size


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
@pytest.mark.parametrize("times", [2, 4])
def test_big_photographs_are_reduced_to_the_side(kind, times):
    size = (1000 * times, 750 * times)
    item = ImageLoader().load(file_of(Image.new("RGB", size, "teal"), kind), "photo")
    assert item.facts == {"width": size[0], "height": size[1]}
    assert item.chunks[0].pixels.size == (1000, 750)


@pytest.mark.parametrize("size", [(1999, 1500), (1500, 1999), (999, 998)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_no_picture_is_reduced_below_the_side(kind, size):
    pixels = pixels_of(file_of(Image.new("RGB", size), kind))
    assert min(max(size), SIDE) <= max(pixels.size) < 2 * SIDE


@pytest.mark.parametrize(
    ("size", "kept"),
    [
        ((1080, 6000), (1080, 6000)),
        ((3999, 9), (3999, 9)),
        ((2000, 4100), (1000, 2050)),
        ((6400, 2600), (3200, 1300)),
        ((300, 50_000), (150, 25_000)),
        ((1200, 12_000), (600, 6000)),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_page_long_pictures_keep_their_short_side_within_bounds(kind, size, kept):
    assert pixels_of(file_of(Image.new("L", size, "white"), kind)).size == kept


def test_reduced_decoding_shows_the_same_picture(cases):
    path = cases / "hostile" / "img_Landscape_6.jpg"
    large = Image.open(path).convert("RGB").resize((4800, 7200))
    got = pixels_of(file_of(large, "JPEG", quality=95)).resize((224, 224), Image.Resampling.BICUBIC)
    full = large.resize((224, 224), Image.Resampling.BICUBIC)
    assert np.abs(np.asarray(got, np.int16) - np.asarray(full, np.int16)).mean() < 2.0


def test_previews_are_small_and_free_of_metadata(scene):
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    data = file_of(scene.resize((3000, 1800)), "JPEG", exif=exif, comment=b"a secret comment")
    item = ImageLoader().load(data, "photo")
    thumbnail, proxy = item.previews["thumbnail"], item.previews["proxy"]
    assert (thumbnail.mime, proxy.mime) == ("image/jpeg", "image/jpeg")
    assert Image.open(io.BytesIO(thumbnail.data)).size == (512, 307)
    assert Image.open(io.BytesIO(proxy.data)).size == (1024, 614)
    assert b"secret" not in thumbnail.data + proxy.data
    assert not item.chunks[0].pixels.info


@pytest.mark.parametrize(
    ("size", "thumbnail", "proxy"),
    [
        ((512, 400), (512, 400), (512, 400)),  # of a small one both are the same
        ((640, 480), (320, 240), (640, 480)),
        ((999, 1), (500, 1), (999, 1)),
        ((1, 1), (1, 1), (1, 1)),
        ((1999, 1000), (512, 256), (1024, 512)),
    ],
)
def test_how_large_previews_are(size, thumbnail, proxy):
    item = ImageLoader().load(file_of(Image.new("RGB", size, "teal"), "PNG"), "picture")
    shown = {kind: Image.open(io.BytesIO(one.data)) for kind, one in item.previews.items()}
    assert {kind: one.size for kind, one in shown.items()} == {"thumbnail": thumbnail, "proxy": proxy}
    assert all(np.abs(np.subtract(one.getpixel((0, 0)), (0, 128, 128))).max() < 4 for one in shown.values())


def test_a_picture_in_memory_stays_as_it_is(scene, tmp_path):
    path = tmp_path / "big.jpg"
    path.write_bytes(file_of(scene.resize((3000, 1800)), "JPEG"))
    with Image.open(path) as own:
        loaded = pixels_of(own)
        assert own.size == (3000, 1800)
        assert loaded.size == (1000, 600)


def test_the_pixel_budget_holds_before_decoding():
    with pytest.raises(LoadError, match="too large: 100 x 100 pixels, at most 0 million"):
        ImageLoader(max_pixels=9999).load(file_of(Image.new("L", (100, 100)), "PNG"), "picture")
    claimed = bytearray(file_of(Image.new("1", (8, 8)), "BMP"))
    claimed[18:26] = (20_000).to_bytes(4, "little") * 2
    with pytest.raises(LoadError, match="too large"):
        ImageLoader().load(bytes(claimed), "bomb.bmp")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "EPS is not on the list of safe formats"),
        (b"8BPS\0\1" + bytes(40), "PSD is not on the list of safe formats"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG is not on the list of safe formats"),
        (b"\xd7\xcd\xc6\x9a" + bytes(40), "WMF is not on the list of safe formats"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "pip install pillow-heif"),
        (b"This is a note, not a picture.", "no picture of a supported format: it begins with 'This is a note"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "damaged PNG picture"),
    ],
)
def test_what_is_refused_says_why(data, reason):
    if b"heic" in data and find_spec("pillow_heif"):
        pytest.skip("pillow-heif is installed")
    with pytest.raises(LoadError, match=reason) as caught:
        ImageLoader().load(data, "x.jpg")
    assert "\n" not in str(caught.value)


def test_a_truncated_file_is_refused_however_often_it_is_asked(scene):
    whole = file_of(scene.resize((400, 300)), "JPEG")
    loader = ImageLoader()
    for _ in range(3):
        with pytest.raises(LoadError, match=r"damaged picture: .*truncated"):
            loader.load(whole[: len(whole) // 2], "photo.jpg")


def test_every_cut_and_flip_is_a_picture_or_a_load_error(scene):
    rng = np.random.default_rng(3)
    loader = ImageLoader(max_pixels=1_000_000)
    outcomes = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "ICO", "PPM"):
            whole = file_of(scene, kind)
            for _ in range(60):
                data = bytearray(whole[: rng.integers(1, len(whole) + 1)])
                for place in rng.integers(0, len(data), 4):
                    data[place] = rng.integers(0, 256)
                try:
                    outcomes.add(loader.load(bytes(data), "x").chunks[0].pixels.mode)
                except LoadError:
                    outcomes.add("refused")
    assert outcomes == {"RGB", "refused"}


def test_threads_may_load_at_once_and_warnings_survive(cases):
    bad = cases / "hostile" / "img_hopper_bad_exif.jpg"
    before = list(warnings.filters)
    loader = ImageLoader()
    with ThreadPoolExecutor(8) as pool:
        items = list(pool.map(lambda _: loader.load(bad, bad.name), range(40)))
    assert {item.notes for item in items} == {("damaged EXIF ignored",)}
    assert warnings.filters == before


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_avif(scene):
    assert pixels_of(file_of(scene, "AVIF")).size == scene.size
