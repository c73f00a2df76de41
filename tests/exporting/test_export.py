"""``export``: what is written, read again by pyarrow and by datasets."""

import json
import shutil

import numpy as np
import pytest

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.errors import EmptyIndex, InvalidSetting, MMRagError, UnknownName
from mmrag_nb.exporting import exporting

parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(scope="module")
def rag(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lesson")
    drawing = folder / "drawing_02.png"
    shutil.copy(demo_folder() / "emoji" / "drawing_02.png", drawing)
    with MultimodalRAG(preset="offline") as rag:
        rag.index(
            [
                {"path": drawing, "caption": "an apple", "price": 3, "odd": "a"},
                {"text": "A concert harp has forty-seven strings.", "price": 2.5, "odd": 7, "fresh": True},
                {"text": "One of a pair.", "image": demo_folder() / "emoji" / "drawing_03.png", "tags": ["x", "y"]},
            ]
        )
        yield rag


def names_in(folder):
    return sorted(one.name for one in folder.iterdir())


def stored(rag):
    catalog = rag._catalog
    ids = catalog.in_order().tolist()
    return ids, catalog.records(ids)


def test_a_row_for_each_chunk_with_all_that_is_known_of_it(rag, tmp_path):
    report = rag.export(tmp_path / "lesson.parquet")
    table = parquet.read_table(tmp_path / "lesson.parquet")
    ids, there = stored(rag)
    assert report.rows == table.num_rows == len(ids) == 4
    for one, row in zip(ids, table.to_pylist(), strict=True):
        chunk, item = there[one].chunk, there[one].item
        assert (row["item"], row["uri"], row["name"]) == (item.id, item.uri, item.name)
        assert (row["modality"], row["ordinal"], row["text"]) == (chunk.modality, chunk.ordinal, chunk.text)
        assert json.loads(row["metadata"]) == item.metadata
        assert json.loads(row["facts"]) == there[one].facts
        assert row["record"] == (item.record.id if item.record else None)


def test_metadata_of_one_type_have_columns_of_their_own_and_others_none(rag, tmp_path):
    rag.export(tmp_path / "lesson.parquet")
    schema = parquet.read_schema(tmp_path / "lesson.parquet")
    assert str(schema.field("meta_price").type) == "double"
    assert str(schema.field("meta_fresh").type) == "bool"
    assert {"meta_odd", "meta_tags"}.isdisjoint(schema.names)


def test_vectors_are_those_of_the_index_and_the_file_tells_whose(rag, tmp_path):
    rag.export(tmp_path / "lesson.parquet")
    table = parquet.read_table(tmp_path / "lesson.parquet")
    told = json.loads(table.schema.metadata[b"mmrag_nb"])["vectors"]
    assert told["vector_image"]["space"] == "clip:emoji"
    assert told["vector_image"]["fingerprint"] == rag._catalog.fingerprint("clip:emoji")
    ids, _ = stored(rag)
    for name, channel in told.items():
        known, matrix = rag._catalog.matrix(channel["space"], channel["view"])
        there = dict(zip(known.tolist(), matrix, strict=True))
        for one, vector in zip(ids, table.column(name).to_pylist(), strict=True):
            assert (vector is None) == (one not in there)
            assert vector is None or np.array_equal(np.float32(vector), there[one])


def test_datasets_opens_the_folder_and_reads_the_same(rag, tmp_path):
    datasets = pytest.importorskip("datasets")
    rag.export(tmp_path / "lesson.parquet")
    rag.export(tmp_path / "lesson", form="datasets")
    assert names_in(tmp_path) == ["lesson", "lesson.parquet"]
    dataset = datasets.load_from_disk(str(tmp_path / "lesson"))
    assert isinstance(dataset.features["thumbnail"], datasets.Image)
    assert "clip:emoji" in dataset.info.description
    assert rag._catalog.fingerprint("clip:emoji")["revision"] in dataset.info.description
    table = parquet.read_table(tmp_path / "lesson.parquet")
    names = [name for name in table.schema.names if name != "thumbnail"]
    assert dataset.select_columns(names).to_list() == table.select(names).to_pylist()
    assert [row["thumbnail"] and row["thumbnail"].size for row in dataset] == [(128, 128), None, None, (128, 128)]


def test_the_file_alone_is_a_dataset_with_pictures(rag, tmp_path):
    datasets = pytest.importorskip("datasets")
    rag.export(tmp_path / "lesson.parquet")
    dataset = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "lesson.parquet"), cache_dir=str(tmp_path / "cache"), split="train"
    )
    assert dataset[0]["thumbnail"].size == (128, 128)
    assert dataset.features["vector_image"].length == 128


