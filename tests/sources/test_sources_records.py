"""Records: dicts with several contents, and folders, become items that belong together."""

import json
from pathlib import PurePath

import numpy as np
import pytest
from PIL import Image

from mmrag_nb.reports import Skipped
from mmrag_nb.sources.given import as_sources
from mmrag_nb.sources.metadata import mended
from mmrag_nb.sources.outline import addresses, expected
from mmrag_nb.sources.resolve import resolve
from mmrag_nb.types import Resolved, Source

KINDS = {".jpg": "image", ".png": "image", ".mp3": "audio", ".txt": "text", ".json": "text"}
SOUND = (np.ones(100, "int16"), 16_000)


def modality_of(name, media_type):
    return KINDS.get(PurePath(name).suffix.lower())


def run(*values, base=None, label="{{shoe}}", records=False, **metadata):
    sources = [value if isinstance(value, Source) else Source(value, metadata, label) for value in values]
    return list(resolve(sources, modality_of=modality_of, base=base, records=records))


def parts(outcomes):
    assert all(isinstance(outcome, Resolved) for outcome in outcomes), outcomes
    return [outcome.item for outcome in outcomes]


def skipped(outcomes):
    return [(outcome.source, outcome.reason) for outcome in outcomes if isinstance(outcome, Skipped)]


def picture(colour):
    return Image.new("RGB", (4, 3), colour)


# dicts


def test_a_dict_with_several_contents_is_one_record(tmp_path):
    (tmp_path / "side.jpg").write_text("side")
    items = parts(run({"image": [picture("red"), "side.jpg"], "price": 30, "text": "a red shoe"}, base=tmp_path))
    assert [(item.uri, item.modality) for item in items] == [
        ("{{shoe}} text", "text"),
        ("{{shoe}} image 1", "image"),
        ("side.jpg", "image"),
    ]
    assert len({item.id for item in items}) == 3
    (record,) = {item.record for item in items}
    assert record.name == "{{shoe}}"
    assert len(record.id) == 64
    assert all(item.metadata == {"price": 30} for item in items)


@pytest.mark.parametrize(
    "one", [{"text": "a shoe"}, {"text": ["a shoe"]}, {"texts": ["a shoe"]}, {"text": "a shoe", "image": None}]
)
def test_a_dict_with_one_content_is_a_plain_item(one):
    (found,) = parts(run(one))
    assert (found.id, found.uri, found.record) == (parts(run("a shoe"))[0].id, "{{shoe}}", None)


def test_plural_names_are_content_too():
    items = parts(run({"texts": ["one", "two"], "image": picture("red"), "images": [picture("blue")], "audio": SOUND}))
    assert [item.uri for item in items] == [
        "{{shoe}} text 1",
        "{{shoe}} text 2",
        "{{shoe}} image 1",
        "{{shoe}} image 2",
        "{{shoe}} audio",
    ]
    arrays = run({"text": np.array(["one", "two"]), "image": np.array([picture("red"), None], dtype=object)})
    assert [item.modality for item in parts(arrays)] == ["text", "text", "image"]


def test_a_record_is_known_by_its_contents():
    def record(one):
        return parts(run(one))[0].record.id

    base = {"text": "a shoe", "image": picture("red")}
    assert record(base) == record({**base, "price": 3}) == record({"image": picture("red"), "text": "a shoe"})
    others = [
        {"text": "a shoe", "image": picture("blue")},
        {"text": "a shoe", "image": [picture("red"), picture("blue")]},
        {"text": "a shoe", "image": [picture("blue"), picture("red")]},
    ]
    assert len({record(one) for one in [base, *others]}) == 4


def test_the_same_description_in_two_records_is_two_items():
    red, blue = {"text": "a shoe", "image": picture("red")}, {"text": "a shoe", "image": picture("blue")}
    items = parts(run([red, blue], "a shoe"))
    assert len(items) == 5
    assert len({item.id for item in items}) == 5
    assert len({item.record for item in items}) == 3


def test_a_record_twice_is_told_once():
    one = {"text": "a shoe", "image": picture("red"), "price": 3}
    outcomes = run([one, {**one, "price": 4}, {**one, "audio": "gone.mp3"}])
    assert len(outcomes) == 5
    assert skipped(outcomes)[0] == (
        "{{shoe}}[1]",
        (
            "the same contents as {{shoe}}[0], indexed once; the metadata given here (price) is not used: put this "
            "source first"
        ),
    )
    assert skipped(outcomes)[1][0] == "gone.mp3"
    assert skipped(outcomes)[2] == ("{{shoe}}[2]", "the same contents as {{shoe}}[0], indexed once")


