"""Calibration makes cosines of different modalities comparable."""

import numpy as np
import pytest

from mmrag_nb.retrieval import calibration
from mmrag_nb.retrieval.calibration import LEAST_DEVIATION, Scale, Statistics, Unit

NOTHING = np.empty((0, 8), np.float32)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def measured(background, vectors):
    return Statistics.empty(len(background), background.shape[1]).updated(background, vectors)


def scale_of(statistics, query, least=LEAST_DEVIATION):
    """The scale in a space that has this channel alone."""
    return statistics.scale(query, calibration.unit_of([statistics], least))


def drawn(seed, n, d=16, mean=0.3):
    return unit(np.random.default_rng(seed).normal(mean, 1, (n, d)))


def assert_same(one, other):
    assert one.n == other.n
    assert one.levels == pytest.approx(other.levels)
    for name in ("total", "sums", "squares", "maxima"):
        assert getattr(one, name) == pytest.approx(getattr(other, name)), name


@pytest.mark.parametrize("n", [1, 2, 7, 300])
def test_the_statistics_are_those_of_all_pairs(n):
    background, vectors = drawn(0, 40), drawn(1, n)
    slow = np.array([[float(b.astype(float) @ v.astype(float)) for v in vectors] for b in background])
    assert slow.max() < calibration.COPY
    statistics = measured(background, vectors)
    assert statistics.sums == pytest.approx(slow.sum(1))
    assert statistics.squares == pytest.approx((slow**2).sum(1))
    assert statistics.maxima == pytest.approx(slow.max(1))
    assert statistics.levels == pytest.approx((slow.mean(0) ** 2).sum())


def test_measured_in_pieces_is_measured_at_once():
    background, vectors = drawn(0, 30), drawn(1, 9000)  # more than are multiplied at once
    pieces = Statistics.empty(30, 16)
    for piece in np.split(vectors, [1, 1, 2, 500]):
        pieces = pieces.updated(background, piece)
    assert_same(pieces, measured(background, vectors))


def test_an_update_leaves_what_it_was_made_from():
    background = drawn(0, 30)
    before = measured(background, drawn(1, 5))
    stored = before.to_bytes()
    before.updated(background, drawn(2, 5))
    assert before.to_bytes() == stored


@pytest.mark.parametrize("n", [0, 1, 50])
def test_bytes_bring_back_the_same_statistics(n):
    statistics = measured(drawn(0, 30), drawn(1, n))
    again = Statistics.from_bytes(statistics.to_bytes())
    assert_same(again, statistics)
    assert again.to_bytes() == statistics.to_bytes()
    assert len(statistics.to_bytes()) == 8 * (4 + 16 + 3 * 30)


@pytest.mark.parametrize("broken", [b"", b"1234", bytes(32) + bytes(8), b"x" * 64])
def test_other_bytes_are_refused(broken):
    with pytest.raises(ValueError):
        Statistics.from_bytes(broken)


def test_scores_keep_the_order_within_a_modality():
    vectors, query = drawn(1, 50), drawn(2, 1)[0]
    cosines = vectors @ query
    scores = scale_of(measured(drawn(0, 40), vectors), query).score(cosines)
    assert np.argsort(scores).tolist() == np.argsort(cosines).tolist()


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
    channels = [measured(background, images), measured(background, texts)]
    one = calibration.unit_of(channels)
    scores = channels[0].scale(query, one).score(raw_images)
    assert scores[3] > channels[1].scale(query, one).score(raw_texts).max()


@pytest.mark.parametrize("n", [1, 3, 20, 200])
def test_one_arbitrary_question_in_twenty_exceeds_zero_whatever_the_size(n):
    rng = np.random.default_rng(3)
    above = []
    for _ in range(25):
        background, queries = drawn(rng.integers(1 << 30), 100, 32), drawn(rng.integers(1 << 30), 60, 32)
        vectors = drawn(rng.integers(1 << 30), n, 32)
        statistics = measured(background, vectors)
        above += [scale_of(statistics, query).score(vectors @ query).max() > 0 for query in queries]
    assert np.mean(above) == pytest.approx(0.05, abs=0.025)


def test_the_least_deviation_holds_above_chance_alone():
    statistics, query = measured(drawn(0, 100), drawn(1, 50)), drawn(2, 1)[0]
    plain, wide = scale_of(statistics, query), scale_of(statistics, query, least=5.0)
    above, below = plain.mean + 0.1, plain.mean - 0.1
    assert wide.score(above) == pytest.approx(0.1 / 5)
    assert wide.score(below) == pytest.approx(plain.score(below))
    assert plain.score(above) == pytest.approx(0.1 / statistics.deviation)


