"""Changing the strategy computes what is missing, once, from what the index keeps; and says what that costs."""

import hashlib
import os
import shutil

import pytest
from checkpoints import clip
from describer_checkpoints import blip
from st_checkpoints import sentences

pytest.importorskip("torch")

from PIL import Image

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.completing import BATCH
from mmrag_nb.describing import texts
from mmrag_nb.errors import EmptyIndex, MMRagError
from mmrag_nb.models.emoji import EmojiEncoder
from mmrag_nb.models.tags import TagCaptioner
from mmrag_nb.models.words import WordsEncoder
from mmrag_nb.presets import NONE, PRESETS
from mmrag_nb.views import text_view

EMOJI = demo_folder() / "emoji"
HARP = "A concert harp has forty-seven strings and seven pedals."
QUIET = {"ocr": NONE, "speech": NONE}


@pytest.fixture
def rag():
    with MultimodalRAG(preset="offline", **QUIET) as rag:
        yield rag


@pytest.fixture
def done(monkeypatch):
    """What models are given while a test runs: texts and pictures embedded, pictures described. Questions apart."""
    done = {"texts": [], "pictures": 0, "described": 0}
    words, pixels, tags = WordsEncoder.embed_texts, EmojiEncoder.embed_images, TagCaptioner.describe
    within = []

    def describe(self, pictures):
        done["described"] += len(pictures)
        within.append(self)
        try:
            return tags(self, pictures)
        finally:
            within.pop()

    def embed_images(self, pictures):
        done["pictures"] += 0 if within else len(pictures)
        return pixels(self, pictures)

    monkeypatch.setattr(
        WordsEncoder, "embed_texts", lambda self, texts: done["texts"].extend(texts) or words(self, texts)
    )
    monkeypatch.setattr(EmojiEncoder, "embed_images", embed_images)
    monkeypatch.setattr(TagCaptioner, "describe", describe)
    return done


@pytest.fixture
def folder(tmp_path):
    """Three drawings with telling names, and a text."""
    place = tmp_path / "things"
    place.mkdir()
    shutil.copy(EMOJI / "drawing_09.png", place / "grey_animal.png")
    shutil.copy(EMOJI / "drawing_04.png", place / "instrument.png")
    shutil.copy(EMOJI / "drawing_10.png", place / "vehicle.png")
    (place / "harp.txt").write_text(HARP)
    return place


def cleared(done):
    done.update(texts=[], pictures=0, described=0)


def vectors(rag):
    """What is embedded: (space, key)."""
    return set(rag._catalog._rows("SELECT space, key FROM vectors"))


def seen_as(rag):
    """What each chunk is embedded as: (text or uri, view)."""
    query = """
        SELECT uri, ordinal, view FROM views JOIN chunks ON chunks.id = chunk JOIN items ON items.id = item"""
    return set(rag._catalog._rows(query))


def grounded(rag, name):
    """The text by which the picture of that name should be found."""
    (number,) = rag._catalog.chunk_ids(rag.item(name).id)
    stored = rag._catalog.records([number])[number]
    return text_view("grounded", stored.chunk, stored.item, texts(stored.described))


def embedded_of(rag, name, view):
    """Keys of what is embedded of the picture of that name."""
    numbers = rag._catalog.chunk_ids(rag.item(name).id)
    return {key for seen, key in rag._catalog.views(numbers)[numbers[0]] if seen == view}


def key_of(text):
    return hashlib.sha256(f"text\0{text}".encode()).hexdigest()


# -- once --------------------------------------------------------------------------------------------------------------


def test_only_what_is_missing_is_computed_and_never_twice(rag, folder, done):
    rag.index(folder)
    before = vectors(rag)
    assert done["pictures"] == 3
    assert not done["described"], "strategy shared needs no descriptions"
    cleared(done)
    rag.search("harp strings", strategy="grounded")
    assert done["described"] == 3
    assert not done["pictures"], "pixels are not looked at again, and not by this strategy"
    assert HARP not in done["texts"], "a text is the same text for every strategy"
    assert sum("instrument" in text for text in done["texts"]) == 1
    assert before < vectors(rag), "what was there stays"
    cleared(done)
    for strategy in ("separate", "shared", "grounded", "separate", "grounded", "shared"):
        rag.search("harp strings", strategy=strategy)
    assert (done["pictures"], done["described"]) == (0, 0)
    assert not done["texts"], "going back and forth embeds nothing, not even the question again"


def test_the_setting_and_the_keyword_share_what_was_computed(rag, folder, done):
    rag.index(folder)
    rag.search("harp", strategy="grounded")
    cleared(done)
    rag.settings.strategy = "grounded"
    rag.search("harp")
    assert done == {"texts": [], "pictures": 0, "described": 0}


