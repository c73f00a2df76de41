"""A second look: the order before and after are both kept, and a look that fails costs nothing."""

import pytest
from st_checkpoints import ranking
from writers import Writer

pytest.importorskip("torch")

from mmrag_nb import MultimodalRAG, registry
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.errors import GenerationError, InvalidSetting, ModelUnavailable
from mmrag_nb.presets import NONE
from mmrag_nb.registry import Entry
from mmrag_nb.types import Generation

EMOJI = demo_folder() / "emoji"
LINES = [f"Harp number {n} has {n + 20} strings and seven pedals." for n in range(30)]


class Scripted:
    """Prefers whatever was last, and notes what it was shown."""

    description = "scripted"
    modalities = frozenset({"text", "image"})
    calls = []  # noqa: RUF012
    failure = None

    def scores(self, question, evidence, pictures=()):
        self.calls.append((question, tuple(evidence), tuple(pictures)))
        if self.failure is not None:
            raise self.failure
        return [float(place) for place, _ in enumerate(evidence)]


class Grader(Writer):
    """A generator that grades by number."""

    description = "writer"

    def stream(self, prompt):
        text = "\n".join(f"{one.number}: {one.number % 3}" for one in prompt.evidence)
        yield text
        yield Generation(text, "writer")


@pytest.fixture
def scripted(monkeypatch):
    monkeypatch.setitem(registry._ENTRIES, ("reranker", "scripted"), Entry(f"{__name__}:Scripted"))
    monkeypatch.setattr(Scripted, "calls", [])
    find = registry.find
    monkeypatch.setattr(registry, "find", lambda kind, name: Scripted if name == "scripted" else find(kind, name))
    return Scripted


@pytest.fixture(scope="module")
def index():
    with MultimodalRAG(preset="offline", ocr=NONE, speech=NONE) as rag:
        rag.index([*({"text": line} for line in LINES), EMOJI / "drawing_09.png", EMOJI / "drawing_04.png"])
        yield rag


@pytest.fixture
def rag(index):
    before = index.settings.trait_values(config=True)
    yield index
    for name, value in before.items():
        setattr(index.settings, name, value)


def texts(hits):
    return [hit.chunk.text for hit in hits]


def test_the_order_before_and_after_are_both_kept(rag, scripted):
    plain = rag.search("harp with seven pedals", 20)
    assert all(hit.before is None and hit.reranked is None for hit in plain)
    assert not plain.reranker
    rag.settings.reranker = "scripted"
    hits = rag.search("harp with seven pedals", 5)
    assert texts(hits) == texts(plain)[::-1][:5]
    assert [hit.rank for hit in hits] == [1, 2, 3, 4, 5]
    assert [hit.before for hit in hits] == [20, 19, 18, 17, 16]
    assert [hit.reranked for hit in hits] == [19, 18, 17, 16, 15]
    assert hits.reranker == "scripted"
    assert "20 hits reranked by scripted" in hits.facts
    assert "rerank" in hits.timings
    assert {hit.score for hit in hits} == {hit.score for hit in plain[15:]}, "scores are those of the search"
    table = hits.to_pandas()
    assert table["before"].tolist() == [20, 19, 18, 17, 16]


@pytest.mark.parametrize(("depth", "k", "seen"), [(10, 5, 10), (3, 5, 5), (100, 5, 32)])
def test_it_looks_as_deep_as_the_settings_say_and_never_less_than_asked_for(rag, scripted, depth, k, seen):
    rag.settings.reranker, rag.settings.rerank_depth = "scripted", depth
    hits = rag.search("harp with seven pedals", k)
    assert (len(hits), len(scripted.calls[0][1])) == (k, seen)


def test_it_is_shown_what_was_asked_and_what_was_found(rag, scripted):
    rag.settings.reranker = "scripted"
    rag.search("a harp for an elephant", image=EMOJI / "drawing_09.png")
    (question, evidence, pictures) = scripted.calls[0]
    assert question == "a harp for an elephant"
    assert [one.number for one in evidence] == list(range(1, len(evidence) + 1))
    assert {one.modality for one in evidence} == {"text", "image"}
    assert len(pictures) == 1
    assert all(one.media for one in evidence if one.modality == "image")


