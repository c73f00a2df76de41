"""Words without weights: what is alike is near, rare words count, mishearings are forgiven, nothing else matters."""

import csv
import subprocess
import sys

import numpy as np
import pytest

from mmrag_nb.assets.background import background
from mmrag_nb.errors import InvalidSetting
from mmrag_nb.models.words import WordsEncoder, words
from mmrag_nb.protocols import Encoder

# What pocketsphinx makes of the Warfield recording: cut at its pauses, and as a whole.
HEARD = (
    "i recorded it paid more complex audience i pod i'm going to report it simpler on",
    "it is a surprisingly difficult my favorite",
    "harvest is truly a little carol",
)
HEARD_WHOLE = (
    "i recorded a more complex audiophile god i'm going to report it simpler want to use surprisingly difficult my "
    "favorite part is is truly a little carolyn hello no true for huh well or"
)
# What it makes of the recordings of the cases' folder "speech", by file.
HEARD_SPEECH = {
    "deepspeech_LDC93S1_pcms16le_1_8000.wav": "she had that couldn't read you want to learn all year",
    "deepspeech_new-home-in-the-stars-16k.wav": "you must find a new home in the stars",
    "pocketsphinx_cards_002.wav": "for queen of clubs",
    "pocketsphinx_cards_004.wav": "five five",
    "pocketsphinx_librivox_sense_and_sensibility_01_austen_64kb-0880.wav": "he was not until this blows young man",
    "pocketsphinx_librivox_sense_and_sensibility_01_austen_64kb-0930.wav": (
        "he might even have been made the amiable himself"
    ),
    "speechbrain_ASR_spk1_snt1.wav": "the child almost heard the small dog",
    "speechbrain_ASR_spk1_snt4.wav": "the fans' strike who runs down the middle",
    "speechbrain_ASR_spk2_snt4.wav": "man the code before you go out",
    "vosk_test.wav": "one zero zero zero one that note to one of zero one eight zero three",
    "whisper_jfk_jfk.flac": (
        "and all my fellow america and not what your country can do for you and what you can do for your lovely"
    ),
}


@pytest.fixture(scope="module")
def encoder():
    return WordsEncoder()


def cosine(encoder, one, other):
    a, b = encoder.embed_texts([one, other])
    return float(a @ b)


def test_it_is_an_encoder_of_texts_only(encoder):
    assert isinstance(encoder, Encoder)
    assert encoder.modalities == {"text"}
    with pytest.raises(InvalidSetting, match="texts only"):
        encoder.embed_images([None])


def test_vectors_are_unit_float32_rows(encoder):
    vectors = encoder.embed_texts([*background(), "", "?!", "\x00", "x", "ein Wort " * 5000])
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(background()) + 5, encoder.dimension)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert encoder.embed_texts([]).shape == (0, encoder.dimension)


def test_a_vector_depends_on_its_text_alone(encoder):
    texts = list(background()[::40])
    together = encoder.embed_texts(texts)
    alone = np.concatenate([WordsEncoder().embed_texts([text]) for text in texts[:3]])
    np.testing.assert_array_equal(together[:3], alone)
    np.testing.assert_array_equal(encoder.embed_texts(texts[::-1])[::-1], together)


