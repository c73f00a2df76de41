"""Calibration makes cosines of different modalities comparable."""

import numpy as np
import pytest

from mmrag_nb.retrieval.calibration import Calibration, fit


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("n", [1, 2, 7, 300])
def test_the_moments_are_those_of_all_pairs(n):
    rng = np.random.default_rng(n)
    background, vectors = unit(rng.normal(0.3, 1, (40, 16))), unit(rng.normal(0.2, 1, (n, 16)))
    slow = [float(b @ v) for b in background for v in vectors]
    calibration = fit(background, vectors)
    assert calibration.mean == pytest.approx(np.mean(slow), abs=1e-6)
    assert calibration.deviation == pytest.approx(np.std(slow), abs=1e-6)


def test_scores_keep_the_order_within_a_modality():
    cosines = np.array([0.1, 0.2, 0.15], np.float32)
    assert np.argsort(Calibration(0.12, 0.03).score(cosines)).tolist() == np.argsort(cosines).tolist()


def test_a_picture_can_win_though_no_raw_cosine_of_a_picture_reaches_a_text():
    # The seed notebook's case: between texts cosines lie around 0.5 to 0.8, between text and picture around 0.2.
    rng = np.random.default_rng(0)
    mean_text, mean_image = np.eye(2, 64)
    background = unit(mean_text + rng.normal(0, 0.06, (100, 64)))
    texts = unit(mean_text + rng.normal(0, 0.06, (20, 64)))
    content = rng.normal(0, 0.06, (20, 64))
    images = unit(0.2 * mean_text + mean_image + content)
    query = unit((mean_text + content[3])[None])[0]  # a text of what picture 3 shows
    raw_texts, raw_images = texts @ query, images @ query
    assert raw_images.max() < raw_texts.min()
    assert raw_images.argmax() == 3
    assert fit(background, images).score(raw_images)[3] > fit(background, texts).score(raw_texts).max()


def test_one_blank_page_is_no_certainty():
    vectors = unit(np.ones((1, 8)))
    same = np.repeat(vectors, 50, 0)
    assert abs(fit(same, vectors).score(1.0)) < 1


def test_nothing_to_measure_leaves_the_cosine():
    empty = np.empty((0, 4), np.float32)
    assert fit(empty, empty).score(0.3) == pytest.approx(0.3)
