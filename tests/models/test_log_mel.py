"""Features of speech are transformers' own, only sooner."""

import numpy as np
import pytest
from checkpoints import tone
from transformers import Speech2TextFeatureExtractor, WhisperFeatureExtractor

from mmrag_nb.models.log_mel import LogMel

RATE = 16_000
NOISE = np.random.default_rng(0).normal(0, 1, 5 * RATE).astype(np.float32)


def murmur(seconds, seed):
    """Harmonics that glide and swell, with pauses of digital silence, in steps of 16 bits."""
    time = np.arange(round(seconds * RATE)) / RATE
    glide = np.cumsum(120 + 40 * np.sin(2 * np.pi * (0.7 + seed / 10) * time)) / RATE
    wave = sum(np.sin(2 * np.pi * n * glide) / n for n in range(1, 20)) * np.maximum(0, np.sin(2 * np.pi * 2 * time))
    return (np.round(wave * 6000) / 32768).astype(np.float32)


CASES = {
    "speech": [murmur(4, 1)],
    "a batch of different lengths": [murmur(2, 1), murmur(6.3, 2), murmur(0.1, 3), tone(1.7), NOISE[:9_000] * 0.1],
    "noise": [NOISE * 0.1],
    "noise at the edge of silence": [NOISE * 1e-4],
    "speech after silence": [np.concatenate([np.zeros(RATE, np.float32), murmur(2, 1)])],
    "an offset": [murmur(2, 1) * 0.3 + np.float32(0.5)],
    "a quiet band beside a loud one": [0.9 * tone(2, 300) + NOISE[: 2 * RATE] * np.float32(3e-5)],
    "hardly a frame": [murmur(1, 1)[8_000 : 8_000 + samples] for samples in (400, 559, 560, 721)],
}


@pytest.fixture(scope="module")
def extractor():
    return Speech2TextFeatureExtractor()


def theirs(extractor, clips):
    made = extractor(clips, sampling_rate=RATE, padding="longest", return_attention_mask=True, return_tensors="np")
    return made["input_features"], made["attention_mask"]


@pytest.mark.parametrize("case", CASES)
def test_they_are_the_extractors(extractor, case):
    with np.errstate(divide="ignore", invalid="ignore"):
        expected, mask = theirs(extractor, CASES[case])
    found, here = LogMel.of(extractor)(CASES[case])
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(here, mask)
    whole = np.isfinite(expected)
    np.testing.assert_array_equal(np.isfinite(found), whole)
    np.testing.assert_allclose(found[whole], expected[whole], rtol=0, atol=1e-4)


@pytest.mark.parametrize("level", [0.0, 0.5])
def test_of_what_never_changes_no_band_is_finite_in_either(extractor, level):
    constant = [np.full(RATE, level, np.float32)]
    with np.errstate(divide="ignore", invalid="ignore"):
        expected, _ = theirs(extractor, constant)
    found, _ = LogMel.of(extractor)(constant)
    np.testing.assert_array_equal(found, expected)
    assert not np.isfinite(found).any()


@pytest.mark.parametrize(
    "unusual",
    [
        {"sampling_rate": 8_000},
        {"dither": 1.0},
        {"do_ceptral_normalize": False},
        {"normalize_means": False},
        {"normalize_vars": False},
        {"padding_value": 1.0},
        {"padding_side": "left"},
    ],
)
def test_what_is_not_reproduced_is_left_to_the_extractor(unusual):
    assert LogMel.of(Speech2TextFeatureExtractor(**unusual)) is None


def test_other_families_and_torchaudio_are_left_alone(extractor, monkeypatch):
    assert LogMel.of(WhisperFeatureExtractor()) is None
    monkeypatch.delattr(extractor, "mel_filters")
    assert LogMel.of(extractor) is None


def test_other_numbers_of_bands_are_reproduced():
    extractor = Speech2TextFeatureExtractor(feature_size=40, num_mel_bins=40)
    expected, _ = theirs(extractor, CASES["speech"])
    np.testing.assert_allclose(LogMel.of(extractor)(CASES["speech"])[0], expected, rtol=0, atol=1e-4)
