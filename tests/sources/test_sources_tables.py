"""Tables in files: each row of a CSV or Parquet file is an item or a record, and none of them can hurt."""

import hashlib
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from mmrag_nb.errors import UnknownName
from mmrag_nb.loaders import csv_tables
from mmrag_nb.loaders import tables as budgets
from mmrag_nb.registry import modality_of
from mmrag_nb.reports import Skipped
from mmrag_nb.sources import tables
from mmrag_nb.sources.exchange import is_url
from mmrag_nb.sources.outline import expected
from mmrag_nb.sources.resolve import resolve
from mmrag_nb.types import Source, name_of

LONG = "a shoe of red leather, made by hand"
OTHER = "a hat of blue felt that keeps its shape"


def run(typed, base, **how):
    return list(resolve([Source(str(typed))], modality_of=modality_of, base=base, **how))


def skipped(outcomes):
    return [(one.source, one.reason) for one in outcomes if isinstance(one, Skipped)]


def found(outcomes):
    assert not skipped(outcomes)
    return outcomes


def texts(outcomes):
    return [one.content for one in found(outcomes)]


def remarks(outcome):
    return [remark for _, remark in outcome.remarks]


def written(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path.name


@pytest.fixture
def shop(tmp_path):
    """A table in a folder of its own, its photos beside it."""
    (tmp_path / "shop" / "photos").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "shop" / "photos" / name).write_text(name)
    frame = pd.DataFrame(
        {
            "sku": ["007", "008"],
            "title": ["Shoe", "Hat 1/2"],
            "photo": ["photos/a.jpg", "photos/b.jpg"],
            "note": [LONG, OTHER],
            "price": [30, 20],
            "sold": [True, False],
        }
    )
    frame.to_csv(tmp_path / "shop" / "products.csv", index=False)
    frame.to_parquet(tmp_path / "shop" / "products.parquet")
    return tmp_path


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_row_is_a_record_of_its_text_and_what_its_paths_lead_to(shop, kind):
    outcomes = found(run(f"shop/products.{kind}", shop))
    assert [(one.item.uri, one.item.modality, one.item.record.name) for one in outcomes] == [
        (f"shop/products.{kind}#Shoe text", "text", "Shoe"),
        ("shop/photos/a.jpg", "image", "Shoe"),
        (f"shop/products.{kind}#Hat 1-2 text", "text", "Hat 1/2"),
        ("shop/photos/b.jpg", "image", "Hat 1/2"),
    ]
    assert outcomes[1].content == shop / "shop" / "photos" / "a.jpg"
    assert outcomes[0].item.metadata == {"sku": "007", "title": "Shoe", "price": 30, "sold": True}
    told = "columns: note -> text, photo -> image; sku, title, price, sold -> metadata"
    assert outcomes[0].remarks == ((f"products.{kind}", told),)
    assert not any(one.notes for one in outcomes)
    assert not any(one.remarks for one in outcomes[1:])


def test_rows_of_a_file_read_again_are_the_same_items(shop):
    first, again = run("shop/products.csv", shop), run("shop/products.csv", shop)
    assert [one.item for one in first] == [one.item for one in again]
    content = (shop / "shop" / "products.csv").read_text().replace(OTHER, "another hat made of straw this time")
    (shop / "shop" / "products.csv").write_text(content)
    changed = run("shop/products.csv", shop)
    assert [one.item.id for one in changed][:2] == [one.item.id for one in first][:2]
    assert changed[2].item.id != first[2].item.id


def test_a_path_that_only_the_working_directory_has_leads_there(shop):
    (shop / "c.jpg").write_text("c")
    written(shop / "shop" / "more.csv", f"image,text\nc.jpg,{LONG.split(',', maxsplit=1)[0]}\nphotos/a.jpg,x y\n")
    outcomes = found(run("shop/more.csv", shop))
    assert [one.item.uri for one in outcomes if one.item.modality == "image"] == ["c.jpg", "shop/photos/a.jpg"]


