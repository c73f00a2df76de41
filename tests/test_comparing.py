"""Settings side by side: ranks are a search's, movements and reasons follow from them, models are shared."""

from itertools import combinations

import pytest

pytest.importorskip("torch")

from mmrag_nb import MultimodalRAG, registry
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.errors import EmptyIndex, InvalidSetting, MissingVectors, ModelUnavailable, UnknownName
from mmrag_nb.insight.comparison import Column, Standing, cell, kendall, summary, why
from mmrag_nb.variants import changes

DEMO = demo_folder()
QUESTION = "how many pedals does a harp have?"


@pytest.fixture(scope="module")
def rag():
    rag = MultimodalRAG(preset="offline")
    rag.index([DEMO / "emoji", DEMO / "tuning_a_harp.md", DEMO / "tide_tables.txt", DEMO / "iron_bridge.md"])
    yield rag
    rag.close()


@pytest.fixture
def created(monkeypatch):
    """Names of the encoders that are made while a test runs."""
    made = []
    create = registry.create

    def noted(kind, name, *rest, **more):
        made.extend([name] * (kind == "encoder"))
        return create(kind, name, *rest, **more)

    monkeypatch.setattr(registry, "create", noted)
    return made


def keys(hits):
    return [(hit.item.name, hit.chunk.ordinal) for hit in hits]


def column(comparison, name):
    number = [column.name for column in comparison.columns].index(name)
    return {keys([row.hit])[0]: row.cells[number] for row in comparison.rows}


def test_without_variants_the_usual_ways_stand_beside_the_settings_in_force(rag):
    comparison = rag.compare(QUESTION)
    first, *others = [one.name for one in comparison.columns]
    assert first == "shared"
    strategies = registry.names("strategy")
    assert others == (["raw", "no words"] if len(strategies) == 1 else [name for name in strategies if name != first])


def test_each_column_ranks_as_a_search_by_its_settings_does(rag, monkeypatch):
    comparison = rag.compare(QUESTION, ["raw=true", "lexical_weight=0"])
    searched = {"shared": rag.search(QUESTION, 100), "raw=true": rag.search(QUESTION, 100, raw=True)}
    monkeypatch.setattr(rag.settings, "lexical_weight", 0.0)
    searched["lexical_weight=0"] = rag.search(QUESTION, 100)
    for name, hits in searched.items():
        order = keys(hits)
        cells = column(comparison, name)
        assert {chunk for chunk, one in cells.items() if one.found} == set(order[:5])
        for chunk, one in cells.items():
            assert one.standing.rank == order.index(chunk) + 1
            assert one.standing.score == pytest.approx(hits[order.index(chunk)].score, abs=1e-5)


def test_movements_and_agreement_are_those_counted_by_hand(rag):
    comparison = rag.compare(QUESTION, ["raw=true"])
    shared, raw = column(comparison, "shared"), column(comparison, "raw=true")
    assert {chunk for chunk in shared if shared[chunk].found or raw[chunk].found} == set(shared)
    for chunk, one in raw.items():
        assert one.moved == shared[chunk].standing.rank - one.standing.rank
        assert one.new == (one.found and not shared[chunk].found)
        assert bool(one.why) == (one.moved != 0)
    told = comparison.columns[1]
    assert told.shared == sum(one.found and shared[chunk].found for chunk, one in raw.items())
    pairs = [
        (shared[a].standing.rank - shared[b].standing.rank) * (raw[a].standing.rank - raw[b].standing.rank)
        for a, b in combinations(shared, 2)
    ]
    assert told.tau == pytest.approx(sum(1 if pair > 0 else -1 for pair in pairs) / len(pairs))
    assert f"raw=true has {told.shared} of the 5 hits" in comparison.summary


def test_rows_come_by_the_first_columns_ranks_then_what_only_others_found(rag):
    comparison = rag.compare(QUESTION, ["raw=true"])
    found = [row.cells[0].standing.rank for row in comparison.rows if row.cells[0].found]
    assert found == [1, 2, 3, 4, 5]
    rest = [row.cells[1].standing.rank for row in comparison.rows if not row.cells[0].found]
    assert rest == sorted(rest)
    assert rest


def test_variants_of_the_same_models_share_them_and_others_are_kept(rag, created):
    rag.search(QUESTION)
    created.clear()
    rag.compare(QUESTION, ["raw=true", "k=3", "lexical_weight=1", {"strategy": "shared"}])
    assert not created
    rag.compare(QUESTION, ["clip=none"])
    assert created == ["words"]
    rag.compare(QUESTION, ["clip=none, lexical_weight=0", "clip=none"])
    assert created == ["words"]