def test_what_it_cost_is_told_once_and_known_beforehand(rag, folder):
    rag.index(folder)
    lacking = rag.lacking("grounded")
    assert str(lacking).startswith("grounded lacks 3 pictures to describe, ")
    assert (lacking.described, len(lacking.chunks)) == (3, 4)
    assert not rag.lacking("shared")
    assert str(rag.lacking("shared")) == "shared lacks nothing"
    told = [fact for fact in rag.search("harp", strategy="grounded").facts if "lacked" in fact]
    assert len(told) == 1
    assert "3 pictures to describe" in told[0]
    assert "made in" in told[0]
    assert not any("lacked" in fact for fact in rag.search("harp", strategy="grounded").facts)
    assert not rag.lacking("grounded")


def test_nothing_lacks_in_an_empty_index(rag):
    with pytest.raises(EmptyIndex):
        rag.lacking("grounded")


def test_progress_tells_of_it(rag, folder):
    rag.index(folder)
    told = []
    rag.load_models(strategy="grounded", progress=lambda *step: told.append(step))
    assert ("completing for grounded", 0, 4) in told
    assert ("completing for grounded", 4, 4) in told
    assert not rag.lacking("grounded")


@pytest.mark.parametrize("first", ["grounded", "separate"])
def test_whatever_filled_it_every_strategy_can_be_had(rag, folder, first):
    rag.settings.strategy = first
    rag.index(folder)
    for strategy in ("shared", "separate", "grounded"):
        hits = rag.search("an elephant", strategy=strategy, modalities="image")
        assert hits[0].item.name == "grey_animal.png"
        assert len(hits) == 3


def test_it_lasts_over_save_and_open(rag, folder, done, tmp_path):
    rag.index(folder)
    rag.search("harp", strategy="grounded")
    path = rag.save(tmp_path / "lesson.mmrag")
    rag.close()
    cleared(done)
    for strategy in ("grounded", "shared", "separate"):
        with MultimodalRAG.open(path, strategy=strategy) as opened:
            assert not opened.lacking()
            hit = opened.search("an elephant", modalities="image")[0]
            assert hit.item.name == "grey_animal.png"
    assert (done["described"], done["pictures"], set(done["texts"])) == (0, 0, {"an elephant"})


# -- by and by ---------------------------------------------------------------------------------------------------------


