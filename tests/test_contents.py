"""What is in an index, and what happens to those who hold on to what is not in it any longer."""

import pytest

from mmrag_nb import MultimodalRAG
from mmrag_nb.errors import EmptyIndex, MMRagError, UnknownName

HARP, FERRY = "A concert harp has forty-seven strings.", "The ferry leaves at noon from the northern quay."


@pytest.fixture
def rag(tmp_path):
    (tmp_path / "harp.txt").write_text(HARP)
    (tmp_path / "ferry.txt").write_text(FERRY)
    with MultimodalRAG(preset="offline") as rag:
        rag.index([tmp_path / "harp.txt", tmp_path / "ferry.txt"])
        yield rag


def test_a_hit_outlives_its_item_but_nothing_is_like_it_then(rag):
    hit = rag.search("harp strings", k=1)[0]
    assert rag.similar(hit)[0].item.name == "ferry.txt"
    rag.remove("harp.txt")
    for gone in (hit, hit.item):
        with pytest.raises(UnknownName, match=r"unknown item 'harp\.txt'"):
            rag.similar(gone)
    rag.reset(discard=True)
    for gone in (hit, hit.item, "harp.txt"):
        with pytest.raises(EmptyIndex, match="nothing is indexed yet"):
            rag.similar(gone)


def test_an_index_started_over_was_asked_nothing_yet(rag):
    rag.search("harp strings")
    rag.reset(discard=True)
    rag.index({"text": "Something else."})
    with pytest.raises(MMRagError, match="nothing was asked yet"):
        rag.why(1)


def test_what_is_handed_out_is_the_readers_own(rag):
    rag.items().clear()
    rag.names().clear()
    assert rag.names() == [item.name for item in rag.items()] == ["harp.txt", "ferry.txt"]


def test_items_are_read_once_for_many_names_and_anew_after_each_change(rag, monkeypatch):
    read = []
    items = rag._catalog.items
    monkeypatch.setattr(rag._catalog, "items", lambda: read.append(1) or items())
    assert [len(rag.named(name)) for name in ["harp.txt", "ferry.txt", "nothing"] * 50] == [1, 1, 0] * 50
    assert len(read) <= 1
    rag.remove("harp.txt")
    assert rag.named("harp.txt") == []
    rag.index({"text": "more"})
    assert len(rag.items()) == 2


def test_spaces_are_told_once_something_is_in_them(rag):
    assert list(rag.status().vectors) == ["words:hashed-1024"]
    with pytest.raises(MMRagError):
        rag.search(image="nowhere.jpg")
    rag.load_models(pictures=True)
    assert list(rag.status().vectors) == ["words:hashed-1024"], "looking for pictures brings no vectors"
