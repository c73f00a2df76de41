"""An exported Parquet file, imported by somebody else."""

import json

import numpy as np
import pytest

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder, demo_sources
from mmrag_nb.errors import IndexMismatch, LoadError

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """An index of the demo's media, and the file it was exported to."""
    place = tmp_path_factory.mktemp("exported") / "lesson.parquet"
    with MultimodalRAG(preset="offline", speech="none") as rag:
        rag.index(demo_sources())
        rag.search("a red apple")
        rag.export(place)
        yield rag, place


def contents(rag):
    catalog = rag._catalog
    stored = catalog.records(catalog.in_order().tolist())
    rows = {
        (one.item.id, one.chunk.ordinal): (one.chunk, one.item, one.facts, one.described) for one in stored.values()
    }
    vectors = {}
    for channel in catalog.channels():
        ids, matrix = catalog.matrix(channel.space, channel.view)
        kept = catalog.records(ids.tolist())
        for one, vector in zip(ids.tolist(), matrix, strict=True):
            vectors[channel.space, channel.view, kept[one].item.id, kept[one].chunk.ordinal] = vector
    return rows, vectors


def test_all_of_it_is_there_again_under_the_same_models(given, tmp_path):
    rag, place = given
    with MultimodalRAG(path=tmp_path / "theirs.mmrag") as other:  # of another preset
        report = other.import_vectors(place)
        assert report.added == len(rag.items())
        assert other.settings.preset == "offline"
        (rows, vectors), (theirs, their_vectors) = contents(rag), contents(other)
        assert theirs == rows
        assert their_vectors.keys() == vectors.keys()
        assert all(their_vectors[key] @ vectors[key] > 0.99999 for key in vectors)
        assert [hit.item.name for hit in other.search("a red apple", k=3)] == [
            hit.item.name for hit in rag.search("a red apple", k=3)
        ]
        assert "thumbnail" in other.search("a red apple", k=1)[0].previews
        assert other.import_vectors(place).added == 0


def test_the_index_that_it_comes_from_has_it_already(given):
    rag, place = given
    before = rag._catalog.generation
    assert rag.import_vectors(place).added == 0
    assert rag._catalog.generation == before


def test_indexing_the_sources_again_embeds_no_picture(given, tmp_path):
    _, place = given
    with MultimodalRAG(preset="offline", speech="none") as other:
        other.import_vectors(place)
        report = other.index(str(demo_folder() / "emoji" / "*.png"))
        assert report.embedded == 0


def test_an_index_of_another_model_refuses_it(given):
    _, place = given
    with MultimodalRAG(preset="offline", augment=True) as other:
        other.index(demo_folder() / "emoji" / "drawing_02.png")
        with pytest.raises(IndexMismatch):
            other.import_vectors(place)


def rewritten(place, tmp_path, change):
    table = parquet.read_table(place)
    told = json.loads(table.schema.metadata[b"mmrag_nb"])
    table = change(table, told) or table
    table = table.replace_schema_metadata({b"mmrag_nb": json.dumps(told).encode()})
    parquet.write_table(table, tmp_path / "changed.parquet")
    return tmp_path / "changed.parquet"


def with_column(table, name, values):
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(place), pa.array(values, table.schema.field(place).type))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda table, told: told["vectors"]["vector_image"].update(dimension=64), "holds no vectors of 64 numbers"),
        (lambda table, told: told["vectors"].update(vector_x={"dimension": 3}), "cannot be read|damaged"),
        (lambda table, told: told.update(format=99), "an export of a later version"),
        (lambda table, told: told.update(vectors=[1]), "cannot be read"),
        (lambda table, told: table.drop_columns(["views"]), "no column views"),
        (lambda table, told: told["vectors"]["vector_image"].update(fingerprint={"model": 3}), "damaged"),
    ],
)
def test_a_file_that_says_what_cannot_be_is_damaged(given, tmp_path, change, told):
    place = rewritten(given[1], tmp_path, change)
    with MultimodalRAG(preset="offline") as rag:
        with pytest.raises(LoadError, match=told):
            rag.import_vectors(place)
        assert not rag.items()


def test_rows_that_cannot_be_are_left_out_and_the_rest_comes_in(given, tmp_path):
    def change(table, told):
        ids, views = table.column("item").to_pylist(), table.column("views").to_pylist()
        last = ids.index(ids[-1])
        ids[last:] = ["../../etc/passwd"] * (len(ids) - last)
        views[0] = "[1, 2"
        return with_column(with_column(table, "item", ids), "views", views)

    place = rewritten(given[1], tmp_path, change)
    with MultimodalRAG(preset="offline") as rag:
        report = rag.import_vectors(place)
        assert [one.reason for one in report.skipped] == ["its row is damaged"] * 2
        assert report.added == len(given[0].items()) - 2


def test_flipped_bytes_are_an_error_or_come_in_whole_rows(given, tmp_path):
    data = bytearray(given[1].read_bytes())
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(data), 25):
        changed = bytearray(data)
        changed[place] ^= 0xFF
        (tmp_path / "flipped.parquet").write_bytes(changed)
        with MultimodalRAG(preset="offline") as rag:
            try:
                rag.import_vectors(tmp_path / "flipped.parquet")
            except (LoadError, IndexMismatch):
                continue
            assert {item.id for item in rag.items()} <= {item.id for item in given[0].items()} | {
                item.id for item in rag.items() if len(item.id) == 64
            }