def test_a_store_of_ones_own_needs_no_models_of_ones_own(rag, created, monkeypatch):
    monkeypatch.setitem(registry._ENTRIES, ("store", "other"), registry._ENTRIES["store", "memory"])
    rag.search(QUESTION)
    created.clear()
    comparison = rag.compare(QUESTION, ["store=other"])
    assert not created
    assert comparison.columns[1].tau == pytest.approx(1)


def test_the_settings_in_force_stay_as_they_are(rag):
    before = rag.settings.trait_values()
    rag.compare(QUESTION, ["raw=true", "k=2", "clip=none"], k=4)
    assert rag.settings.trait_values() == before


def test_a_column_that_cannot_work_says_why_and_the_others_go_on(rag):
    comparison = rag.compare(QUESTION, ["clip=/nowhere", "raw=true"])
    failed = comparison.columns[1]
    assert "there is no such folder" in failed.error
    assert all(row.cells[1].standing is None for row in comparison.rows)
    assert comparison.columns[2].tau is not None
    assert "clip=/nowhere could not be run" in comparison.summary
    assert set(comparison.to_pandas()["variant"]) == {"shared", "raw=true"}


def test_vectors_of_other_models_are_missing_and_that_is_a_column(rag):
    with MultimodalRAG(preset="offline", clip="none") as texts:
        texts.index([{"text": "A harp has forty-seven strings."}, {"text": "The ferry leaves at noon."}])
        comparison = texts.compare("harp strings", ["clip=emoji, text=none"])
        assert "none in clip:emoji" in comparison.columns[1].error
        texts.settings.clip, texts.settings.text = "emoji", "none"
        with pytest.raises(MissingVectors):
            texts.compare("harp strings")


def test_where_none_can_work_the_first_error_is_raised():
    with MultimodalRAG(preset="offline") as rag:
        with pytest.raises(EmptyIndex):
            rag.compare(QUESTION)
        rag.index([{"text": "A harp."}])
        rag.settings.clip = rag.settings.text = "/nowhere"
        with pytest.raises(ModelUnavailable):
            rag.compare("a harp", ["raw=true"])


def test_a_picture_can_be_compared_by(rag):
    comparison = rag.compare(image=DEMO / "emoji" / "drawing_02.png", variants=["raw=true"])
    assert comparison.rows[0].hit.item.name == "drawing_02.png"
    assert comparison.question == "more like this picture"


def test_one_way_by_itself_two_of_the_same_effect_and_names_of_ones_own(rag, monkeypatch):
    assert [one.name for one in rag.compare(QUESTION, "raw=true").columns] == ["shared", "raw=true"]
    assert [one.name for one in rag.compare(QUESTION, {"raw": True}).columns] == ["shared", "raw=true"]
    assert [one.name for one in rag.compare(QUESTION, {"naive": {"raw": True}}).columns] == ["shared", "naive"]
    assert [one.name for one in rag.compare(QUESTION, ["shared", "raw=false", "raw"]).columns] == ["shared", "raw=true"]
    monkeypatch.setattr(rag.settings, "raw", True)
    assert rag.compare(QUESTION).columns[0].name == "shared, raw"


@pytest.mark.parametrize(
    ("variant", "changed"),
    [
        ("raw=true", {"raw": True}),
        ("raw", {"raw": True}),
        ("shared", {"strategy": "shared"}),
        ("lexical_weight=0.5,k=3", {"lexical_weight": 0.5, "k": 3}),
        (" clip = openai/clip-vit-base-patch32 , text=none ", {"clip": "openai/clip-vit-base-patch32", "text": "none"}),
        ("clip=/a folder, with a comma", {"clip": "/a folder, with a comma"}),
    ],
)
def test_a_variant_is_read(variant, changed):
    assert changes(variant) == changed


@pytest.mark.parametrize(
    ("variant", "error", "said"),
    [
        ("rwa=true", UnknownName, "did you mean 'raw'"),
        ("raw=maybe", InvalidSetting, "raw is true or false"),
        ("k=many", InvalidSetting, "k is a number"),
        ("k=0", InvalidSetting, "less than 1"),
        ("strategy=shraed", InvalidSetting, "did you mean 'shared'"),
        ("nonsense", InvalidSetting, "write setting=value"),
        ("", InvalidSetting, "empty"),
        ("generator=extractive", InvalidSetting, "does not change what is found"),
    ],
)
def test_a_variant_that_cannot_be_is_one_clear_line(rag, variant, error, said):
    with pytest.raises(error, match=said):
        rag.compare(QUESTION, [variant])


# -- the reasons, by their numbers -------------------------------------------------------------------------------------


def at(rank, calibrated=1.0, words=0.0, cosine=0.3, **other):
    return Standing(rank, calibrated + words, cosine, calibrated, words, **{"space": "clip:a", **other})


CALIBRATED = Column("shared", k=5)
RAW = Column("raw", k=5, raw=True, levels={"image": 0.2, "text": 0.7})


OWN = {"among_its_own": True}


