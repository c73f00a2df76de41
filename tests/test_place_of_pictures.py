"""A picture's vector is that picture's, whatever passages stand around it."""

import pytest

from mmrag_nb.presets import PRESETS
from mmrag_nb.retrieval.ways import Way
from mmrag_nb.types import Chunk, Item
from mmrag_nb.views import version_of, views

ITEM = Item("f" * 64, "report.pdf", "text")


class Eyes:
    space = "clip:any"


WAYS = [Way(Eyes(), "image", "image", ("image",)), Way(Eyes(), "audio", "audio", ("audio",))]


def key(chunk, version):
    ((_, key),) = views(chunk, ITEM, version, {}, WAYS)
    return key


@pytest.mark.parametrize(
    ("version", "place"),
    [("pdf-1", {"page": 2}), ("video-1/instead", {"start": 3.0, "end": 8.5})],
    ids=["page", "frame"],
)
def test_a_page_or_frame_is_known_by_its_place_and_not_by_how_many_passages_come_before_it(version, place):
    assert key(Chunk(ITEM.id, 3, "image", **place), version) == key(Chunk(ITEM.id, 7, "image", **place), version)


@pytest.mark.parametrize(
    ("version", "one", "other"),
    [
        ("pdf-1", {"page": 2}, {"page": 3}),
        ("video-1/instead", {"start": 3.0, "end": 8.5}, {"start": 8.5, "end": 9.0}),
    ],
    ids=["pages", "frames"],
)
def test_two_pages_or_frames_are_two(version, one, other):
    assert key(Chunk(ITEM.id, 3, "image", **one), version) != key(Chunk(ITEM.id, 3, "image", **other), version)


def test_a_frame_and_what_is_said_meanwhile_are_two():
    at = {"start": 3.0, "end": 8.5}
    assert key(Chunk(ITEM.id, 0, "image", **at), "video-1") != key(Chunk(ITEM.id, 0, "audio", **at), "video-1")


def test_pictures_of_a_notebook_are_known_by_their_order():
    assert key(Chunk(ITEM.id, 0, "image", page=4), "notebook-1") != key(
        Chunk(ITEM.id, 1, "image", page=4), "notebook-1"
    )


def test_a_recipe_begins_with_the_version_that_keys_are_made_with():
    assert version_of(f"pdf-1 by {PRESETS['offline']['text']}; read by rapidocr") == "pdf-1"
