"""Tables: each row of a DataFrame is an item or a record, and what was guessed is said."""

import subprocess
import sys
import time
from pathlib import PurePath

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mmrag_nb.reports import Skipped
from mmrag_nb.sources import frames
from mmrag_nb.sources.given import as_sources
from mmrag_nb.sources.outline import addresses, expected
from mmrag_nb.sources.resolve import resolve
from mmrag_nb.types import Resolved, Source

KINDS = {".jpg": "image", ".png": "image", ".mp3": "audio", ".txt": "text", ".html": "text"}
RED, BLUE = (Image.new("RGB", (4, 3), colour) for colour in ("red", "blue"))
LONG = "a shoe of red leather, made by hand"
OTHER = "a hat of blue felt that keeps its shape"


def modality_of(name, media_type):
    return KINDS.get(PurePath(name).suffix.lower())


def run(value, label="{{shoes}}", base=None, **metadata):
    return list(resolve([Source(value, metadata, label)], modality_of=modality_of, base=base))


def items(outcomes):
    assert all(isinstance(outcome, Resolved) for outcome in outcomes), outcomes
    return [outcome.item for outcome in outcomes]


def skipped(outcomes):
    return [(outcome.source, outcome.reason) for outcome in outcomes if isinstance(outcome, Skipped)]


@pytest.fixture
def photos(tmp_path):
    for name in ("a.jpg", "b.jpg", "c.jpg", "a.mp3", "a.txt"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_a_row_is_a_record(photos):
    table = pd.DataFrame(
        {"price": [30, 20], "image": ["a.jpg", RED], "text": ["a red shoe", "a hat"], "sold": [True, False]}
    )
    outcomes = run(table, base=photos, shop="here", price=0)
    assert [(item.uri, item.record.name) for item in items(outcomes)] == [
        ("{{shoes 0}} text", "{{shoes 0}}"),
        ("a.jpg", "{{shoes 0}}"),
        ("{{shoes 1}} text", "{{shoes 1}}"),
        ("{{shoes 1}} image", "{{shoes 1}}"),
    ]
    assert items(outcomes)[1].metadata == {"price": 30, "sold": True, "shop": "here"}
    assert outcomes[0].remarks == (("{{shoes}}", "columns: text -> text, image -> image; price, sold -> metadata"),)
    assert not any(outcome.remarks for outcome in outcomes[1:])
    assert not any(outcome.notes for outcome in outcomes)


def test_a_row_and_the_same_dict_are_the_same_record():
    table = pd.DataFrame({"price": [30], "image": [RED], "text": ["a red shoe"]})
    found = items(run(table))
    assert [item.id for item in found] == [item.id for item in items(run(table.to_dict("records")))]
    assert [item.metadata for item in found] == [item.metadata for item in items(run(table.to_dict("records")))]


def test_a_row_with_one_content_is_a_plain_item():
    found = items(run(pd.DataFrame({"text": ["one", "two"], "n": [1, 2]})))
    assert [(item.uri, item.record, item.metadata) for item in found] == [
        ("{{shoes 0}}", None, {"n": 1}),
        ("{{shoes 1}}", None, {"n": 2}),
    ]


def test_missing_cells_give_no_part():
    table = pd.DataFrame(
        {
            "text": ["one", None, float("nan"), "  ", pd.NA],
            "image": [None, RED, None, None, []],
            "x": [0.5, None, 1, 2, 3],
            "day": pd.to_datetime(["2024-05-01", None, None, None, None]),
        }
    )
    outcomes = run(table)
    first, second = (outcome.item for outcome in outcomes[:2])
    assert (first.modality, first.record, first.metadata) == ("text", None, {"x": 0.5, "day": "2024-05-01T00:00:00"})
    assert (second.modality, second.record, second.metadata) == ("image", None, {"x": None, "day": None})
    assert skipped(outcomes) == [
        ("{{shoes}}", "3 of 5 rows have no content: {{shoes 2}}, {{shoes 3}}, {{shoes 4}}"),
    ]


# names


def test_rows_are_called_by_name_or_title_then_id_then_index():
    table = pd.DataFrame({"text": ["one", "two", "three"], "id": ["A-1", "A-2", None], "Title": ["Red shoe", None, ""]})
    table["image"] = [RED] * 3
    table.index = [7, 8, 9]
    found = items(run(table))[::2]
    assert [item.uri for item in found] == [
        "{{shoes Red shoe}} text",
        "{{shoes A-2}} text",
        "{{shoes 9}} text",
    ]
    assert [item.record.name for item in found] == ["Red shoe", "{{shoes A-2}}", "{{shoes 9}}"]
    assert found[0].metadata == {"id": "A-1", "Title": "Red shoe"}


def test_labels_of_many_levels_and_of_lists():
    table = pd.DataFrame({"text": ["one"]}, index=pd.MultiIndex.from_tuples([("a", 1)]))
    assert items(run([table]))[0].uri == "{{shoes[0] a, 1}}"
    assert items(run(table, label=""))[0].uri == "{{DataFrame #1 a, 1}}"


def test_tables_in_the_python_api_have_names():
    table = pd.DataFrame({"text": ["one"]})
    assert [source.label for source in as_sources([table, "a.jpg", table, table["text"]])] == [
        "{{table}}",
        "",
        "{{table2}}",
        "{{table3}}",
    ]


# what columns hold


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("text", "text"),
        ("Texts", "text"),
        ("image", "image"),
        ("IMAGES", "image"),
        ("audio", "audio"),
        ("path", "path"),
        ("image_path", "path"),
        ("photo paths", "path"),
        ("url", "url"),
        ("photo-URL", "url"),
        ("pathology", None),
        ("context", None),
        ("caption", None),
        ("Caption", None),
    ],
)
def test_names_of_content(name, kind, tmp_path):
    columns = frames.columns_of(pd.DataFrame({name: ["x"], "text": ["y"]}), modality_of, tmp_path)
    assert dict(columns.contents).get(0) == kind
    assert [place for place, _ in columns.metadata] == ([] if kind else [0])


