"""Three strategies over one index: each finds its own way, and none disturbs what another needs."""

import shutil
from contextlib import closing

import numpy as np
import pytest
from clap_checkpoint import clap
from writers import Writer

pytest.importorskip("torch")

from mmrag_nb import MultimodalRAG, registry
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.catalog.database import Database
from mmrag_nb.errors import IndexMismatch, InvalidSetting, MissingVectors
from mmrag_nb.presets import NONE

DEMO = demo_folder()
STRATEGIES = ("shared", "grounded", "separate")
HARP = "A concert harp has forty-seven strings and seven pedals."
FERRY = "The ferry to the island leaves at noon from the northern quay."


@pytest.fixture
def rag():
    with MultimodalRAG(preset="offline", ocr=NONE, speech=NONE) as rag:
        yield rag


@pytest.fixture(scope="module")
def demo():
    with MultimodalRAG(preset="offline", ocr=NONE, speech=NONE) as rag:
        rag.index([DEMO / "emoji", DEMO / "tuning_a_harp.md", DEMO / "tide_tables.txt"])
        yield rag


def tone(pitch, seconds=1.0, rate=16_000):
    return (0.3 * np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate)).astype(np.float32), rate


# -- what is found -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_strategy_finds_the_text_that_answers(demo, strategy):
    hits = demo.search("how many pedals does a harp have?", strategy=strategy)
    assert hits[0].item.name == "tuning_a_harp.md"
    assert hits.facts[0] == strategy


@pytest.mark.parametrize(
    ("strategy", "seen_as", "space"),
    [
        ("shared", "image", "clip:emoji"),
        ("grounded", "text", "words:hashed-1024"),
        ("separate", "image", "clip:emoji"),
    ],
)
def test_a_drawing_is_found_by_its_pixels_or_by_what_a_model_says_of_it(demo, strategy, seen_as, space):
    hit = demo.search("an elephant", strategy=strategy, modalities="image")[0]
    assert (hit.item.name, hit.seen_as, hit.space) == ("drawing_09.png", seen_as, space)
    if strategy == "grounded":
        assert "elephant" in hit.described["caption"]
        assert hit.lexical > 0, "the words that a model says count, too"


def test_what_a_model_says_counts_as_words_for_the_strategy_that_asks_for_it_alone(demo):
    demo.search("an elephant", strategy="grounded")
    assert all(not hit.lexical for hit in demo.search("an elephant", strategy="shared", modalities="image"))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_image_to_image_and_image_to_text_in_every_strategy(demo, strategy):
    elephant = DEMO / "emoji" / "drawing_09.png"
    hits = demo.search(image=elephant, strategy=strategy)
    assert hits[0].item.name == "drawing_09.png"
    demo.index({"text": "An elephant remembers the way to the water."})
    text = demo.search(image=elephant, strategy=strategy, modalities="text")[0]
    assert text.chunk.text.startswith("An elephant"), "the picture was put into words for what sees no pictures"
    demo.remove("{{An elephant remembers the way to…}}")


def test_a_picture_put_into_words_says_in_which(demo):
    facts = demo.search(image=DEMO / "emoji" / "drawing_09.png", strategy="grounded").facts
    assert any(fact.startswith("picture put into words: ") and "elephant" in fact for fact in facts)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_spoken_question_finds_texts_and_pictures(demo, strategy, monkeypatch):
    pytest.importorskip("pocketsphinx")
    from mmrag_nb.models.pocketsphinx import PocketsphinxTranscriber

    heard = iter(["an elephant", "how many pedals does a harp have"])
    monkeypatch.setattr(PocketsphinxTranscriber, "transcribe", lambda self, clips: [next(heard)])
    monkeypatch.setattr(demo.settings, "speech", "pocketsphinx")
    pictures = demo.search(audio=tone(440), strategy=strategy, modalities="image")
    assert pictures[0].item.name == "drawing_09.png"
    assert "heard by pocketsphinx" in pictures.facts
    assert demo.search(audio=tone(440), strategy=strategy)[0].item.name == "tuning_a_harp.md"


def test_a_picture_that_nothing_puts_into_words_is_told_so(demo, monkeypatch):
    monkeypatch.setattr(demo.settings, "captioner", NONE)
    with pytest.raises(InvalidSetting, match="captioner"):
        demo.search(image=DEMO / "emoji" / "drawing_09.png", strategy="grounded")


def test_a_strategy_that_reads_needs_a_reader(demo, monkeypatch):
    monkeypatch.setattr(demo.settings, "text", NONE)
    for strategy in ("grounded", "separate"):
        with pytest.raises(InvalidSetting, match="set text to 'words' or a model"):
            demo.search("a harp", strategy=strategy)
    assert demo.search("a harp", strategy="shared")


def test_sounds_are_heard_as_such_where_an_encoder_hears(rag, tmp_path):
    rag.settings.sound = str(clap(tmp_path / "tiny-clap"))
    low, high = tone(220), tone(2_000)
    rag.settings.strategy = "separate"
    rag.index([{"audio": low, "name": "low"}, {"audio": high, "name": "high"}, {"text": HARP}])
    hit = rag.similar(low, modalities="audio")[0]
    assert (hit.item.name, hit.seen_as, hit.cosine) == ("{{low}}", "audio", pytest.approx(1, abs=0.02))
    assert rag.similar("{{high}}", modalities="audio")[0].item.name == "{{low}}"