def test_a_unit_is_shared_by_the_channels_of_a_space():
    background = drawn(0, 100)
    wide, narrow = (measured(background, unit(drawn(seed, 50) + push)) for seed, push in ((1, 0.0), (2, 4.0)))
    assert wide.deviation > 1.5 * narrow.deviation
    one = calibration.unit_of([wide, narrow])
    assert one.above == one.deviation == pytest.approx(np.sqrt((wide.deviation**2 + narrow.deviation**2) / 2))
    query = drawn(3, 1)[0]
    rises = [statistics.scale(query, one).score(np.array([0.5, 0.6])) for statistics in (wide, narrow)]
    assert np.diff(rises[0]) == pytest.approx(np.diff(rises[1]))
    assert calibration.unit_of([Statistics.empty(3, 2)]).deviation == 1.0


def test_a_question_that_is_near_to_everything_is_not_taken_for_an_answer():
    rng = np.random.default_rng(0)
    common = np.eye(1, 64)[0]

    def questions(levels):  # cosines to what all vectors share
        own = rng.standard_normal((len(levels), 64)) * (1 - common)
        levels = np.asarray(levels)[:, None]
        return (levels * common + np.sqrt(1 - levels**2) * unit(own)).astype(np.float32)

    vectors = unit(common + rng.normal(0, 0.15, (300, 64)))
    statistics = measured(questions(rng.uniform(0.3, 0.7, 100)), vectors)
    near, far = questions(np.full(200, 0.65)), questions(np.full(200, 0.35))
    flat = scale_of(statistics, far[0]).deviation
    raw = [np.mean((vectors @ some.T).max(0)) for some in (near, far)]
    best = [np.mean([scale_of(statistics, q).score(vectors @ q).max() for q in some]) for some in (near, far)]
    assert (raw[0] - raw[1]) / flat > 2.5  # taken for an answer, were there one scale for all questions
    assert abs(best[0] - best[1]) < 1


def test_few_vectors_say_little_of_a_question():
    background = drawn(0, 100, 64, mean=0.0)
    shares = [measured(background, drawn(1, n, 64, mean=0.4)).share for n in (1, 3, 30, 3000)]
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert shares[-1] > 0.9


def test_where_an_average_vector_stands():
    background, vectors, query = drawn(0, 100), drawn(1, 2000), drawn(2, 1)[0]
    scale = scale_of(measured(background, vectors), query)
    assert scale.average == pytest.approx(float((vectors @ query).mean()), abs=0.02)
    assert scale.unknown == scale.score(scale.average) < -1


def test_what_the_background_reaches_is_what_its_own_scales_say():
    background, vectors = drawn(0, 100), drawn(1, 50)
    statistics = measured(background, vectors)
    slow = [statistics.scale(query, Unit(0.1, 0.0)).score(vectors @ query).max() for query in background]
    assert statistics.reached(Unit(0.1, 0.0)) == pytest.approx(np.array(slow), abs=1e-4)
    assert (statistics.reached(Unit(0.1, 0.0)) > 0).sum() == 5


def test_background_that_is_in_the_index_is_no_matter_of_chance():
    background, vectors = drawn(0, 40), drawn(1, 60)
    query = drawn(2, 1)[0]
    alone, beside = measured(background, vectors), measured(background, np.vstack([vectors, background[:30]]))
    scales = [scale_of(one, query) for one in (alone, beside)]
    assert scales[1].mean < calibration.COPY
    assert abs(scales[0].mean - scales[1].mean) < scales[0].deviation
    assert not measured(background, background[:1]).reached(Unit(1.0, 0.0)).max() > 3


def test_one_blank_page_is_no_certainty():
    vectors = unit(np.ones((1, 8)))
    same = np.repeat(vectors, 50, 0)
    assert abs(scale_of(measured(same, vectors), vectors[0]).score(1.0)) <= 1
    many = np.repeat(vectors, 500, 0)
    assert abs(scale_of(measured(same, many), vectors[0]).score(1.0)) <= 1


def test_the_least_deviation_bounds_the_score():
    vectors = unit(np.eye(2, 8) + 0.5)
    statistics = measured(np.repeat(vectors[:1], 50, 0), vectors[1:])
    assert scale_of(statistics, vectors[0], least=0.08).deviation == 0.08
    assert statistics.reached(Unit(0.08, 0.08)) == pytest.approx(np.zeros(50), abs=1e-6)


@pytest.mark.parametrize("background", [NOTHING, drawn(0, 1, 8)])
@pytest.mark.parametrize("vectors", [NOTHING, drawn(1, 3, 8)])
def test_nothing_to_measure_leaves_the_cosine(background, vectors):
    assert scale_of(measured(background, vectors), drawn(2, 1, 8)[0]).score(0.3) == pytest.approx(0.3)


def test_no_vectors_leave_the_cosine():
    assert scale_of(measured(drawn(0, 40, 8), NOTHING), drawn(2, 1, 8)[0]) == Scale(0.0, 1.0)
    assert not len(measured(drawn(0, 40, 8), NOTHING).reached(Unit(1.0, 0.0)))
