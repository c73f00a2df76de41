"""Diversity: MMR and folding against their definitions, near-duplicates of real pictures and real texts."""

import math

import numpy as np
import pytest

from mmrag_nb.retrieval.diversity import fold, likeness, mmr, similarities


def unit(rows):
    rows = np.asarray(rows, float)
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def slow_mmr(relevance, similarity, k, balance, ordinary):
    low, span = min(relevance), max(max(relevance) - min(relevance), 1.0)

    def alike(row, other):
        share = (similarity[row][other] - ordinary[row]) / (1 - ordinary[row])
        return 0.0 if math.isnan(share) else min(max(share, 0.0), 1.0)

    chosen = []
    while len(chosen) < min(k, len(relevance)):
        rest = [row for row in range(len(relevance)) if row not in chosen]
        chosen.append(
            max(
                rest,
                key=lambda row: (
                    balance * (relevance[row] - low) / span
                    - (1 - balance) * max((alike(row, other) for other in chosen), default=0.0)
                    if chosen
                    else relevance[row],
                    -row,
                ),
            )
        )
    return chosen


def slow_fold(similarity, threshold):
    groups = []
    for row in range(len(similarity)):
        for group in groups:
            if similarity[group[0]][row] >= threshold:
                group.append(row)
                break
        else:
            groups.append([row])
    return groups


@pytest.fixture(params=[1, 2, 12, 60])
def candidates(request):
    rng = np.random.default_rng(request.param)
    vectors = unit(rng.normal(size=(request.param, 4)))
    similarity = vectors.astype(float) @ vectors.T
    similarity[rng.random(similarity.shape) < 0.1] = np.nan
    similarity = np.where(np.isnan(similarity.T), np.nan, similarity)
    return rng.normal(3, 2, request.param), similarity


@pytest.mark.parametrize("balance", [0.0, 0.3, 0.7, 1.0])
def test_mmr_is_its_definition(candidates, balance):
    relevance, similarity = candidates
    ordinary = np.linspace(0, 0.5, len(relevance))
    expected = slow_mmr(relevance.tolist(), similarity.tolist(), 10, balance, ordinary.tolist())
    assert mmr(relevance, similarity, 10, balance, ordinary) == expected


@pytest.mark.parametrize("threshold", [0.5, 0.9, 1.1])
def test_folding_is_the_leader_algorithm(candidates, threshold):
    _, similarity = candidates
    assert fold(similarity, threshold) == slow_fold(similarity.tolist(), threshold)


def test_relevance_alone_is_the_ranking_and_equals_keep_their_order():
    assert mmr(np.array([1.0, 3, 2, 3]), np.ones((4, 4)), 4, 1.0) == [1, 3, 2, 0]
    assert mmr(np.empty(0), np.empty((0, 0)), 3, 0.5) == []


def test_a_copy_gives_way_to_something_else_but_not_to_noise():
    vectors = unit([[1, 0, 0], [1, 0.01, 0], [0.2, 1, 0], [0, 0, 1]])
    relevance = np.array([8.0, 7.9, 6.0, 0.1])
    assert mmr(relevance, vectors @ vectors.T, 4, 0.7) == [0, 2, 1, 3]


def test_hardly_different_scores_are_not_stretched():
    # Half a standard deviation in all: relevance says next to nothing, so the unlike one comes second.
    vectors = unit([[1, 0], [1, 0.3], [0, 1]])
    assert mmr(np.array([2.5, 2.4, 2.0]), vectors @ vectors.T, 3, 0.6) == [0, 2, 1]


def test_cosines_that_are_high_by_nature_punish_nobody():
    # Three pictures as unlike as CLIP's pictures are, and a text that cannot be compared with them.
    similarity = np.array(
        [[1, 0.45, 0.45, np.nan], [0.45, 1, 0.45, np.nan], [0.45, 0.45, 1, np.nan], [np.nan] * 3 + [1]]
    )
    relevance = np.array([4.0, 3.9, 3.8, 3.75])
    assert mmr(relevance, similarity, 4, 0.7, ordinary=likeness("clip:any", "image").ordinary) == [0, 1, 2, 3]
    assert mmr(relevance, similarity, 4, 0.7) == [0, 3, 1, 2]


