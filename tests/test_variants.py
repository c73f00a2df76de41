"""Another strategy for one question: what is found by it, and what stays as it is."""

import pytest

from mmrag_nb import MultimodalRAG, registry
from mmrag_nb.errors import InvalidSetting
from mmrag_nb.models.words import WordsEncoder
from mmrag_nb.registry import Entry
from mmrag_nb.retrieval.ways import Way
from mmrag_nb.types import MODALITIES

TEXTS = ["A concert harp has forty-seven strings.", "The ferry leaves at noon.", "A harp, a harp, a harp!"]


class Reversed(WordsEncoder):
    """Vectors of a space of its own, in which the most like is the least like."""

    space = "reversed"
    fingerprint = {"model": "reversed"}  # noqa: RUF012

    def embed_texts(self, texts):
        return -super().embed_texts(texts)


OTHER = Reversed()


def ways(encoders):
    return [Way(OTHER, "text", "text", MODALITIES)]


@pytest.fixture
def rag(monkeypatch):
    monkeypatch.setitem(registry._ENTRIES, ("strategy", "other"), Entry(f"{__name__}:ways"))
    monkeypatch.setattr(
        registry, "find", lambda kind, name, find=registry.find: ways if name == "other" else find(kind, name)
    )
    with MultimodalRAG(preset="offline") as rag:
        rag.index([{"text": text} for text in TEXTS])
        rag.settings.strategy = "other"
        rag.index([{"text": text} for text in TEXTS])
        rag.settings.strategy = "shared"
        yield rag


def test_a_strategy_holds_for_one_question(rag):
    before = rag.settings.trait_values()
    seen = []
    rag.settings.observe(seen.append)
    shared = rag.search("harp")
    other = rag.search("harp", strategy="other")
    assert {hit.space for hit in other} == {"reversed"}
    assert {hit.space for hit in shared} == {"words:hashed-1024"}
    assert other.facts[0] == "other"
    assert rag.ask("harp", strategy="other").hits[0].space == "reversed"
    assert rag.similar(shared[0], strategy="other")[0].space == "reversed"
    assert rag.search("harp").facts[0] == "shared"
    assert (rag.settings.trait_values(), seen) == (before, [])


def test_what_another_strategy_found_is_explained_by_it(rag):
    rag.search("harp", strategy="other")
    assert {view.space for view in rag.why(1).views} == {"reversed"}
    rag.search("harp")
    assert {view.space for view in rag.why(1).views} == {"words:hashed-1024"}


def test_another_strategy_brings_no_models_of_its_own(rag, monkeypatch):
    rag.search("harp")
    made = []
    create = registry.create
    monkeypatch.setattr(
        registry, "create", lambda kind, *rest, **more: made.append(kind) or create(kind, *rest, **more)
    )
    rag.search("harp", strategy="other")
    assert "encoder" not in made


def test_an_unknown_strategy_is_named_with_the_nearest_and_changes_nothing(rag):
    for ask in (rag.search, rag.ask, rag.similar):
        with pytest.raises(InvalidSetting, match="did you mean 'other'"):
            ask("harp", strategy="othre")
    assert rag.settings.strategy == "shared"


def test_one_modality_needs_no_brackets(rag):
    assert {hit.chunk.modality for hit in rag.search("harp", modalities="text")} == {"text"}
    with pytest.raises(InvalidSetting, match="'txt' is no modality: did you mean 'text'"):
        rag.search("harp", modalities="txt")


def test_another_preset_brings_all_its_models_that_find():
    with MultimodalRAG(preset="offline", clip="none", ocr="none", captioner="none", generator="extractive") as rag:
        other = rag._variants.settings({"preset": "colab"})
    assert [other.chosen(model) for model in ("clip", "ocr")] == ["openai/clip-vit-base-patch32", "rapidocr"]
    assert other.chosen("captioner").startswith("Salesforce/")
    assert other.generator == "extractive"  # writes, and finds nothing
