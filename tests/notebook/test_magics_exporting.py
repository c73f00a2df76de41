"""``%mmrag_export`` and ``%mmrag_import``."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hostile import HOSTILE
from PIL import Image

from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.models.emoji import EmojiEncoder
from mmrag_nb.reports import ExportReport, ImportReport, Skipped

pd = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")


@pytest.fixture
def drawings(shell, tmp_path):
    """Three drawings in the working directory, their vectors and table as files and in the notebook."""
    names = [f"drawing_0{n}.png" for n in (1, 2, 3)]
    for name in names:
        shutil.copy(demo_folder() / "emoji" / name, tmp_path)
    vectors = EmojiEncoder().embed_images([Image.open(name).convert("RGB") for name in names])
    np.save("vectors.npy", vectors)
    frame = pd.DataFrame({"photo": names, "price": [1, 2, 3]})
    frame.rename(columns={"photo": "path"}).to_csv("my table.csv", index=False)
    shell.user_ns.update(vectors=vectors, frame=frame)
    return names


def told(shell, cell):
    result = shell.run_cell(cell)
    assert not result.success
    return str(result.error_in_exec)


def test_vectors_come_in_and_the_index_goes_out_and_in_again(shell, drawings):
    report = shell.run_cell("%mmrag_import vectors.npy 'my table.csv'").result
    assert isinstance(report, ImportReport)
    assert report.items == {"image": 3}
    assert shell.run_cell("%mmrag_search a red apple -k 1").result[0].item.name == "drawing_02.png"
    report = shell.run_cell("%mmrag_export lesson.parquet").result
    assert isinstance(report, ExportReport)
    assert "is there already" in told(shell, "%mmrag_export lesson.parquet")
    assert shell.run_cell("%mmrag_export lesson.parquet --overwrite --no-thumbnails --out written").result is None
    assert shell.user_ns["written"].rows == 3
    shell.run_cell("%mmrag_reset --discard")
    assert shell.run_cell("%mmrag_import lesson.parquet").result.added == 3


def test_a_folder_of_datasets(shell, drawings):
    datasets = pytest.importorskip("datasets")
    shell.run_cell("%mmrag_import vectors.npy 'my table.csv' -o _r")
    assert shell.run_cell('%mmrag_export "my lesson" --form datasets').success
    assert len(datasets.load_from_disk("my lesson")) == 3
    assert "unknown value of --form" in told(shell, "%mmrag_export a.parquet --form csv")


def test_python_values_and_what_columns_are(shell, drawings):
    line = '%mmrag_import {{vectors}} {{frame}} --columns "photo=path" --out report'
    assert shell.run_cell(line).result is None
    assert shell.user_ns["report"].added == 3
    assert shell.user_ns["report"].models


def test_each_mistake_is_one_line(shell, drawings):
    assert told(shell, "%mmrag_export") == "name the file: %mmrag_export lesson.parquet"
    assert "nothing is indexed yet" in told(shell, "%mmrag_export a.parquet")
    assert told(shell, "%mmrag_import") == "name the vectors and their table: %mmrag_import vectors.npy table.csv"
    assert "name the table" in told(shell, "%mmrag_import vectors.npy")
    assert "did you mean 'my table.csv'" in told(shell, "%mmrag_import vectors.npy 'my tabel.csv'")
    assert "frame2" in told(shell, "%mmrag_import {{vectors}} {{frame2}}")
    wrong = told(shell, "%mmrag_import {{vectors[::-1]}} 'my table.csv'")
    assert "--no-check" in wrong
    assert "\n" not in wrong
    assert shell.run_cell("%mmrag_import {{vectors[::-1]}} 'my table.csv' --no-check --no-thumbnails").result.added == 3
    assert sorted(one.name for one in Path().iterdir()) == sorted([*drawings, "my table.csv", "vectors.npy"])


def test_tab_offers_files_of_the_right_kinds(shell, drawings):
    Path("a.parquet").touch()

    def tab(line):
        return shell.complete("", line, len(line))[1]

    assert tab("%mmrag_import ") == ["a.parquet", "vectors.npy"]
    assert "'my table.csv'" in " ".join(tab("%mmrag_import vectors.npy ")).replace('"', "'")
    assert "emoji" in tab("%mmrag_import vectors.npy t.csv --model ")
    assert tab("%mmrag_export ") == ["a.parquet"]
    assert {"--form", "--overwrite", "--out"} <= set(tab("%mmrag_export a.parquet --"))


@pytest.mark.parametrize("text", HOSTILE)
def test_reports_show_hostile_strings_as_text(text):
    reports = (
        ImportReport({"image": 1, text: 1}, 1, 0, {text: 1}, text, (Skipped(text, text),), ((text, text),), (text,)),
        ExportReport(text, "parquet", 1, {text: 1}, {text: text}),
    )
    for report in reports:
        html = report._repr_html_()
        for mark in ("<script>", "<img", "<iframe", "<svg onload", "</section></div></div>", "\x1b", "\u202e"):
            assert mark not in html
        assert "\x1b" not in repr(report)
        assert "\u202e" not in repr(report)
