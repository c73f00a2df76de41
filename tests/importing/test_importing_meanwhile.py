"""What is imported into an index that others fill meanwhile, and into one in Milvus, never mixes models."""

import numpy as np
import pytest

from mmrag_nb import MultimodalRAG
from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.catalog.entries import Entry
from mmrag_nb.catalog.rows import UNCHECKED
from mmrag_nb.errors import IndexMismatch, MMRagError
from mmrag_nb.models.emoji import EmojiEncoder
from mmrag_nb.types import Chunk, Item

SAID = [{"text": f"Lake {n} is {n} metres deep."} for n in range(3)]
ABSENT = "openai/clip-vit-base-patch32"


@pytest.fixture(scope="module")
def vectors():
    return EmojiEncoder().embed_texts([one["text"] for one in SAID])


def new(path):
    return MultimodalRAG(path=path, preset="offline", speech="none", ocr="none")


def meanwhile(path, space, dimension):
    """Progress within which another notebook fills ``space`` by another model, just before the first commit."""

    def progress(stage, done, total):
        if stage.startswith("importing") and not done:
            other = Catalog(path)
            other.register(space, dimension, {"model": "another"}, {})
            entry = Entry(Item("a" * 64, "a", "text"), [Chunk("a" * 64, 0, "text", "a")], [[("text", "key")]], "text-1")
            other.add([entry], {space: {"key": np.ones(dimension, np.float32)}})
            other.close()

    return progress


def test_another_model_that_came_first_is_not_joined(tmp_path, vectors):
    path = tmp_path / "shared.mmrag"
    with new(path) as rag:
        with pytest.raises(IndexMismatch, match="another"):
            rag.import_vectors(vectors, SAID, progress=meanwhile(path, "clip:emoji", vectors.shape[1]))
        assert [item.uri for item in rag.items()] == ["a"]
        assert rag._catalog.spaces() == {"clip:emoji": 1}


def test_nor_by_an_export_that_comes_in_again(tmp_path):
    pytest.importorskip("pyarrow")
    path, exported = tmp_path / "shared.mmrag", tmp_path / "lakes.parquet"
    with new(tmp_path / "lakes.mmrag") as rag:
        rag.index(SAID)
        rag.export(exported)
        (space,) = rag._catalog.spaces()
        dimension = rag._catalog.channels()[0].dimension
    with new(path) as rag:
        with pytest.raises(IndexMismatch, match="another"):
            rag.import_vectors(exported, progress=meanwhile(path, space, dimension))
        assert rag._catalog.spaces() == {space: 1}


class TestInMilvus:
    @pytest.fixture
    def far(self, tmp_path):
        pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed")
        with new(f"milvus:{tmp_path / 'far.db'}") as rag:
            yield rag

    def test_vectors_of_a_model_at_hand_come_in_once(self, far, vectors):
        far.settings.text = "none"
        assert far.import_vectors(vectors, SAID).added == 3
        assert far.search("Lake 2 is 2 metres deep.", k=1)[0].chunk.text == SAID[2]["text"]
        again = far.import_vectors(vectors, SAID)
        assert (again.added, again.reused) == (0, 3)

    @pytest.mark.parametrize("check", [True, False])
    def test_vectors_that_cannot_be_compared_do_not(self, far, check, monkeypatch):
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        with pytest.raises(MMRagError, match=f"{ABSENT} is not at hand") as caught:
            far.import_vectors(np.ones((3, 512), np.float32), SAID, model=ABSENT, check=check)
        assert "\n" not in str(caught.value)
        assert not far.items()
        assert far.settings.clip != ABSENT

    def test_nor_those_of_an_export_that_nobody_compared(self, far, tmp_path, monkeypatch):
        pytest.importorskip("pyarrow")
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        with new(tmp_path / "near.mmrag") as near:
            near.import_vectors(np.ones((3, 512), np.float32), SAID, model=ABSENT)
            assert UNCHECKED in str(near._catalog.spaces_noted())
            assert "compared with it when it first is" in near.status().settings["to compare"]
            near.export(tmp_path / "near.parquet")
        with pytest.raises(MMRagError, match="is not at hand"):
            far.import_vectors(tmp_path / "near.parquet")
        assert not far.items()

    def test_an_export_says_to_save_it_as_a_file_first(self, far, tmp_path):
        pytest.importorskip("pyarrow")
        far.index(SAID)
        with pytest.raises(MMRagError, match="%mmrag_save") as caught:
            far.export(tmp_path / "far.parquet")
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "far.parquet").exists()
