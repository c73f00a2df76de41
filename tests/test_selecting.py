"""What is shown of what was found: what fits a filter, what is not the same again, by which fusion, in which script."""

import io

import pytest

pytest.importorskip("torch")

from PIL import Image

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.errors import InvalidSetting, MMRagError, UnknownName
from mmrag_nb.presets import NONE

EMOJI = demo_folder() / "emoji"
STRATEGIES = ("shared", "grounded", "separate")


def new(**choices):
    return MultimodalRAG(preset="offline", ocr=NONE, speech=NONE, **choices)


def restored(rag):
    """Lend an index whose settings a test may change."""
    before = rag.settings.trait_values(config=True)
    yield rag
    for name, value in before.items():
        setattr(rag.settings, name, value)


def names(hits):
    return [hit.item.name.strip("{}") for hit in hits]


# -- filters -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shop():
    with new() as rag:
        about = [f"The red shoe number {n} is a red shoe for running in red weather." for n in range(500)]
        rag.index(
            [
                *(
                    {"text": text, "name": f"shoe{n}", "price": n, "kind": "shoe", "tags": ["red", "sport"]}
                    for n, text in enumerate(about)
                ),
                *(
                    {"text": f"Barometer {n} measures the air.", "name": f"gauge{n}", "price": 900 + n, "kind": "tool"}
                    for n in range(5)
                ),
                {"path": EMOJI / "drawing_09.png", "kind": "picture", "price": 3},
                {"path": EMOJI / "drawing_04.png", "kind": "picture", "price": 30},
            ]
        )
        yield rag


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_as_many_as_fit_are_found_though_they_are_the_worst(shop, strategy):
    hits = shop.search("a red shoe for running", where="kind == 'tool'", strategy=strategy)
    assert sorted(names(hits)) == [f"gauge{n}" for n in range(5)]
    assert "where kind == 'tool'" in hits.facts
    assert len(shop.search("a red shoe", 3, where="kind == 'tool'", strategy=strategy)) == 3
    assert len(shop.search("a red shoe", where="kind == 'tool'", strategy=strategy, raw=True)) == 5


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_filter_holds_for_search_ask_and_similar(shop, strategy):
    limits = {"where": "10 <= price < 13 and 'red' in tags", "strategy": strategy}
    fitting = ["shoe10", "shoe11", "shoe12"]
    assert sorted(names(shop.search("a barometer", **limits))) == fitting
    assert sorted(names(shop.ask("what measures the air?", **limits).hits)) == fitting
    assert sorted(names(shop.similar("{{gauge1}}", **limits))) == fitting


def test_a_filter_goes_with_modalities_and_with_pictures(shop):
    assert names(shop.search("a shoe", where="price < 10", modalities="image")) == ["drawing_09.png"]
    found = shop.search(image=EMOJI / "drawing_09.png", where="price == 30")
    assert set(names(found)) == {"drawing_04.png", "shoe30"}
    assert not shop.search("a shoe", where="kind == 'shoe'", modalities="image")
    assert names(shop.search("a shoe", where="modality == 'image' and width > 10", k=9))


def test_nothing_fits_is_no_error(shop):
    hits = shop.search("a shoe", where="price > 1e6")
    assert len(hits) == 0
    assert "where price > 1e6" in hits.facts


def test_an_empty_filter_is_none(shop):
    assert names(shop.search("a barometer", where=" ")) == names(shop.search("a barometer"))


@pytest.mark.parametrize(
    ("where", "error", "said"),
    [
        ("prise < 50", UnknownName, "did you mean 'price'"),
        ("price = 50", InvalidSetting, "to compare, write =="),
        ("price <", InvalidSetting, "where:"),
        ("__import__('os').system('true')", InvalidSetting, "a filter has names, values and comparisons only"),
        ("kind == 'a' or (lambda: 1)()", InvalidSetting, "where:"),
        ("name.__class__ == 'str'", InvalidSetting, "no looking into values"),
        ("price < 50; DROP TABLE items", InvalidSetting, "where:"),
        ("(" * 500 + "price" + ")" * 500, InvalidSetting, "where:"),
        ("price == " + "9" * 999, InvalidSetting, "1,000 at most"),
        ("kind == '\0'", InvalidSetting, "NUL"),
        ("not " * 240 + "sold", InvalidSetting, "where:"),
    ],
)
def test_what_is_no_filter_is_one_line_for_each_of_the_three(shop, where, error, said):
    for ask in (lambda: shop.search("a", where=where), lambda: shop.ask("a", where=where)):
        with pytest.raises(error, match=said) as told:
            ask()
        assert "\n" not in str(told.value)
    with pytest.raises(error, match=said):
        shop.similar("{{gauge1}}", where=where)
    assert shop.status().items == {"image": 2, "text": 505}