def test_numbers_are_no_content_however_they_are_called():
    found = items(run(pd.DataFrame({"text": ["one", "two"], "image": [1, 2], "url": [True, False]})))
    assert [item.metadata for item in found] == [{"image": 1, "url": True}, {"image": 2, "url": False}]


def test_columns_are_guessed_and_said(photos):
    table = pd.DataFrame(
        {
            "description": [LONG, OTHER, "short"],
            "colour": ["dark red", "light blue", None],
            "photo": ["a.jpg", photos / "b.jpg", "gone.jpg"],
            "front": [RED, None, BLUE],
            "sounds": [(np.ones(50, "int16"), 16_000), None, "a.mp3"],
            "page": ["a.txt", None, None],
            "file": ["1.jpg", "2.jpg", "3.jpg"],
            "more": [["b.jpg", "c.jpg"], [], None],
        }
    )
    outcomes = run(table, base=photos)
    assert outcomes[0].remarks == (
        (
            "{{shoes}}",
            (
                "columns: description -> text, photo -> image, front -> image, more -> image, sounds -> audio, "
                "page -> path; colour, file -> metadata"
            ),
        ),
    )
    assert [outcome.item.uri for outcome in outcomes[:7]] == [
        "{{shoes 0}} text",
        "a.jpg",
        "{{shoes 0}} image 2",
        "b.jpg",
        "c.jpg",
        "{{shoes 0}} audio",
        "a.txt",
    ]
    # the pictures of row 1 were there before in another record: they are items of their own here
    assert [outcome.item.uri for outcome in outcomes[7:9]] == ["{{shoes 1}} text", str(photos / "b.jpg")]
    assert "gone.jpg" in skipped(outcomes)[0]
    assert items(outcomes[:1])[0].metadata == {"colour": "dark red", "file": "1.jpg"}


def test_addresses_are_guessed_by_their_ending():
    columns = frames.columns_of(
        pd.DataFrame({"photo": ["https://x.org/a.jpg?w=3"], "home": ["https://x.org/"], "text": ["x"]}),
        modality_of,
        PurePath(),
    )
    assert columns.note == "columns: text -> text, photo -> image; home -> metadata"


def test_words_are_counted_in_chinese_too():
    column = ["这双红色皮鞋是手工制作的非常舒适", "这顶蓝色的帽子很暖和也很好看"]
    found = items(run(pd.DataFrame({"about": column, "city": ["北京", "上海"]})))
    assert [item.metadata for item in found] == [{"city": "北京"}, {"city": "上海"}]


def test_captions_go_to_pictures():
    found = items(run(pd.DataFrame({"text": ["one"], "image": [RED], "Caption": [LONG]})))
    assert [item.metadata for item in found] == [{}, {"caption": LONG}]


def test_names_that_are_no_identifiers_are_mended_and_said():
    table = pd.DataFrame([["one", 3, 4, 5, 6]], columns=["text", "unit price", "unit_price", 7, "\x00\x1b[31m\n"])
    (outcome,) = run(table)
    assert outcome.item.metadata == {"unit_price_2": 3, "unit_price": 4, "_7": 5, "_31m": 6}
    ((_, told),) = outcome.remarks
    assert told == "columns: text -> text; unit price as unit_price_2, unit_price, 7 as _7, [31m as _31m -> metadata"
    assert told.isprintable()


