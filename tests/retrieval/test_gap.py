"""The sentence that tells why a picture won or lost."""

import pytest

from mmrag_nb.retrieval.gap import gap_line
from mmrag_nb.retrieval.telling import Scored


def line(calibrated, place, *, raw_rank=3, raw=False):
    picture = Scored(1, calibrated, 0.3, calibrated, 0.0, 0.0, "image", "clip", raw_rank)
    return gap_line(picture, "apple.jpg", place, total=1234, raw=raw)


@pytest.mark.parametrize(
    ("calibrated", "told"),
    [(2.12, "+2.1 σ, above chance"), (-1.9, "-1.9 σ, no more than chance"), (-0.01, "+0.0 σ, no more than chance")],
)
def test_a_score_is_told_with_what_it_means(calibrated, told):
    assert f"({told} among pictures)" in line(calibrated, 1)


def test_the_place_before_and_after_is_told():
    assert "is 3rd of 1,234 chunks by raw cosine (0.300)" in line(1.0, 1)
    assert line(1.0, 1).endswith("it rises to 1st.")
    assert line(1.0, 22).endswith("it falls to 22nd.")
    assert "as high after calibration" in line(1.0, 3)
    assert line(1.0, None).endswith("it is not among the hits.")
    assert line(1.0, 3, raw=True).endswith("calibration is off.")
