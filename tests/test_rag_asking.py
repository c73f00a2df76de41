"""The ways of asking: in words, with a picture, by voice, with something that is in the index."""

import shutil
import subprocess

import pytest
from writers import Writer

pytest.importorskip("torch")

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.errors import InvalidSetting, LoadError, MMRagError, UnknownName
from mmrag_nb.generation.metering import Metered

DEMO = demo_folder()
APPLE = DEMO / "emoji" / "drawing_02.png"


@pytest.fixture(scope="module")
def rag():
    rag = MultimodalRAG(preset="offline")
    rag.index([DEMO / "emoji", DEMO / "tuning_a_harp.md", DEMO / "tide_tables.txt", DEMO / "iron_bridge.md"])
    yield rag
    rag.close()


def test_a_spoken_question_is_heard_and_answered(rag, tmp_path):
    if shutil.which("flite") is None:
        pytest.skip("flite, which speaks the question, is not installed")
    spoken = tmp_path / "question.wav"
    subprocess.run(
        ["flite", "-voice", "rms", "-t", "when is the next high tide at the harbor", "-o", str(spoken)], check=True
    )
    answer = rag.ask(audio=spoken, modalities=["text"])
    assert "high tide" in answer.question
    assert answer.hits[0].item.name == "tide_tables.txt"
    assert "heard by pocketsphinx" in answer.hits.facts


def test_silence_is_no_question(rag):
    import numpy as np

    tone = 0.1 * np.sin(2 * np.pi * 1_000 * np.arange(16_000) / 16_000)
    with pytest.raises(MMRagError, match="no words were heard"):
        rag.ask(audio=(tone.astype(np.float32), 16_000))
    with pytest.raises(LoadError, match="silent"):
        rag.ask(audio=(np.zeros(16_000, np.float32), 16_000))
    with MultimodalRAG(preset="offline", speech="none") as deaf:
        deaf.index([{"text": "a harp"}])
        with pytest.raises(InvalidSetting, match="'pocketsphinx'"):
            deaf.search(audio=DEMO / "lighthouse_talk.mp3")


def test_a_picture_is_answered_and_goes_to_the_generator(rag):
    answer = rag.ask(image=APPLE, k=3)
    assert answer.hits[0].item.name == "drawing_02.png"
    assert list(answer.citations) == [1]
    assert answer.prompt.question == ""
    assert [picture.data for picture in answer.prompt.pictures] == [b""], "what only quotes is sent none"
    assert not answer.pictured


def test_a_picture_goes_to_a_generator_that_takes_pictures(rag, monkeypatch):
    writer = Writer("A red apple [1].")
    monkeypatch.setattr(rag._parts, "generator", lambda *_: (Metered(writer, rag._parts._limits), ""))
    answer = rag.ask("is it red?", image=APPLE, k=3)
    assert answer.pictured
    assert [picture.mime for picture in writer.prompts[0].pictures] == ["image/jpeg"]
    assert {preview.mime.split("/")[0] for one in writer.prompts[0].evidence for preview in one.media} == {"image"}
    monkeypatch.setattr(rag.settings, "media", "none")
    rag.ask("is it red?", image=APPLE, k=3)
    assert [picture.data for picture in writer.prompts[1].pictures] == [b""]
    assert not any(one.media for one in writer.prompts[1].evidence)


def test_words_beside_a_picture_count(rag):
    alone = rag.search(image=APPLE, k=20)
    with_words = rag.search("harp pedals", image=APPLE, k=20)
    assert alone[0].item.modality == "image"
    assert [hit.item.name for hit in with_words if hit.item.modality == "text"][:1] == ["tuning_a_harp.md"]
    weights = [rag.search("harp pedals", image=APPLE, k=20, balance=share)[0] for share in (0, 1)]
    assert weights[0].item.name == "tuning_a_harp.md"
    assert weights[1].chunk == alone[0].chunk
    with pytest.raises(InvalidSetting, match=r"from 0 \(words alone\) to 1"):
        rag.search("harp pedals", image=APPLE, balance=2)


def test_only_the_modalities_asked_for_are_found_and_k_of_them(rag):
    everything = rag.search("how many pedals does a harp have?", k=10)
    assert everything[0].chunk.modality == "text"
    pictures = rag.search("how many pedals does a harp have?", k=10, modalities=["image"])
    assert len(pictures) == 10
    assert {hit.chunk.modality for hit in pictures} == {"image"}
    with pytest.raises(InvalidSetting, match="at least one"):
        rag.search("a harp", modalities=[])


def test_more_like_a_hit_an_item_or_a_picture_leaves_it_out(rag):
    apple = rag.search("a red apple", k=1)[0]
    by_hit, by_name, by_id = (rag.similar(to, k=4) for to in (apple, "drawing_02.png", apple.item.id[:12]))
    assert [hit.chunk for hit in by_hit] == [hit.chunk for hit in by_name] == [hit.chunk for hit in by_id]
    assert "drawing_02.png" not in [hit.item.name for hit in by_hit]
    assert by_hit.question == "more like drawing_02.png"


def test_more_like_a_passage_is_other_text(rag):
    hits = rag.similar("tuning_a_harp.md", k=3)
    assert hits
    assert {hit.item.name for hit in hits} <= {"tide_tables.txt", "iron_bridge.md"}
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_what_is_not_in_the_index_is_told_with_the_nearest_name(rag):
    with pytest.raises(UnknownName, match=r"did you mean 'tuning_a_harp\.md'"):
        rag.similar("tuning_harp.md")


def test_a_picture_that_is_not_in_the_index_can_be_likened(rag, tmp_path):
    from PIL import Image, ImageOps

    with Image.open(DEMO / "emoji" / "drawing_09.png") as elephant:
        ImageOps.mirror(elephant.convert("RGB")).save(tmp_path / "turned.png")
    assert rag.similar(tmp_path / "turned.png")[0].item.name == "drawing_09.png"


def test_a_question_of_undecodable_bytes_is_asked_all_the_same(rag):
    assert len(rag.search("a red apple \udce9", k=3)) == 3


def test_a_file_that_is_no_picture_or_no_sound_is_named(rag, tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(LoadError, match=r"^notes\.txt: damaged, or no picture"):
        rag.search(image=tmp_path / "notes.txt")
    with pytest.raises(LoadError, match=r"^notes\.txt: damaged, or no sound"):
        rag.search(audio=tmp_path / "notes.txt")