def test_a_missing_file_is_named_where_the_table_is(shop):
    written(shop / "shop" / "more.csv", "image\nphotos/aa.jpg\n")
    (source, reason), *_ = skipped(run("shop/more.csv", shop))
    assert source == "shop/photos/aa.jpg"
    assert "did you mean 'shop/photos/a.jpg'" in reason


def test_tables_in_folders_and_globs_are_opened_too(shop):
    assert {one.item.modality for one in found(run("shop/*.csv", shop))} == {"text", "image"}
    in_folder = run("shop", shop)
    assert [one.item.uri for one in in_folder if not isinstance(one, Skipped)][:2] == [
        "shop/photos/a.jpg",
        "shop/photos/b.jpg",
    ]
    assert any("products.csv#Shoe" in one.item.uri for one in in_folder if not isinstance(one, Skipped))


def test_folders_as_records_keep_a_table_whole(shop):
    (outcome,) = [one for one in run("shop", shop, records=True) if getattr(one, "item", one) and "csv" in str(one)]
    assert outcome.item.uri == "shop/products.csv"
    assert outcome.item.record.name == "shop"


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("name;text\nA;one, two\nB;three, four\n", "semicolons"),
        ("name|text\nA|one, two\nB|three, four\n", "bars"),
        ("name\ttext\nA\tone, two\nB\tthree, four\n", ""),
        ('name,text\nA,"one, two"\nB,"three, four"\n', ""),
        ('name,text\r\nA,"one, two"\r\nB,"three, four"\r\n', ""),
        ('name, text\rA, "one, two"\rB, "three, four"\r', ""),
    ],
)
def test_the_delimiter_is_told(tmp_path, text, note):
    outcomes = run(written(tmp_path / "t.csv", text), tmp_path)
    assert texts(outcomes) == ["one, two", "three, four"]
    assert [one.item.name for one in outcomes] == ["t.csv#A", "t.csv#B"]
    assert note in " ".join(remarks(outcomes[0]))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_told(tmp_path, encoding):
    outcomes = run(written(tmp_path / "t.csv", "name,text\nA,Grüße aus Köln und Öhringen\n", encoding), tmp_path)
    assert texts(outcomes) == ["Grüße aus Köln und Öhringen"]
    assert ("decoded as cp1252" in remarks(outcomes[0])) == (encoding == "cp1252")


def test_ids_stay_text_and_numbers_are_numbers(tmp_path):
    rows = (
        "zip,code,long,amount,share,ok,country,text\n"
        "01234,1,12345678901234567,3,1.5,true,NA,x\n99999,0x1,2,,.25,FALSE,DE,y\n"
    )
    first, second = found(run(written(tmp_path / "t.csv", rows), tmp_path))
    assert first.item.metadata == {
        "zip": "01234",
        "code": "1",
        "long": "12345678901234567",
        "amount": 3,
        "share": 1.5,
        "ok": True,
        "country": "NA",
    }
    assert isinstance(first.item.metadata["amount"], int)
    assert (second.item.metadata["amount"], second.item.metadata["ok"]) == (None, False)


def test_lines_that_do_not_fit_are_counted(tmp_path):
    rows = 'name,text\nA,one\nB,two,and,more\n\nC\nD,"line one\nline two"\n'
    outcomes = run(written(tmp_path / "t.csv", rows), tmp_path)
    assert [one.content for one in outcomes if not isinstance(one, Skipped)] == ["one", "line one\nline two"]
    assert "1 line has more than 2 cells: left out" in remarks(outcomes[0])
    assert skipped(outcomes) == [("t.csv", "1 of 3 rows have no content: t.csv#C")]


