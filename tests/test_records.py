"""Records: what belongs together is scored as one, found once, and shown by the part that matched."""

import json
import shutil
from itertools import product as product_of

import pytest

pytest.importorskip("torch")

from PIL import Image

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.presets import NONE

EMOJI = demo_folder() / "emoji"
ELEPHANT, GUITAR, ROCKET = (EMOJI / f"drawing_{n}.png" for n in ("09", "04", "10"))


def product(name, text, *pictures, **said):
    return {"name": name, "text": text, "image": [Image.open(path) for path in pictures], **said}


SHOP = [
    product("trunk", "A cuddly toy with large ears.", ELEPHANT, EMOJI / "drawing_01.png", price=20, kind="toy"),
    product("strings", "An instrument for beginners, made of spruce.", GUITAR, price=180, kind="music"),
    product("booster", "A kit of forty parts, glue included.", ROCKET, EMOJI / "drawing_05.png", price=35, kind="toy"),
]


@pytest.fixture
def rag():
    with MultimodalRAG(preset="offline", ocr=NONE, speech=NONE) as rag:
        yield rag


@pytest.fixture(scope="module")
def shop():
    with MultimodalRAG(preset="offline", ocr=NONE, speech=NONE) as rag:
        rag.index([*SHOP, {"text": "The ferry leaves at noon."}])
        yield rag


def names(hits):
    return [hit.item.record.name if hit.item.record else hit.item.name for hit in hits]


# -- one hit a record --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["shared", "grounded", "separate"])
def test_one_hit_a_record_with_the_part_that_matched(shop, strategy):
    hits = shop.search("a cuddly toy", strategy=strategy)
    assert len(names(hits)) == len(set(names(hits)))
    assert hits[0].item.name == "{{trunk}} text"
    pictured = shop.search("an elephant", strategy=strategy)[0]
    assert (pictured.item.record.name, pictured.item.name) == ("trunk", "{{trunk}} image 1")
    assert {part.name for part in pictured.parts} == {"{{trunk}} text", "{{trunk}} image 1", "{{trunk}} image 2"}


def test_the_parts_scores_are_there_best_first_and_the_best_stands_for_the_record(shop):
    for hit in shop.search("a kit of parts with a rocket"):
        scores = [part.score for part in hit.parts]
        assert scores == sorted(scores, reverse=True)
        if hit.parts:
            assert hit.item.name == hit.parts[0].name
            assert hit.score == pytest.approx(scores[0])
            assert hit.parts[0].modality == hit.chunk.modality


def test_the_mean_of_the_parts_can_count_instead_of_the_best(shop, monkeypatch):
    monkeypatch.setattr(shop.settings, "pool", "mean")
    hits = shop.search("a kit of parts with a rocket")
    assert set(names(hits)) == {"trunk", "strings", "booster", "{{The ferry leaves at noon.}}"}
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    for hit in hits:
        if hit.parts:
            assert hit.score == pytest.approx(sum(part.score for part in hit.parts) / len(hit.parts))


def test_parts_can_count_by_their_modality(shop, monkeypatch):
    question = "a kit of parts with a rocket"
    monkeypatch.setattr(shop.settings, "pool", "mean")
    means = {hit.item.name: hit.score for hit in shop.search(question)}
    monkeypatch.setattr(shop.settings, "pool", "weighted")
    monkeypatch.setattr(shop.settings, "weights", {"image": 3.0})
    hits = [hit for hit in shop.search(question) if hit.parts]
    for hit in hits:
        # a picture counts thrice where its pixels matched best, once where its name did
        factors = product_of(*((1, 3) if part.modality == "image" else (1,) for part in hit.parts))
        scores = [part.score for part in hit.parts]
        possible = [sum(f * s for f, s in zip(some, scores, strict=True)) / sum(some) for some in factors]
        assert any(hit.score == pytest.approx(one) for one in possible)
    assert {hit.item.name: hit.score for hit in hits} != means


def test_as_many_records_as_were_asked_for_though_each_has_many_parts(rag):
    rag.index(
        [
            {"name": f"shelf {n}", "text": [f"Box {n}.{part} holds red yarn, lot {part}." for part in range(30)]}
            for n in range(12)
        ]
    )
    for k in (3, 12, 20):
        hits = rag.search("red yarn", k)
        assert len(set(names(hits))) == len(hits) == min(k, 12)
        assert all(len(hit.parts) == 30 for hit in hits)
    assert len(rag.search("red yarn", 12, raw=True)) == 12


def test_two_records_with_the_same_description_are_both_found(rag):
    text = "A red shoe for running in the rain."
    rag.index([product("left", text, ELEPHANT), product("right", text, ROCKET)])
    assert rag.status().items == {"image": 2, "text": 2}
    hits = rag.search("shoe for running")
    assert sorted(names(hits)) == ["left", "right"]
    assert {hit.chunk.text for hit in hits} == {text}
    assert not any(hit.alike for hit in hits)
    assert hits[0].score == pytest.approx(hits[1].score)


