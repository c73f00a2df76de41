"""Models and channels are made once, whoever asks, and only where there is something to find."""

import os
import threading
import time

import numpy as np
import pytest

from mmrag_nb import MultimodalRAG, registry
from mmrag_nb.models.words import WordsEncoder


@pytest.fixture
def embedded(monkeypatch):
    """Numbers of texts that were embedded at once."""
    seen = []
    embed = WordsEncoder.embed_texts
    monkeypatch.setattr(WordsEncoder, "embed_texts", lambda self, texts: seen.append(len(texts)) or embed(self, texts))
    return seen


def test_no_background_is_embedded_for_a_space_without_vectors(embedded):
    with MultimodalRAG(preset="offline") as rag:
        rag.index({"text": "A harp."})
        parts, catalog = rag._parts, rag._catalog
        (way,) = rag._searching._ways()
        embedded.clear()
        catalog.remove([item.id for item in rag.items()])
        assert parts.probe(catalog, way, [way], "text", np.zeros(4, np.float32)) is None
        assert embedded == []


def test_the_background_is_embedded_once_also_where_it_cannot_be_kept(embedded, tmp_path, monkeypatch):
    with MultimodalRAG(preset="offline", path=tmp_path / "lesson.mmrag") as rag:
        rag.index([{"text": "A harp has strings."}, {"text": "The ferry leaves."}])
    # A superuser may write everything, so the answer of the system is changed rather than the file's mode.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    embedded.clear()
    with MultimodalRAG.open(tmp_path / "lesson.mmrag") as rag:
        rag.search("harp")
        rag.search("ferry")
    assert sum(n > 1 for n in embedded) == 1
    assert embedded.count(1) == 2


def test_the_vectors_are_read_once_though_the_background_is_written(tmp_path, monkeypatch):
    with MultimodalRAG(preset="offline", path=tmp_path / "lesson.mmrag") as rag:
        rag.index([{"text": "A harp has strings."}])
        read = []
        after = rag._catalog.vectors_after
        monkeypatch.setattr(
            rag._catalog, "vectors_after", lambda *which, **room: read.append(which) or after(*which, **room)
        )
        rag.search("harp")
        rag.search("ferry")
        assert read == [(0, "words:hashed-1024", "titled", None)]


def test_two_threads_load_a_model_once(monkeypatch):
    made = []
    create = registry.create

    def slowly(kind, name, *rest, **more):
        if kind == "encoder":
            made.append(name)
            time.sleep(0.2)
        return create(kind, name, *rest, **more)

    monkeypatch.setattr(registry, "create", slowly)
    with MultimodalRAG(preset="offline", clip="none") as rag:
        threads = [threading.Thread(target=rag._parts.ways) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert made == ["words"]


def test_models_can_be_loaded_before_the_first_question_and_that_is_told(tmp_path):
    with MultimodalRAG(preset="offline", path=tmp_path / "lesson.mmrag") as rag:
        rag.index({"text": "A harp has strings."})
    told = []
    with MultimodalRAG.open(tmp_path / "lesson.mmrag") as rag:
        for _ in range(2):
            assert rag.load_models(progress=lambda stage, *_: told.append(stage)) == ("hashed n-grams (no weights)",)
    assert told == ["loading words"]