def test_a_table_without_content_is_read_by_rows(tmp_path):
    rows = "station,temperature,when\nOslo,-3.5,2024-01-01\nRome,14,2024-01-01\n"
    outcomes = found(run(written(tmp_path / "t.csv", rows), tmp_path))
    assert texts(outcomes) == [
        "station: Oslo; temperature: -3.5; when: 2024-01-01",
        "station: Rome; temperature: 14.0; when: 2024-01-01",
    ]
    assert outcomes[1].item.metadata == {"station": "Rome", "temperature": 14.0, "when": "2024-01-01"}
    assert [one.item.uri for one in outcomes] == ["t.csv#row 1", "t.csv#row 2"]
    assert "each row is a text of its cells" in remarks(outcomes[0])[0]


def test_the_index_that_pandas_writes_numbers_the_rows(tmp_path):
    pd.DataFrame({"text": [LONG, OTHER]}, index=[7, 9]).to_csv(tmp_path / "t.csv")
    outcomes = found(run("t.csv", tmp_path))
    assert [(one.item.uri, dict(one.item.metadata)) for one in outcomes] == [("t.csv#row 7", {}), ("t.csv#row 9", {})]


def test_a_table_without_names_keeps_its_first_line(tmp_path):
    (outcome,) = found(run(written(tmp_path / "t.csv", "1,2.5\n"), tmp_path))
    assert outcome.content == "column 1: 1; column 2: 2.5"
    assert "no line of names: columns are numbered" in remarks(outcome)


@pytest.mark.parametrize(
    "text", ["only one line\n", "This, is prose.\nWith, some, commas, in it\nHello, you, there\nA, b, c, d, e\n"]
)
def test_what_is_no_table_is_a_text_as_before(tmp_path, text):
    (outcome,) = found(run(written(tmp_path / "t.csv", text), tmp_path))
    assert outcome.content == tmp_path / "t.csv"
    assert outcome.item.id == hashlib.sha256(text.encode()).hexdigest()
    assert outcome.notes[0].startswith("read as one text: ")


def test_without_pandas_a_csv_is_a_text_and_parquet_says_what_to_install(shop, monkeypatch):
    monkeypatch.setattr(tables, "find_spec", lambda name: None)
    (outcome,) = found(run("shop/products.csv", shop))
    assert outcome.notes == ('read as one text: pandas is not installed: pip install "mmrag-nb[tables]"',)
    assert skipped(run("shop/products.parquet", shop)) == [
        ("shop/products.parquet", 'pandas is not installed: pip install "mmrag-nb[tables]"')
    ]
    assert expected([Source("shop/products.csv")], modality_of=modality_of, base=shop) == {"text": 1}


# -- what columns hold -------------------------------------------------------------------------------------------------


def test_columns_can_be_said(shop):
    kinds = {"photo": "image", "note": "metadata", "sku": "ignore", "title": "text"}
    outcomes = found(run("shop/products.csv", shop, columns=kinds))
    assert [one.item.modality for one in outcomes] == ["text", "image"] * 2
    assert outcomes[0].content == "Shoe"
    assert outcomes[0].item.metadata == {"note": LONG, "price": 30, "sold": True}
    assert remarks(outcomes[0]) == [
        "columns: title -> text, photo -> image; note, price, sold -> metadata; sku -> ignored"
    ]


def test_columns_of_dataframes_and_dicts_can_be_said():
    frame = pd.DataFrame({"unit price": ["three"], "what": ["a b"]})
    how = {"modality_of": modality_of, "columns": {"unit_price": "ignore", "what": "text"}}
    (outcome,) = found(list(resolve([Source(frame, label="{{t}}")], **how)))
    assert (outcome.content, dict(outcome.item.metadata)) == ("a b", {})
    (outcome,) = found(list(resolve([Source({"what": "a b", "unit_price": 3, "n": 1}, label="{{d}}")], **how)))
    assert (outcome.content, dict(outcome.item.metadata)) == ("a b", {"n": 1})
    (outcome,) = found(list(resolve([Source(pd.Series([{"what": "c d"}]), label="{{s}}")], **how)))
    assert outcome.content == "c d"