def test_columns_of_one_name_and_of_two_levels():
    (outcome,) = run(pd.DataFrame([["one", "two", 3]], columns=["text", "n", "n"]))
    assert outcome.item.metadata == {"n": "two", "n_2": 3}
    both = run(pd.DataFrame([["one", "two"]], columns=["text", "text"]))
    assert [item.uri for item in items(both)] == ["{{shoes 0}} text 1", "{{shoes 0}} text 2"]
    levels = pd.DataFrame([["one", 3]], columns=pd.MultiIndex.from_tuples([("text", ""), ("price", "mean")]))
    assert items(run(levels))[0].metadata == {"price_mean": 3}


def test_objects_in_cells_cost_their_cell_only():
    odd, endless = object(), {}
    endless["me"] = endless
    table = pd.DataFrame({"text": ["one", "two", odd, "four"], "thing": [1, odd, odd, endless], "n": [1, 2, 3, 4]})
    outcomes = run(table)
    assert [outcome.item.metadata for outcome in outcomes if isinstance(outcome, Resolved)] == [
        {"thing": 1, "n": 1},
        {"n": 2},
        {"n": 4},
    ]
    assert outcomes[1].notes[0].startswith("metadata 'thing' is of type object")
    assert outcomes[1].notes[0].endswith("left out")
    assert outcomes[3].notes == ()
    assert skipped(outcomes) == [("{{shoes 2}}", "its text is an object of type object: it takes a str")]


def test_a_table_of_many_columns_is_said_briefly():
    table = pd.DataFrame([["one", *range(5_000)]], columns=["text", *(f"n{number}" for number in range(5_000))])
    (outcome,) = run(table)
    assert outcome.remarks[0][1].endswith("n7 and 4992 more -> metadata")
    assert len(outcome.item.metadata) == 5_000


def test_a_table_without_content_is_read_by_rows_as_a_file_is(tmp_path):
    table = pd.DataFrame(
        {
            "station": ["Oslo", "Rome"],
            "mean temp": [-3.5, np.nan],
            "when": pd.to_datetime(["2024-01-01", "2024-01-02"]),
            "tags": [["cold", "north"], []],
            "odd": [object(), ""],
        }
    )
    first, second = run(table)
    assert first.content == "station: Oslo; mean temp: -3.5; when: 2024-01-01T00:00:00; tags: cold, north"
    assert second.content == "station: Rome; when: 2024-01-02T00:00:00"
    assert (first.item.uri, first.item.metadata["mean_temp"], first.item.record) == ("{{shoes 0}}", -3.5, None)
    ((name, told),) = first.remarks
    assert name == "{{shoes}}"
    assert "no column holds content, so each row is a text of its cells" in told
    assert "columns=" in told
    assert "--columns" in told
    assert expected([Source(table, label="{{shoes}}")], modality_of=modality_of) == {"text": 2}

    plain = table[["station", "mean temp"]]
    plain.to_csv(tmp_path / "t.csv", index=False)
    from_file = items(list(resolve([Source("t.csv")], modality_of=modality_of, base=tmp_path)))
    assert [item.id for item in from_file] == [item.id for item in items(run(plain))]


def test_columns_of_a_table_without_content_can_be_said():
    table = pd.DataFrame({"colour": ["red"], "price": [3]})
    (outcome,) = list(resolve([Source(table, label="{{t}}")], modality_of=modality_of, columns={"colour": "text"}))
    assert (outcome.content, outcome.item.metadata) == ("red", {"price": 3})
    assert outcome.remarks == (("{{t}}", "columns: colour -> text; price -> metadata"),)
    ((source, reason),) = skipped(
        list(resolve([Source(table, label="{{t}}")], modality_of=modality_of, columns={"color": "text"}))
    )
    assert (source, reason) == ("{{t}}", "no column 'color': did you mean 'colour'?")


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (pd.DataFrame(), "a table without rows"),
        (pd.DataFrame({"text": []}), "a table without rows"),
        (pd.DataFrame(index=[1, 2]), "a table without columns"),
        (pd.DataFrame({"price": [None, None]}), "2 of 2 rows have no content: {{shoes 0}}, {{shoes 1}}"),
    ],
)
def test_tables_that_hold_nothing_are_refused(table, reason):
    assert skipped(run(table)) == [("{{shoes}}", reason)]


