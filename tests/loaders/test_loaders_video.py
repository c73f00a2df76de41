"""Films: which frames are kept, when they begin, what they look like, and what is made of damage."""

import io
import subprocess

import av
import numpy as np
import pytest
from films import cut_film, ffmpeg, needs_ffmpeg, plain_film, srt
from PIL import Image

from mmrag_nb.errors import LoadError
from mmrag_nb.loaders.video import VideoLoader
from mmrag_nb.loaders.video_scenes import CEILING

pytestmark = needs_ffmpeg


def loader(**options) -> VideoLoader:
    return VideoLoader(77, lambda text: len(text.split()), **options)


def frames(item):
    return [chunk for chunk in item.chunks if chunk.modality == "image"]


def starts(item):
    return [chunk.start for chunk in frames(item)]


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return cut_film(tmp_path_factory.mktemp("films") / "cuts.mp4", "-c:v", "libx264", "-bf", 3, "-c:a", "aac")


@pytest.fixture(scope="module")
def loaded(film):
    return loader().load(film, film.name)


def test_a_frame_a_scene_that_begins_at_the_cut_and_ends_with_the_next(loaded):
    assert starts(loaded) == pytest.approx([0, 4, 8], abs=0.05)
    assert [chunk.end for chunk in frames(loaded)] == pytest.approx([4, 8, 12], abs=0.05)
    assert loaded.facts["frames"] == 3
    assert loaded.facts["seconds"] == pytest.approx(12, abs=0.1)
    assert (loaded.facts["width"], loaded.facts["height"], loaded.facts["fps"]) == (320, 180, 25)


def test_sound_is_cut_as_recordings_are_and_stands_between_the_frames(loaded):
    sounds = [chunk for chunk in loaded.chunks if chunk.modality == "audio"]
    assert sounds
    assert all(chunk.audio is not None and not chunk.text for chunk in sounds)
    order = [chunk.start for chunk in loaded.chunks]
    assert order == sorted(order)
    assert "peaks" in loaded.previews
    assert "thumbnail" in loaded.previews


def test_each_chunk_has_a_few_seconds_of_film_from_its_second(loaded):
    for chunk in loaded.chunks:
        preview = chunk.previews["film"]
        assert preview.mime == "video/mp4"
        assert len(preview.data) <= 100_000
        with av.open(io.BytesIO(preview.data)) as small:
            assert [stream.codec_context.name for stream in small.streams] == ["h264", "mp3float"]
            assert 1 < small.duration / av.time_base <= 8
            pixels = next(small.decode(video=0)).to_image()
        assert max(pixels.size) == 320
    second = frames(loaded)[1]
    with av.open(io.BytesIO(second.previews["film"].data)) as small:
        first = np.asarray(next(small.decode(video=0)).to_image(), float)
    shown = np.asarray(second.pixels.resize((320, 180)), float)
    assert np.abs(first - shown).mean() < 12, "the film begins with the scene, not before it"


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("late.mkv", ("-c:v", "libx264", "-output_ts_offset", 7)),
        ("late.mp4", ("-c:v", "libx264", "-output_ts_offset", 7)),
        ("uneven.mkv", ("-vf", "select='not(mod(n,3))+not(mod(n,4))'", "-fps_mode", "vfr", "-c:v", "libx264")),
        ("open.webm", ("-c:v", "libvpx", "-deadline", "realtime", "-b:v", "1M")),
        ("old.mov", ("-c:v", "mpeg4")),
        ("older.avi", ("-c:v", "mpeg4", "-bf", 2)),
    ],
)
def test_times_hold_whatever_the_container_says(name, how, tmp_path):
    path = plain_film(
        tmp_path / name, "nullsrc=s=320x180:r=25:d=9,geq=lum='if(lt(T,3),X,if(lt(T,6),255-X,Y))':cb=128:cr=128", *how
    )
    assert starts(loader().load(path, name)) == pytest.approx([0, 3, 6], abs=0.13)


def test_a_still_film_keeps_a_frame_a_minute_and_a_hasty_one_no_more_than_the_ceiling(tmp_path):
    still = plain_film(tmp_path / "still.mp4", "smptebars=s=160x90:r=5:d=190", "-c:v", "libx264")
    assert starts(loader().load(still, "")) == pytest.approx([0, 60, 120, 180], abs=1)
    hasty = "nullsrc=s=160x90:r=10:d=60,geq=lum='mod(X*(1+mod(floor(T),7))+Y*mod(floor(T),5),256)':cb=128:cr=128"
    assert len(frames(loader().load(plain_film(tmp_path / "hasty.mp4", hasty, "-c:v", "libx264"), ""))) == CEILING


def test_a_flash_is_no_scene(tmp_path):
    flash = "smptebars=s=160x90:r=25:d=8,eq=brightness='if(between(t,4,4.1),1,0)':eval=frame"
    assert starts(loader().load(plain_film(tmp_path / "flash.mp4", flash, "-c:v", "libx264"), "")) == [0]


