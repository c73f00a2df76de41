"""Pictures made to hang, explode or lie: stopped in time, or read as what they are."""

import io
import random
import struct
import time
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from mmrag_nb.errors import LoadError
from mmrag_nb.isolation import calling
from mmrag_nb.loaders import pixels, raster
from mmrag_nb.loaders.image import ImageLoader


def file_of(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


@pytest.fixture(scope="module")
def scene():
    scene = Image.effect_mandelbrot((240, 160), (-3, -2.5, 2, 2.5), 100).convert("RGB")
    scene.paste((255, 0, 0), (0, 0, 60, 60))
    scene.paste((0, 0, 255), (180, 100, 240, 160))
    return scene


@pytest.fixture
def elsewhere(monkeypatch):
    """Contents that were decoded in another process."""
    seen = []
    stream = calling.stream

    def watched(target, content, *arguments, **options):
        seen.append(content)
        return stream(target, content, *arguments, **options)

    monkeypatch.setattr(calling, "stream", watched)
    return seen


def load(data):
    return ImageLoader().load(data, "picture")


def outcome(data):
    """The refusal; empty where the picture is taken."""
    try:
        assert load(data).chunks[0].pixels.mode == "RGB"
    except LoadError as error:
        return str(error)
    return ""


def refusal(data):
    with pytest.raises(LoadError) as caught:
        load(data)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "apart"),
    [
        *((kind, True) for kind in ("GIF", "BMP", "DIB", "TIFF", "ICO", "PPM")),
        *((kind, False) for kind in ("JPEG", "PNG", "WEBP")),
    ],
)
def test_what_is_slow_where_it_wants_is_decoded_elsewhere(scene, elsewhere, tmp_path, kind, apart):
    data = file_of(scene, kind)
    (tmp_path / "file").write_bytes(data)
    for content in (data, tmp_path / "file"):
        item = load(content)
        size = item.chunks[0].pixels.size
        assert size == ((240, 160) if kind != "ICO" else size)
        red, green, blue = item.chunks[0].pixels.getpixel((5, 5))
        assert (red > 230, green < 40, blue < 40) == (True, True, True)
        assert item.facts == {"width": size[0], "height": size[1]}
    assert len(elsewhere) == 2 * apart


def test_a_truncated_file_is_one_even_where_pillow_was_told_to_make_do(scene, monkeypatch):
    """``LOAD_TRUNCATED_IMAGES = True`` is in many a notebook; half a picture must not pass for one."""
    whole = file_of(scene, "JPEG", quality=95)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    for data in (whole[: len(whole) // 2], file_of(scene, "PNG")[:3000]):
        assert "damaged" in refusal(data)
    assert load(whole).chunks[0].pixels.size == (240, 160)


def a_png(*chunks, size=(8, 8)):
    """A grey PNG with ``chunks`` (name, body) before its pixels."""
    rows = zlib.compress(b"".join(b"\0" + bytes(size[0]) for _ in range(size[1])))
    head = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)
    parts = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in ((b"IHDR", head), *chunks, (b"IDAT", rows), (b"IEND", b""))
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    "chunk",
    [
        (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000))),
        (b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(bytes(50_000_000))),
        (b"iCCP", b"profile\0\0" + zlib.compress(bytes(50_000_000))),
    ],
)
def test_compressed_chunks_do_not_explode(chunk):
    begin = time.process_time()
    assert not (told := outcome(a_png(chunk))) or "too large" in told
    assert time.process_time() - begin < 2


def test_a_million_chunks_take_no_minutes(elsewhere):
    data = a_png(*[(b"tEXt", b"a\0b")] * 700_000)
    begin = time.monotonic()
    assert not (told := outcome(data)) or "too large" in told
    assert elsewhere, "it is larger than what is decoded here"
    assert time.monotonic() - begin < 60


