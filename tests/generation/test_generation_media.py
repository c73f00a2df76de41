"""Pictures as a generator takes them: JPEG or PNG, small enough, and damaged ones left out."""

import io

import pytest
from PIL import Image

from mmrag_nb.generation.media import fitting, jpeg
from mmrag_nb.types import Preview


def encoded(kind, size=(640, 480), mode="RGB", colour="red", **options):
    out = io.BytesIO()
    Image.new(mode, size, colour).save(out, kind, **options)
    return Preview(f"image/{kind.lower()}", out.getvalue())


def opened(preview):
    picture = Image.open(io.BytesIO(preview.data))
    picture.load()
    return picture


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("side", [0, 640, 2000])
def test_what_fits_goes_as_it_is_and_is_not_decoded(kind, side, monkeypatch):
    preview = encoded(kind)
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("decoded"))
    assert fitting(preview, side) == preview


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("size", [(640, 480), (480, 640), (3000, 3), (2, 900)])
def test_what_is_too_large_is_scaled_and_keeps_its_shape(kind, size):
    small = opened(fitting(encoded(kind, size), 320))
    assert max(small.size) == 320
    assert min(small.size) >= 1
    assert small.size[0] / small.size[1] == pytest.approx(size[0] / size[1], rel=0.02) or min(small.size) < 4


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("side", [0, 1024])
def test_what_not_everyone_takes_becomes_jpeg(kind, side):
    sent = fitting(encoded(kind), side)
    assert sent.mime == "image/jpeg"
    assert (opened(sent).format, opened(sent).size) == ("JPEG", (640, 480))


def test_a_wrong_name_of_the_format_is_mended():
    assert fitting(Preview("image/png", encoded("JPEG").data), 0).mime == "image/jpeg"


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "I;16", "CMYK", "RGB"])
def test_every_mode_can_be_sent(mode):
    kind = "JPEG" if mode == "CMYK" else "PNG"
    assert opened(fitting(encoded(kind, mode=mode, colour=0), 100)).mode == "RGB"


def test_what_is_transparent_is_white():
    assert min(opened(fitting(encoded("PNG", mode="RGBA", colour=(0, 0, 0, 0)), 100)).getpixel((5, 5))) > 250
    assert min(opened(fitting(encoded("WEBP", mode="RGBA", colour=(0, 0, 0, 0)), 0)).getpixel((5, 5))) > 250


def test_a_picture_taken_upright_stays_upright():
    turned = Image.Exif()
    turned[0x0112] = 6
    assert opened(fitting(encoded("JPEG", (400, 200), exif=turned), 100)).size == (50, 100)


def test_of_an_animation_the_first_frame_goes():
    out = io.BytesIO()
    frames = [Image.new("RGB", (60, 40), colour) for colour in ("red", "blue")]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    red, _, blue = opened(fitting(Preview("image/gif", out.getvalue()), 0)).getpixel((5, 5))
    assert red > 200 > blue


@pytest.mark.parametrize(
    "data",
    [b"", b"no picture", b"\xff\xd8\xff\xe0 begins well", b"<svg xmlns='http://www.w3.org/2000/svg'/>", bytes(99)],
)
def test_what_cannot_be_read_is_left_out(data):
    assert fitting(Preview("image/jpeg", data), 512) == Preview("image/jpeg", b"")


def test_half_a_picture_that_has_to_be_scaled_is_left_out():
    whole = encoded("PNG", (900, 900), colour="green").data
    assert fitting(Preview("image/png", whole[: len(whole) // 2]), 100).data == b""


@pytest.mark.cases
def test_no_damaged_file_stops_a_question(cases):
    files = sorted((cases / "hostile").glob("img_*"))
    assert len(files) > 20
    for path in files:
        sent = fitting(Preview("image/png", path.read_bytes()), 256)
        if sent.data:
            assert Image.open(io.BytesIO(sent.data)).format in {"JPEG", "PNG"}, path.name
            assert max(Image.open(io.BytesIO(sent.data)).size) <= 256, path.name


def test_other_media_are_left_alone():
    clip = Preview("audio/mpeg", b"ID3")
    assert fitting(clip, 10) is clip


def test_a_picture_in_memory_becomes_jpeg():
    assert opened(jpeg(Image.new("RGB", (200, 100), "blue"), 50)).size == (50, 25)
    assert opened(jpeg(Image.new("RGB", (200, 100), "blue"), 0)).size == (200, 100)