def test_a_wrong_column_or_kind_names_the_nearest(shop):
    assert skipped(run("shop/products.csv", shop, columns={"foto": "image"})) == [
        ("shop/products.csv", "no column 'foto': did you mean 'photo'?")
    ]
    with pytest.raises(UnknownName, match="unknown kind of column 'imag': did you mean 'image'"):
        run("shop/products.csv", shop, columns={"photo": "imag"})
    with pytest.raises(UnknownName):
        expected([Source("shop/products.csv")], modality_of=modality_of, columns={"photo": "imag"})


def test_a_column_called_video_is_content(tmp_path):
    frame = pd.DataFrame({"video": ["a.mp4"], "text": ["a b"]})
    (text, _) = list(resolve([Source(frame, label="{{t}}")], modality_of=modality_of, base=tmp_path))
    assert "video -> video" in remarks(text)[0]


# -- what is told before -----------------------------------------------------------------------------------------------


def test_rows_are_expected_by_the_first_of_them(shop):
    how = {"modality_of": modality_of, "base": shop}
    assert expected([Source("shop/products.csv")], **how) == {"text": 2, "image": 2}
    assert expected([Source("shop/products.parquet")], **how) == {"text": 2, "image": 2}
    assert expected([Source("shop")], **how) == {"text": 4, "image": 6}
    assert expected([Source("shop/products.csv")], **how, columns={"note": "ignore"}) == {"image": 2}


def test_a_long_table_is_not_read_to_be_expected(tmp_path):
    line = f"{OTHER},{'x' * 200}\n"
    (tmp_path / "t.csv").write_text("text,more\n" + line * 40_000)
    (count,) = expected([Source("t.csv")], modality_of=modality_of, base=tmp_path).values()
    assert 38_000 < count < 42_000


def test_addresses_in_a_table_are_told_instead_of_fetched(tmp_path):
    rows = "text,image\na b,https://example.org/a.jpg\nc d,https://example.org/b.jpg\n"
    told = []
    outcomes = run(written(tmp_path / "t.csv", rows), tmp_path, instead=told.append)
    assert told == ["https://example.org/a.jpg", "https://example.org/b.jpg"]
    assert texts(outcomes) == ["a b", "c d"]


# -- what cannot hurt --------------------------------------------------------------------------------------------------


def test_a_table_that_names_itself_ends(tmp_path):
    outcomes = run(written(tmp_path / "t.csv", "path\nt.csv\nt.csv\n"), tmp_path)
    assert [one.item.uri for one in outcomes if not isinstance(one, Skipped)] == ["t.csv"]


def _dictionary(count, value):
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([value]))


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"text": _dictionary(1_000, "x" * 5_000_000)}, "a cell of 5,000,000 characters"),
        ({"text": _dictionary(100_000, "y" * 900_000)}, "bytes unpacked, at most"),
        ({"text": _dictionary(1_200_000, "z")}, "1,200,000 rows, at most 1,000,000"),
        ({f"c{number}": [1] for number in range(1_500)}, "1,500 columns, at most 1,000"),
        ({"text": [["a"] * 5_000]}, "5,000 texts in one cell, at most 1,000"),
        ({"a": [{"b": [{"c": 1}]}], "b": [[1, 2]], "c": [b"x"]}, "no column of text, numbers or dates"),
        ({"text": pa.array([], pa.string())}, "a table without rows"),
    ],
)
def test_a_hostile_parquet_ends_in_one_line(tmp_path, columns, reason):
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    start = time.perf_counter()
    ((source, told),) = skipped(run("t.parquet", tmp_path))
    assert (source, "\n" in told) == ("t.parquet", False)
    assert reason in told
    assert time.perf_counter() - start < 20


