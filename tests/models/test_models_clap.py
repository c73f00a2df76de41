"""Sounds and texts become the vectors that the checkpoint means, however long they are and however they are batched."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from checkpoints import LINES, tone
from clap_checkpoint import clap

from mmrag_nb.assets.background import background, of_sounds
from mmrag_nb.errors import InvalidSetting, ModelUnavailable
from mmrag_nb.models import clap as module
from mmrag_nb.models.clap import ClapEncoder
from mmrag_nb.protocols import SoundEncoder
from mmrag_nb.weights import device

RATE = 48_000
TEXTS = [*LINES, "", "a", "A dog barks!", "harp " * 10]


def sounds() -> list[np.ndarray]:
    lengths = {25.0: 440, 0.05: 300, 3.0: 800, 10.0: 150, 10.01: 2000}
    return [tone(seconds, pitch, RATE) for seconds, pitch in lengths.items()]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("clap")
    return {"plain": clap(root / "tiny-clap"), "fusion": clap(root / "tiny-clap-fusion", fusion=True)}


@pytest.fixture(scope="module", params=["plain", "fusion"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def encoder(kind, folders):
    return ClapEncoder(str(folders[kind]), device="cpu", precision="float32", batch_size=4)


def reference(folder, clip: np.ndarray) -> np.ndarray:
    """Embed a sound of at most ten seconds with transformers alone."""
    model = transformers.ClapModel.from_pretrained(folder).eval()
    extractor = transformers.ClapFeatureExtractor.from_pretrained(folder)
    features = extractor([clip], sampling_rate=RATE, return_tensors="pt")["input_features"]
    with torch.no_grad():
        output = model.get_audio_features(features.float(), is_longer=torch.tensor([[False]]))
    return torch.nn.functional.normalize(getattr(output, "pooler_output", output), dim=-1)[0].numpy()


def test_it_says_what_it_is(encoder, folders, kind):
    assert isinstance(encoder, SoundEncoder)
    assert encoder.modalities == {"text", "audio"}
    assert encoder.rate == RATE
    assert encoder.dimension == 16
    assert encoder.max_tokens == 62
    assert encoder.space == f"clap:{folders[kind].name}"
    assert encoder.description == f"{folders[kind].name} (fp32, cpu)"
    assert encoder.fingerprint["model"] == folders[kind].name


def test_sounds_up_to_ten_seconds_are_embedded_as_transformers_does(encoder, folders, kind):
    clips = [clip for clip in sounds() if len(clip) <= 10 * RATE]
    for clip, vector in zip(clips, encoder.embed_sounds(clips), strict=True):
        np.testing.assert_allclose(vector, reference(folders[kind], clip), atol=2e-6)


def test_a_longer_sound_is_the_mean_of_evenly_spread_windows(encoder, folders, kind):
    clip = sounds()[0]
    starts = [0, round(7.5 * RATE), 15 * RATE]
    mean = np.sum([reference(folders[kind], clip[start : start + 10 * RATE]) for start in starts], axis=0)
    np.testing.assert_allclose(encoder.embed_sounds([clip])[0], mean / np.linalg.norm(mean), atol=2e-6)


def test_all_of_a_long_sound_counts(encoder):
    clip = sounds()[0]
    before = encoder.embed_sounds([clip])[0]
    for second in range(25):
        other = clip.copy()
        other[second * RATE : (second + 1) * RATE] = 0
        assert np.abs(encoder.embed_sounds([other])[0] - before).max() > 1e-4, second


def test_chance_has_no_part_in_it(encoder):
    """The checkpoints' own preprocessing draws crops and, for fusion, one sound of each batch."""
    np.random.seed(1)  # noqa: NPY002  (what transformers draws from)
    first = encoder.embed_sounds(sounds())
    np.random.seed(2)  # noqa: NPY002
    np.testing.assert_array_equal(encoder.embed_sounds(sounds()), first)


def test_sounds_are_unit_float32_and_the_same_alone_as_in_company(encoder):
    clips = sounds()
    together = encoder.embed_sounds(clips)
    assert together.shape == (5, encoder.dimension)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(np.concatenate([encoder.embed_sounds([clip]) for clip in clips]), together, atol=1e-5)
    np.testing.assert_allclose(encoder.embed_sounds(clips[::-1])[::-1], together, atol=1e-5)


def test_different_sounds_differ(encoder):
    vectors = encoder.embed_sounds(sounds()[1:4])
    assert (vectors @ vectors.T - 2 * np.eye(3)).max() < 0.9999


