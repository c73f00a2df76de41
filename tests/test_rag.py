"""Index, search, ask, save, open: end to end, offline, with what ships in the package."""

from contextlib import closing

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mmrag_nb import MultimodalRAG
from mmrag_nb.catalog.database import Database
from mmrag_nb.errors import (
    EmptyIndex,
    IndexFileError,
    IndexMismatch,
    InvalidSetting,
    MissingVectors,
    MMRagError,
    UnknownName,
)

HARP = "A concert harp has forty-seven strings and seven pedals."
FERRY = "The ferry to the island leaves at noon from the northern quay."


@pytest.fixture
def rag():
    rag = MultimodalRAG(preset="offline")
    yield rag
    rag.close()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "harp.txt").write_text(HARP)
    (tmp_path / "ferry.md").write_text(FERRY)
    picture = Image.new("RGB", (64, 48), "white")
    ImageDraw.Draw(picture).ellipse((10, 10, 40, 40), fill="red")
    picture.save(tmp_path / "red_apple.png")
    return tmp_path


def test_each_question_finds_its_text_first_and_the_answer_quotes_it(rag, folder):
    report = rag.index([str(folder)])
    assert (report.items, report.embedded, report.skipped) == ({"text": 2, "image": 1}, 3, ())
    answer = rag.ask("how many strings does a harp have?")
    assert answer.hits[0].item.name == "harp.txt"
    assert "forty-seven strings" in answer.text
    assert answer.citations[1] is answer.hits[0]
    assert "[1]" in answer.text
    assert set(answer.timings) == {"embed", "search", "generate", "check"}


def test_a_picture_is_reached_by_its_caption_and_by_its_file_name(rag, folder):
    rag.index([str(folder), {"image": Image.new("RGB", (9, 9)), "caption": "a lighthouse at dusk"}])
    assert rag.search("is there an apple?")[0].item.name == "red_apple.png"
    hit = rag.search("which picture shows a lighthouse?")[0]
    assert (hit.chunk.modality, hit.chunk.text, hit.seen_as) == ("image", "a lighthouse at dusk", "text")
    assert "thumbnail" in hit.previews


def test_a_second_run_embeds_nothing_and_a_changed_file_only_itself(rag, folder, monkeypatch):
    rag.index(str(folder))
    from mmrag_nb.models.words import WordsEncoder

    embedded = []
    real = WordsEncoder.embed_texts
    monkeypatch.setattr(WordsEncoder, "embed_texts", lambda self, texts: embedded.extend(texts) or real(self, texts))
    again = rag.index(str(folder))
    assert (again.embedded, again.reused, embedded) == (0, 3, [])
    (folder / "ferry.md").write_text("The ferry leaves at one.")
    changed = rag.index(str(folder))
    assert (changed.embedded, changed.reused, embedded) == (1, 2, ["The ferry leaves at one."])


def test_equal_texts_are_embedded_once_and_changed_metadata_is_kept(rag, monkeypatch):
    from mmrag_nb.models.words import WordsEncoder

    embedded = []
    real = WordsEncoder.embed_texts
    monkeypatch.setattr(WordsEncoder, "embed_texts", lambda self, texts: embedded.extend(texts) or real(self, texts))
    rag.index([{"text": HARP, "author": "one"}])
    rag.index([{"text": HARP, "author": "two"}])
    assert embedded == [HARP]
    assert rag.search("harp")[0].item.metadata == {"author": "two"}
    assert rag.status().items == {"text": 1}


def test_bad_files_are_listed_and_the_good_one_is_found(rag, tmp_path):
    (tmp_path / "good.txt").write_text(HARP)
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "speech.mp3").write_text("this is no sound")
    sources = [str(tmp_path / name) for name in ("good.txt", "missing.txt", "empty.txt", "speech.mp3")]
    report = rag.index(sources)
    assert report.items == {"text": 1}
    assert [one.source.rsplit("/", 1)[-1] for one in report.skipped] == ["missing.txt", "empty.txt", "speech.mp3"]
    assert all(one.reason and "\n" not in one.reason for one in report.skipped)
    again = rag.index(sources)
    assert (again.embedded, again.reused, len(again.skipped)) == (0, 1, 3)
    assert rag.search("harp strings")[0].item.name == "good.txt"


