"""An index in Milvus is asked like one in a file, finds the same, and is written once however often that is tried."""

import subprocess
import sys
from pathlib import Path

import pytest

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo import media
from mmrag_nb.errors import IndexFileError, InvalidSetting, MissingVectors, StoreError, UnknownName
from tests.hostile import HOSTILE

pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed")

QUESTIONS = ("a red apple", "how many strings does a harp have?", "a yellow moon", "boat on the sea")
PICTURES = sorted((Path(media.__file__).parent).glob("*.png"))
PAGES = sorted((Path(media.__file__).parent).glob("*.md"))
SAID = [{"path": str(one), "width_told": n, "tags": ["drawn", n]} for n, one in enumerate(PICTURES)]


def told(hits):
    return [
        (hit.item.name, hit.chunk.ordinal, round(hit.score, 3), round(hit.lexical, 3), hit.raw_rank) for hit in hits
    ]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The same media in a file and in Milvus."""
    folder = tmp_path_factory.mktemp("corpus")
    with (
        MultimodalRAG(path=folder / "same.mmrag", preset="offline") as file,
        MultimodalRAG(path=f"milvus:{folder / 'same.db'}", preset="offline") as far,
    ):
        for rag in (file, far):
            rag.index([*SAID, *map(str, PAGES)])
        yield file, far


@pytest.fixture
def far(tmp_path):
    with MultimodalRAG(path=f"milvus:{tmp_path / 'far.db'}", preset="offline", clip="none") as rag:
        yield rag


def test_it_finds_what_a_file_finds_with_the_same_scores(pair):
    file, far = pair
    for question in QUESTIONS:
        for raw in (False, True):
            assert told(far.search(question, raw=raw)) == told(file.search(question, raw=raw))


def test_a_picture_still_wins_where_it_should(pair):
    _, far = pair
    assert far.search("a yellow moon")[0].chunk.modality == "image"


@pytest.mark.parametrize(
    "where",
    [
        "width_told < 3",
        "not width_told < 3",
        "width_told != 3",
        "width_told == 3.0",
        "2 <= width_told <= 4",
        "width_told in (1, 2, 'x')",
        "'drawn' in tags",
        "3 in tags",
        "'3' in tags",
        "'drawn' not in tags",
        "width_told is None",
        "tags is not None",
        "modality == 'image' and width > 10",
        "'moon' in name or 'harp' in name",
        "'harp' in text and not ('string' in text)",
        "width_told",
        "not width_told",
        "width_told == True or name == '%' or '_' in name",
    ],
)
def test_a_filter_means_what_it_means_in_a_file(pair, where):
    file, far = pair
    assert told(far.search("harp", k=20, where=where)) == told(file.search("harp", k=20, where=where))


def test_modalities_are_limited_in_milvus(pair):
    file, far = pair
    for modalities in ("image", "text", ("audio", "text")):
        assert told(far.search("moon", modalities=modalities)) == told(file.search("moon", modalities=modalities))


def test_what_a_filter_cannot_ask_there_is_one_clear_line(pair):
    _, far = pair
    with pytest.raises(InvalidSetting, match="compares a field with a value") as error:
        far.search("harp", where="width == height")
    assert "\n" not in str(error.value)
    with pytest.raises(UnknownName, match="width_told"):
        far.search("harp", where="width_tol == 1")


def test_answers_explanations_and_comparisons_work(pair):
    file, far = pair
    for rag in (file, far):
        rag.ask("how many strings does a harp have?")
    assert str(far.why(1)).splitlines()[2:8] == str(file.why(1)).splitlines()[2:8]
    assert [hit.item.name for hit in far.similar(PICTURES[0].name)] == [
        hit.item.name for hit in file.similar(PICTURES[0].name)
    ]
    assert "separate" in str(far.compare("a red apple"))


def test_status_counts_and_previews_are_those_of_the_file(pair):
    file, far = pair
    there, here = far.status(), file.status()
    assert (there.items, there.chunks, there.vectors) == (here.items, here.chunks, here.vectors)
    assert there.path.startswith("milvus:")
    assert far.previews(PICTURES[0].name) == file.previews(PICTURES[0].name)
    assert sorted(far.names()) == sorted(file.names())


def test_a_question_asked_twice_has_one_answer(pair):
    _, far = pair
    assert told(far.search("harp strings")) == told(far.search("harp strings"))


def test_writing_twice_is_writing_once(far):
    far.index([{"text": "A harp has forty-seven strings.", "city": "Bonn"}])
    before = far.status()
    entry_again = far._catalog
    known = entry_again.holding.items([far.items()[0].id])
    entry_again.holding.put_items(known.values())
    report = far.index([{"text": "A harp has forty-seven strings.", "city": "Bonn"}])
    assert report.reused == 1
    assert report.embedded == 0
    assert (far.status().items, far.status().chunks) == (before.items, before.chunks)


def test_what_a_killed_writer_left_half_is_written_again(far):
    far.index([{"text": "The ferry leaves at noon."}])
    item = far.items()[0]
    from mmrag_nb.corpora.keys import number

    far._catalog.holding.tables.drop("items", [number("item", item.id)])  # its row comes last, so it is not there yet
    far._catalog._changed()
    assert far.index([{"text": "The ferry leaves at noon."}]).items == {"text": 1}
    assert far.search("when does the ferry leave?", k=1)[0].item.id == item.id
    assert far.status().chunks == 1


def test_said_otherwise_and_removed(far):
    far.index([{"text": "A harp has forty-seven strings.", "city": "Bonn"}, {"text": "The ferry leaves at noon."}])
    far.index([{"text": "A harp has forty-seven strings.", "city": "Ulm"}])
    assert [hit.item.metadata["city"] for hit in far.search("harp", where="city == 'Ulm'")] == ["Ulm"]
    assert not far.search("harp", where="city == 'Bonn'")
    removal = far.remove(far.search("harp", k=1)[0])
    assert removal.left == {"text": 1}
    assert far.status().chunks == 1
    assert [hit.chunk.text for hit in far.search("harp")] == ["The ferry leaves at noon."]
    assert far.status().vectors == {"words:hashed-1024": 1}


def test_hostile_strings_are_strings(far, tmp_path):
    given = [{"text": f"harp number {n}", "said": one, "n": n} for n, one in enumerate(HOSTILE)]
    with MultimodalRAG(path=tmp_path / "same.mmrag", preset="offline", clip="none") as file:
        for rag in (file, far):
            rag.index(given)
        kept = {hit.item.metadata["n"]: hit.item.metadata["said"] for hit in file.search("harp", k=100)}
        assert {hit.item.metadata["n"]: hit.item.metadata["said"] for hit in far.search("harp", k=100)} == kept
        for n, said in kept.items():
            where = f"said == {said!r}"
            if len(where) > 900 or any(ord(one) < 32 or 0xD800 <= ord(one) < 0xE000 for one in said):
                continue
            assert [hit.item.metadata["n"] for hit in far.search("harp", where=where)] == [n]
            part = f"{said[3:40]!r} in said"
            found = {hit.item.metadata["n"] for hit in far.search("harp", k=100, where=part)}
            assert found == {hit.item.metadata["n"] for hit in file.search("harp", k=100, where=part)}
            assert n in found


def test_chinese_is_found_by_words(far):
    far.index([{"text": "竖琴有四十七根弦。"}, {"text": "渡轮中午开。"}])
    hits = far.search("竖琴")
    assert hits[0].lexical > 0
    assert "竖琴" in hits[0].chunk.text
    assert far.search("弦", k=1)[0].lexical > 0


def test_records_are_scored_as_one(far):
    far.index([{"name": "shoe", "text": ["A red shoe of leather.", "Made in Ulm."]}, {"text": "A harp."}])
    hit = far.search("red shoe", k=1)[0]
    assert hit.item.record is not None
    assert len(hit.parts) == 2


def test_another_strategy_says_what_is_lacking(tmp_path):
    with MultimodalRAG(path=f"milvus:{tmp_path / 'one.db'}", preset="offline") as rag:
        rag.index([str(PICTURES[0])])
        with pytest.raises(MissingVectors, match="index the sources again"):
            rag.search("apple", strategy="grounded")


def test_it_is_opened_again_with_its_models_and_by_another_process(tmp_path):
    path = f"milvus:{tmp_path / 'kept.db'}"
    code = (
        "from mmrag_nb import MultimodalRAG\n"
        f"rag = MultimodalRAG(path={path!r}, preset='offline', clip='none')\n"
        "rag.index([{'text': 'A harp has forty-seven strings.'}])\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    with MultimodalRAG.open(path) as rag:
        assert rag.settings.clip == "none"
        assert rag.search("harp", k=1)[0].chunk.text == "A harp has forty-seven strings."
        again = "from mmrag_nb import MultimodalRAG\n" + f"MultimodalRAG.open({path!r})\n"
        done = subprocess.run([sys.executable, "-c", again], capture_output=True, text=True, timeout=60, check=False)
        assert "StoreError" in done.stderr
        assert "another process has it open" in done.stderr
        from mmrag_nb.milvus.connecting import served

        far = served(path.removeprefix("milvus:"))
        there = "from mmrag_nb import MultimodalRAG\n"
        there += f"r = MultimodalRAG(path='milvus:{far}', preset='offline', clip='none')\n"
        there += "r.index([{'text': 'The ferry leaves at noon.'}]); print(r.search('harp', k=1)[0].chunk.text)"
        done = subprocess.run([sys.executable, "-c", there], capture_output=True, text=True, timeout=60, check=True)
        assert "forty-seven strings" in done.stdout
        rag._catalog._looked = (0.0, rag._catalog._looked[1])
        assert rag.status().items == {"text": 2}


def test_an_index_is_exchanged_and_downloaded(far, tmp_path):
    far.index([{"text": "A harp has forty-seven strings.", "city": "Bonn"}, {"text": "The ferry leaves at noon."}])
    before = told(far.search("harp strings"))
    with MultimodalRAG(preset="offline", clip="none") as rag:
        rag.switch(far.path)
        assert told(rag.search("harp strings")) == before
        rag.save(tmp_path / "lesson.mmrag")
        assert str(rag.path).endswith("lesson.mmrag")
        assert told(rag.search("harp strings")) == before
        rag.index([{"text": "More."}])
    assert far.status().items == {"text": 2}
    with MultimodalRAG.open(tmp_path / "lesson.mmrag") as rag:
        assert rag.status().items == {"text": 3}


@pytest.mark.parametrize(
    "address",
    [
        "milvus:",
        "milvus:photos",
        "milvus:http://host:19530/a b",
        "milvus:http://u:secret@host:19530/a",
        "milvus:no/such/x.db",
    ],
)
def test_an_address_that_is_none_is_one_clear_line(address):
    with pytest.raises(StoreError) as error:
        MultimodalRAG(path=address, preset="offline")
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)


def test_no_token_is_ever_told(monkeypatch):
    monkeypatch.setenv("MILVUS_TOKEN", "someone:swordfish-1234")
    with pytest.raises(StoreError) as error:
        MultimodalRAG(path="milvus:http://127.0.0.1:9/photos", preset="offline")
    assert "swordfish" not in f"{error.value!r}{error.value.__cause__!r}"
    assert "127.0.0.1:9" in str(error.value)


def test_an_index_that_is_not_there_is_not_opened(tmp_path):
    with pytest.raises(IndexFileError, match="there is no index"):
        MultimodalRAG.open(f"milvus:{tmp_path / 'none.db'}")