def test_a_film_is_upright_and_of_the_shape_it_is_shown_in(tmp_path):
    flat = plain_film(
        tmp_path / "flat.mp4", "color=red:s=320x180:r=10:d=2,drawbox=0:0:160:180:blue:fill", "-c:v", "libx264"
    )
    turned = tmp_path / "turned.mp4"
    try:
        ffmpeg("-display_rotation", 90, "-i", flat, "-c", "copy", turned)
    except subprocess.CalledProcessError:  # before 6.0
        ffmpeg("-i", flat, "-c", "copy", "-metadata:s:v:0", "rotate=90", turned)
    ffmpeg("-i", turned, "-frames:v", 1, tmp_path / "upright.png")
    item = loader().load(turned, "")
    assert (item.facts["width"], item.facts["height"]) == (180, 320)
    with Image.open(tmp_path / "upright.png") as upright:
        shown = np.asarray(frames(item)[0].pixels, float) - np.asarray(upright.convert("RGB"))
    assert np.abs(shown).mean() < 3, "as ffmpeg turns it"
    wide = plain_film(tmp_path / "wide.mp4", "testsrc=s=320x240:r=10:d=2", "-vf", "setsar=2", "-c:v", "libx264")
    item = loader().load(wide, "")
    assert (item.facts["width"], item.facts["height"]) == (640, 240)
    assert frames(item)[0].pixels.size == (640, 240)


def test_ten_bits_and_high_dynamic_range_look_as_they_should(tmp_path):
    ten = ("-pix_fmt", "yuv420p10le", "-c:v", "libx264")
    red = frames(loader().load(plain_film(tmp_path / "ten.mkv", "color=red:s=160x90:r=5:d=2", *ten), ""))[0]
    assert np.abs(np.array(red.pixels.getpixel((80, 45))) - (255, 0, 0)).max() < 12
    # White paper, 203 candela a square metre, is 58 % of a PQ signal's range: grey to who takes it for ordinary video.
    grey = "color=c=0x949494:s=160x90:r=5:d=2"
    tags = ("-color_trc", "smpte2084", "-color_primaries", "bt2020", "-colorspace", "bt2020nc")
    paper = frames(loader().load(plain_film(tmp_path / "hdr.mkv", grey, *ten, *tags), ""))[0].pixels.getpixel((80, 45))
    assert min(paper) > 170
    assert max(paper) - min(paper) < 10


def test_sound_that_begins_late_keeps_its_place(tmp_path):
    path = tmp_path / "late.mkv"
    ffmpeg(
        *"-f lavfi -i testsrc=s=160x90:r=10:d=8 -itsoffset 4 -f lavfi -i sine=d=3 -c:v libx264 -c:a flac".split(), path
    )
    sound = next(chunk for chunk in loader().load(path, "").chunks if chunk.modality == "audio")
    assert (sound.start, sound.end) == pytest.approx((4, 7), abs=0.3)


def test_what_has_no_pictures_is_taken_for_its_sound(tmp_path):
    path = tmp_path / "sound.webm"
    ffmpeg(*"-f lavfi -i sine=d=4 -c:a libopus".split(), path)
    item = loader().load(path, path.name)
    assert {chunk.modality for chunk in item.chunks} == {"audio"}
    assert any("no pictures" in note for note in item.notes)


def test_what_is_cut_off_is_used_as_far_as_it_goes_and_says_so(film, tmp_path):
    whole = tmp_path / "whole.mkv"
    ffmpeg("-i", film, "-c", "copy", whole)
    part = tmp_path / "part.mkv"
    part.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    item = loader().load(part, part.name)
    assert starts(item)[0] == pytest.approx(0, abs=0.05)
    assert item.facts["seconds"] < 11
    assert any("its header claims" in note for note in item.notes)


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_no_frame_and_no_sound_is_an_error(film, share, tmp_path):
    path = tmp_path / "cut.mp4"  # what tells where the frames are stands at the end
    path.write_bytes(film.read_bytes()[: int(film.stat().st_size * share)])
    srt(path.with_suffix(".srt"), (0, 2, "Words alone make no film."))
    with pytest.raises(LoadError, match="damaged"):
        loader().load(path, path.name)


def test_limits_name_what_is_too_large(film, tmp_path):
    with pytest.raises(LoadError, match="too long"):
        loader(max_seconds=5).load(film, "")
    sound = loader(max_pixels=1000).load(film, "")
    assert not frames(sound)
    assert any("pictures left out: too large: frames of 320 x 180 pixels" in note for note in sound.notes)
    with pytest.raises(LoadError, match="too large: frames of 160 x 90 pixels"):
        loader(max_pixels=1000).load(plain_film(tmp_path / "a.mp4", "testsrc=s=160x90:d=1", "-c:v", "libx264"), "")
    with pytest.raises(LoadError, match="too large"):
        loader(max_bytes=1000).load(film, "")


def test_damage_in_the_middle_costs_no_more_than_that(film, tmp_path):
    body = bytearray(film.read_bytes())
    middle = len(body) // 2
    body[middle : middle + 2000] = bytes(2000)
    item = loader().load(bytes(body), "")
    assert starts(item)[0] == 0
    assert item.facts["seconds"] > 10


def test_a_long_film_comes_in_sections_in_order(tmp_path):
    path = plain_film(tmp_path / "long.mp4", "testsrc=s=64x36:r=1:d=600", "-c:v", "libx264")
    parts = list(loader().sections(path, ""))
    assert len(parts) > 3
    reached = [part.reached for part in parts]
    assert reached == sorted(reached)
    for part, before in zip(parts, [0.0, *reached], strict=False):
        assert all(before <= chunk.start < part.reached for chunk in part.chunks)
    assert parts[-1].reached == pytest.approx(600, abs=1.1)
