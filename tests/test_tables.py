"""Tables from the file to the answer: rows are found, told how they were read, and not embedded twice."""

import pandas as pd
import pytest
import shells
from nbformat import v4, writes
from PIL import Image

from mmrag_nb import MultimodalRAG

ROWS = [
    ("007", "Ocean card", "as the sea on a summer day", "photos/blue.png", 3),
    ("008", "Ember card", "a warm colour for a cold room", "photos/red.png", 5),
    ("009", "Leaf card", "the colour of grass and leaves", "photos/green.png", 8),
]


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop" / "photos").mkdir(parents=True)
    for colour in ("blue", "red", "green"):
        Image.new("RGB", (64, 48), colour).save(tmp_path / "shop" / "photos" / f"{colour}.png")
    frame = pd.DataFrame(ROWS, columns=["sku", "name", "note", "photo", "price"])
    frame.to_csv(tmp_path / "shop" / "products.csv", index=False)
    frame.to_parquet(tmp_path / "shop" / "products.parquet")
    return tmp_path


@pytest.fixture
def rag():
    with MultimodalRAG(preset="offline") as made:
        yield made


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_row_is_found_and_scored_as_one(rag, shop, kind):
    report = rag.index(f"shop/products.{kind}")
    assert (report.items, report.skipped) == ({"text": 3, "image": 3}, ())
    assert report.notes == (
        (f"products.{kind}", "columns: note -> text, photo -> image; sku, name, price -> metadata"),
    )
    hit = rag.search("the sea in summer", k=1)[0]
    assert (hit.item.record.name, hit.item.uri) == ("Ocean card", f"shop/products.{kind}#Ocean card text")
    assert hit.item.metadata["sku"] == "007"
    assert {one.item.metadata["price"] for one in rag.search("a colour", k=9, where="price > 4")} == {5, 8}


def test_a_table_indexed_again_embeds_what_is_new_alone(rag, shop):
    rag.index("shop/products.csv")
    assert rag.index("shop/products.csv").embedded == 0
    path = shop / "shop" / "products.csv"
    path.write_text(path.read_text() + "010,Stone card,grey as a pebble on the beach,,1\n")
    report = rag.index("shop/products.csv")
    assert (report.embedded, report.reused) == (1, 6)


def test_a_row_can_be_taken_out_by_its_table(rag, shop):
    rag.index("shop/products.csv")
    assert len(rag.remove("shop/products.csv#*").items) == 3


def test_a_plan_tells_what_columns_hold_and_fetches_nothing(rag, shop):
    (shop / "web.csv").write_text("text,image\na harp of wood,https://example.org/harp.jpg\n")
    plan = rag.plan(["shop/products.csv", "web.csv"])
    columns = "products.csv: columns: note -> text, photo -> image; sku, name, price -> metadata"
    assert columns in " ".join(repr(plan).split())
    assert plan.fetched == ("https://example.org/harp.jpg",)
    assert {kind.modality: kind.new for kind in plan.kinds} == {"text": 4, "image": 3}
    assert "sku -> ignored" in repr(rag.plan("shop/products.csv", columns={"sku": "ignore"}))


def test_the_magic_takes_columns(shop, tmp_path_factory, monkeypatch, capsys):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
    with shells.started() as shell:
        plan = shell.run_line_magic("mmrag_index", 'shop/products.csv --dry-run --columns "sku=ignore"')
        assert "sku -> ignored" in repr(plan)
        kinds = "photo=metadata note=text, sku=ignore"
        report = shell.run_cell_magic("mmrag_index", f'--columns "{kinds}"', "shop/products.csv")
        assert report.items == {"text": 3}
        assert "sku -> ignored" in report.notes[0][1]
        wrong = '%mmrag_index shop/products.csv --columns "photo=imag"'
        assert "did you mean 'image'" in shells.fails(shell, capsys, wrong)
        wrong = '%mmrag_index shop/products.csv --columns "photo"'
        assert "'photo' is not column=kind" in shells.fails(shell, capsys, wrong)


def test_a_cell_of_a_notebook_is_found_and_called_a_cell(rag, shop):
    cells = [v4.new_markdown_cell("# Lakes"), v4.new_markdown_cell("A concert harp has forty-seven strings.")]
    (shop / "lesson.ipynb").write_text(writes(v4.new_notebook(cells=cells)))
    report = rag.index("lesson.ipynb")
    assert report.items == {"text": 1}
    found = rag.search("how many strings has a harp?", k=1)
    assert found[0].item.name == "lesson.ipynb"
    assert f"cell {found[0].chunk.page}" in repr(found)
    assert f"cell {found[0].chunk.page}" in found._repr_html_()