def test_the_same_picture_twice_in_one_record_is_one_part():
    outcomes = run({"text": "a shoe", "image": [picture("red"), picture("red")]})
    assert len(outcomes) == 3
    assert skipped(outcomes) == [("{{shoe}} image 2", "same content as {{shoe}} image 1, indexed once")]


def test_a_broken_part_leaves_the_others_a_record(tmp_path):
    outcomes = run(
        {"text": ["a shoe", 7], "image": [picture("red"), "gone.jpg", b"x"], "url": "nowhere", "audio": []},
        base=tmp_path,
    )
    assert [reason.partition(":")[0] for _, reason in skipped(outcomes)] == [
        "its text is an object of type int",
        f"no such file in {str(tmp_path)!r}",
        "bytes",
        "its url has no http",
    ]
    assert [source for source, _ in skipped(outcomes)] == [
        "{{shoe}} text 2",
        "gone.jpg",
        "{{shoe}} image 3",
        "{{shoe}} url",
    ]
    kept = [outcome.item for outcome in outcomes if isinstance(outcome, Resolved)]
    assert len(kept) == 2
    assert kept[0].record == kept[1].record is not None


def test_a_record_with_nothing_whole_is_skipped_part_by_part(tmp_path):
    outcomes = run({"image": ["gone.jpg", "lost.jpg"]}, {"image": ["gone.jpg", "lost.jpg"]}, base=tmp_path)
    assert [source for source, _ in skipped(outcomes)] == ["gone.jpg", "lost.jpg"] * 2


def test_metadata_that_cannot_be_kept_is_said_once():
    outcomes = run({"text": "a shoe", "image": [picture("red")] * 3, "unit price": 3})
    assert len(outcomes) == 1
    assert "such as unit_price" in outcomes[0].reason


def test_a_caption_goes_to_the_pictures():
    items = parts(run({"text": "a shoe", "image": picture("red")}, caption="in red", price=3))
    assert [item.metadata for item in items] == [{"price": 3}, {"caption": "in red", "price": 3}]


def test_a_caption_without_pictures_is_kept_once():
    items = parts(run({"text": ["one", "two"], "audio": SOUND, "caption": "about"}))
    assert [item.metadata for item in items] == [{"caption": "about"}, {}, {}]


def test_a_part_may_have_metadata_of_its_own():
    front = {"image": picture("red"), "caption": "front", "angle": 0}
    back = {"images": [picture("blue"), picture("green")], "angle": 180}
    items = parts(run({"text": "a shoe", "image": [front, back], "price": 3}))
    assert [item.metadata for item in items] == [
        {"price": 3},
        {"price": 3, "caption": "front", "angle": 0},
        {"price": 3, "angle": 180},
        {"price": 3, "angle": 180},
    ]
    assert len({item.record for item in items}) == 1


def test_files_that_a_path_leads_to_are_parts(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "shoe" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "shoe" / name).write_text(name)
    for records in (False, True):
        items = parts(run({"text": "a shoe", "path": "shoe"}, base=tmp_path, records=records))
        assert [item.uri for item in items] == ["{{shoe}} text", "shoe/a.jpg", "shoe/b.jpg"]
        assert len({item.record for item in items}) == 1
    items = parts(run({"path": "shoe", "price": 3}, base=tmp_path))
    assert [(item.record, item.metadata) for item in items] == [(None, {"price": 3})] * 2


def test_records_come_one_by_one():
    def sources():
        yield Source({"text": "a shoe", "image": picture("red")})
        raise AssertionError

    found = resolve(sources(), modality_of=modality_of)
    assert [next(found).item.modality, next(found).item.modality] == ["text", "image"]


def test_a_dict_that_holds_itself_ends():
    endless = {"text": "a shoe"}
    endless["image"] = [endless] * 3
    outcomes = run(endless)
    assert len(outcomes) == 4
    assert {reason for _, reason in skipped(outcomes)} == {"a dict that holds itself"}
    assert expected([Source(endless, label="{{x}}")], modality_of=modality_of).total() == 1


def test_a_record_of_ten_thousand_parts():
    items = parts(run({"text": [f"part {number}" for number in range(10_000)]}))
    assert items[-1].uri == "{{shoe}} text 10000"
    assert len({item.id for item in items}) == 10_000


# names