def test_save_open_and_go_on(rag, folder, tmp_path):
    rag.index(str(folder))
    before = rag.search("when does the ferry leave?")
    path = rag.save(tmp_path / "lesson.mmrag")
    rag.close()
    opened = MultimodalRAG.open(path)
    assert opened.settings.chosen("text") == "words", "the index's own models are taken"
    after = opened.search("when does the ferry leave?")
    assert [(hit.item.name, hit.score) for hit in after] == [
        (hit.item.name, pytest.approx(hit.score)) for hit in before
    ]
    assert opened.index(str(folder)).reused == 3
    opened.index([{"text": "One more, kept at once."}])
    opened.close()
    once_more = MultimodalRAG.open(path)
    assert once_more.status().items == {"image": 1, "text": 3}
    once_more.close()


def test_opening_what_is_not_there_or_was_made_by_another_model(rag, folder, tmp_path):
    with pytest.raises(IndexFileError, match="there is no index at"):
        MultimodalRAG.open(tmp_path / "nothing.mmrag")
    rag.index(str(folder))
    path = rag.save(tmp_path / "lesson.mmrag")
    rag.close()
    with closing(Database(path)) as db:
        db.execute("UPDATE spaces SET fingerprint = json_set(fingerprint, '$.revision', '0')")
    with MultimodalRAG.open(path) as opened, pytest.raises(IndexMismatch, match="index has revision=0"):
        opened.search("harp")


def test_a_question_before_anything_is_indexed(rag):
    with pytest.raises(EmptyIndex, match="mmrag_index"):
        rag.ask("anything?")


def test_wrong_settings_are_named_with_the_nearest_right_one():
    with pytest.raises(UnknownName, match="did you mean 'preset'"):
        MultimodalRAG(presets="offline")
    with pytest.raises(InvalidSetting, match="did you mean 'offline'"):
        MultimodalRAG(preset="ofline")
    with pytest.raises(InvalidSetting, match="did you mean 'extractive'"):
        MultimodalRAG(generator="extractiv")
    with pytest.raises(InvalidSetting):
        MultimodalRAG(k=0)


def test_an_interrupted_index_keeps_what_was_committed(rag, monkeypatch):
    from mmrag_nb.models.words import WordsEncoder

    real, calls = WordsEncoder.embed_texts, []

    def interrupted(self, texts):
        calls.append(len(texts))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(self, texts)

    monkeypatch.setattr(WordsEncoder, "embed_texts", interrupted)
    texts = [{"text": f"passage number {n}"} for n in range(40)]
    with pytest.raises(KeyboardInterrupt):
        rag.index(texts)
    assert rag.report.interrupted
    kept = rag.status().items["text"]
    assert 0 < kept < 40
    report = rag.index(texts)
    assert (report.reused, report.embedded) == (kept, 40 - kept)


def test_raw_ranking_is_by_cosine(rag):
    rag.index([{"text": f"line {n} about {word}"} for n, word in enumerate(["harps", "ferries", "apples"])])
    hits = rag.search("about harps", raw=True)
    assert [hit.cosine for hit in hits] == sorted((hit.cosine for hit in hits), reverse=True)
    assert [hit.raw_rank for hit in hits] == [hit.rank for hit in hits]


def test_a_sound_without_a_transcriber_is_skipped_with_the_remedy(rag, monkeypatch, tmp_path):
    from mmrag_nb import registry
    from mmrag_nb.errors import NotInstalled

    real = registry.create

    def absent(kind, *rest, **more):
        if kind == "transcriber":
            raise NotInstalled("pocketsphinx", extra="offline")
        return real(kind, *rest, **more)

    monkeypatch.setattr(registry, "create", absent)
    noise = np.random.default_rng(0).normal(0, 0.1, 32000).astype(np.float32)
    report = rag.index([{"text": HARP}, (noise, 16000)])
    assert report.items == {"text": 1}
    assert "mmrag-nb[offline]" in report.skipped[0].reason


def test_a_long_question_is_cut_and_said(rag):
    rag.index([{"text": HARP}])
    hits = rag.search("harp " * 500)
    assert any("cut to its first" in fact for fact in hits.facts)
    assert rag.search("harp").facts[-1] == "nothing truncated"


def test_tables(rag, folder):
    pytest.importorskip("pandas")
    report = rag.index([str(folder), "missing.txt"])
    assert report.to_pandas()["source"].tolist() == ["missing.txt"]
    answer = rag.ask("how many strings does a harp have?")
    table = answer.to_pandas()
    assert table["rank"].tolist() == [1, 2, 3]
    assert table["cited"].tolist()[0]
    assert table["score"].tolist() == [hit.score for hit in answer.hits]


def test_an_index_of_other_models_says_so_rather_than_finding_nothing(rag):
    rag.index([{"text": HARP}])
    rag._catalog._db.execute("UPDATE vectors SET space = 'clip:another'")
    rag._catalog._db.execute("INSERT INTO spaces VALUES ('clip:another', 8, '{}', '{}')")
    rag._catalog._db.execute("UPDATE meta SET value = 'another' WHERE key = 'clip'")
    rag._catalog._changes += 1
    with pytest.raises(MissingVectors, match="index has vectors in clip:another, none in words:"):
        rag.search("harp")


