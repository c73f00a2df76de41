"""Pictures, words, voices and what is in the index, alone and together, as questions."""

import numpy as np
import pytest

pytest.importorskip("torch")

from PIL import Image

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.errors import EmptyIndex, InvalidSetting, LoadError, MMRagError, UnknownName
from mmrag_nb.presets import NONE

EMOJI = demo_folder() / "emoji"
ELEPHANT, GUITAR, ROCKET = (EMOJI / f"drawing_{n}.png" for n in ("09", "04", "10"))
STRATEGIES = ("shared", "grounded", "separate")
TEXTS = {
    "harp": "A concert harp has forty-seven strings and seven pedals.",
    "ferry": "The ferry to the island leaves at noon from the northern quay.",
    "guitar": "A guitar has six strings and no pedals.",
    "elephant": "An elephant remembers the way to the water.",
}


@pytest.fixture(scope="module")
def rag():
    with MultimodalRAG(preset="offline", ocr=NONE) as rag:
        rag.index([EMOJI, *({"text": text, "name": name} for name, text in TEXTS.items())])
        yield rag


@pytest.fixture
def heard(monkeypatch):
    """Say what the transcriber will hear."""
    pytest.importorskip("pocketsphinx")
    from mmrag_nb.models.pocketsphinx import PocketsphinxTranscriber

    words = []
    monkeypatch.setattr(PocketsphinxTranscriber, "transcribe", lambda self, clips: [words[-1]] * len(clips))
    return words.append


def voice():
    return (0.3 * np.random.default_rng(1).normal(size=16_000)).astype(np.float32), 16_000


def names(hits):
    return [hit.item.name.strip("{}") for hit in hits]


# -- one thing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"question": "an elephant"}, "drawing_09.png"),
        ({"question": "how many pedals has a harp?"}, "harp"),
        ({"image": ELEPHANT}, "drawing_09.png"),
        ({"image": ELEPHANT}, "elephant"),
        ({"voice": "an elephant"}, "drawing_09.png"),
        ({"voice": "when does the ferry leave"}, "ferry"),
    ],
)
def test_whatever_is_asked_with_finds_whatever_is_meant(rag, heard, strategy, asked, found):
    if "voice" in asked:
        heard(asked["voice"])
        asked = {"audio": voice()}
    modality = "image" if found.endswith(".png") else "text"
    hits = rag.search(**asked, strategy=strategy, modalities=modality)
    assert names(hits)[0] == found
    assert {hit.chunk.modality for hit in hits} == {modality}


def test_an_open_picture_and_a_path_ask_alike(rag):
    assert names(rag.search(image=Image.open(ELEPHANT))) == names(rag.search(image=str(ELEPHANT)))


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({}, MMRagError, "nothing was asked"),
        ({"question": "  "}, MMRagError, "nothing was asked"),
        ({"question": "harp", "audio": voice()}, MMRagError, "in words or by voice, not both"),
        ({"question": "harp", "image": ELEPHANT, "balance": 1.5}, InvalidSetting, "balance is 1.5"),
        ({"image": __file__}, LoadError, "test_mixed_questions.py"),
        ({"image": "/nowhere/at/all.png"}, MMRagError, "/nowhere/at/all.png"),
    ],
)
def test_what_cannot_be_asked_is_one_line(rag, asked, error, said):
    with pytest.raises(error, match=said) as told:
        rag.search(**asked)
    assert "\n" not in str(told.value)


# -- a picture with words ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_balance_goes_from_the_words_alone_to_the_picture_alone(rag, strategy):
    asked = {"question": "a rocket", "image": ELEPHANT, "strategy": strategy, "modalities": "image", "k": 12}
    words = rag.search("a rocket", strategy=strategy, modalities="image", k=12)
    picture = rag.search(image=ELEPHANT, strategy=strategy, modalities="image", k=12)
    none, half, all_ = (rag.search(**asked, balance=share) for share in (0, 0.5, 1))
    assert names(none) == names(words)
    assert [hit.score for hit in none] == pytest.approx([hit.score for hit in words], abs=1e-4)
    if strategy != "grounded":  # where the picture is put into words, that is with all that can be said of it
        assert names(all_) == names(picture)
    assert names(none)[0] == "drawing_10.png"
    assert names(all_)[0] == "drawing_09.png"
    elephant, rocket = ([names(hits).index(one) for hits in (none, half, all_)] for one in (ELEPHANT.name, ROCKET.name))
    assert elephant == sorted(elephant, reverse=True)
    assert rocket == sorted(rocket)
    assert names(half) not in (names(none), names(all_)), "both count"


def test_the_balance_of_the_settings_holds_where_none_is_said(rag, monkeypatch):
    asked = {"question": "a rocket", "image": ELEPHANT, "modalities": "image"}
    monkeypatch.setattr(rag.settings, "balance", 1.0)
    assert names(rag.search(**asked)) == names(rag.search(**asked, balance=1))
    monkeypatch.setattr(rag.settings, "balance", 0.0)
    assert names(rag.search(**asked)) == names(rag.search("a rocket", modalities="image"))


def test_words_no_longer_count_where_the_picture_is_all(rag):
    assert all(not hit.lexical for hit in rag.search("harp strings", image=ELEPHANT, balance=1, k=20))
    assert any(hit.lexical for hit in rag.search("harp strings", image=ELEPHANT, balance=0.5, k=20))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_picture_with_spoken_words_is_one_with_typed_ones(rag, heard, strategy):
    heard("a rocket")
    spoken = rag.search(image=ELEPHANT, audio=voice(), strategy=strategy)
    typed = rag.search("a rocket", image=ELEPHANT, strategy=strategy)
    assert names(spoken) == names(typed)
    assert "heard by pocketsphinx" in spoken.facts