@pytest.mark.parametrize(
    ("one", "label"),
    [
        ({"text": "words", "title": "Red shoe"}, "{{Red shoe}}"),
        ({"text": "words", "Name": "Red\x00\nshoe {{x}}"}, "{{Red shoe x}}"),
        ({"text": "A shoe of red leather, made by hand in a small town"}, "{{A shoe of red leather, made by…}}"),
        ({"text": "x" * 100, "name": 3}, "{{" + "x" * 35 + "…}}"),
        ({"image": picture("red")}, "{{dict 1}}"),
        ({"text": np.zeros(3)}, "{{dict 1}}"),
        (picture("red"), "{{Image 1}}"),
    ],
)
def test_objects_are_named_by_what_they_say(one, label):
    assert as_sources(one)[0].label == label


def test_a_record_is_named_by_its_title():
    items = parts(run({"text": "a shoe", "image": picture("red"), "title": "Red shoe"}))
    assert {item.record.name for item in items} == {"Red shoe"}
    assert items[1].name == "{{shoe}} image"


def test_a_list_that_holds_itself_is_a_source():
    endless = ["a.jpg"]
    endless.append(endless)
    outcomes = list(resolve(as_sources(endless), modality_of=modality_of))
    assert len(outcomes) == 3
    assert "holds itself" in outcomes[-1].reason


def test_names_are_mended_and_stay_apart():
    assert mended(["unit price", "unit_price", 7, "", "\x00", "a", "a", ("x", "y")]) == [
        "unit_price_2",
        "unit_price",
        "_7",
        "unnamed",
        "unnamed_2",
        "a",
        "a_2",
        "x_y",
    ]


# folders


@pytest.fixture
def shop(tmp_path):
    """Every file holds its own name."""
    for name in (
        "products/shoe/front.jpg",
        "products/shoe/back.jpg",
        "products/shoe/about.txt",
        "products/shoe/deep/sole.jpg",
        "products/shoe/layers.psd",
        "products/hat/hat.jpg",
        "products/readme.txt",
        "alone.jpg",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def by_record(outcomes):
    found = {}
    for outcome in outcomes:
        if isinstance(outcome, Resolved):
            name = outcome.item.record and outcome.item.record.name
            found.setdefault(name, []).append(outcome.item.uri)
    return found


WHOLE = {
    "products": ["products/readme.txt"],
    "hat": ["products/hat/hat.jpg"],
    "shoe": ["products/shoe/about.txt", "products/shoe/back.jpg", "products/shoe/front.jpg"],
    "deep": ["products/shoe/deep/sole.jpg"],
}


@pytest.mark.parametrize("typed", ["products", "products/", "products/**", "product*"])
def test_each_folder_is_a_record_of_its_files(shop, typed):
    outcomes = run(Source(typed), base=shop, records=True)
    assert by_record(outcomes) == WHOLE
    assert skipped(outcomes) == [(typed, "1 file of unsupported kinds (.psd 1)")]


def test_folders_are_records_only_where_asked(shop):
    assert list(by_record(run(Source("products"), base=shop))) == [None]


def test_files_named_one_by_one_stay_alone(shop):
    outcomes = run(Source("alone.jpg"), Source("products/hat/hat.jpg"), base=shop, records=True)
    assert by_record(outcomes) == {None: ["alone.jpg", "products/hat/hat.jpg"]}
    assert by_record(run({"path": "alone.jpg", "price": 3}, base=shop, records=True)) == {None: ["alone.jpg"]}


def test_globs_find_parts_and_folders(shop):
    outcomes = run(Source("products/*/*.jpg"), base=shop, records=True)
    assert by_record(outcomes) == {"hat": WHOLE["hat"], "shoe": WHOLE["shoe"][1:]}
    whole = {item.item.record for item in run(Source("products/"), base=shop, records=True)[:-1]}
    assert {outcome.item.record for outcome in outcomes} <= whole
    assert by_record(run(Source("products/*"), base=shop, records=True)) == WHOLE


def test_a_folder_is_known_by_its_place(shop, monkeypatch):
    (shop / "link").symlink_to(shop / "products" / "hat")

    def record(typed, base):
        (found,) = run(Source(typed), base=base, records=True)
        return found.item.record.id

    one = record("products/hat", shop)
    assert one == record("../products/hat/", shop / "products") == record("link", shop)
    monkeypatch.chdir(shop / "products" / "hat")
    assert record(".", shop / "products" / "hat") == one
    (shop / "products/hat/hat.jpg").write_text("another")
    assert record("products/hat", shop) == one
    (shop / "products/hat").rename(shop / "products/cap")
    assert record("products/cap", shop) != one


def test_one_photo_in_two_folders_is_two_items(shop):
    (shop / "products/hat/copy.jpg").write_text("products/shoe/front.jpg")
    outcomes = run(Source("products"), base=shop, records=True)
    assert "products/hat/copy.jpg" in by_record(outcomes)["hat"]
    assert "products/shoe/front.jpg" in by_record(outcomes)["shoe"]


def test_a_dict_with_a_folder_is_a_record(shop):
    outcomes = run({"path": "products/hat/", "price": 3, "caption": "a hat"}, base=shop, records=True)
    (found,) = parts(outcomes)
    assert (found.record.name, found.metadata) == ("hat", {"price": 3, "caption": "a hat"})


def test_captions_of_a_folder_go_to_its_pictures(shop):
    outcomes = run(Source("products/shoe", {"caption": "a shoe"}), base=shop, records=True)
    captions = {item.uri: item.metadata.get("caption") for item in parts(outcomes[:-1])}
    assert captions["products/shoe/about.txt"] is None
    assert captions["products/shoe/front.jpg"] == "a shoe"
    (found,) = parts(run(Source("products/readme*", {"caption": "all of it"}), base=shop, records=True))
    assert found.metadata == {"caption": "all of it"}


def test_metadata_json_speaks_for_its_folder(shop):
    said = {"price": 30, "unit price": 3, "colour": "red", "weights": [1, 2]}
    (shop / "products/shoe/metadata.json").write_text("\ufeff" + json.dumps(said), "utf-8")
    outcomes = run(Source("products", {"price": 1, "shop": "here"}), base=shop, records=True)
    assert by_record(outcomes) == WHOLE
    found = {outcome.item.uri: outcome for outcome in outcomes if isinstance(outcome, Resolved)}
    assert found["products/hat/hat.jpg"].item.metadata == {"price": 1, "shop": "here"}
    for uri in WHOLE["shoe"]:
        assert found[uri].item.metadata == {
            "price": 30,
            "shop": "here",
            "unit_price": 3,
            "colour": "red",
            "weights": [1, 2],
        }
    assert found[WHOLE["shoe"][0]].notes == (
        "metadata.json: price, unit_price, colour, weights -> metadata of its folder",
    )
    assert found[WHOLE["shoe"][1]].notes == ()
    plain = run(Source("products/shoe"), base=shop)
    assert "products/shoe/metadata.json" in by_record(plain)[None]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is no JSON, line 1"),
        ("[1]", "is no JSON object"),
        ("[" * 100_000, "is no JSON"),
        ('{"a": ' * 40 + "1" + "}" * 40, "nested more than 32 deep"),
        ("\0", "is no JSON"),
        (" " * ((1 << 20) + 1), "larger than 1,048,576 bytes"),
    ],
)
def test_damaged_metadata_leaves_the_folder_a_record(shop, text, reason):
    (shop / "products/hat/metadata.json").write_text(text)
    outcomes = run(Source("products/hat"), base=shop, records=True)
    assert by_record(outcomes) == {"hat": WHOLE["hat"]}
    ((source, said),) = skipped(outcomes)
    assert source == "products/hat/metadata.json"
    assert reason in said
    assert said.endswith("its folder is indexed without it")