def test_another_process_finds_the_same_vector(encoder):
    program = (
        "from mmrag_nb.models.words import WordsEncoder\n"
        "e = WordsEncoder(); print(e.embed_texts(['tuning a harp']).tobytes().hex(), e.fingerprint['preprocessing'])"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split(
        " ", 1
    )
    assert out[0] == encoder.embed_texts(["tuning a harp"]).tobytes().hex()
    assert out[1].strip() == encoder.fingerprint["preprocessing"]


def test_case_accents_punctuation_and_underscores_do_not_matter(encoder):
    assert cosine(encoder, "A café's menu -- today!", "a cafes menu, today") == pytest.approx(1, abs=1e-5)
    assert cosine(encoder, "lorenz_attractor.png", "Lorenz attractor PNG") == pytest.approx(1, abs=1e-5)


def test_a_rare_word_counts_more_than_common_ones(encoder):
    question = "who is the harpist of the three?"
    same_frame = cosine(encoder, question, "who is the baker of the three?")
    same_word = cosine(encoder, question, "an old harpist")
    assert same_word > 0.2
    assert cosine(encoder, "harpist", question) > cosine(encoder, "who is the", question)
    assert cosine(encoder, "who is the", "who was the one in the house") < same_frame


def test_misheard_and_inflected_words_still_match(encoder):
    for said, heard, other in [
        ("lighthouse", "light houses", "warehouse"),
        ("harpist", "harpists", "dentist"),
        ("photographed", "photographs", "telephoned"),
        ("almost hurt", "almost heard", "all years"),
    ]:
        assert cosine(encoder, said, heard) > cosine(encoder, said, other) + 0.1


def test_strangers_are_far_apart(encoder):
    """The sketch's noise: about 1 / sqrt(1024) around the little that strangers share."""
    lines = encoder.embed_texts(background())
    cosines = (lines @ lines.T)[np.triu_indices(len(lines), 1)]
    assert abs(cosines.mean()) < 0.04
    assert cosines.std() < 0.06


def test_a_text_without_words_is_near_its_like_only(encoder):
    nothing = encoder.embed_texts(["?!", "", " \n"])
    np.testing.assert_array_equal(nothing[0], nothing[1])
    np.testing.assert_array_equal(nothing[0], nothing[2])
    assert np.abs(encoder.embed_texts(background()) @ nothing[0]).max() < 0.3


def test_chinese_japanese_and_korean_match_by_characters_and_pairs(encoder):
    assert cosine(encoder, "谁画了夜晚的港口?", "这幅画画的是夜晚的港口") > 0.3
    assert cosine(encoder, "夜晚的港口", "今天天气很好") < 0.15
    assert cosine(encoder, "夜の港の絵", "港の絵を見た") > cosine(encoder, "夜の港の絵", "天気がよい") + 0.15
    assert cosine(encoder, "항구의 밤", "밤의 항구") > cosine(encoder, "항구의 밤", "날씨가 좋다") + 0.15
    assert words("日本語とLatin文字") == ["日", "本", "語", "と", "latin", "文", "字"]
    assert words("か") != words("が")


def test_tokens_are_words(encoder):
    assert encoder.count_tokens("") == 0
    assert encoder.count_tokens("The speaker's harp, twice: 2 harps.") == 6
    assert encoder.count_tokens("夜晚的港口") == 5


def test_construction_is_instant():
    program = (
        "import sys; from mmrag_nb.models.words import WordsEncoder; e = WordsEncoder(); e.fingerprint; "
        "e.count_tokens('a b'); sys.exit(any(m in sys.modules for m in ('sklearn', 'scipy', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_favorite_harpist_is_found_in_what_was_heard(encoder, cases):
    text = (cases / "warfield" / "Wiki.txt").read_text(encoding="utf-8").removesuffix("[1]")
    strangers = encoder.embed_texts([text, *text.split(". "), *HEARD[::2]])
    question, utterance, whole = encoder.embed_texts(["who is my favorite harpist?", HEARD[1], HEARD_WHOLE])
    best_stranger = float((strangers @ question).max())
    assert float(utterance @ question) > best_stranger + 0.2
    assert float(whole @ question) > float((strangers[:-2] @ question).max()) + 0.1


def test_recordings_are_found_by_what_was_truly_said(encoder, cases):
    with (cases / "speech" / "truth.tsv").open(encoding="utf-8") as file:
        truth = {row["file"]: row["reference"] for row in csv.DictReader(file, delimiter="\t")}
    names = sorted(truth)
    said = encoder.embed_texts([truth[name] for name in names])
    heard = encoder.embed_texts([HEARD_SPEECH[name] for name in names])
    assert [names[i] for i in (said @ heard.T).argmax(axis=1)] == names


def test_captions_of_one_picture_are_near_each_other(encoder, cases):
    with (cases / "coco9" / "captions.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    images = [row["image"] for row in rows]
    vectors = encoder.embed_texts([row["caption"] for row in rows])
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    paired = [i for i, image in enumerate(images) if images.count(image) > 1]
    right = sum(images[cosines[i].argmax()] == images[i] for i in paired)
    assert right >= 0.8 * len(paired)