def test_a_bomb_of_pixels_is_refused_before_it_is_decoded():
    data = bytearray(a_png())
    data[16:24] = struct.pack(">II", 30_000, 30_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    assert refusal(bytes(data)).startswith("too large: ")


def test_an_endless_progression_is_stopped(scene, elsewhere):
    """Each scan of a progressive JPEG is a pass over all pixels, and costs the file a few bytes."""
    data = file_of(scene.resize((4000, 4000)), "JPEG", progressive=True, quality=5)
    last = data.rindex(b"\xff\xda")
    bomb = data[:last] + data[last:-2] * 12_000 + data[-2:]
    assert len(bomb) < 100_000_000
    begin = time.monotonic()
    assert "takes more than 4 s" in refusal(bomb)
    assert elsewhere
    assert time.monotonic() - begin < 60


def test_honest_progressive_pictures_are_decoded_here(scene, elsewhere):
    load(file_of(scene, "JPEG", progressive=True))
    load(file_of(scene.convert("CMYK"), "JPEG", progressive=True))
    assert elsewhere == []


def test_large_pictures_are_decoded_where_their_memory_is_limited(scene, elsewhere, monkeypatch):
    monkeypatch.setattr(raster, "_AT_HAND_PIXELS", 10_000)
    for kind in ("PNG", "WEBP"):
        assert load(file_of(scene, kind)).chunks[0].pixels.size == (240, 160)
    load(file_of(scene, "JPEG"))
    assert len(elsewhere) == 2, "a JPEG is decoded line by line, at reduced scale"


def test_a_thousand_strips(scene):
    data = file_of(scene.resize((64, 5000)), "TIFF", tiffinfo={278: 1})
    item = load(data)
    assert (item.facts["width"], item.facts["height"]) == (64, 5000)


def test_frames_without_end_are_not_counted_for_ever():
    frame = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0"
    data = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff" + frame * 5_000_000 + b";"
    begin = time.monotonic()
    assert "takes more than 4 s" in refusal(data)
    assert time.monotonic() - begin < 60


def test_names_do_not_matter_and_other_things_are_called_by_theirs(scene):
    assert ImageLoader().load(file_of(scene, "PNG"), "photo.jpg").chunks
    assert refusal(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(100)) == "no picture but a PDF: name it .pdf"
    assert "a ZIP archive or an office document" in refusal(b"PK\x03\x04" + bytes(100))
    assert "a pickle, which is never opened" in refusal(b"\x80\x04\x95\x10\0\0\0" + bytes(20) + b".")
    assert "SVG is not on the list" in refusal(
        b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg">&x;</svg>'
    )


@pytest.mark.parametrize("mode", ["RGB", "P", "L", "RGBA", "CMYK", "I;16", "F", "1"])
@pytest.mark.parametrize("factor", [1, 3])
def test_large_pictures_are_converted_in_stripes_to_the_same_pixels(scene, monkeypatch, mode, factor):
    if mode == "I;16":
        image = Image.fromarray((np.arange(240 * 160).reshape(160, 240) * 1.5).astype(np.uint16))
    elif mode == "P":
        image = scene.quantize(16)
        image.info["transparency"] = 3
    else:
        image = scene.convert(mode)
        if mode == "RGBA":
            image.putalpha(Image.effect_noise(image.size, 90))
    whole, notes = pixels.rgb(image, factor)
    monkeypatch.setattr(pixels, "_BAND", 240 * 7)
    striped, again = pixels.rgb(image, factor)
    assert striped.size == whole.size
    assert notes == again
    assert np.array_equal(np.asarray(striped), np.asarray(whole))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_keep_their_greys(kind):
    deep = Image.fromarray(np.linspace(1000, 3000, 256 * 4).reshape(4, 256).astype(np.uint16))
    item = load(file_of(deep, kind))
    assert len(set(item.chunks[0].pixels.convert("L").tobytes())) > 200
    assert item.notes == ("greys 1000..3000 stretched to 0..255",)


@pytest.mark.parametrize("mode", ["I;16B", "F"])
def test_greys_of_other_depths(mode, tmp_path):
    ramp = np.linspace(-1 if mode == "F" else 0, 1, 64 * 64).reshape(64, 64)
    if mode == "F":
        ramp[0, 0] = np.nan
        data = file_of(Image.fromarray(ramp.astype(np.float32)), "TIFF")
    else:
        big = (ramp * 60_000).astype(">u2")
        data = file_of(Image.frombytes("I;16B", (64, 64), big.tobytes()), "TIFF")
    shades = np.asarray(load(data).chunks[0].pixels.convert("L"), int)
    assert shades[0, 1] < 5
    assert shades[-1, -1] == 255
    assert np.all(np.diff(shades.ravel()[1:]) >= 0)


def test_inverted_cmyk_of_adobe(scene):
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    got = load(file_of(red, "JPEG", quality=95)).chunks[0].pixels.getpixel((8, 8))
    assert got[0] > 240
    assert max(got[1:]) < 16


def test_the_lab_picture_of_a_tiff(scene):
    image = Image.merge("LAB", [Image.new("L", (8, 8), level) for level in (135, 80, 67)])
    got = load(file_of(image, "TIFF")).chunks[0].pixels
    assert got.mode == "RGB"


def test_damage_of_every_format_is_a_picture_or_one_line(scene):
    random_ = random.Random(5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in ("GIF", "BMP", "TIFF", "ICO", "PPM"):
            whole = file_of(scene, kind)
            for _ in range(15):
                data = bytearray(whole[: random_.randrange(1, len(whole))])
                for _ in range(4):
                    data[random_.randrange(len(data))] = random_.randrange(256)
                told = outcome(bytes(data))
                assert not told or told.isprintable()