def test_an_encoder_that_hears_can_come_later(rag, tmp_path):
    low = tone(220)
    rag.index([{"audio": low, "name": "low"}, {"audio": tone(2_000), "name": "high"}, {"text": HARP}])
    rag.settings.sound = str(clap(tmp_path / "tiny-clap"))
    assert rag.lacking("separate").embedded == {"audio": 2}
    hit = rag.similar(low, modalities="audio", strategy="separate")[0]
    assert (hit.item.name, hit.seen_as) == ("{{low}}", "audio")


def test_another_who_answers_does_so_by_every_strategy(rag, monkeypatch):
    rag.index({"text": HARP})
    assert rag.ask("how many strings?", strategy="grounded").generator == "extractive"
    monkeypatch.setitem(registry._ENTRIES, ("generator", "writer"), registry.Entry("nowhere:Writer"))
    find = registry.find
    monkeypatch.setattr(registry, "find", lambda kind, name: Writer if name == "writer" else find(kind, name))
    rag.settings.generator = "writer"
    for strategy in STRATEGIES:
        assert rag.ask("how many strings?", strategy=strategy).text == "Written [1]."


# -- compare -----------------------------------------------------------------------------------------------------------


def test_compare_puts_the_three_side_by_side(demo):
    comparison = demo.compare("an elephant beside a harp")
    assert [column.name for column in comparison.columns] == ["shared", "grounded", "separate"]
    assert not any(column.error for column in comparison.columns)
    for column in comparison.columns:
        hits = demo.search("an elephant beside a harp", strategy=column.name)
        number = comparison.columns.index(column)
        found = {row.hit.item.name for row in comparison.rows if row.cells[number].found}
        assert {hit.item.name for hit in hits} <= found


def test_a_strategy_that_cannot_work_is_a_column_with_its_error(demo, monkeypatch):
    monkeypatch.setattr(demo.settings, "text", NONE)
    columns = demo.compare("an elephant").columns
    assert [bool(column.error) for column in columns] == [False, True, True]
    assert "text is 'none'" in columns[1].error


# -- other models ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_index_of_another_model_is_refused_and_not_filled_anew(tmp_path, strategy):
    path = tmp_path / "lesson.mmrag"
    with MultimodalRAG(preset="offline", ocr=NONE, path=path) as rag:
        rag.index([DEMO / "emoji" / "drawing_09.png", {"text": HARP}])
    shutil.copy(path, tmp_path / "renamed.mmrag")
    with closing(Database(path)) as db:
        db.execute("UPDATE spaces SET fingerprint = json_set(fingerprint, '$.revision', '0')")
    with MultimodalRAG.open(path, strategy=strategy) as rag, pytest.raises(IndexMismatch, match="revision=0"):
        rag.search("harp")
    with closing(Database(tmp_path / "renamed.mmrag")) as db:
        db.execute("UPDATE vectors SET space = 'clip:another'")
        db.execute("INSERT INTO spaces VALUES ('clip:another', 8, '{}', '{}')")
        db.execute("UPDATE meta SET value = 'another' WHERE key = 'clip'")
    with MultimodalRAG(preset="offline", ocr=NONE, path=tmp_path / "renamed.mmrag", strategy=strategy) as rag:
        with pytest.raises(MissingVectors, match="clip:another"):
            rag.search("harp")
        assert set(rag._catalog.spaces()) == {"clip:another"}


def test_the_same_models_by_name_are_the_same_models(tmp_path):
    path = tmp_path / "lesson.mmrag"
    with MultimodalRAG(preset="offline", ocr=NONE, path=path) as rag:
        rag.index([DEMO / "emoji" / "drawing_09.png", {"text": HARP}])
    with MultimodalRAG(preset="offline", clip="emoji", text="words", ocr=NONE, path=path, strategy="grounded") as rag:
        assert rag.search("an elephant")[0].item.name == "drawing_09.png"


def test_a_question_by_another_strategy_makes_no_encoder_twice(rag, monkeypatch):
    rag.index([DEMO / "emoji" / "drawing_09.png", {"text": HARP}])
    rag.search("harp")
    made = []
    create = registry.create
    monkeypatch.setattr(
        registry, "create", lambda kind, *rest, **more: made.append(kind) or create(kind, *rest, **more)
    )
    for strategy in STRATEGIES * 2:
        rag.search("harp", strategy=strategy)
    assert "encoder" not in made


def test_a_picture_without_words_is_nothing_to_find_rather_than_an_error(rag):
    rag.index([tone(440)])
    for strategy in STRATEGIES:
        assert "index them again" not in " ".join(rag.search("harp", strategy=strategy).facts)


def test_what_words_cannot_be_compared_with_is_not_said_to_lack_vectors(demo):
    assert "index them again" not in " ".join(demo.similar("tide_tables.txt").facts)


def test_words_that_models_said_of_a_picture_are_told_to_have_brought_it(demo):
    picture = next(hit for hit in demo.search("harp", k=100, strategy="grounded") if hit.described)
    demo.search(picture.described["caption"], strategy="grounded")
    assert any(term.brought > 0 for term in demo.why(1).terms)