def test_two_records_with_the_same_photograph_are_both_found(rag):
    rag.index([product("one", "For children.", ELEPHANT), product("two", "For collectors.", ELEPHANT)])
    assert sorted(names(rag.search(image=ELEPHANT))) == ["one", "two"]


# -- where records come from -------------------------------------------------------------------------------------------


def test_a_row_of_a_table_is_a_record(rag):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(
        {
            "name": ["trunk", "strings"],
            "description": ["A cuddly toy with large and floppy ears.", "An instrument for beginners, made of spruce."],
            "photo": [str(ELEPHANT), str(GUITAR)],
            "price": [20, 180],
        }
    )
    report = rag.index(table)
    assert report.items == {"image": 2, "text": 2}
    hits = rag.search("an elephant")
    assert names(hits) == ["trunk", "strings"]
    assert hits[0].item.metadata["price"] == 20
    assert names(rag.search("an elephant", where="price > 100")) == ["strings"]
    again = rag.index(table)
    assert (again.embedded, again.reused) == (0, 4)


def test_a_folder_with_files_is_a_record(rag, tmp_path):
    for name, picture, text in (("trunk", ELEPHANT, "A cuddly toy."), ("strings", GUITAR, "Made of spruce.")):
        (tmp_path / name).mkdir()
        shutil.copy(picture, tmp_path / name / "front.png")
        (tmp_path / name / "about.txt").write_text(text)
    (tmp_path / "trunk" / "metadata.json").write_text(json.dumps({"price": 20}))
    rag.index(tmp_path, records=True)
    hits = rag.search("an elephant")
    assert names(hits) == ["trunk", "strings"]
    assert (hits[0].item.name, hits[0].item.metadata) == ("front.png", {"price": 20})
    assert names(rag.search("spruce")) == ["strings", "trunk"]
    rag.index(tmp_path)
    assert len(rag.search("spruce", k=9)) > 2, "without records=, files stand for themselves"


def test_records_last_over_save_and_open(rag, tmp_path):
    rag.index(SHOP)
    before = rag.search("an elephant")
    path = rag.save(tmp_path / "shop.mmrag")
    rag.close()
    with MultimodalRAG.open(path, ocr=NONE) as opened:
        after = opened.search("an elephant")
    assert names(after) == names(before)
    assert [part.name for part in after[0].parts] == [part.name for part in before[0].parts]


# -- filters, parts that go, more like it ------------------------------------------------------------------------------


def test_a_filter_and_a_choice_of_modalities_hold_for_every_part(shop):
    hits = shop.search("a cuddly toy", where="kind == 'toy'")
    assert sorted(names(hits)) == ["booster", "trunk"]
    pictures = shop.search("a cuddly toy", modalities="image")
    assert {part.modality for hit in pictures for part in hit.parts} == {"image"}


def test_a_part_that_was_removed_is_gone_and_the_record_stays(rag):
    rag.index(SHOP)
    assert rag.search("an elephant")[0].item.name == "{{trunk}} image 1"
    removal = rag.remove("{{trunk}} image 1")
    assert [item.name for item in removal.items] == ["{{trunk}} image 1"]
    hit = rag.search("a cuddly toy")[0]
    assert {part.name for part in hit.parts} == {"{{trunk}} text", "{{trunk}} image 2"}
    rag.index(SHOP)
    assert rag.search("an elephant")[0].item.name == "{{trunk}} image 1"


def test_why_of_a_part_places_it_with_its_record(shop):
    hits = shop.search("an elephant")
    assert shop.why(1).placing.rank == 1
    other = next(part.name for part in hits[0].parts if part.name != hits[0].item.name)
    why = shop.why(other)
    assert why.placing.rank == 1, "its record is the first hit"
    assert why.name == other
    assert shop.why(hits[0]).hit == hits[0]


def test_more_like_a_record_leaves_all_its_parts_out(shop):
    hits = shop.similar("trunk")
    assert "trunk" not in names(hits)
    assert names(hits)[0] in {"booster", "strings"}
    assert hits.question == "more like trunk"
    assert "trunk" not in names(shop.similar(shop.search("an elephant")[0])), "nor does a part find its siblings"


def test_what_is_said_of_a_record_anew_reaches_all_its_parts(rag):
    rag.index(SHOP)
    report = rag.index([{**SHOP[0], "price": 5}])
    assert (report.embedded, report.reused) == (0, 3)
    assert len(rag.search("an elephant", where="price < 10")[0].parts) == 3


def test_no_gap_is_told_of_a_picture_that_another_part_stands_for():
    box = {"title": "box", "text": "A crisp fruit from the orchard.", "image": Image.new("RGB", (16, 16), "red")}
    with MultimodalRAG(preset="offline", ocr="none") as rag:
        rag.index([box, {"text": "The ferry leaves at noon."}])
        found = rag.search("crisp fruit from the orchard")
        assert found[0].item.record.name == "box"
        assert found[0].chunk.modality == "text"
        assert found.gap == ""
