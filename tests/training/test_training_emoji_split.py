"""Nothing that is held out was learned from: read off the split that ships with the weights."""

import json
from importlib.resources import files

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mmrag_nb.training.emoji.batches import TrainingDrawings  # noqa: E402
from mmrag_nb.training.emoji.drawings import Drawings  # noqa: E402
from mmrag_nb.training.emoji.sets import SETS, find_set, styles  # noqa: E402
from mmrag_nb.training.emoji.split import DIGEST, digests, pack, unpack_mask  # noqa: E402


@pytest.fixture(scope="module")
def split():
    return json.loads(files("mmrag_nb.assets").joinpath("emoji_clip", "split.json").read_text("utf-8"))


def by_role(split, *roles):
    return {style: each for style, each in split["styles"].items() if each["role"] in roles}


def test_the_record_is_of_the_sets_as_they_are_declared(split):
    assert set(split["styles"]) == {each.style for each in SETS}
    for style, each in split["styles"].items():
        declared = find_set(style)
        assert (each["role"], each["package"], each["version"], each["licence"]) == (
            declared.role,
            declared.package,
            declared.version,
            declared.licence,
        )
        assert len(each["drawings"]) == DIGEST * each["count"]


def test_no_held_out_drawing_is_among_the_training_drawings(split):
    learned = set().union(*map(digests, by_role(split, "train").values()))
    assert len(learned) > 15_000
    for style, each in by_role(split, "validation", "test").items():
        assert each["count"] > 1_000
        assert not digests(each) & learned, style


def test_captions_name_only_emoji_that_have_a_training_drawing(split):
    drawn = set().union(*(unpack_mask(each["emoji"]) for each in by_role(split, "train").values()))
    assert unpack_mask(split["captioned"]) <= drawn


def test_openmoji_is_the_unseen_style_and_is_measured_on_all_names(split):
    assert styles("test") == ("openmoji",)
    assert len(unpack_mask(split["styles"]["openmoji"]["emoji"])) > 1_800
    assert len(split["codes"]) > 1_800


def test_the_licences_of_the_training_sets_ask_for_attribution_at_most():
    assert {find_set(style).licence for style in styles("train")} <= {"Apache-2.0", "OFL-1.1", "MIT", "CC-BY-4.0"}


@pytest.mark.parametrize("style", [*styles("validation"), *styles("test")])
def test_training_refuses_a_held_out_style(style):
    held_out = Drawings(style, np.array([0]), np.zeros((1, 8, 8, 4), np.uint8), ("00000000",))
    with pytest.raises(ValueError, match=f"{style}.*held out"):
        TrainingDrawings([held_out])


def test_a_mask_gives_back_the_numbers_it_was_made_of():
    assert unpack_mask(pack([3, 0, 700, 3])) == {0, 3, 700}