def test_silence_and_a_single_sample_are_sounds(encoder):
    vectors = encoder.embed_sounds(
        [np.zeros(RATE, np.float32), np.zeros(12 * RATE, np.float32), np.ones(1, np.float32)]
    )
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_sound_without_samples_is_the_callers_mistake(encoder):
    with pytest.raises(ValueError, match="clip 1 of 2 has no samples"):
        encoder.embed_sounds([np.ones(RATE, np.float32), np.zeros(0, np.float32)])


def test_texts_are_embedded_as_transformers_does(encoder, folders, kind):
    model = transformers.ClapModel.from_pretrained(folders[kind]).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders[kind])
    for text, vector in zip(TEXTS, encoder.embed_texts(TEXTS), strict=True):
        with torch.no_grad():
            output = model.get_text_features(**tokenizer([text], return_tensors="pt"))
        expected = torch.nn.functional.normalize(getattr(output, "pooler_output", output), dim=-1)[0].numpy()
        np.testing.assert_allclose(vector, expected, atol=2e-6)


def test_texts_are_the_same_alone_as_in_company(encoder):
    together = encoder.embed_texts(TEXTS)
    np.testing.assert_allclose(np.concatenate([encoder.embed_texts([text]) for text in TEXTS]), together, atol=1e-5)
    np.testing.assert_allclose(encoder.embed_texts(TEXTS[::-1])[::-1], together, atol=1e-5)


def test_the_longest_text_that_fits_is_embedded_and_a_longer_one_is_never_cut(encoder):
    words = 1
    while encoder.count_tokens("a" * (words + 1)) <= encoder.max_tokens:
        words += 1
    longest = "a" * words
    assert encoder.embed_texts([longest]).shape == (1, encoder.dimension)
    with pytest.raises(ValueError, match="more than 62"):
        encoder.embed_texts(["fits", longest + "a b c"])


def test_pictures_are_refused(encoder):
    with pytest.raises(InvalidSetting, match="embeds sounds and texts only, not 2 picture"):
        encoder.embed_images([None, None])


def test_nothing_gives_no_rows(encoder):
    assert encoder.embed_sounds([]).shape == (0, encoder.dimension)
    assert encoder.embed_texts([]).shape == (0, encoder.dimension)


def test_its_background_are_lines_about_sounds_that_it_reads_whole(encoder):
    assert encoder.background == of_sounds()
    assert len(set(of_sounds())) == len(of_sounds()) == 100
    assert not set(of_sounds()) & set(background())
    assert all(line == line.strip() and line for line in of_sounds())
    assert max(map(len, of_sounds())) < 60


@pytest.mark.parametrize(("other", "told"), [("clip", "'clip'"), ("whisper", "'whisper'"), ("siglip", "'siglip'")])
def test_a_model_of_another_kind_is_refused_in_one_line(checkpoint, other, told):
    with pytest.raises(
        ModelUnavailable, match=f"is of the kind {told}, which does not bring texts and sounds"
    ) as caught:
        ClapEncoder(str(checkpoint(other)), device="cpu")
    assert "\n" not in str(caught.value)


def test_short_precision_keeps_the_vectors(folders):
    exact = ClapEncoder(str(folders["plain"]), device="cpu", precision="float32")
    short = ClapEncoder(str(folders["plain"]), device="cpu", precision="bfloat16")
    for embed, inputs in (("embed_sounds", sounds()), ("embed_texts", TEXTS)):
        cosines = (getattr(exact, embed)(inputs) * getattr(short, embed)(inputs)).sum(axis=1)
        assert cosines.min() > 0.998  # random weights as large as these make much of little


def test_wrong_vectors_on_a_device_send_the_work_to_the_cpu_and_are_mentioned(folders, monkeypatch):
    """MPS played by the CPU, with a network that errs while it is there."""
    monkeypatch.setattr(module, "choose", lambda *_: device.Placement("mps", "float32"))
    moved = []

    def to(self, name):
        moved.append(name)
        return self

    features = transformers.ClapModel.get_audio_features

    def erring(self, *inputs, **named):
        output = features(self, *inputs, **named)
        vectors = getattr(output, "pooler_output", output)
        return vectors.flip(-1) if moved[-1] == "mps" else vectors

    monkeypatch.setattr(transformers.ClapModel, "to", to)
    monkeypatch.setattr(transformers.ClapModel, "get_audio_features", erring)
    assert ClapEncoder(str(folders["plain"])).description.startswith("tiny-clap (fp32, cpu; mps gave wrong vectors")
    assert moved == ["mps", "cpu", "cpu"]