@pytest.mark.parametrize(
    ("places", "more", "said"),
    [
        ((RAW, at(41, cosine=0.21, seen_as="image"), CALIBRATED, at(1, 4.0, seen_as="image")), {},
         "raw cosine 0.21 is 41st: pictures’ cosines lie lower"),
        ((RAW, at(2, cosine=0.7), CALIBRATED, at(9)), {}, "raw cosine 0.70 is 2nd: texts’ cosines lie higher"),
        ((RAW, at(12, cosine=0.5), CALIBRATED, at(1, 0.5, 2.1)), OWN,
         "raw cosine 0.50 is 12th: without the words’ +2.1 σ"),
        ((RAW, at(3, cosine=0.5), CALIBRATED, at(9)), OWN, "raw cosine 0.50 is 3rd: others stood on their words"),
        ((RAW, at(9, cosine=0.7), CALIBRATED, at(3)), {}, "raw cosine 0.70 is 9th, uncalibrated and without words"),
        ((CALIBRATED, at(1, 4.0, seen_as="image", cosine=0.3), RAW, at(41, seen_as="image", cosine=0.21)), {},
         "raw cosine 0.21 is +4.0 σ for a picture"),
        ((CALIBRATED, at(1, 0.5, 2.1), RAW, at(12)), OWN, "words brought +2.1 σ"),
        ((CALIBRATED, at(12, 0.5, 0.1), RAW, at(2)), OWN, "words brought others more"),
        ((CALIBRATED, at(1, 1.0, 2.1), CALIBRATED, at(3, 1.0, 0.0)), {}, "words brought +2.1 σ"),
        ((CALIBRATED, at(3, 1.0, 0.0), CALIBRATED, at(1, 1.0, 2.1)), {}, "without the words’ +2.1 σ"),
        ((CALIBRATED, at(1, 1.0, 2.1), CALIBRATED, at(3, 1.0, 0.7)), {}, "words brought +2.1 σ, not +0.7 σ"),
        ((CALIBRATED, at(2, 1.0), CALIBRATED, at(3, 1.0)), {}, "what stood above it fell away"),
        ((CALIBRATED, at(4, 1.0), CALIBRATED, at(3, 1.0)), {}, "others rose past it"),
        ((CALIBRATED, at(1, 2.0), CALIBRATED, at(3, 1.0)), {}, "score 2.00, not 1.00"),
        ((CALIBRATED, at(4, 2.0), CALIBRATED, at(3, 1.0)), {}, "score 2.00, not 1.00; the others' changed by more"),
        ((CALIBRATED, at(1, space="words:b"), CALIBRATED, at(2)), {}, "other space: words:b, not clip:a"),
        ((RAW, None, CALIBRATED, at(1, 0.0, 2.0, cosine=None)), {}, "only its words found it, which do not count here"),
        ((CALIBRATED, None, CALIBRATED, at(1)), {}, "has no vector in the space used"),
        ((CALIBRATED, at(1), CALIBRATED, None), {}, "has a vector in clip:a"),
    ],
)  # fmt: skip
def test_the_reason_follows_from_the_numbers(places, more, said):
    assert why(*places, **more) == said


def test_what_stays_needs_no_reason_and_what_leaves_is_not_new():
    other = Column("other", k=5)
    same = cell(other, {7: at(2)}, CALIBRATED, {7: at(2, 3.0)}, 7)
    assert (same.moved, same.why, same.new, same.found) == (0, "", False, True)
    left = cell(other, {7: at(9)}, CALIBRATED, {7: at(2)}, 7)
    assert (left.moved, left.new, left.found) == (-7, False, False)
    assert cell(other, {}, CALIBRATED, {7: at(2)}, 7).why == "has no vector in the space used"
    assert cell(CALIBRATED, {7: at(1)}, CALIBRATED, {7: at(1)}, 7).moved is None


def test_a_text_passed_by_texts_fell_for_its_words_and_one_passed_by_pictures_for_its_modality():
    for passer, said in (("text", "without the words’ +2.0 σ"), ("image", "texts’ cosines lie lower")):
        raw = Column("raw", k=5, raw=True, levels={"image": 0.9, "text": 0.1})
        before = {1: at(1, 1.0, 2.0), 2: at(2, seen_as=passer), 3: at(3, seen_as=passer), 4: at(4, seen_as="video")}
        now = {1: at(3), 2: at(1, seen_as=passer), 3: at(2, seen_as=passer), 4: at(4, seen_as="video")}
        assert cell(raw, now, CALIBRATED, before, 1).why.endswith(said)


def test_tau_of_less_than_two_is_none():
    assert kendall([1], [1]) is None
    assert kendall([], []) is None
    assert kendall([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)


def test_a_summary_of_nothing_is_empty():
    assert not summary([CALIBRATED], [])