def test_an_interruption_keeps_what_was_done_and_the_next_search_does_the_rest(rag, monkeypatch, done):
    colours = [Image.new("RGB", (24, 24), (7 * n, 255 - 7 * n, 90)) for n in range(36)]
    rag.index([{"image": colour, "name": f"swatch{n}"} for n, colour in enumerate(colours)])
    tags, calls = TagCaptioner.describe, []

    def interrupted(self, pictures):
        calls.append(len(pictures))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return tags(self, pictures)

    monkeypatch.setattr(TagCaptioner, "describe", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rag.search("red", strategy="grounded")
    assert calls == [BATCH, BATCH]
    assert rag.lacking("grounded").described == 36 - BATCH
    rag.search("red", strategy="grounded")
    assert sum(calls[2:]) == 36 - BATCH
    assert not rag.lacking("grounded")


def test_what_came_later_is_completed_by_itself(rag, folder, done):
    rag.index(folder)
    rag.search("harp", strategy="grounded")
    cleared(done)
    rag.index(EMOJI / "drawing_05.png")
    assert not done["described"]
    hits = rag.search("harp", strategy="grounded", k=9)
    assert done["described"] == 1
    assert "drawing_05.png" in [hit.item.name for hit in hits]


def test_a_picture_whose_file_is_gone_is_completed_from_what_the_index_keeps(rag, folder, done):
    rag.index(folder)
    shutil.rmtree(folder)
    hit = rag.search("an elephant", strategy="grounded", modalities="image")[0]
    assert hit.item.name == "grey_animal.png"
    assert "elephant" in hit.described["caption"]
    assert done["described"] == 3


def test_pixels_that_nothing_looked_at_are_looked_at_later(rag, folder, done):
    rag.settings.strategy = "grounded"
    rag.index(folder)
    assert (done["pictures"], done["described"]) == (0, 3)
    shutil.rmtree(folder)
    hit = rag.search("an elephant", strategy="shared", modalities="image")[0]
    assert (hit.item.name, hit.seen_as) == ("grey_animal.png", "image")
    assert done["pictures"] == 3


# -- a file that may only be read --------------------------------------------------------------------------------------


@pytest.fixture
def frozen(rag, folder, tmp_path, monkeypatch):
    """An index filled by strategy shared, in a file that may only be read."""
    rag.index(folder)
    path = rag.save(tmp_path / "lesson.mmrag")
    rag.close()
    writable = os.access
    monkeypatch.setattr(
        os, "access", lambda place, mode: writable(place, mode) and not (mode == os.W_OK and str(path) == str(place))
    )
    return path


def test_a_file_that_may_only_be_read_is_searched_as_far_as_it_goes(frozen, done):
    before = frozen.read_bytes()
    with MultimodalRAG.open(frozen, **QUIET) as rag:
        assert rag.search("harp strings")[0].item.name == "harp.txt"
        assert rag.search("harp strings", strategy="separate")[0].item.name == "harp.txt"
        with pytest.raises(MMRagError, match="may only be read") as told:
            rag.search("harp strings", strategy="grounded")
        assert "\n" not in str(told.value)
    assert not done["described"]
    assert frozen.read_bytes() == before


# -- indexing again ----------------------------------------------------------------------------------------------------


def test_the_same_folder_under_another_strategy_loses_nothing_and_embeds_what_is_missing(rag, folder, done):
    rag.index(folder)
    rag.search("harp")
    views, known = seen_as(rag), vectors(rag)
    cleared(done)
    rag.settings.strategy = "grounded"
    report = rag.index(folder)
    assert report.items == {"image": 3, "text": 1}
    assert (done["pictures"], done["described"]) == (0, 3)
    assert HARP not in done["texts"]
    assert views < seen_as(rag)
    assert known < vectors(rag)
    cleared(done)
    rag.settings.strategy = "shared"
    again = rag.index(folder)
    assert (again.embedded, again.reused) == (0, 4)
    rag.search("harp", strategy="shared")
    rag.search("harp", strategy="grounded")
    assert done == {"texts": [], "pictures": 0, "described": 0}


def test_another_captioner_describes_again_and_the_first_ones_words_are_gone(rag, folder, tmp_path):
    rag.index(folder)
    first = rag.search("an elephant", strategy="grounded", modalities="image")[0].described["caption"]
    rag.settings.captioner = str(blip(tmp_path / "tiny-blip"))
    assert rag.lacking("grounded").described == 3
    hits = rag.search("an elephant", strategy="grounded", modalities="image", k=9)
    second = {hit.item.name: hit.described.get("caption", "") for hit in hits}
    assert second["grey_animal.png"] != first
    assert first not in grounded(rag, "grey_animal.png")
    assert not rag._catalog.bm25(["elephant"], 9, described=True)
    assert not rag.lacking("grounded")


@pytest.mark.parametrize("strategy", ["grounded", "shared"])
def test_what_is_said_of_a_picture_anew_is_what_it_is_found_by(rag, folder, strategy):
    picture = folder / "grey_animal.png"
    rag.index([{"path": picture, "keeper": "Ottoline"}, {"text": HARP}])
    rag.search("anything", strategy="grounded")
    rag.settings.strategy = strategy  # under which the change is told
    rag.index([{"path": picture, "keeper": "Barnaby"}])
    assert "Barnaby" in grounded(rag, picture.name)
    found = rag.search("Barnaby", strategy="grounded")[0]
    assert (found.item.name, found.cosine > 0.1) == (picture.name, True)
    assert embedded_of(rag, picture.name, "grounded") == {key_of(grounded(rag, picture.name))}


@pytest.mark.parametrize("strategy", ["grounded", "shared", "separate"])
def test_a_new_caption_and_a_new_name_replace_the_old_ones_for_every_strategy(rag, folder, strategy):
    picture = folder / "grey_animal.png"
    rag.index([{"path": picture, "caption": "a lighthouse"}, {"text": HARP}])
    rag.search("anything", strategy="grounded")
    rag.search("anything", strategy="separate")
    rag.settings.strategy = strategy
    picture = picture.rename(folder / "walrus.png")
    rag.index([{"path": picture, "caption": "a teapot"}])
    for each in ("grounded", "shared", "separate"):
        for word in ("teapot", "walrus"):
            assert rag.search(word, strategy=each)[0].item.name == "walrus.png"
    assert embedded_of(rag, "walrus.png", "titled") == {key_of("a teapot. walrus")}
    assert embedded_of(rag, "walrus.png", "grounded") == {key_of(grounded(rag, "walrus.png"))}


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Preset colab with tiny checkpoints: one for pictures and texts, another that reads for the other strategies."""
    pytest.importorskip("sentence_transformers")
    preset = {"clip": str(clip(tmp_path / "tiny-clip")), "reader": str(sentences(tmp_path / "tiny-sentences"))}
    monkeypatch.setitem(PRESETS, "colab", {**PRESETS["colab"], **preset, "generator": "extractive", "captioner": NONE})
    with MultimodalRAG(preset="colab", **QUIET) as rag:
        yield rag


def test_a_text_keeps_its_passages_whatever_strategy_indexes_it_again(small, tmp_path):
    (tmp_path / "long.txt").write_text(" ".join(f"the harpist plays tune number {n} zealously and" for n in range(90)))
    small.index(tmp_path / "long.txt")
    small.search("harp")
    cut, views, known = small.chunks("long.txt"), seen_as(small), vectors(small)
    assert len(cut) > 3
    for strategy in ("grounded", "shared", "separate"):
        small.settings.strategy = strategy
        small.index(tmp_path / "long.txt")
        assert [chunk.text for chunk in small.chunks("long.txt")] == [chunk.text for chunk in cut]
        assert views <= seen_as(small)
        assert known <= vectors(small)