def test_metadata_alone_is_an_empty_folder(tmp_path):
    (tmp_path / "metadata.json").write_text("{}")
    assert "holds no files" in run(Source("."), base=tmp_path, records=True)[0].reason


def test_folders_come_lazily(shop):
    found = resolve([Source("products")], modality_of=modality_of, base=shop, records=True)
    assert next(found).item.uri == "products/readme.txt"
    (shop / "products/hat/hat.jpg").unlink()
    assert next(found) == Skipped("products/hat/hat.jpg", "no longer there")


# outline


def test_parts_are_expected_one_by_one(shop):
    record = {
        "text": ["a", "b"],
        "image": [picture("red"), "alone.jpg", None],
        "audio": SOUND,
        "url": "https://x.org/a",
    }
    count = expected([Source(record, label="{{x}}")], modality_of=modality_of, base=shop)
    assert count == {"text": 3, "image": 2, "audio": 1}
    for typed in ("products", "products/*"):
        count = expected([Source(typed)], modality_of=modality_of, base=shop, records=True)
        assert count == {"text": 2, "image": 4}


def test_addresses_of_records_are_told_from_their_other_parts():
    record = {"text": "a shoe", "image": [picture("red"), "https://example.org/a.jpg?token=secret1"], "price": 3}
    local, fetched, refused = addresses([Source(record, {"shop": "here"}, "{{x}}")], modality_of=modality_of)
    assert (fetched, refused) == (["https://example.org/a.jpg?token=…"], [])
    items = parts(list(resolve(local, modality_of=modality_of)))
    assert [item.modality for item in items] == ["text", "image"]
    assert all(item.metadata == {"price": 3, "shop": "here"} for item in items)