def test_a_failing_second_look_leaves_the_first_and_says_why(rag, scripted, monkeypatch):
    plain = rag.search("harp with seven pedals", 5)
    monkeypatch.setattr(scripted, "failure", GenerationError("the judge is asleep"))
    rag.settings.reranker = "scripted"
    hits = rag.search("harp with seven pedals", 5)
    assert texts(hits) == texts(plain)
    assert all(hit.before is None for hit in hits)
    assert "not reranked: the judge is asleep" in hits.facts
    assert not hits.reranker


def test_the_raw_ranking_has_no_second_look(rag, scripted):
    rag.settings.reranker = "scripted"
    rag.search("harp with seven pedals", raw=True)
    assert not scripted.calls


@pytest.mark.parametrize("strategy", ["shared", "grounded", "separate"])
def test_every_strategy_ask_and_similar_can_have_one(rag, scripted, strategy):
    rag.settings.reranker = "scripted"
    assert rag.search("harp", strategy=strategy)[0].before == 20
    answer = rag.ask("how many pedals has a harp?", strategy=strategy)
    assert answer.hits[0].before == 20
    assert answer.hits.reranker == "scripted"
    assert rag.similar("drawing_09.png", strategy=strategy)[0].reranked is not None


def test_why_speaks_of_the_ranks_shown(rag, scripted):
    rag.settings.reranker = "scripted"
    hits = rag.search("harp with seven pedals", 5)
    assert rag.why(1).hit == hits[0]
    assert rag.why(hits[3]).placing.rank == 4


def test_a_cross_encoder_reads_question_and_text_together(rag, tmp_path):
    pytest.importorskip("sentence_transformers")
    rag.settings.reranker = str(ranking(tmp_path / "tiny-ranking"))
    hits = rag.search("harp with seven pedals", 5)
    scores = [hit.reranked for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 1
    assert [hit.before for hit in hits] != [1, 2, 3, 4, 5]
    assert "tiny-ranking" in hits.reranker


def test_a_reranker_that_is_not_there_is_told_in_one_line(rag):
    rag.settings.reranker = "/nowhere/at/all"
    with pytest.raises(ModelUnavailable, match="/nowhere/at/all") as told:
        rag.search("harp")
    assert "\n" not in str(told.value)


def test_a_generator_that_only_quotes_is_no_judge(rag):
    rag.settings.reranker = "judge"
    with pytest.raises(InvalidSetting, match="only quotes and cannot judge") as told:
        rag.search("harp")
    assert "\n" not in str(told.value)


def test_a_generator_judges(rag, monkeypatch):
    writer = Grader()
    monkeypatch.setattr(rag._parts, "generator", lambda: (writer, ""))
    rag.settings.reranker = "judge"
    hits = rag.search("harp with seven pedals", 5)
    assert [hit.reranked for hit in hits] == [2, 2, 2, 2, 2]
    assert [hit.before for hit in hits] == [2, 5, 8, 11, 14], "equals stay in their order"
    assert hits.reranker == "writer as judge"


def test_compare_shows_what_a_reranker_changes(rag, scripted):
    plain = rag.search("harp with seven pedals", 20)
    comparison = rag.compare("harp with seven pedals", ["reranker=scripted"])
    last = next(row for row in comparison.rows if row.hit.chunk.text == plain[19].chunk.text)
    assert last.cells[1].standing.rank == 1
    assert [row.cells[0].standing.rank for row in comparison.rows if row.cells[0].found] == [1, 2, 3, 4, 5]


def test_nothing_found_needs_no_second_look(rag, scripted):
    rag.settings.reranker = "scripted"
    hits = rag.search("harp", where="name == 'nobody'")
    assert (len(hits), scripted.calls, hits.reranker) == (0, [], "")