def test_a_damaged_parquet_ends_in_one_line(tmp_path):
    parquet.write_table(pa.table({"text": [LONG] * 100, "n": list(range(100))}), tmp_path / "good.parquet")
    good = (tmp_path / "good.parquet").read_bytes()
    for number, damaged in enumerate(
        [good[: len(good) // 2], good[len(good) // 2 :], b"PAR1" + b"\xff" * 90 + b"PAR1", b"no parquet"]
        + [good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :] for at in range(4, len(good), 97)]
    ):
        (tmp_path / "bad.parquet").write_bytes(damaged)
        outcomes = run("bad.parquet", tmp_path)
        assert all("\n" not in reason for _, reason in skipped(outcomes)), number
        assert outcomes, number


def test_what_parquet_cannot_say_as_text_is_left_out_and_told(tmp_path):
    frame = pd.DataFrame(
        {
            "text": [LONG],
            "tags": [["red", "leather"]],
            "when": pd.to_datetime(["2024-01-02"]),
            "vector": [[0.1, 0.2]],
            "raw": [b"\x00"],
        }
    )
    frame["kind"] = pd.Categorical(["shoe"])
    frame.to_parquet(tmp_path / "t.parquet")
    (outcome,) = found(run("t.parquet", tmp_path))
    assert outcome.item.metadata == {"tags": ["red", "leather"], "when": "2024-01-02T00:00:00", "kind": "shoe"}
    assert remarks(outcome)[0] == "vector, raw: lists of numbers, bytes or nested values, left out"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('a,b\n"x,y\n' + "1,2\n" * 300_000, "is a quote not closed there?"),
        ("a,b\n" + "1,2\n" * (budgets.MAX_ROWS + 1), "more than 1,000,000 rows"),
        ("a" + ",b" * budgets.MAX_COLUMNS + "\n", "1,001 columns"),
    ],
)
def test_a_csv_beyond_the_budget_ends_in_one_line(tmp_path, text, reason):
    ((source, told),) = skipped(run(written(tmp_path / "t.csv", text), tmp_path))
    assert source == "t.csv"
    assert reason in told


def test_a_file_beyond_the_budget_is_not_read(tmp_path):
    with (tmp_path / "t.csv").open("wb") as file:
        file.truncate(budgets.MAX_BYTES + 1)
    assert skipped(run("t.csv", tmp_path)) == [
        ("t.csv", "larger than 100 MB: save it as Parquet, or cut it into parts")
    ]


def test_nothing_of_the_readers_is_imported_by_the_sources():
    text = Path(tables.__file__).read_text(encoding="utf-8")
    assert "import pyarrow" not in text
    assert "mmrag_nb.loaders.csv_tables:csv_rows" in text
    assert csv_tables.csv_rows


def test_rows_of_a_table_at_an_address_have_names():
    assert name_of("https://example.org/data/t.csv?x=1#row 3") == "t.csv#row 3"
    assert name_of("https://example.org/data/t.csv?x=1") == "t.csv"
    assert name_of("data/t.csv#row 3") == "t.csv#row 3"


def test_a_served_table_leads_to_its_server_and_never_to_this_machine(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("do not read me")
    served = tables.Table(
        _resolved("https://example.org/data/t.csv", b"x"),
        {"names": ["path"], "plain": [False], "rows": 4, "notes": [], "numbered": False, "cells": []},
        iter(()),
        tmp_path,
    )
    led = [served._located("path", value) for value in (str(secret), "a/b.jpg", "../c.jpg", secret.as_uri())]
    assert led[1:3] == [("url", "https://example.org/data/a/b.jpg"), ("url", "https://example.org/c.jpg")]
    assert all(is_url(value) for _, value in led)  # and of these, http and https alone are fetched
    assert led[0][1].startswith("https://example.org/")


def _resolved(uri, content):
    from mmrag_nb.types import Item, Resolved

    return Resolved(Item("x", uri, "text"), content)


def test_a_damaged_table_that_its_reader_finds_nothing_in_is_told(tmp_path, monkeypatch):
    """What one wrong byte of a Parquet file did."""
    parquet.write_table(pa.table({"text": ["one", "two"]}), tmp_path / "t.parquet")
    monkeypatch.setattr(tables, "stream", lambda *_, **__: iter(()))
    ((source, reason),) = skipped(run("t.parquet", tmp_path))
    assert (source, reason) == ("t.parquet", "damaged: there is no table in it")
