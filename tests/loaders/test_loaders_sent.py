"""Pixels that come from another process, which may be in the hands of its file, are taken only as what they must be."""

import pytest

from mmrag_nb.errors import LoadError
from mmrag_nb.loaders.pixels import of_bytes
from mmrag_nb.loaders.raster import received
from mmrag_nb.loaders.video_pictures import Pictures

WRONG = [[2, 3], [-1, -2], [0, 0], [2], [2, 1, 1], [2.0, 1.0], ["2", "1"], "21", None, {}]
HEAD = {"head": {"seconds": 2, "fps": 0, "pictures": True, "sound": False, "subtitles": []}}


def frame(start, size):
    return {"frame": start, "end": start + 1.0, "size": size, "detail": 1.0}, (bytes(range(6)),)


def test_pixels_are_read_row_by_row():
    picture = of_bytes([2, 1], bytes(range(6)), "a picture")
    assert (picture.size, picture.mode) == ((2, 1), "RGB")
    assert [picture.getpixel((x, 0)) for x in range(2)] == [(0, 1, 2), (3, 4, 5)]


@pytest.mark.parametrize("size", WRONG, ids=repr)
def test_another_size_is_damage(size):
    with pytest.raises(LoadError, match="damaged: a picture is not what it should be"):
        of_bytes(size, bytes(6), "a picture")
    with pytest.raises(LoadError, match="damaged: the decoded picture"):
        received({"size": size, "width": 2, "height": 1, "notes": []}, [bytes(6)])


def test_more_pixels_than_agreed_are_damage():
    of_bytes([2, 1], bytes(6), "a picture", most=2)
    with pytest.raises(LoadError):
        of_bytes([2, 1], bytes(6), "a picture", most=1)


@pytest.mark.parametrize("size", WRONG, ids=repr)
def test_of_a_film_the_frames_before_stand(size):
    pictures = Pictures(iter([(HEAD, ()), frame(0.0, [2, 1]), frame(1.0, size), frame(2.0, [2, 1])]))
    pictures.begin()
    pictures.until(10.0)
    assert [one.start for one in pictures.before(10.0)] == [0.0]
    assert str(pictures.broken) == "damaged: a frame is not what it should be"
    assert pictures.ended