@pytest.mark.parametrize(("form", "name"), [("parquet", "a.parquet"), ("datasets", "a")])
def test_nothing_is_replaced_unasked_and_a_failure_leaves_what_was_there(rag, tmp_path, monkeypatch, form, name):
    place = tmp_path / name
    rag.export(place, form=form)
    before = sorted((str(one), one.read_bytes()) for one in tmp_path.rglob("*") if one.is_file())
    with pytest.raises(MMRagError, match=r"is there already.*overwrite=True"):
        rag.export(place, form=form)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "batch_of", fail)
    with pytest.raises(MMRagError, match=r"cannot write .*: No space left on device"):
        rag.export(place, form=form, overwrite=True)
    with pytest.raises(MMRagError):
        rag.export(tmp_path / f"other-{name}", form=form)
    assert sorted((str(one), one.read_bytes()) for one in tmp_path.rglob("*") if one.is_file()) == before
    assert names_in(tmp_path) == [name]
    monkeypatch.undo()
    assert rag.export(place, form=form, overwrite=True, thumbnails=False).rows == 4
    assert names_in(tmp_path) == [name]


def test_a_folder_that_holds_other_things_is_never_replaced(rag, tmp_path):
    pytest.importorskip("datasets")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.jpg").write_bytes(b"mine")
    with pytest.raises(MMRagError, match="holds other things than a dataset"):
        rag.export(tmp_path / "photos", form="datasets", overwrite=True)
    assert (tmp_path / "photos" / "mine.jpg").read_bytes() == b"mine"


def test_wrong_places_and_forms_are_told(rag, tmp_path):
    with pytest.raises(InvalidSetting, match=r"does not end in \.parquet.*form='datasets'"):
        rag.export(tmp_path / "lesson.mmrag")
    with pytest.raises(UnknownName, match="did you mean 'parquet'"):
        rag.export(tmp_path / "a.parquet", form="parket")
    with pytest.raises(MMRagError, match="there is no folder"):
        rag.export(tmp_path / "no" / "a.parquet")
    (tmp_path / "a.parquet").mkdir()
    with pytest.raises(MMRagError, match="is a folder"):
        rag.export(tmp_path / "a.parquet", overwrite=True)
    with pytest.raises(EmptyIndex):
        MultimodalRAG(preset="offline").export(tmp_path / "b.parquet")
    assert names_in(tmp_path) == ["a.parquet"]


def test_the_command_line_exports_a_file(tmp_path, capsys):
    from mmrag_nb.cli import main

    index = tmp_path / "lesson.mmrag"
    with MultimodalRAG(preset="offline", path=index) as other:
        other.index({"text": "A concert harp has forty-seven strings."})
    assert main(["export", str(index), str(tmp_path / "a.parquet")]) == 0
    assert "exported 1 item (1 text) as 1 row" in capsys.readouterr().out
    assert main(["export", str(index), str(tmp_path / "a.parquet")]) == 1
    assert "is there already" in capsys.readouterr().err
    assert main(["export", str(index), str(tmp_path / "a.parquet"), "--overwrite"]) == 0