def test_rows_that_come_twice_are_told_once_each():
    table = pd.DataFrame({"text": ["one", "one"], "image": [RED, RED], "price": [1, 2]})
    assert skipped(run(table)) == [
        (
            "{{shoes 1}}",
            (
                "the same contents as {{shoes 0}}, indexed once; the metadata given here (price) is not used: put this "
                "source first"
            ),
        )
    ]
    apart = [Source(pd.DataFrame({"text": ["one"], "image": [one]}), label="{{df}}") for one in (RED, BLUE)]
    assert len({item.record.id for item in items(list(resolve(apart, modality_of=modality_of)))}) == 2


# series


def test_each_value_of_a_series_is_a_source(photos):
    found = items(run(pd.Series(["one", "two", None], index=["x", "y", "z"])))
    assert [(item.uri, item.modality) for item in found] == [("{{shoes x}}", "text"), ("{{shoes y}}", "text")]
    assert [item.modality for item in items(run(pd.Series([RED, BLUE])))] == ["image", "image"]
    record = {"text": "one", "image": RED}
    assert [item.uri for item in items(run(pd.Series([record, {"text": "two"}])))] == [
        "{{shoes 0}} text",
        "{{shoes 0}} image",
        "{{shoes 1}}",
    ]
    assert [item.uri for item in items(run(pd.Series(["a.jpg", "b.jpg"]), base=photos))] == ["a.jpg", "b.jpg"]
    assert skipped(run(pd.Series(["gone.jpg"], name="image_path"), base=photos))[0][0] == "gone.jpg"
    assert skipped(run(pd.Series([], dtype=object))) == [("{{shoes}}", "a Series without values")]
    assert "an object of type int cannot be indexed" in skipped(run(pd.Series([3])))[0][1]


def test_a_series_is_a_list_of_contents():
    found = items(run({"text": "one", "image": pd.Series([RED, BLUE])}))
    assert [item.uri for item in found] == ["{{shoes}} text", "{{shoes}} image 1", "{{shoes}} image 2"]


# size


def test_a_long_table_is_read_row_by_row():
    count = 100_000
    table = pd.DataFrame({"text": [f"row {number}" for number in range(count)], "n": range(count)})
    source = Source(table, label="{{df}}")
    start = time.perf_counter()
    first = next(resolve([source], modality_of=modality_of))
    seconds = time.perf_counter() - start
    assert first.item.uri == "{{df 0}}"
    assert expected([source], modality_of=modality_of) == {"text": count}
    assert seconds < 1  # all of it takes several


def test_pandas_is_never_imported():
    code = (
        "import sys\n"
        "from mmrag_nb.sources.resolve import resolve\n"
        "from mmrag_nb.sources.outline import expected\n"
        "from mmrag_nb.sources.given import as_sources\n"
        "sources = as_sources([{'text': 'one'}, {'text': 'one', 'texts': ['two']}, 3])\n"
        "assert len(list(resolve(sources, modality_of=lambda *_: None))) == 4\n"
        "expected(sources, modality_of=lambda *_: None)\n"
        "assert 'pandas' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# outline


def test_parts_of_rows_are_expected_one_by_one(photos):
    table = pd.DataFrame({"text": ["one", None], "image": ["a.jpg", [RED, "b.jpg"]], "url": ["https://x.org/a", None]})
    assert expected([Source(table, label="{{x}}")], modality_of=modality_of, base=photos) == {"text": 2, "image": 3}
    assert expected([Source(pd.Series(["one", RED]))], modality_of=modality_of) == {"text": 1, "image": 1}
    assert expected([Source(pd.DataFrame({"n": [1]}))], modality_of=modality_of) == {"text": 1}
    assert expected([Source(pd.DataFrame({"n": []}))], modality_of=modality_of) == {}


def test_addresses_in_tables_are_never_fetched_for_a_plan():
    table = pd.DataFrame(
        {"text": ["one", "two"], "photo": ["https://example.org/a.jpg", "https://example.org/b.jpg"], "n": [1, 2]}
    )
    series = pd.Series(["https://example.org/c.jpg", RED], name="image")
    local, fetched, refused = addresses(
        [Source(table, {"shop": "here"}, "{{x}}"), Source(series, label="{{y}}")], modality_of=modality_of
    )
    assert fetched == [f"https://example.org/{name}.jpg" for name in "abc"]
    assert refused == []
    found = items(list(resolve(local, modality_of=modality_of)))
    assert [(item.uri, item.metadata) for item in found] == [
        ("{{x 0}}", {"shop": "here", "n": 1}),
        ("{{x 1}}", {"shop": "here", "n": 2}),
        ("{{y 1}}", {}),
    ]