def test_a_chain_does_not_swallow_what_is_unlike_its_leader():
    angles = np.deg2rad([0, 10, 20, 90])
    vectors = np.stack([np.cos(angles), np.sin(angles)], 1)
    assert fold(vectors @ vectors.T, np.cos(np.deg2rad(11))) == [[0, 1], [2], [3]]


def test_each_leader_folds_by_the_threshold_of_its_space():
    similarity = np.array([[1, 0.96, np.nan, np.nan], [0.96, 1, np.nan, np.nan], [np.nan, np.nan, 1, 0.96]])
    similarity = np.vstack([similarity, [np.nan, np.nan, 0.96, 1]])
    assert fold(similarity, np.array([0.95, 0.95, 0.999, 0.999])) == [[0, 1], [2], [3]]


def test_only_vectors_of_one_space_and_kind_are_compared():
    a = unit([1.0, 1])
    cosines = similarities([a, a, unit([1.0, 1, 1])], ["s", "s", "t"], ["text", "image", "text"], ["", "", ""])
    np.testing.assert_array_equal(np.isnan(cosines), ~np.eye(3, dtype=bool))
    np.testing.assert_allclose(np.diag(cosines), 1, atol=1e-6)


def test_equal_texts_are_alike_whatever_their_vectors_but_pictures_tell_by_their_pixels():
    one, other = unit([1.0, 0]), unit([0.0, 1])
    spaces, modalities = ["c", "c", "w", "w"], ["image", "image", "text", "text"]
    cosines = similarities([one, other, one, other], spaces, modalities, ["At sea", "At sea", "at  SEA\n", "at seas"])
    assert cosines[0, 1] == 0  # two pictures, one caption
    assert cosines[0, 2] == cosines[2, 0] == 1  # a picture's caption and a text
    assert np.isnan(cosines[0, 3])
    assert cosines[2, 3] == 0


def test_nothing_found_is_nothing_folded():
    assert fold(similarities([], [], [], []), 0.9) == []


def test_copies_of_real_drawings_are_folded_and_different_ones_are_not():
    from PIL import Image

    from mmrag_nb.assets.background import pictures
    from mmrag_nb.models.emoji import EmojiEncoder

    originals = [Image.open(path).convert("RGB") for path in pictures()]
    small = [image.resize((image.width // 2, image.height // 2)) for image in originals]
    edges = [tuple(round(side * share) for share in (0.02, 0.98) for side in image.size) for image in originals]
    cut = [image.crop(box) for image, box in zip(originals, edges, strict=True)]
    encoder, n = EmojiEncoder(device="cpu"), len(originals)
    vectors = encoder.embed_images([*originals, *small, *cut])
    cosines = similarities(vectors, [encoder.space] * 3 * n, ["image"] * 3 * n, [""] * 3 * n)
    assert fold(cosines, likeness(encoder.space, "image").near) == [[i, i + n, i + 2 * n] for i in range(n)]


def test_rows_of_a_price_list_are_not_each_others_copies():
    from mmrag_nb.models.words import WordsEncoder

    rows = [f"Rose cultivar {name}, pink, 45 cm, price {price}" for name in ("Alba", "Peace") for price in (12, 14, 29)]
    texts = [*rows, rows[0].upper(), f"  {rows[1]}\n"]
    encoder = WordsEncoder()
    cosines = similarities(encoder.embed_texts(texts), [encoder.space] * 8, ["text"] * 8, texts)
    assert fold(cosines, likeness(encoder.space, "text").near) == [[0, 6], [1, 7], [2], [3], [4], [5]]
