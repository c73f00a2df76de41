"""An index answers with each store as it does with the one in memory."""

import pytest
from PIL import Image
from store_engines import KINDS, engines, needs

from mmrag_nb import MultimodalRAG
from mmrag_nb.errors import InvalidSetting, StoreError
from mmrag_nb.settings import known_values

WORDS = ("harp", "ferry", "apple", "poem", "pedal", "island", "book", "colour", "noon", "wood")


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    with engines(tmp_path_factory.mktemp("stores")) as place:
        yield place


@pytest.fixture(scope="module")
def rag():
    pictures = [Image.new("RGB", (64, 64), (25 * number, 255 - 25 * number, 90)) for number in range(10)]
    texts = [f"The {word} is number {number} of ten." for number, word in enumerate(WORDS)]
    with MultimodalRAG(preset="offline") as rag:
        rag.index([{"text": text, "number": number} for number, text in enumerate(texts)])
        rag.index([{"image": picture, "number": number} for number, picture in enumerate(pictures)])
        yield rag


ASKED = (
    {"question": "harp"},
    {"question": "a green picture", "modalities": "image"},
    {"question": "what leaves at noon", "where": "number < 4", "k": 8},
    {"question": "apple", "where": "number == 2"},
    {"question": "apple", "raw": True, "k": 100},
    {"question": "island", "strategy": "separate", "where": "number > 5"},
)


def answers(rag):
    return [[(hit.item.uri, hit.chunk.text, round(hit.score, 4)) for hit in rag.search(**asked)] for asked in ASKED]


def store_of(kind, places):
    needs(kind)
    where = places(kind)
    return ":".join(filter(None, [kind.partition(":")[0], where]))


@pytest.mark.parametrize("kind", KINDS[1:])
def test_each_store_answers_as_memory_does(rag, kind, places):
    rag.settings.store = "memory"
    wanted = answers(rag)
    assert all(wanted)
    rag.settings.store = store_of(kind, places)
    assert answers(rag) == wanted


@pytest.mark.parametrize("kind", ["faiss:hnsw", "chroma:SERVER", "milvus:FILE"])
def test_what_is_indexed_later_is_found_and_what_is_removed_is_not(places, kind):
    with MultimodalRAG(preset="offline", clip="none", store=store_of(kind, places)) as rag:
        rag.index([{"text": "A harp has strings."}, {"text": "The ferry leaves at noon."}])
        rag.search("ferry")
        rag.index([{"text": "An apple is red."}])
        assert "apple" in rag.search("apple")[0].chunk.text
        rag.remove(rag.search("ferry")[0])
        assert sorted(hit.chunk.text for hit in rag.search("ferry", k=10)) == [
            "A harp has strings.",
            "An apple is red.",
        ]


def test_an_index_that_is_saved_finds_what_its_store_keeps(places, tmp_path, monkeypatch):
    store = store_of("chroma:FOLDER", places)
    with MultimodalRAG(preset="offline", clip="none", store=store) as rag:
        rag.index([{"text": f"The {word} is there."} for word in WORDS])
        first = [hit.chunk.text for hit in rag.search("harp")]
        rag.save(tmp_path / "lesson.mmrag")
    sent = []
    from chromadb.api.models.Collection import Collection

    monkeypatch.setattr(Collection, "upsert", lambda *_, **all: sent.append(all))
    with MultimodalRAG.open(tmp_path / "lesson.mmrag", preset="offline", clip="none", store=store) as rag:
        assert [hit.chunk.text for hit in rag.search("harp")] == first
    assert not sent


def test_a_server_that_is_not_there_fails_the_question_in_one_line(rag):
    needs("chroma")
    rag.settings.store = "chroma:http://127.0.0.1:9"
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:9"):
        rag.search("harp")
    rag.settings.store = "memory"
    assert rag.search("harp")


def test_settings_know_stores():
    assert {"memory", "faiss", "chroma", "milvus"} <= set(known_values("store"))
    with MultimodalRAG(preset="offline") as rag:
        for store in (
            "faiss:hnsw",
            "chroma:notes",
            "chroma:http://host:8000",
            "milvus:a.db",
            "milvus:http://host:19530",
        ):
            rag.settings.store = store
        with pytest.raises(InvalidSetting, match="did you mean 'faiss'"):
            rag.settings.store = "fais"
        with pytest.raises(InvalidSetting, match="alone"):
            rag.settings.store = "memory:x"