@pytest.mark.parametrize(
    "value", ["' OR 1=1 --", '" OR ""="', "'; DROP TABLE items; --", "%", "*", "$.kind", "\\", "{{x}}", "<b>", "🌹"]
)
def test_a_hostile_value_is_a_value(value):
    with new(clip=NONE) as rag:
        rag.index([{"text": "One.", "kind": value}, {"text": "Two.", "kind": "plain"}])
        assert [hit.chunk.text for hit in rag.search("one two", where=f"kind == {value!r}")] == ["One."]
        assert [hit.chunk.text for hit in rag.search("one two", where=f"kind != {value!r}")] == ["Two."]


def test_why_says_that_a_filter_left_it_out(shop):
    shop.search("a red shoe", where="kind == 'tool'")
    assert "does not fit the filter kind == 'tool'" in shop.why("{{shoe7}}").verdict


# -- near-duplicates ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def doubled():
    """Twelve drawings, one of which is there as PNG and thrice as JPEG; and a text that is there twice."""
    elephant = Image.open(EMOJI / "drawing_09.png").convert("RGB")
    copies = []
    for quality in (95, 85, 70):
        written = io.BytesIO()
        elephant.save(written, "JPEG", quality=quality)
        copies.append({"image": Image.open(io.BytesIO(written.getvalue())), "name": f"copy{quality}"})
    with new() as rag:
        rag.index([EMOJI, *copies, {"text": "An elephant remembers."}, {"text": "an  Elephant remembers."}])
        yield rag


@pytest.fixture
def rag(doubled):
    yield from restored(doubled)


@pytest.mark.parametrize("strategy", ["shared", "separate"])
def test_the_same_picture_saved_anew_is_one_hit(rag, strategy):
    hits = rag.search(image=EMOJI / "drawing_09.png", modalities="image", k=12, strategy=strategy)
    assert len(hits) == 12
    assert set(hits[0].alike) | {hits[0].item.name} == {"drawing_09.png", "{{copy95}}", "{{copy85}}", "{{copy70}}"}
    assert not any(hit.alike for hit in hits[1:])
    assert [hit.rank for hit in hits] == list(range(1, 13))
    assert "3 near-duplicates folded" in hits.facts


def test_the_same_text_but_for_case_and_blanks_is_one_hit(rag):
    hits = rag.search("what does an elephant remember?", modalities="text")
    assert [len(hit.alike) for hit in hits] == [1]
    assert "1 near-duplicate folded" in hits.facts


def test_each_is_shown_where_nothing_is_folded_and_in_the_raw_ranking(rag):
    picture = EMOJI / "drawing_09.png"
    raw = rag.search(image=picture, modalities="image", k=4, raw=True)
    rag.settings.fold = False
    plain = rag.search(image=picture, modalities="image", k=4)
    for hits in (raw, plain):
        assert set(names(hits)) == {"drawing_09.png", "copy95", "copy85", "copy70"}
        assert not any(hit.alike for hit in hits)
        assert not any("folded" in fact for fact in hits.facts)


def test_as_many_as_were_asked_for_though_most_are_the_same():
    elephant = Image.open(EMOJI / "drawing_09.png").convert("RGB")
    shades = [elephant.point(lambda level, n=n: max(0, level - n)) for n in range(60)]
    with new() as rag:
        rag.index([*({"image": shade, "name": f"shade{n}"} for n, shade in enumerate(shades)), EMOJI])
        for k in (2, 5, 12):
            hits = rag.search(image=elephant, modalities="image", k=k)
            assert len(hits) == k
            assert sum("shade" in name for name in names(hits)) <= 2
        assert len(rag.search("an elephant", k=12)) == 12


def test_what_was_folded_is_told_why_it_is_not_there(rag):
    hits = rag.search(image=EMOJI / "drawing_09.png", modalities="image", k=3)
    why = rag.why(hits[0].alike[0])
    assert any(f"stands behind {hits[0].item.name}" in change for change in why.changes)


# -- diversity ---------------------------------------------------------------------------------------------------------