def test_two_on_one_file_see_each_others_work(tmp_path):
    path = tmp_path / "lesson.mmrag"
    with MultimodalRAG(preset="offline", path=path) as one, MultimodalRAG.open(path, preset="offline") as two:
        one.index([{"text": HARP}])
        assert len(two.search("harp")) == 1
        two.index([{"text": HARP, "caption": "about harps"}, {"text": FERRY}])
        assert {hit.item.name for hit in one.search("ferry harp")} == {
            "{{A concert harp has forty-seven…}}",
            "{{The ferry to the island leaves at…}}",
        }


def test_a_renamed_picture_is_found_by_its_new_name(rag, tmp_path):
    Image.new("RGB", (8, 8), "red").save(tmp_path / "IMG_1.png")
    rag.index([str(tmp_path), {"text": HARP}])
    (tmp_path / "IMG_1.png").rename(tmp_path / "red_apple.png")
    rag.index(str(tmp_path))
    hit = rag.search("apple")[0]
    assert hit.item.name == "red_apple.png"
    assert hit.lexical > 0
    assert hit.cosine > 0.3


def test_more_said_of_a_sound_does_not_hear_it_again(rag, monkeypatch):
    pytest.importorskip("pocketsphinx")
    from mmrag_nb.models.pocketsphinx import PocketsphinxTranscriber

    heard = []
    monkeypatch.setattr(
        PocketsphinxTranscriber, "transcribe", lambda self, clips: heard.append(len(clips)) or ["a harp"] * len(clips)
    )
    noise = np.random.default_rng(0).normal(0, 0.1, 32000).astype(np.float32)
    rag.index([{"audio": (noise, 16000)}])
    report = rag.index([{"audio": (noise, 16000), "speaker": "one"}])
    assert (report.embedded, report.reused, heard) == (0, 1, [1])
    assert rag.search("harp")[0].item.metadata == {"speaker": "one"}
    rag.index([{"audio": (noise, 16000), "speaker": "one", "caption": "tuning"}])
    assert heard == [1], "a caption is one more text, the sound is known"


def test_half_a_surrogate_pair_stops_nothing(rag):
    report = rag.index([{"text": HARP, "note": "\ud800"}, {"text": FERRY}])
    assert report.items == {"text": 2}


@pytest.mark.parametrize("k", [0, -1, 101])
def test_hits_that_cannot_be_are_refused(rag, k):
    rag.index([{"text": HARP}])
    with pytest.raises(InvalidSetting, match="1 to 100"):
        rag.search("harp", k)


@pytest.mark.parametrize("choices", [{"preset": "offline:x"}, {"store": "memory:x"}, {"generator": "extractive:x"}])
def test_a_name_with_something_behind_it_is_refused(choices):
    with pytest.raises(InvalidSetting):
        MultimodalRAG(**choices)


def test_settings_are_given_whole_or_singly():
    from mmrag_nb.settings import Settings

    with pytest.raises(InvalidSetting, match="not both"):
        MultimodalRAG(settings=Settings(), preset="offline")
    with pytest.raises(InvalidSetting, match="text to 'words'"):
        MultimodalRAG(clip="none").index([{"text": HARP}])


def test_any_iterable_of_sources_is_taken_and_each_object_has_a_name_of_its_own(rag, folder):
    report = rag.index(path for path in sorted(folder.iterdir()))
    assert sum(report.items.values()) == 3
    rag.index([[{"text": "one"}, {"text": "two"}], {"text": "three"}])
    assert {hit.item.name for hit in rag.search("one two three", k=3)} == {"{{one}}", "{{two}}", "{{three}}"}


def test_a_question_of_ten_thousand_words_is_answered_soon(rag):
    import time

    rag.index([{"text": HARP}])
    start = time.perf_counter()
    rag.search(" ".join(f"word{n}" for n in range(10_000)))
    assert time.perf_counter() - start < 5, "31 s before it was cut by halves"