def test_an_answer_to_a_picture_with_words_rests_on_both(rag):
    answer = rag.ask("how many strings has it got?", image=GUITAR, modalities="text")
    assert answer.question == "how many strings has it got?"
    assert answer.prompt.pictures
    assert "strings" in answer.text


def test_each_space_of_a_mix_counts_once_and_raw_is_in_cosines(rag):
    hits = rag.search("a rocket", image=ELEPHANT, raw=True, modalities="image", k=12)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert all(-1 <= score <= 1 for score in scores)


# -- what is in the index ----------------------------------------------------------------------------------------------


def test_more_like_several_lies_between_them_and_leaves_them_out(rag):
    liked = ["drawing_09.png", "{{harp}}"]
    hits = rag.similar(liked, k=20)
    assert not {"drawing_09.png", "harp"} & set(names(hits))
    assert hits.question == "more like drawing_09.png, {{harp}}"
    assert {hit.chunk.modality for hit in hits[:6]} == {"image", "text"}
    assert names(rag.similar(["{{harp}}", "{{ferry}}"], modalities="text"))[0] == "guitar"


def test_what_is_disliked_pushes_down_and_is_left_out(rag):
    plain = names(rag.similar("{{harp}}", modalities="text", k=9))
    against = rag.similar("{{harp}}", unlike="{{elephant}}", modalities="text", k=9)
    assert set(names(against)) == set(plain) - {"elephant"}
    assert against.question == "more like {{harp}}, unlike {{elephant}}"
    plain = names(rag.similar("drawing_09.png", k=20, modalities="image"))
    fell = []
    for disliked in plain:
        alike = next(name for name in names(rag.similar(disliked, modalities="image")) if name != "drawing_09.png")
        before = [name for name in plain if name != disliked]
        after = names(rag.similar("drawing_09.png", unlike=disliked, k=20, modalities="image"))
        fell.append(after.index(alike) - before.index(alike))
    assert min(fell) >= 0, "what is most like the disliked never rises"
    assert sum(fell) >= 5


def test_all_passages_of_what_is_liked_or_disliked_are_left_out(rag):
    rag.index(demo_folder() / "tuning_a_harp.md")
    try:
        assert len(rag.chunks("tuning_a_harp.md")) > 1
        hit = next(hit for hit in rag.search("tuning a harp", k=9) if hit.item.name == "tuning_a_harp.md")
        assert "tuning_a_harp.md" not in names(rag.similar(hit, k=20))
        assert "tuning_a_harp.md" not in names(rag.similar("{{harp}}", unlike=hit, k=20))
    finally:
        rag.remove("tuning_a_harp.md")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_more_like_an_item_embeds_nothing_but_what_the_strategy_lacks(rag, strategy, monkeypatch):
    from mmrag_nb.models.emoji import EmojiEncoder
    from mmrag_nb.models.words import WordsEncoder

    rag.similar("drawing_09.png", strategy=strategy)
    embedded = []
    monkeypatch.setattr(WordsEncoder, "embed_texts", lambda self, texts: embedded.extend(texts))
    monkeypatch.setattr(EmojiEncoder, "embed_images", lambda self, pictures: embedded.extend(pictures))
    assert rag.similar("drawing_09.png", strategy=strategy)
    assert not embedded


def test_a_picture_that_is_not_in_the_index_can_be_liked(rag, tmp_path):
    turned = Image.open(ELEPHANT).convert("RGB").rotate(8, fillcolor="white")
    assert names(rag.similar(turned, modalities="image"))[0] == "drawing_09.png"
    turned.save(tmp_path / "elsewhere.png")
    hits = rag.similar(tmp_path / "elsewhere.png", modalities="image")
    assert (names(hits)[0], hits.question) == ("drawing_09.png", "more like this picture")


def test_a_sound_that_is_not_in_the_index_finds_what_is_spoken_like_it(rag, heard):
    heard("when does the ferry leave for the island")
    hits = rag.similar(voice(), modalities="text")
    assert (names(hits)[0], hits.question) == ("ferry", "more like this sound")
    assert any("as “when does the ferry leave for the island”" in fact for fact in hits.facts)


def test_what_is_not_there_any_longer_is_one_line(rag):
    rag.index({"text": "A passing remark on barometers."})
    hit = rag.search("barometers")[0]
    rag.remove(hit)
    for ask in (lambda: rag.similar(hit), lambda: rag.similar("{{harp}}", unlike=hit), lambda: rag.similar([hit])):
        with pytest.raises(UnknownName, match="passing remark") as told:
            ask()
        assert "\n" not in str(told.value)
    with pytest.raises(UnknownName, match=r"did you mean 'drawing_09\.png'"):
        rag.similar("drawing_9.png")


@pytest.mark.parametrize(
    ("to", "unlike", "said"),
    [
        ([], (), "similar to what"),
        (3, (), "nothing is like an object of type int"),
        ("{{harp}}", 3, "nothing is like an object of type int"),
        (ELEPHANT.parent / "drawing_09.png", "{{harp}}", "unlike= goes with what is in the index"),
    ],
)
def test_what_nothing_is_like_is_one_line(rag, to, unlike, said, tmp_path):
    if not isinstance(to, (list, int, str)):  # a picture that is in no index
        to = Image.open(to)
    with pytest.raises(MMRagError, match=said):
        rag.similar(to, unlike=unlike)


def test_nothing_is_like_anything_in_an_empty_index():
    with MultimodalRAG(preset="offline", ocr=NONE) as empty, pytest.raises(EmptyIndex):
        empty.similar("harp")