def test_diversity_changes_the_order_and_says_so():
    with new(clip=NONE) as rag:
        rag.index(
            [
                *({"text": f"The harp has forty-seven strings, says book {n}."} for n in range(6)),
                {"text": "A harp string is tuned with a key."},
                {"text": "Seven pedals change the pitch of a harp."},
            ]
        )
        plain = rag.search("how many strings has the harp?", k=4)
        rag.settings.diversity = 0.6
        varied = rag.search("how many strings has the harp?", k=4)
        assert varied[0].chunk == plain[0].chunk
        assert [hit.chunk for hit in varied] != [hit.chunk for hit in plain]
        alike = [sum("says book" in hit.chunk.text for hit in hits) for hits in (plain, varied)]
        assert alike[0] > alike[1]
        assert "diversity 0.6 (MMR)" in varied.facts
        assert [hit.rank for hit in varied] == [1, 2, 3, 4]
        raw = rag.search("how many strings has the harp?", k=4, raw=True)
        assert not any("diversity" in fact for fact in raw.facts)
        cosines = [hit.cosine for hit in raw]
        assert cosines == sorted(cosines, reverse=True)


# -- fusion ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fusion", ["rrf", "weighted"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_another_fusion_is_said_and_finds_what_it_should(rag, fusion, strategy):
    rag.settings.fusion = fusion
    hits = rag.search("an elephant remembers", strategy=strategy)
    assert hits[0].chunk.text.casefold().endswith("elephant remembers.")
    assert hits.facts[0] == f"{strategy}, {fusion}"
    assert {hit.unit for hit in hits} == {"rank points" if fusion == "rrf" else "σ"}
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert rag.search("an elephant", raw=True, strategy=strategy).facts[0] == f"{strategy}, raw"


def test_a_weight_moves_what_it_weighs(rag):
    rag.settings.fusion = "rrf"
    rag.settings.fold = False

    def best(**weights):
        rag.settings.weights = weights
        return rag.search("an elephant remembers", k=1)[0].chunk.modality

    assert best(text=1.0) == "text"
    rag.settings.lexical_weight = 0.0
    assert best(image=5.0) == "image"
    assert best(image=0.0) == "text"


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("fusion", "rff", "did you mean 'rrf'"),
        ("pool", "maxi", "did you mean 'max'"),
        ("weights", {"picture": 1.0}, "unknown modality"),
        ("weights", {"image": -1.0}, "weights"),
        ("diversity", 1.5, "diversity"),
        ("balance", -0.1, "balance"),
    ],
)
def test_what_cannot_be_set_is_refused_at_once(rag, setting, value, said):
    with pytest.raises(MMRagError, match=said):
        setattr(rag.settings, setting, value)


# -- Chinese, Japanese, Korean -----------------------------------------------------------------------------------------

LINES = {
    "zh": "红色的苹果在厨房的桌子上，旁边有一杯咖啡。",
    "zh2": "猫在窗台上睡觉。",
    "ja": "東京の桜は四月の初めに満開になります。",
    "ja2": "カメラは机の引き出しの中にあります。",
    "ko": "서울의 지하철은 새벽 다섯 시에 출발합니다.",
    "ko2": "고양이는 창가에서 잠을 잔다.",
    "en": "The ferry to the island leaves at noon.",
}


@pytest.fixture(scope="module")
def polyglot():
    with new(clip=NONE) as rag:
        rag.index([{"text": text, "name": name} for name, text in LINES.items()])
        yield rag


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("苹果在哪里？", "zh"),
        ("咖啡", "zh"),
        ("猫", "zh2"),
        ("啡", "zh"),
        ("桜はいつ咲きますか", "ja"),
        ("桜", "ja"),
        ("カメラはどこ", "ja2"),
        ("지하철은 몇 시에 출발합니까", "ko"),
        ("고양이", "ko2"),
        ("the ferry", "en"),
    ],
)
def test_words_of_undivided_scripts_are_found(polyglot, strategy, question, found):
    hit = polyglot.search(question, strategy=strategy)[0]
    assert names([hit]) == [found]
    assert hit.lexical > 0
    assert hit.matches, "the words that matched are marked"


def test_what_shares_no_word_is_not_found_by_words(polyglot):
    assert not any(hit.lexical for hit in polyglot.search("葡萄", k=7))
    assert not any(hit.lexical for hit in polyglot.search("葡", k=7))


def test_a_record_is_not_hidden_behind_a_loose_copy_of_its_text():
    pictures = sorted(EMOJI.iterdir())
    with new() as rag:
        rag.index([{"text": "Red  shoe"}, {"text": "red shoe", "image": pictures[0]}])
        assert [hit.item.record is None for hit in rag.search("red shoe")] == [True, False]