def test_the_file_knows_what_made_it_even_after_a_kill(tmp_path):
    import subprocess
    import sys

    path = tmp_path / "lesson.mmrag"
    code = f"""
import os, signal
from mmrag_nb import MultimodalRAG
rag = MultimodalRAG(preset="offline", path={str(path)!r})
def progress(stage, done, total):
    if stage == "indexed" and done >= 32:
        os.kill(os.getpid(), signal.SIGKILL)
rag.index([{{"text": f"passage number {{n}} about harps"}} for n in range(60)], progress=progress)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -9
    with MultimodalRAG.open(path) as opened:
        assert opened.settings.preset == "offline"
        assert opened.status().items == {"text": 32}
        assert opened.search("passage about harps")


def test_settings_changed_before_saving_do_not_change_what_the_file_says(rag, tmp_path):
    rag.index([{"text": HARP}])
    rag.settings.preset = "colab"
    path = rag.save(tmp_path / "lesson.mmrag")
    rag.close()
    with MultimodalRAG.open(path) as opened:
        assert opened.settings.preset == "offline"


@pytest.mark.parametrize(
    "choices", [{"clip": "emoji:x"}, {"text": "words:x"}, {"speech": "pocketsphinx:x"}, {"clip": "words"}]
)
def test_what_takes_no_model_or_sees_nothing_is_refused_at_once(choices):
    with pytest.raises(InvalidSetting):
        MultimodalRAG(**choices)


def test_an_index_made_by_what_is_not_here_is_refused_whole_and_leaves_the_settings(tmp_path):
    path = tmp_path / "lesson.mmrag"
    with MultimodalRAG(preset="offline", path=path) as rag:
        rag.index({"text": HARP})
        rag._catalog.add([], {}, {"clip": "none", "generator": "of the future", "preset": "offline"})
    with pytest.raises(InvalidSetting, match=r"lesson\.mmrag was made with what is not here: unknown generator"):
        MultimodalRAG.open(path)
    with MultimodalRAG(path=path) as rag:
        with pytest.raises(InvalidSetting):
            rag.use_models_of_index()
        assert (rag.settings.preset, rag.settings.clip) == ("colab", "")
    with MultimodalRAG.open(path, generator="extractive") as rag:
        assert "forty-seven" in rag.ask("how many strings has a harp?").text


def test_a_folder_is_no_index(tmp_path):
    with pytest.raises(IndexFileError, match="is a folder, not an index"):
        MultimodalRAG.open(tmp_path)


def test_an_interruption_while_listening_loses_that_sound_only(rag, monkeypatch):
    pytest.importorskip("pocketsphinx")
    from mmrag_nb.models.pocketsphinx import PocketsphinxTranscriber

    def sound(seed):
        return 0.3 * np.random.default_rng(seed).normal(size=16_000).astype(np.float32), 16_000

    heard = []

    def interrupted(self, clips):
        heard.append(len(clips))
        if len(heard) == 3:
            raise KeyboardInterrupt
        return [f"the ferry leaves at {len(heard)}"] * len(clips)

    monkeypatch.setattr(PocketsphinxTranscriber, "transcribe", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rag.index([{"audio": sound(seed)} for seed in range(4)])
    assert rag.report.interrupted
    assert rag.report.items == rag.status().items == {"audio": 2}
    assert rag.index([{"audio": sound(seed)} for seed in range(4)]).reused == 2


def test_an_index_gives_way_to_another_only_where_nothing_is_lost(rag, tmp_path):
    with MultimodalRAG(preset="offline", path=tmp_path / "ferry.mmrag") as other:
        other.index({"text": FERRY})
    rag.index({"text": HARP})
    with pytest.raises(MMRagError, match="is not saved"):
        rag.switch(tmp_path / "ferry.mmrag")
    with pytest.raises(IndexFileError, match=r"did you mean '.*ferry\.mmrag'"):
        rag.switch(tmp_path / "fery.mmrag", discard=True)
    assert rag.search("harp")[0].chunk.text == HARP
    rag.save(tmp_path / "harp.mmrag")
    rag.switch(tmp_path / "ferry.mmrag")
    assert rag.search("harp ferry")[0].chunk.text == FERRY
    with pytest.raises(MMRagError, match="nothing was asked yet"):
        rag.switch(tmp_path / "harp.mmrag") or rag.why(1)
    assert rag.search("harp ferry")[0].chunk.text == HARP


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda rag: rag.search("harp", k="3"), "k is '3': 1 to 100 hits"),
        (lambda rag: rag.search(3), "a question is a text, not an object of type int"),
        (lambda rag: rag.ask(None), "a question is a text, not an object of type NoneType"),
        (lambda rag: rag.compare("harp", 3), "and k=3 by name"),
        (lambda rag: rag.similar(3), "nothing is like an object of type int"),
    ],
)
def test_what_is_given_in_the_wrong_place_is_told_with_the_right_one(rag, ask, said):
    rag.index({"text": HARP})
    with pytest.raises(MMRagError, match=said):
        ask(rag)
